//! Orders that are paid and unused are seen, freed, and used for somebody else instead of a new purchase.

use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Hold},
    sslcom::behaviour::{Behaviour, ExternalOrderNumber},
};
use uuid::Uuid;

use crate::world::{
    Setting, World, text,
    vendors::{ACCOUNT_KEY, PRODUCT, SECRET_KEY},
};

async fn vouchers(world: &World) -> Vec<Value> {
    world.operator.get("/vouchers").await["items"].as_array().unwrap().clone()
}

/// So many people; an enrollment of the first one, whose order is paid, and whose request SSL.com does not take.
pub(super) async fn paid_and_not_usable(people: usize) -> (World, Vec<Uuid>, Value) {
    let mut setting = Setting { people, ..Setting::default() };
    setting.shop.behaviour.registrant_accepted = false;
    let world = World::of(setting).await;
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let batch = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("failed", 1)]).await;
    let failed = world.only_enrollment().await;
    (world, people, failed)
}

/// An enrollment of this person that is approved and waits because buying is stopped.
pub(super) async fn requested(world: &World, person: impl serde::Serialize) -> Value {
    let batch = world.plan(json!({ "people": [person] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", 1)]).await;
    world.operator.get(&format!("/enrollments?batch={batch}")).await["items"][0].clone()
}

#[tokio::test]
async fn an_order_whose_request_cannot_be_handed_in_is_freed_and_used_for_somebody_else() {
    let (world, people, failed) = paid_and_not_usable(3).await;
    let order = world.order_of(&failed);
    world.sslcom().set_behaviour(Behaviour::default());
    world.stop_buying(true).await;
    let (taker, late) = (requested(&world, people[1]).await, requested(&world, people[2]).await);

    let [listed] = vouchers(&world).await.try_into().unwrap();
    assert_eq!(
        (&listed["order"], &listed["enrollment"], &listed["free"]),
        (&json!(order), &failed["id"], &json!(false))
    );
    let held = world.decide(&taker, "give-order", json!({ "order": order })).await.refused(409);
    assert!(held.contains(&format!("it belongs to enrollment {}", text(&failed["id"]))), "{held}");

    let reason = json!({ "order": order, "reason": "left the company" });
    assert_eq!(world.decide(&taker, "release-order", reason.clone()).await.status, 409, "it is not theirs");
    world.insist(&failed, "release-order", reason).await;
    world.until_states(&text(&failed["batch"]), [("cancelled", 1)]).await;
    assert_eq!(vouchers(&world).await[0]["free"], true);

    world.insist(&taker, "give-order", json!({ "order": order })).await;
    assert_eq!(world.decide(&late, "give-order", json!({ "order": order })).await.status, 409, "it is given once");
    world.until_states(&text(&taker["batch"]), [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 1, "buying was stopped, and nothing was bought");
    let address = world.microsoft().directory().person(people[1]).unwrap().primary_address().unwrap().to_owned();
    assert_eq!(world.sslcom().order(&order).unwrap().mailbox, Some(address));
    assert_eq!(vouchers(&world).await, Vec::<Value>::new());

    // Who gave the order up can be enrolled again.
    let again = world.plan(json!({ "people": [people[0]] }), "general").await;
    assert_eq!(world.batch(&again).await["planned"], 1);
}

/// Whoever asks is answered within 25 s, however many questions to SSL.com it takes.
#[tokio::test]
async fn an_order_is_not_freed_when_sslcom_takes_too_long_and_can_be_freed_later() {
    let (world, _, failed) = paid_and_not_usable(1).await;
    let reason = json!({ "order": world.order_of(&failed), "reason": "left the company" });
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.retrieve", Fault::HoldBefore(hold.clone()));
    let meanwhile = async {
        hold.arrived().await;
        world.pass(SignedDuration::from_secs(16));
        hold.release();
    };
    let slow = tokio::join!(world.decide(&failed, "release-order", reason.clone()), meanwhile).0.refused(502);
    assert!(slow.contains("takes longer than there is time"), "{slow}");
    assert_eq!(vouchers(&world).await[0]["enrollment"], failed["id"]);
    world.decide(&failed, "release-order", reason).await.done();
    assert_eq!(vouchers(&world).await[0]["free"], true);
}

#[tokio::test]
async fn an_order_that_cannot_be_used_by_its_second_holder_either_is_freed_again() {
    let (world, people, failed) = paid_and_not_usable(2).await;
    let order = world.order_of(&failed);
    world.stop_buying(true).await;
    let taker = requested(&world, people[1]).await;
    // With its request refused again, the order comes back unused from whoever takes it.
    world.insist(&failed, "release-order", json!({ "order": order, "reason": "left" })).await;
    world.insist(&taker, "give-order", json!({ "order": order })).await;
    world.until_states(&text(&taker["batch"]), [("failed", 1)]).await;
    assert_eq!(vouchers(&world).await[0]["enrollment"], taker["id"]);
    world.insist(&taker, "release-order", json!({ "order": order, "reason": "not now" })).await;
    assert_eq!(vouchers(&world).await[0]["free"], true);
    assert_eq!(world.purchases(), 1);
}

/// Giving somebody up does not lock the order that was paid for them.
#[tokio::test]
async fn an_unused_order_of_somebody_who_was_given_up_is_freed_too() {
    let (world, people, failed) = paid_and_not_usable(2).await;
    let order = world.order_of(&failed);
    world.sslcom().set_behaviour(Behaviour::default());
    world.insist(&failed, "give-up", json!({ "reason": "left" })).await;
    world.until_states(&text(&failed["batch"]), [("rejected", 1)]).await;

    // Who is enrolled in its place has the claim, and keeps it.
    let again = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&again).await.done();
    world.until_states(&again, [("imported", 1)]).await;
    world.insist(&failed, "release-order", json!({ "order": order, "reason": "unused" })).await;
    world.until_states(&text(&failed["batch"]), [("cancelled", 1)]).await;
    let third = world.plan(json!({ "people": [people[0]] }), "general").await;
    assert_eq!(world.batch(&third).await["planned"], 0);
    assert_eq!(vouchers(&world).await[0]["free"], true);
}

/// The first attempt was ruled out by a person who did not see its order; it was paid all the same.
#[tokio::test]
async fn an_order_that_was_ruled_out_and_is_there_after_all_is_used_for_somebody_else() {
    let mut setting = Setting { people: 2, ..Setting::default() };
    setting.shop.behaviour.listing_available = false;
    let world = World::of(setting).await;
    world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let batch = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("unsure", 1)]).await;
    let row = world.only_enrollment().await;
    world.insist(&row, "resolve", json!({ "not_bought": true, "checked": "not in the portal" })).await;
    world.until_states(&batch, [("imported", 1)]).await;
    assert_eq!(world.purchases(), 2);

    world.sslcom().set_behaviour(Behaviour::default());
    world.stop_buying(true).await;
    let taker = requested(&world, people[1]).await;
    let [found] = vouchers(&world).await.try_into().unwrap();
    assert_eq!((&found["enrollment"], &found["free"]), (&Value::Null, &json!(true)));
    world.insist(&taker, "give-order", json!({ "order": found["order"] })).await;
    world.until_states(&text(&taker["batch"]), [("imported", 1)]).await;
    world.everybody_has_one(2).await;
}

/// It became unsure when nothing could be listed, so that it names no candidates.
#[tokio::test]
async fn an_order_that_may_be_what_an_unsure_one_looks_for_is_not_given_away() {
    let mut setting = Setting { people: 2, ..Setting::default() };
    setting.shop.behaviour.listing_available = false;
    setting.shop.behaviour.external_order_number = ExternalOrderNumber::Forgotten;
    let world = World::of(setting).await;
    world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let batch = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("unsure", 1)]).await;
    let unsure = world.only_enrollment().await;
    assert_eq!(unsure["candidates"], Value::Null);

    let listing = Behaviour { external_order_number: ExternalOrderNumber::Forgotten, ..Behaviour::default() };
    world.sslcom().set_behaviour(listing);
    world.stop_buying(true).await;
    let taker = requested(&world, people[1]).await;
    let [order] = vouchers(&world).await.try_into().unwrap();
    assert_eq!(order["free"], false);
    let kept = world.decide(&taker, "give-order", json!({ "order": order["order"] })).await.refused(409);
    assert!(kept.contains(&format!("the purchase that enrollment {} is looking for", text(&unsure["id"]))), "{kept}");
    world.decide(&unsure, "resolve", json!({ "bought": order["order"] })).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// The account may serve another system, whose orders are none of ours.
#[tokio::test]
async fn an_order_with_a_strangers_number_is_shown_and_never_given() {
    let world = World::with_people(1).await;
    world.stop_buying(true).await;
    let taker = requested(&world, world.microsoft().directory().people()[0].id).await;
    let order = json!({
        "account_key": ACCOUNT_KEY, "secret_key": SECRET_KEY, "product": PRODUCT, "period": 365,
        "external_order_number": "shop-4711",
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let bought = http.post(format!("{}/certificates", world.sslcom().base_url())).json(&order).send().await.unwrap();
    assert!(bought.status().is_success(), "{}", bought.text().await.unwrap());
    let [stranger] = vouchers(&world).await.try_into().unwrap();
    assert_eq!(stranger["free"], false);
    let refused = world.decide(&taker, "give-order", json!({ "order": stranger["order"] })).await.refused(409);
    assert!(refused.contains("which is not of this integration"), "{refused}");
}
