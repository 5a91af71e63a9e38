//! A mailbox whose domain was not validated beforehand waits for its person's click.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sim::sslcom::{
    OrderState,
    behaviour::{Behaviour, Callback},
};

use crate::world::{PATIENCE, Setting, World, application::Timing, text};

/// One person, whose mailbox SSL.com has sent a mail to.
pub(super) async fn waiting_for_a_click(setting: Setting) -> (World, String, String) {
    let mut world = World::unconnected(Setting { people: 0, ..setting }).await;
    let (_, address) = world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    let mailed = world.sslcom().until(|sslcom| sslcom.orders().iter().any(|order| order.validation_mails == 1));
    tokio::time::timeout(PATIENCE, mailed).await.expect("a mail is asked for");
    world.until_states(&batch, [("validating", 1)]).await;
    let told = async || world.only_enrollment().await["note"].as_str().is_some_and(|note| note.contains(&address));
    world.until("the row says who has to act", told).await;
    (world, batch, address)
}

#[tokio::test]
async fn a_click_is_heard_of_by_the_callback_without_polling() {
    let timing = Timing { poll_after: SignedDuration::from_hours(1), ..Timing::default() };
    let (world, batch, address) = waiting_for_a_click(Setting { timing, ..Setting::default() }).await;
    assert_eq!(world.sslcom().click(&address), 1);
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert!(world.timeline(&world.only_enrollment().await).await.contains(&"called_back".to_owned()));
}

#[tokio::test]
async fn a_click_is_heard_of_by_polling_where_nobody_can_call_back() {
    let (world, batch, address) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["note"]).contains(&address), "{row}");
    assert_eq!(world.sslcom().click(&address), 1);
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert!(world.sslcom().orders().iter().all(|order| !order.called_back));
}

#[tokio::test]
async fn the_mail_is_asked_for_once_by_itself_and_once_more_by_the_operator() {
    let (world, batch, address) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    let row = world.only_enrollment().await;
    let polls = async || world.timeline(&row).await.iter().filter(|event| *event == "still_validating").count();
    world.until("it is polled for a while", async || polls().await >= 4).await;
    let mails = || world.sslcom().orders()[0].validation_mails;
    assert_eq!(mails(), 1);
    world.decide(&row, "resend-validation", json!({})).await.done();
    assert_eq!(mails(), 2);
    world.sslcom().click(&address);
    world.until_states(&batch, [("imported", 1)]).await;
}

#[tokio::test]
async fn every_manner_of_calling_back_comes_to_the_same_end() {
    for callback in [Callback::None, Callback::Get, Callback::Form, Callback::Early, Callback::Twice] {
        let mut setting = Setting { people: 2, ..Setting::default() };
        setting.shop.behaviour.callback = callback;
        let world = World::of(setting).await;
        let batch = world.order_for_everybody().await;
        world.until_states(&batch, [("imported", 2)]).await;
        world.everybody_has_one(2).await;
    }
}

#[tokio::test]
async fn an_order_that_sslcom_turns_down_is_shown_and_replaced_only_by_a_new_batch() {
    let (world, batch, _) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    let row = world.only_enrollment().await;
    assert!(world.sslcom().reject(&world.order_of(&row), "rejected"));
    world.until_states(&batch, [("rejected", 1)]).await;
    assert_eq!(world.only_enrollment().await["says"], "No certificate will come of it: rejected.");
    assert_eq!(world.purchases(), 1);

    let replacement = world.order_for_everybody().await;
    world.until("it is bought", async || world.purchases() == 2).await;
    let page = world.operator.get(&format!("/enrollments?batch={replacement}")).await;
    let replaces = |row: &Value| row["replaces"].clone();
    assert_eq!(replaces(&page["items"][0]), row["id"]);
}

/// The last wait repeats. Each look is at the time that the row named, and no earlier.
#[tokio::test]
async fn a_validation_is_looked_at_after_1_2_5_15_and_60_minutes_and_then_every_6_hours() {
    let (world, batch, address) = waiting_for_days().await;
    for (looks, minutes) in (1..).zip([1, 2, 5, 15, 60, 360, 360]) {
        let wait = SignedDuration::from_mins(minutes);
        world.until(&format!("the next look is after {wait:#}"), async || waits(&world, looks, wait).await).await;
        world.pass(wait);
    }
    world.sslcom().click(&address);
    world.sslcom().until(|sslcom| sslcom.count(|state| *state == OrderState::Issued) == 1).await;
    world.pass(SignedDuration::from_hours(6));
    world.until_states(&batch, [("imported", 1)]).await;
}

/// One person who follows no link, and waits as long as in production.
async fn waiting_for_days() -> (World, String, String) {
    let timing = Timing { as_in_production: true, ..Timing::default() };
    waiting_for_a_click(Setting { polling_only: true, timing, ..Setting::default() }).await
}

/// Whether the enrollment was looked at so often, and is looked at again after so long.
async fn waits(world: &World, looks: usize, wait: SignedDuration) -> bool {
    let row = world.only_enrollment().await;
    let time = |field: &str| text(&row[field]).parse::<Timestamp>().unwrap();
    let timeline = world.timeline(&row).await;
    timeline.iter().filter(|event| *event == "still_validating").count() == looks
        && time("due_at").duration_since(time("changed_at")) == wait
}

