//! What goes wrong between the certificate and the device: throttling, lost answers, licences, names of keys.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sim::{
    connector::Outcome,
    faults::{Fault, Wait},
    graph::behaviour::Behaviour,
};

use crate::world::{Setting, World, application::Timing, text};

#[tokio::test]
async fn a_throttled_import_waits_as_told_in_every_notation() {
    for wait in [Wait::Seconds(1), Wait::Date(Duration::from_secs(1)), Wait::Milliseconds(300), Wait::Absent] {
        let world = World::with_people(2).await;
        world.microsoft().faults().times("graph.pfx_create", 2, Fault::Throttle(wait));
        let batch = world.order_for_everybody().await;
        world.until_states(&batch, [("imported", 2)]).await;
        world.everybody_has_one(2).await;
        let refused = world.microsoft().faults().consumed().len() as u64;
        assert_eq!(world.microsoft().calls("graph.pfx_create"), 2 + refused, "{wait:?}");
    }
}

#[tokio::test]
async fn throttled_people_and_tokens_only_cost_time() {
    let mut world = World::unconnected(Setting { people: 3, ..Setting::default() }).await;
    for call in ["graph.users", "graph.users_delta", "graph.user", "graph.pfx_list"] {
        world.microsoft().faults().next(call, Fault::Throttle(Wait::Milliseconds(200)));
    }
    world.save_settings().await;
    world.operator.authorize().await;
    world.microsoft().faults().next("entra.token", Fault::FailBefore(503));
    assert_eq!(world.import().await["seen"], 3);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 3)]).await;
    world.everybody_has_one(3).await;
    assert_eq!(world.microsoft().faults().consumed().len(), 5);
}

#[tokio::test]
async fn a_record_whose_answer_is_lost_is_read_back_and_not_posted_twice() {
    let world = World::with_people(4).await;
    world.microsoft().faults().times("graph.pfx_create", 4, Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 4)]).await;
    world.everybody_has_one(4).await;
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 4);
}

#[tokio::test]
async fn a_record_that_shows_late_is_read_back_until_it_shows() {
    let intune = Behaviour { get_lags_behind_post: 2, ..Behaviour::default() };
    let world = World::of(Setting { people: 1, intune, ..Setting::default() }).await;
    world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    assert_eq!((world.microsoft().calls("graph.pfx_create"), world.microsoft().calls("graph.pfx_get")), (1, 3));
}

/// It shows so late that it is posted again, and Intune's opaque 400 is settled by one more read.
#[tokio::test]
async fn a_refused_duplicate_counts_as_imported_when_the_record_is_ours() {
    let intune = Behaviour { get_lags_behind_post: 3, ..Behaviour::default() };
    let world = World::of(Setting { people: 1, intune, ..Setting::default() }).await;
    world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 2);
    assert!(world.microsoft().refusals().iter().any(|(_, cause)| cause.contains("exists")));
}

/// Throttled reads and a record that shows late: what was posted must not be taken for something that was not.
#[tokio::test]
async fn a_throttled_read_does_not_make_the_lost_answer_forgotten() {
    let intune = Behaviour { get_lags_behind_post: 4, ..Behaviour::default() };
    let world = World::of(Setting { people: 1, intune, ..Setting::default() }).await;
    world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
    world.microsoft().faults().times("graph.pfx_get", 3, Fault::Throttle(Wait::Milliseconds(20)));
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    let timeline = world.timeline(&world.only_enrollment().await).await;
    assert!(!timeline.contains(&"import_not_sent".to_owned()), "{timeline:?}");
}

#[tokio::test]
async fn without_a_licence_the_import_fails_with_a_sentence_and_can_be_retried() {
    let settings = json!({ "licence_plans": [] });
    let mut world = World::unconnected(Setting { people: 0, settings, ..Setting::default() }).await;
    let person = world.microsoft().directory().add_unlicensed("Ulla", "Unlicensed");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("failed", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["says"]).contains("most often the person has no Intune licence"), "{row}");

    world.microsoft().directory().change(person, |person| {
        person.assigned_plans.iter_mut().for_each(|plan| plan.enabled = true);
    });
    world.decide(&row, "retry", json!({})).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

