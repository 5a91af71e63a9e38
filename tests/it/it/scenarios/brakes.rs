//! What stops buying: empty funds, a price that is not the plan's, the switch, and the limits. What is paid is finished.

use domain::{enrollment::Blocked, transition::Event};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sim::{
    faults::Fault,
    sslcom::behaviour::{Behaviour, OrderAmount},
};

use super::enrollment_of_order;
use crate::world::{
    Setting, World,
    application::Timing,
    text,
    vendors::{ACCOUNT_KEY, PRICE_CENTS, Shop},
};

#[tokio::test]
async fn when_funds_end_what_is_paid_is_finished_and_the_rest_goes_on_after_a_payment() {
    let shop = Shop { funds_cents: 2 * PRICE_CENTS + 100, ..Shop::default() };
    let world = World::of(Setting { people: 5, shop, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2), ("blocked", 3)]).await;
    world.until_batch_is(&batch, "stopped").await;
    let stopped = world.batch(&batch).await;
    assert!(text(&stopped["reason"]).contains("no funds"), "{stopped}");
    assert_eq!(world.purchases(), 2);

    world.sslcom().add_funds(ACCOUNT_KEY, 3 * PRICE_CENTS);
    world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.done();
    world.until_states(&batch, [("imported", 5)]).await;
    world.everybody_has_one(5).await;
    assert_eq!(world.sslcom().till().spent_cents, 5 * PRICE_CENTS);
}

#[tokio::test]
async fn a_price_that_is_not_the_plans_stops_the_batch_after_that_order() {
    let behaviour = Behaviour { order_amount: OrderAmount::Different(100), ..Behaviour::default() };
    let shop = Shop { behaviour, ..Shop::default() };
    let timing = Timing { purchases_at_once: 1, ..Timing::default() };
    let world = World::of(Setting { people: 4, shop, timing, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1), ("blocked", 3)]).await;
    let stopped = world.batch(&batch).await;
    assert_eq!(stopped["reason"], "SSL.com took $77.00 for an order planned at $76.00");
    world.everybody_has_one(1).await;
}

#[tokio::test]
async fn a_price_that_is_learned_by_looking_an_order_up_stops_the_batch_too() {
    let behaviour = Behaviour { order_amount: OrderAmount::Different(100), ..Behaviour::default() };
    let shop = Shop { behaviour, ..Shop::default() };
    let world = World::of(Setting { people: 2, shop, ..Setting::default() }).await;
    world.sslcom().faults().once_per("sslcom.create", enrollment_of_order, Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.until_batch_is(&batch, "stopped").await;
    let stopped = world.batch(&batch).await;
    assert_eq!(stopped["reason"], "SSL.com took $77.00 for an order planned at $76.00");
}

#[tokio::test]
async fn nothing_is_bought_while_buying_is_stopped() {
    let world = World::with_people(2).await;
    let batch = world.plan_for_everybody().await;
    world.stop_buying(true).await;
    world.approve(&batch).await.done();
    for row in world.enrollments().await {
        waits_because(&world, &row, "buying is stopped").await;
    }
    for _ in 0..3 {
        world.pass(SignedDuration::from_mins(6));
        let looked_again = async || {
            let due = |row: &Value| text(&row["due_at"]).parse::<Timestamp>().unwrap();
            world.enrollments().await.iter().all(|row| due(row) > world.flow().now())
        };
        world.until("everybody looked again", looked_again).await;
    }
    for row in world.enrollments().await {
        let waits = world.timeline(&row).await.into_iter().filter(|event| event == "postponed").count();
        assert_eq!(waits, 1, "the row says it once");
    }
    assert_eq!(world.sslcom().calls("sslcom.create"), 0);

    world.stop_buying(false).await;
    world.pass(SignedDuration::from_mins(6));
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
}

#[tokio::test]
async fn what_is_over_the_days_limit_is_bought_the_next_day() {
    let settings = json!({ "orders_per_day": 3 });
    let world = World::of(Setting { people: 5, settings, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 3), ("requested", 2)]).await;
    for row in world.enrollments().await.iter().filter(|row| row["state"] == "requested") {
        waits_because(&world, row, "the limit of 3 orders a day is reached").await;
    }
    assert_eq!(world.sslcom().calls("sslcom.create"), 3);

    world.pass(SignedDuration::from_hours(24));
    world.until_states(&batch, [("imported", 5)]).await;
    world.everybody_has_one(5).await;
}

async fn waits_because(world: &World, row: &Value, why: &str) {
    let path = format!("/enrollments/{}", text(&row["id"]));
    world.until(why, async || world.operator.get(&path).await["note"] == why).await;
}