#[tokio::test]
async fn a_validation_needs_a_person_after_3_days_and_fails_after_30_from_where_it_is_taken_up_again() {
    let (world, batch, address) = waiting_for_days().await;
    assert_eq!(world.only_enrollment().await["needs_a_person"], false);
    world.pass(SignedDuration::from_hours(3 * 24));
    world.until("a person is asked for", async || world.only_enrollment().await["needs_a_person"] == true).await;
    assert_eq!(world.only_enrollment().await["state"], "validating");

    world.pass(SignedDuration::from_hours(27 * 24));
    world.until_states(&batch, [("failed", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["says"]).contains("validation did not end in 30 days: validating, please wait"), "{row}");

    world.decide(&row, "retry", json!({})).await.done();
    world.until_states(&batch, [("validating", 1)]).await;
    assert_eq!(world.only_enrollment().await["needs_a_person"], false, "the days are counted anew");
    world.sslcom().click(&address);
    world.sslcom().until(|sslcom| sslcom.count(|state| *state == OrderState::Issued) == 1).await;
    world.keep_trying("imported").await;
    assert_eq!(world.purchases(), 1);
}

#[tokio::test]
async fn a_shorter_patience_is_a_setting() {
    let timing = Timing { as_in_production: true, ..Timing::default() };
    let settings = json!({ "validation_days": 2 });
    let (world, batch, _) =
        waiting_for_a_click(Setting { polling_only: true, timing, settings, ..Setting::default() }).await;
    world.pass(SignedDuration::from_hours(2 * 24 + 1));
    world.until_states(&batch, [("failed", 1)]).await;
}

/// SSL.com's status says the same while its staff are at work and while the person has to act.
#[tokio::test]
async fn while_the_mail_is_out_every_look_says_that_the_person_has_to_act() {
    let (world, _, address) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    let row = world.only_enrollment().await;
    let looks = async || world.timeline(&row).await.iter().filter(|event| *event == "still_validating").count();
    world.until("it is looked at for a while", async || looks().await >= 4).await;
    let note = text(&world.only_enrollment().await["note"]);
    assert!(note.contains(&format!("the person must follow the link in SSL.com's mail to {address}")), "{note}");
}

#[tokio::test]
async fn an_order_that_ends_at_sslcom_is_expired_or_rejected_and_bought_again_only_by_a_new_plan() {
    for (status, state) in [("Expired.", "expired"), ("cancelled", "rejected"), ("refunded", "rejected")] {
        let (world, batch, _) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
        let row = world.only_enrollment().await;
        assert!(world.sslcom().reject(&world.order_of(&row), status));
        world.until_states(&batch, [(state, 1)]).await;
        let row = world.only_enrollment().await;
        assert_eq!(row["needs_a_person"], true, "{row}");
        world.until("its key is destroyed", async || world.only_enrollment().await["key"] == "destroyed").await;
        assert_eq!(world.only_enrollment().await["due_at"], Value::Null, "nothing happens by itself any more");
        assert_eq!(world.purchases(), 1);

        let replacement = world.plan_for_everybody().await;
        let page = world.operator.get(&format!("/enrollments?batch={replacement}")).await;
        assert_eq!(page["items"][0]["replaces"], row["id"]);
        assert_eq!(world.purchases(), 1, "a plan buys nothing");
    }
}

/// What is not understood ends nothing, and nothing is written to the order while it lasts.
#[tokio::test]
async fn an_unknown_status_is_shown_word_for_word_and_causes_no_request() {
    let mut setting = Setting { people: 1, polling_only: true, ..Setting::default() };
    setting.shop.behaviour.unknown_status_text = Some("Being looked at by Team Blue".to_owned());
    let world = World::of(setting).await;
    world.order_for_everybody().await;
    let postponed = async || {
        let rows = world.enrollments().await;
        let Some(row) = rows.first() else { return false };
        world.timeline(row).await.iter().filter(|event| *event == "postponed").count() >= 2
    };
    world.until("it was looked at twice", postponed).await;
    let row = world.only_enrollment().await;
    assert_eq!(row["state"], "bought");
    assert!(text(&row["note"]).contains("Being looked at by Team Blue"), "{row}");
    assert_eq!(world.sslcom().calls("sslcom.update"), 0);

    world.sslcom().set_behaviour(Behaviour::default());
    world.keep_trying("imported").await;
    world.everybody_has_one(1).await;
}

#[tokio::test]
async fn a_validation_that_nobody_will_end_is_given_up_and_leaves_no_key() {
    let (world, batch, address) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    let row = world.only_enrollment().await;
    assert_eq!(world.decide(&row, "give-up", json!({})).await.status, 422);
    world.insist(&row, "give-up", json!({ "reason": "left the company" })).await;
    world.until_states(&batch, [("rejected", 1)]).await;
    world.until("its key is destroyed", async || world.only_enrollment().await["key"] == "destroyed").await;
    // The person follows the link after all: nobody imports what nobody can open.
    world.sslcom().click(&address);
    world.sslcom().until(|sslcom| sslcom.count(|state| *state == OrderState::Issued) == 1).await;
    world.until_states(&batch, [("rejected", 1)]).await;
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 0);
}