#[tokio::test]
async fn a_certificate_for_an_address_that_changed_since_the_order_is_held() {
    let mut world = World::unconnected(Setting { people: 0, ..Setting::default() }).await;
    let (person, address) = world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    let mailed = async || world.sslcom().orders().iter().any(|order| order.validation_mails == 1);
    world.until("SSL.com sends its mail", mailed).await;
    world.microsoft().directory().change(person, |person| person.readdress("clara@contoso.example"));
    world.sslcom().click(&address);
    world.until_states(&batch, [("held", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["says"]).contains(&format!("the person's address is no longer {address}")), "{row}");
    assert_eq!(world.microsoft().records(), []);
}

/// Graph takes any name; only the connector finds out that it has no such key.
#[tokio::test]
async fn a_wrong_key_name_is_repaired_by_importing_again() {
    let settings = json!({ "key_name": "PFXEncryptionKye" });
    let mut world = World::of(Setting { people: 1, settings, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.microsoft().settled().await;
    let [dead] = world.deliveries().try_into().unwrap();
    assert!(matches!(&dead.outcome, Outcome::Failed { event_id: Some(2052), .. }), "{dead:?}");

    world.change_settings(json!({ "key_name": world.microsoft().connector().key_name() })).await;
    world.decide(&world.only_enrollment().await, "import-again", json!({})).await.done();
    world.everybody_has_one(1).await;
    world.until_states(&batch, [("imported", 1)]).await;
    assert_eq!(world.purchases(), 1);
    assert_eq!(world.microsoft().calls("graph.pfx_update"), 1);
}

/// As in production: how long each wait is stands in the row, and nothing is posted before the last one is over.
#[tokio::test]
async fn an_unclear_import_is_read_back_at_once_after_30_seconds_2_and_10_minutes_and_only_then_posted_again() {
    let timing = Timing { as_in_production: true, ..Timing::default() };
    let intune = Behaviour { get_lags_behind_post: 4, ..Behaviour::default() };
    let world = World::of(Setting { people: 1, intune, timing, ..Setting::default() }).await;
    world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    for (reads, wait) in [(1, 30), (2, 120), (3, 600)] {
        let wait = SignedDuration::from_secs(wait);
        let waits = async || {
            let row = world.only_enrollment().await;
            let time = |field: &str| row[field].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            let to_wait = time("due_at").zip(time("changed_at")).map(|(due, changed)| due.duration_since(changed));
            world.microsoft().calls("graph.pfx_get") == reads && to_wait == Some(wait)
        };
        world.until(&format!("read {reads} times, it waits {wait:#}"), waits).await;
        assert_eq!(world.microsoft().calls("graph.pfx_create"), 1);
        world.pass(wait);
    }
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    // The second POST meets the record, which by now is to be read.
    assert_eq!((world.microsoft().calls("graph.pfx_create"), world.microsoft().calls("graph.pfx_get")), (2, 5));
}

/// The record that was found is one of ours by name, but sealed to a key that the settings no longer name.
#[tokio::test]
async fn a_record_that_is_read_back_under_another_key_name_is_overwritten() {
    let timing = Timing { as_in_production: true, ..Timing::default() };
    let intune = Behaviour { get_lags_behind_post: 1, ..Behaviour::default() };
    let settings = json!({ "key_name": "PFXEncryptionKye" });
    let mut world = World::of(Setting { people: 1, intune, timing, settings, ..Setting::default() }).await;
    world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until("it is read back", async || world.microsoft().calls("graph.pfx_get") == 1).await;
    world.change_settings(json!({ "key_name": world.microsoft().connector().key_name() })).await;
    let arrives = async || {
        world.decide(&world.only_enrollment().await, "try-now", json!({})).await;
        world.states(&batch).await == [("imported".to_owned(), 1)].into()
    };
    world.until("it is imported", arrives).await;
    world.everybody_has_one(1).await;
    assert_eq!((world.microsoft().calls("graph.pfx_create"), world.microsoft().calls("graph.pfx_update")), (1, 1));
}

/// One letter makes every record of the organisation dead; nobody is to be clicked through one by one.
#[tokio::test]
async fn a_wrong_key_name_is_repaired_for_a_batch_or_for_everybody_at_once() {
    let settings = json!({ "key_name": "PFXEncryptionKye" });
    let mut world = World::of(Setting { people: 5, settings, ..Setting::default() }).await;
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let mut batches = Vec::new();
    for some in [&people[..2], &people[2..]] {
        let batch = world.plan(json!({ "people": some }), "general").await;
        world.approve(&batch).await.done();
        world.until_states(&batch, [("imported", some.len() as u64)]).await;
        batches.push(batch);
    }
    world.microsoft().settled().await;
    assert_eq!((world.microsoft().failed_count(), world.microsoft().delivered_count()), (5, 0));

    world.change_settings(json!({ "key_name": world.microsoft().connector().key_name() })).await;
    let part = world.operator.post("/import-again", json!({ "batch": batches[0] })).await.done();
    assert_eq!(part, json!({ "requested": 2, "without_key": 0, "next": null }));
    world.until("the batch is written again", async || world.microsoft().calls("graph.pfx_update") == 2).await;
    world.until_states(&batches[0], [("imported", 2)]).await;
    world.microsoft().settled().await;
    assert_eq!(world.microsoft().delivered_count(), 2, "nobody else was touched");

    let all = world.operator.post("/import-again", json!({})).await.done();
    assert_eq!(all, json!({ "requested": 5, "without_key": 0, "next": null }));
    world.everybody_has_one(5).await;
    assert_eq!(world.purchases(), 5);
    assert_eq!(world.microsoft().records().len(), 5);
    let unknown = world.operator.post("/import-again", json!({ "batch": uuid::Uuid::nil() })).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_held_certificate_for_an_old_address_is_imported_when_an_approver_accepts_it() {
    let mut world = World::unconnected(Setting { people: 0, ..Setting::default() }).await;
    let (person, address) = world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    world.until("it is mailed", async || world.sslcom().orders().iter().any(|order| order.validation_mails == 1)).await;
    world.microsoft().directory().change(person, |person| person.readdress("clara@contoso.example"));
    world.sslcom().click(&address);
    world.until_states(&batch, [("held", 1)]).await;
    let row = world.only_enrollment().await;
    world.decide(&row, "accept", json!({ "reason": "mail to the old address goes on" })).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    assert_eq!(world.microsoft().records().len(), 1);
}
