//! The answer to a purchase does not come, or cannot be read. What was bought is found by looking it up, and what was not
//! is bought again only after a person said so.

use std::time::Duration;

use domain::transition::LEASE;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sim::{
    faults::{Fault, Hold, Wait},
    sslcom::behaviour::{ExternalOrderNumber, PastTheEnd},
};

use super::enrollment_of_order;
use crate::world::{Setting, World, application::Timing, text};

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

/// SSL.com asked to wait, and the time after which a purchase is unsure ends meanwhile: it is looked for all the same.
#[tokio::test]
async fn a_purchase_is_not_unsure_before_it_was_looked_for() {
    let world = World::with_people(1).await;
    world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.list", Fault::HoldBefore(hold.clone()));
    world.sslcom().faults().next("sslcom.list", Fault::Throttle(Wait::Seconds(600)));
    let batch = world.order_for_everybody().await;
    hold.arrived().await;
    world.pass(SignedDuration::from_secs(10));
    hold.release();
    world.until("the look was cut short", async || world.sslcom().calls("sslcom.list") == 2).await;
    waits_for_ten_minutes(&world).await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// A second write would make that of the step stale which goes on from the first.
#[tokio::test]
async fn an_order_that_two_looks_find_is_written_once() {
    let mut world = World::with_people(1).await;
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
    world.sslcom().faults().next("sslcom.list", Fault::HoldBefore(hold.clone()));
    let batch = world.order_for_everybody().await;
    hold.arrived().await;
    // The sweep takes the first look for lost.
    world.pass(LEASE);
    world.until_states(&batch, [("imported", 1)]).await;
    hold.release();
    // Work under way is finished.
    world.stop_application().await;
    let data = world.folder().join("application");
    world.start_application(&data).await;
    let timeline = world.timeline(&world.only_enrollment().await).await;
    assert_eq!(timeline.iter().filter(|event| *event == "purchase_found").count(), 1, "{timeline:?}");
}

/// A job on AWS has five minutes, and writes down in the last of them how far it came.
#[tokio::test]
async fn a_listing_that_takes_longer_than_a_job_leaves_the_purchase_to_a_person() {
    let world = World::with_people(1).await;
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
    world.sslcom().faults().next("sslcom.list", Fault::HoldBefore(hold.clone()));
    let batch = world.order_for_everybody().await;
    hold.arrived().await;
    world.pass(SignedDuration::from_secs(4 * 60 + 1));
    hold.release();
    world.until_states(&batch, [("unsure", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["note"]).contains("SSL.com takes longer than there is time"), "{row}");
    world.insist(&row, "resolve", json!({ "not_bought": true })).await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// It was not taken, which nobody knows before the pause is over.
#[tokio::test]
async fn a_purchase_that_was_throttled_is_looked_for_before_it_is_unsure() {
    let world = World::with_people(1).await;
    world.sslcom().faults().next("sslcom.create", Fault::Throttle(Wait::Seconds(600)));
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("buying", 1)]).await;
    world.pass(SignedDuration::from_secs(10));
    waits_for_ten_minutes(&world).await;
    world.until_states(&batch, [("unsure", 1)]).await;
    assert!(world.sslcom().calls("sslcom.list") > 0, "it was looked for");
}

/// SSL.com asked for ten minutes. The time after which a purchase is unsure is over before that.
async fn waits_for_ten_minutes(world: &World) {
    let calls = world.sslcom().calls("sslcom.list");
    let waits = async || {
        let row = world.only_enrollment().await;
        assert_eq!(row["state"], "buying", "{row}");
        text(&row["due_at"]).parse::<Timestamp>().unwrap() > world.flow().now() + SignedDuration::from_mins(5)
    };
    world.until("it waits as long as SSL.com asked", waits).await;
    assert_eq!(world.sslcom().calls("sslcom.list"), calls, "nobody asks before that");
    world.pass(SignedDuration::from_mins(10));
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
