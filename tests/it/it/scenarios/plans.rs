//! What changes between a plan and its approval.

use jiff::SignedDuration;
use serde_json::json;
use sim::{directory::Removal, entra::App, faults::Fault};

use crate::world::{Setting, World, text, vendors::PRODUCT};

#[tokio::test]
async fn a_plan_is_void_when_the_settings_that_it_stands_on_change() {
    let mut world = World::with_people(2).await;
    let batch = world.plan_for_everybody().await;
    world.change_settings(json!({ "key_algorithm": "rsa2048" })).await;
    let refused = world.approve(&batch).await.refused(409);
    assert_eq!(refused, "the settings or prices changed after the plan was made; make a new one");
    assert_eq!(world.states(&batch).await, [("planned".to_owned(), 2)].into());
    assert_eq!(world.purchases(), 0);
}

#[tokio::test]
async fn a_plan_that_graph_refuses_is_stopped_with_the_reason() {
    let mut world = World::unconnected(Setting { people: 2, ..Setting::default() }).await;
    let tenant = world.microsoft().first_tenant().clone();
    let app = tenant.app(&world.vendors.organisation.client_id).unwrap();
    tenant.register(App { roles: vec!["User.Read.All".to_owned()], ..app });
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let wanted = json!({ "product": PRODUCT, "days": 365, "purpose": "general", "everybody": true });
    let batch = text(&world.operator.post("/batches", wanted).await.done()["id"]);
    world.until_batch_is(&batch, "stopped").await;
    let reason = text(&world.batch(&batch).await["reason"]);
    assert!(reason.contains("Insufficient privileges"), "{reason}");
    assert_eq!(world.approve(&batch).await.refused(409), "the plan is not ready: it is stopped");
    let resumed = world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.refused(409);
    assert!(resumed.contains("nobody approved it"), "{resumed}");
    world.operator.post(&format!("/batches/{batch}/abandon"), json!({})).await.done();
    assert_eq!(world.batch(&batch).await["status"], "abandoned");
    assert_eq!(world.purchases(), 0);
}

/// A token that was taken back is as long as any other; only Graph knows that it is not good.
#[tokio::test]
async fn a_plan_whose_token_is_refused_is_made_with_another() {
    let world = World::with_people(2).await;
    let tokens = world.microsoft().calls("entra.token");
    world.microsoft().faults().times("graph.pfx_list", 3, Fault::FailBefore(401));
    let batch = world.plan_for_everybody().await;
    assert_eq!(world.batch(&batch).await["planned"], 2);
    assert_eq!(world.microsoft().calls("graph.pfx_list"), 4);
    assert_eq!(world.microsoft().calls("entra.token"), tokens + 3, "each was asked with a new one");
}

#[tokio::test]
async fn a_plan_is_void_after_a_week() {
    let world = World::with_people(1).await;
    let batch = world.plan_for_everybody().await;
    world.pass(SignedDuration::from_hours(24 * 7 + 1));
    assert_eq!(world.approve(&batch).await.refused(409), "the plan is older than 7 days; make a new one");
}

#[tokio::test]
async fn a_person_whose_address_changed_since_the_plan_drops_out_of_it() {
    let world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    let moved = world.microsoft().directory().people()[1].id;
    world.microsoft().directory().change(moved, |person| person.readdress("new.name@contoso.example"));
    world.import().await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 2), ("cancelled", 1)]).await;
    world.everybody_has_one(2).await;
    let page = world.operator.get(&format!("/enrollments?person={moved}")).await;
    assert!(text(&page["items"][0]["says"]).contains("changed since the plan was made"), "{page}");
}

#[tokio::test]
async fn a_plan_that_was_given_up_is_not_approved() {
    let world = World::of(Setting { people: 1, ..Setting::default() }).await;
    let batch = world.plan_for_everybody().await;
    world.operator.post(&format!("/batches/{batch}/abandon"), json!({})).await.done();
    assert_eq!(world.approve(&batch).await.refused(409), "the plan is not ready: it is abandoned");
    assert_eq!(world.purchases(), 0);
}

#[tokio::test]
async fn a_plan_is_void_when_its_price_is_no_longer_the_deployments() {
    let world = World::with_people(1).await;
    let batch = world.plan_for_everybody().await;
    let refused = world.approve_at_another_price(&batch).await;
    assert_eq!(refused, "the settings or prices changed after the plan was made; make a new one");
    assert_eq!(world.states(&batch).await, [("planned".to_owned(), 1)].into());
    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
}

#[tokio::test]
async fn who_left_since_the_plan_drops_out_of_it() {
    let world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    let directory = world.microsoft().directory();
    let people = directory.people();
    directory.delete(people[0].id, Removal::Restorable);
    directory.disable(people[1].id);
    world.import().await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 1), ("cancelled", 2)]).await;
    world.everybody_has_one(1).await;
}

/// A month before its end a certificate is bought again, by whichever of two plans comes first.
#[tokio::test]
async fn a_certificate_near_its_end_is_replaced_once() {
    let world = World::with_people(2).await;
    let first = world.order_for_everybody().await;
    world.until_states(&first, [("imported", 2)]).await;
    world.pass(SignedDuration::from_hours(24 * 334));
    let early = world.plan_for_everybody().await;
    assert_eq!(world.batch(&early).await["planned"], 0, "31 days before the end it is too early");
    world.pass(SignedDuration::from_hours(24 * 2));
    let (one, other) = (world.plan_for_everybody().await, world.plan_for_everybody().await);
    for batch in [&one, &other] {
        assert_eq!(world.batch(batch).await["planned"], 2);
        world.approve(batch).await.done();
    }
    let ends = async || {
        let (one, other) = (world.states(&one).await, world.states(&other).await);
        let sum = |state: &str| one.get(state).unwrap_or(&0) + other.get(state).unwrap_or(&0);
        (sum("imported"), sum("cancelled")) == (2, 2)
    };
    world.until("one of both buys for each", ends).await;
    assert_eq!(world.purchases(), 4);
    assert_eq!(world.microsoft().records().len(), 4, "the record before stays, so that old mail can be read");
}
