//! The answer to a purchase does not come, or cannot be read. What was bought is found by looking it up, and what was not
//! is bought again only after a person said so.

use std::time::Duration;

use serde_json::json;
use sim::{
    faults::{Fault, Wait},
    sslcom::behaviour::{ExternalOrderNumber, PastTheEnd},
};

use super::enrollment_of_order;
use crate::world::{Setting, World, application::Timing};

/// Ten orders are taken, and this happens to each answer.
async fn every_order_is_found_after(fault: Fault, timing: Timing, numbers: ExternalOrderNumber) {
    let mut setting = Setting { people: 10, timing, ..Setting::default() };
    setting.shop.behaviour.external_order_number = numbers;
    let world = World::of(setting).await;
    world.sslcom().faults().once_per("sslcom.create", enrollment_of_order, fault);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 10)]).await;
    world.everybody_has_one(10).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 10, "no order is sent a second time");
    for row in world.enrollments().await {
        let timeline = world.timeline(&row).await;
        assert!(timeline.contains(&"answer_unclear".to_owned()), "{timeline:?}");
        assert_eq!(row["order"]["reference"], world.order_of(&row));
    }
}

#[tokio::test]
async fn ten_purchases_whose_answers_are_lost_are_found_by_their_numbers() {
    every_order_is_found_after(Fault::LoseAnswer, Timing::default(), ExternalOrderNumber::Echoed).await;
}

#[tokio::test]
async fn an_error_of_the_server_does_not_mean_that_nothing_was_bought() {
    every_order_is_found_after(Fault::FailAfter(500), Timing::default(), ExternalOrderNumber::Echoed).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_mean_that_nothing_was_bought() {
    every_order_is_found_after(Fault::Malformed, Timing::default(), ExternalOrderNumber::Echoed).await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late_does_not_mean_that_nothing_was_bought() {
    let timing = Timing { create_timeout: Duration::from_millis(400), ..Timing::default() };
    every_order_is_found_after(Fault::Slow(Duration::from_secs(2)), timing, ExternalOrderNumber::Echoed).await;
}

#[tokio::test]
async fn orders_whose_numbers_the_listing_does_not_show_are_asked_for_one_by_one() {
    every_order_is_found_after(Fault::LoseAnswer, Timing::default(), ExternalOrderNumber::Retrieved).await;
}

#[tokio::test]
async fn an_order_is_found_in_a_listing_whose_end_is_refused() {
    let mut setting = Setting { people: 3, ..Setting::default() };
    setting.shop.behaviour.past_the_end = PastTheEnd::Refused;
    let world = World::of(setting).await;
    world.sslcom().faults().once_per("sslcom.create", enrollment_of_order, Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 3)]).await;
    world.everybody_has_one(3).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 3);
}

#[tokio::test]
async fn a_listing_whose_end_is_refused_does_not_show_that_nothing_was_bought() {
    let mut setting = Setting { people: 1, ..Setting::default() };
    setting.shop.behaviour.past_the_end = PastTheEnd::Refused;
    let world = World::of(setting).await;
    world.sslcom().faults().next("sslcom.create", Fault::DropBefore);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("unsure", 1)]).await;
    let row = world.only_enrollment().await;
    let unchecked = world.decide(&row, "resolve", json!({ "not_bought": true })).await.refused(502);
    assert!(unchecked.contains("\"checked\""), "{unchecked}");
    assert_eq!((world.purchases(), world.sslcom().calls("sslcom.create")), (0, 1));
}

/// Five orders are not taken, and this is all that the application hears of it.
async fn an_order_is_sent_again_only_when_a_person_rules_it_out(fault: Fault) {
    let world = World::with_people(5).await;
    world.sslcom().faults().once_per("sslcom.create", enrollment_of_order, fault);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("unsure", 5)]).await;
    assert_eq!((world.purchases(), world.sslcom().calls("sslcom.create")), (0, 5));
    for row in world.enrollments().await {
        world.decide(&row, "resolve", json!({ "not_bought": true })).await.done();
    }
    world.until_states(&batch, [("imported", 5)]).await;
    world.everybody_has_one(5).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 10);
}

#[tokio::test]
async fn an_order_that_was_lost_on_its_way_is_sent_again_only_when_a_person_rules_it_out() {
    an_order_is_sent_again_only_when_a_person_rules_it_out(Fault::DropBefore).await;
}

#[tokio::test]
async fn an_order_that_met_a_broken_server_is_sent_again_only_when_a_person_rules_it_out() {
    an_order_is_sent_again_only_when_a_person_rules_it_out(Fault::FailBefore(503)).await;
}

#[tokio::test]
async fn an_order_that_was_throttled_is_sent_again_only_when_a_person_rules_it_out() {
    an_order_is_sent_again_only_when_a_person_rules_it_out(Fault::Throttle(Wait::Seconds(1))).await;
}

/// Nothing left this machine, so nothing was bought and nobody has to be asked.
#[tokio::test]
async fn an_order_that_never_reached_sslcom_is_sent_as_soon_as_it_can_be() {
    let mut world = World::with_people(2).await;
    let batch = world.plan_for_everybody().await;
    world.vendors.stop_sslcom().await;
    world.approve(&batch).await.done();
    for row in world.enrollments().await {
        world.until("it is not sent", async || world.timeline(&row).await.contains(&"never_sent".to_owned())).await;
    }
    world.vendors.start_sslcom().await;
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 2);
}
