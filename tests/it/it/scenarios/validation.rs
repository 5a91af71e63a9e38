//! A mailbox whose domain was not validated beforehand waits for its person's click.

use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::sslcom::behaviour::Callback;

use crate::world::{Setting, World, application::Timing, text};

/// One person, whose mailbox SSL.com has sent a mail to.
async fn waiting_for_a_click(setting: Setting) -> (World, String, String) {
    let mut world = World::unconnected(Setting { people: 0, ..setting }).await;
    let (_, address) = world.vendors.add_unvalidated("Clara", "Click");
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;
    let batch = world.order_for_everybody().await;
    let mailed = world.sslcom().until(|sslcom| sslcom.orders().iter().any(|order| order.validation_mails == 1));
    tokio::time::timeout(std::time::Duration::from_secs(30), mailed).await.expect("a mail is asked for");
    world.until_states(&batch, [("validating", 1)]).await;
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
    assert_eq!(world.only_enrollment().await["says"], "SSL.com will not issue: rejected.");
    assert_eq!(world.purchases(), 1);

    let replacement = world.order_for_everybody().await;
    world.until("it is bought", async || world.purchases() == 2).await;
    let page = world.operator.get(&format!("/enrollments?batch={replacement}")).await;
    let replaces = |row: &Value| row["replaces"].clone();
    assert_eq!(replaces(&page["items"][0]), row["id"]);
}
