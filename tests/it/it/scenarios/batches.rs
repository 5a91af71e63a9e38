//! The end of a batch.

use domain::{Batch, batch::BatchStatus, transition::LEASE};
use ports::IntegrationStore;
use serde_json::json;
use sim::sslcom::OrderState;

use crate::world::{Setting, World, text};

#[tokio::test]
async fn a_batch_is_done_when_the_last_of_its_people_has_come_to_an_end() {
    let mut world = World::unconnected(Setting { people: 2, polling_only: true, ..Setting::default() }).await;
    let (_, address) = world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2), ("validating", 1)]).await;
    world.until_batch_is(&batch, "running").await;
    world.sslcom().until(|sslcom| sslcom.orders().iter().any(|order| order.validation_mails == 1)).await;
    world.sslcom().click(&address);
    world.until_batch_is(&batch, "done").await;
    assert_eq!(world.states(&batch).await, [("imported".to_owned(), 3)].into());
    world.everybody_has_one(3).await;

    // Writing a record again is no purchase, and does not open the batch again.
    world.operator.post("/import-again", json!({ "batch": batch })).await.done();
    world.until("all are written again", async || world.microsoft().calls("graph.pfx_update") == 3).await;
    world.until_states(&batch, [("imported", 3)]).await;
    assert_eq!(world.batch(&batch).await["status"], "done");
    assert_eq!(world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.status, 409);
}

#[tokio::test]
async fn a_rejected_order_is_an_end_too() {
    let mut world = World::unconnected(Setting { people: 1, polling_only: true, ..Setting::default() }).await;
    world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1), ("validating", 1)]).await;
    let rows = world.enrollments().await;
    let waiting = rows.iter().find(|row| row["state"] == "validating").unwrap();
    world.sslcom().reject(&world.order_of(waiting), "rejected");
    world.until_batch_is(&batch, "done").await;
    assert_eq!(world.sslcom().count(|state| matches!(state, OrderState::Rejected(_))), 1);
}

#[tokio::test]
async fn a_batch_that_everybody_dropped_out_of_is_done() {
    let world = World::with_people(1).await;
    let batch = world.plan_for_everybody().await;
    let person = world.microsoft().directory().people()[0].id;
    world.microsoft().directory().change(person, |person| person.readdress("new.name@contoso.example"));
    world.import().await;
    world.approve(&batch).await.done();
    world.until_batch_is(&batch, "done").await;
    assert_eq!(world.states(&batch).await, [("cancelled".to_owned(), 1)].into());
    assert_eq!(world.purchases(), 0);
}

/// The sweep looks after the newest batches only.
#[tokio::test]
async fn an_old_batch_whose_approval_stands_still_goes_on_when_it_is_resumed() {
    let world = World::with_people(1).await;
    let batch = world.plan_for_everybody().await;
    for _ in 0..50 {
        world.plan_for_everybody().await;
    }
    let rows = world.flow().rows(world.operator.integration().parse().unwrap());
    let plan = rows.batch(batch.parse().unwrap()).await.unwrap().unwrap();
    let due_at = Some(world.flow().now() + LEASE);
    let lost = Batch { status: BatchStatus::Approving, approved_by: Some("operator".into()), due_at, ..plan };
    assert!(rows.save_batch(&lost).await.unwrap());

    let resume = async || world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await;
    let at_work = resume().await.refused(409);
    assert!(at_work.contains("the batch is approving"), "{at_work}");
    world.pass(LEASE);
    resume().await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// The sweep would end it, if it were one of the newest.
#[tokio::test]
async fn an_old_batch_that_was_not_ended_with_its_people_is_done_when_it_is_resumed() {
    let world = World::with_people(1).await;
    let batch = world.order_for_everybody().await;
    world.until_batch_is(&batch, "done").await;
    for _ in 0..50 {
        world.plan_for_everybody().await;
    }
    let rows = world.flow().rows(world.operator.integration().parse().unwrap());
    let done = rows.batch(batch.parse().unwrap()).await.unwrap().unwrap();
    let due_at = Some(world.flow().now());
    assert!(rows.save_batch(&Batch { status: BatchStatus::Running, due_at, ..done }).await.unwrap());

    world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.done();
    world.until_batch_is(&batch, "done").await;
    world.everybody_has_one(1).await;
}

/// A stopped batch says why until somebody decides; then it is done like any other.
#[tokio::test]
async fn a_stopped_batch_is_done_after_it_went_on() {
    let mut setting = Setting { people: 2, ..Setting::default() };
    setting.shop.funds_cents = crate::world::vendors::PRICE_CENTS;
    let world = World::of(setting).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1), ("blocked", 1)]).await;
    world.until_batch_is(&batch, "stopped").await;
    let rows = world.enrollments().await;
    let blocked = rows.iter().find(|row| row["state"] == "blocked").unwrap();
    world.decide(blocked, "cancel", json!({ "reason": "no money this year" })).await.done();
    assert!(text(&world.batch(&batch).await["reason"]).contains("no funds"));
    world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.done();
    world.until_batch_is(&batch, "done").await;
    assert_eq!(world.purchases(), 1);
}
