//! An order's answer was lost and the order cannot be found: a person decides, and nothing is bought in the meantime.

use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Hold},
    sslcom::behaviour::{Behaviour, ExternalOrderNumber},
};

use super::enrollment_of_order;
use crate::world::{Setting, World, operator::Answer, text, vendors::Shop};

/// Every order was taken, every answer was lost, and this SSL.com does not show whose the orders are.
async fn unsure(people: usize, behaviour: Behaviour) -> (World, String) {
    let shop = Shop { behaviour, ..Shop::default() };
    let world = World::of(Setting { people, shop, ..Setting::default() }).await;
    world.sslcom().faults().once_per("sslcom.create", enrollment_of_order, Fault::LoseAnswer);
    let batch = world.order_for_everybody().await;
    world.sslcom().until(|sslcom| sslcom.calls("sslcom.create") == people as u64).await;
    world.pass(SignedDuration::from_secs(5));
    world.until_states(&batch, [("unsure", people as u64)]).await;
    assert_eq!((world.purchases(), world.sslcom().calls("sslcom.create")), (people as u64, people as u64));
    (world, batch)
}

/// This happened to the only order, and SSL.com lists nothing.
pub(super) async fn one_unsure(of_the_order: Fault) -> (World, String) {
    let shop = Shop { behaviour: Behaviour { listing_available: false, ..Behaviour::default() }, ..Shop::default() };
    let world = World::of(Setting { people: 1, shop, ..Setting::default() }).await;
    world.sslcom().faults().next("sslcom.create", of_the_order);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("unsure", 1)]).await;
    (world, batch)
}

async fn bought(world: &World, row: &Value, order: &str) -> Answer {
    world.decide(row, "resolve", json!({ "bought": order })).await
}

#[tokio::test]
async fn ten_orders_that_cannot_be_looked_up_wait_for_a_person_who_names_each() {
    let behaviour = Behaviour { listing_available: false, ..Behaviour::default() };
    let (world, batch) = unsure(10, behaviour).await;
    let rows = world.enrollments().await;
    let orders: Vec<_> = rows.iter().map(|row| world.order_of(row)).collect();

    let unchecked = world.decide(&rows[0], "resolve", json!({ "not_bought": true })).await.refused(502);
    assert!(unchecked.contains("\"checked\""), "{unchecked}");
    let neighbours = bought(&world, &rows[0], &orders[1]).await.refused(409);
    assert!(neighbours.contains("not this enrollment's"), "{neighbours}");
    assert_eq!(bought(&world, &rows[0], "co-unknown0").await.status, 422);

    for (row, order) in rows.iter().zip(&orders) {
        bought(&world, row, order).await.done();
    }
    let again = bought(&world, &rows[0], &orders[0]).await.refused(409);
    assert!(again.contains("cannot be resolved"), "{again}");
    world.until_states(&batch, [("imported", 10)]).await;
    world.everybody_has_one(10).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 10, "no order was placed a second time");
}

#[tokio::test]
async fn orders_that_say_nobodys_number_are_candidates_and_each_is_given_to_one_person() {
    let forgetful = Behaviour { external_order_number: ExternalOrderNumber::Forgotten, ..Behaviour::default() };
    let (world, batch) = unsure(2, forgetful).await;
    let [one, other] = world.enrollments().await.try_into().unwrap();
    let mut orders = [world.order_of(&one), world.order_of(&other)];
    orders.sort();
    for row in [&one, &other] {
        let mut candidates: Vec<_> = row["candidates"].as_array().unwrap().iter().map(text).collect();
        candidates.sort();
        assert_eq!(candidates, orders);
        let unchecked = world.decide(row, "resolve", json!({ "not_bought": true })).await.refused(409);
        assert!(orders.iter().all(|order| unchecked.contains(order)), "{unchecked}");
    }
    let unused = world.operator.get("/vouchers").await;
    assert!(unused["items"].as_array().unwrap().iter().all(|order| order["free"] == false), "{unused}");
    // Orders without a request are alike, so it does not matter which of them becomes whose.
    bought(&world, &one, &orders[0]).await.done();
    let taken = bought(&world, &other, &orders[0]).await.refused(409);
    assert_eq!(taken, format!("order {} belongs to enrollment {}", orders[0], text(&one["id"])));
    bought(&world, &other, &orders[1]).await.done();
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
}

#[tokio::test]
async fn sslcoms_listing_wins_over_an_operator_who_says_that_nothing_was_bought() {
    let (world, batch) = one_unsure(Fault::LoseAnswer).await;
    world.sslcom().set_behaviour(Behaviour::default());
    let row = world.only_enrollment().await;
    world.decide(&row, "resolve", json!({ "not_bought": true, "checked": "I think so" })).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert_eq!(world.only_enrollment().await["order"]["reference"], world.order_of(&row));
}

#[tokio::test]
async fn a_person_who_checked_in_the_portal_may_rule_a_purchase_out() {
    let (world, batch) = one_unsure(Fault::DropBefore).await;
    let row = world.only_enrollment().await;
    let checked = json!({ "not_bought": true, "checked": "no such order in the portal" });
    world.decide(&row, "resolve", checked).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    let audit = world.operator.get("/audit").await.to_string();
    assert!(audit.contains("no such order in the portal"), "{audit}");
}

/// Who asks gets an answer within 25 s. Whoever looked in the portal need not wait until SSL.com answers.
#[tokio::test]
async fn a_person_who_checked_is_not_kept_waiting_by_a_slow_listing() {
    let (world, batch) = one_unsure(Fault::DropBefore).await;
    world.sslcom().set_behaviour(Behaviour::default());
    let row = world.only_enrollment().await;
    let unchecked = resolved_slowly(&world, &row, json!({ "not_bought": true })).await.refused(502);
    assert!(unchecked.contains("takes longer than there is time"), "{unchecked}");
    let checked = json!({ "not_bought": true, "checked": "no such order in the portal" });
    resolved_slowly(&world, &row, checked).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// A person decides, and the time in which they are answered is over with the first page of the listing.
async fn resolved_slowly(world: &World, row: &Value, says: Value) -> Answer {
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.list", Fault::HoldBefore(hold.clone()));
    let meanwhile = async {
        hold.arrived().await;
        world.pass(SignedDuration::from_secs(16));
        hold.release();
    };
    tokio::join!(world.decide(row, "resolve", says), meanwhile).0
}