#[tokio::test]
async fn a_plan_over_the_limit_of_one_batch_is_not_approved() {
    let settings = json!({ "orders_per_batch": 2 });
    let world = World::of(Setting { people: 3, settings, ..Setting::default() }).await;
    let batch = world.plan_for_everybody().await;
    let refused = world.approve(&batch).await.refused(409);
    assert_eq!(refused, "the plan holds 3 orders; this integration allows 2 in one batch");
    assert_eq!(world.states(&batch).await, [("planned".to_owned(), 3)].into());
}

/// What was not sent does not count: an outage is no reason to wait for tomorrow.
#[tokio::test]
async fn orders_that_were_never_sent_do_not_use_up_the_days_limit() {
    let settings = json!({ "orders_per_day": 1 });
    let mut world = World::of(Setting { people: 1, settings, ..Setting::default() }).await;
    let batch = world.plan_for_everybody().await;
    world.vendors.stop_sslcom().await;
    world.approve(&batch).await.done();
    let row = world.only_enrollment().await;
    let unsent = async || world.timeline(&row).await.iter().filter(|event| *event == "never_sent").count();
    world.until("the order could not be sent a few times", async || unsent().await >= 3).await;
    world.vendors.start_sslcom().await;
    world.pass(SignedDuration::from_mins(1));
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// Blocked one by one, or left over from a stop: one word lets everything that is blocked go on.
#[tokio::test]
async fn a_running_batch_goes_on_with_what_of_it_is_blocked() {
    let world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    world.stop_buying(true).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", 3)]).await;
    for row in &world.enrollments().await[1..] {
        let cause = Blocked::Data { detail: "the request is not as SSL.com wants it".into() };
        world.happens(row, Event::PurchaseRefused { cause }).await;
    }
    world.stop_buying(false).await;
    world.pass(SignedDuration::from_mins(6));
    world.until_states(&batch, [("imported", 1), ("blocked", 2)]).await;
    world.until_batch_is(&batch, "running").await;

    world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.done();
    world.until_states(&batch, [("imported", 3)]).await;
    world.everybody_has_one(3).await;
    world.until_batch_is(&batch, "done").await;
    let done = world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.refused(409);
    assert!(done.contains("not stopped, and nothing of it is blocked"), "{done}");
}

/// As many as are on their way when the switch is read may still arrive, and not one more.
#[tokio::test]
async fn after_the_switch_no_more_orders_are_placed_than_were_in_flight() {
    const PEOPLE: u64 = 1_000;
    let timing = Timing::default();
    let in_flight = timing.purchases_at_once as u64;
    let world = World::of(Setting { people: PEOPLE as usize, timing, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.sslcom().until(|sslcom| sslcom.till().purchases >= PEOPLE / 4).await;
    world.stop_buying(true).await;
    let at_the_switch = world.sslcom().calls("sslcom.create");
    assert!(at_the_switch < PEOPLE, "the switch came in the middle");

    let rests = async || {
        let states = world.states(&batch).await;
        let of = |state: &str| states.get(state).copied().unwrap_or_default();
        of("imported") + of("requested") == PEOPLE && of("requested") > 0
    };
    world.until("what was paid is finished and the rest waits", rests).await;
    let placed = world.sslcom().calls("sslcom.create");
    assert!(placed <= at_the_switch + in_flight, "{placed} orders, {at_the_switch} of them before the switch");
    assert_eq!(world.purchases(), placed);
    // The more wait, the longer each: half of a sweep is for what is paid.
    let waiting = i64::try_from(PEOPLE - placed).unwrap();
    let crowd = SignedDuration::from_mins(waiting / 60 - 1);
    assert!(crowd > SignedDuration::from_mins(5), "longer than few would wait");
    let rows = world.operator.get("/enrollments?state=requested&limit=200").await;
    let due = |row: &Value| text(&row["due_at"]).parse::<Timestamp>().unwrap();
    let latest = rows["items"].as_array().unwrap().iter().map(due).max().unwrap();
    assert!(latest > world.flow().now() + crowd, "{latest} is less than {crowd:#} away");

    world.stop_buying(false).await;
    world.pass(SignedDuration::from_mins(30));
    // Patience is for a hundred, not for all.
    for count in (100..=PEOPLE).step_by(100) {
        let imported = async || world.states(&batch).await.get("imported").is_some_and(|imported| *imported >= count);
        world.until(&format!("{count} are imported"), imported).await;
    }
    world.everybody_has_one(PEOPLE).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), PEOPLE);
}
