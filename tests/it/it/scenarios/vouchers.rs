//! Orders that are paid and unused are seen, freed, and used for somebody else instead of a new purchase.

use serde_json::{Value, json};
use sim::sslcom::behaviour::Behaviour;

use crate::world::{
    Setting, World, text,
    vendors::{ACCOUNT_KEY, PRODUCT, SECRET_KEY},
};

async fn vouchers(world: &World) -> Vec<Value> {
    world.operator.get("/vouchers").await["items"].as_array().unwrap().clone()
}

/// An enrollment of this person that is approved and waits because buying is stopped.
async fn requested(world: &World, person: impl serde::Serialize) -> Value {
    let batch = world.plan(json!({ "people": [person] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", 1)]).await;
    world.operator.get(&format!("/enrollments?batch={batch}")).await["items"][0].clone()
}

#[tokio::test]
async fn an_order_whose_request_cannot_be_handed_in_is_freed_and_used_for_somebody_else() {
    let mut setting = Setting { people: 3, ..Setting::default() };
    setting.shop.behaviour.registrant_accepted = false;
    let world = World::of(setting).await;
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let batch = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("failed", 1)]).await;
    let failed = world.only_enrollment().await;
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
    world.until_states(&batch, [("cancelled", 1)]).await;
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

#[tokio::test]
async fn an_order_that_cannot_be_used_by_its_second_holder_either_is_freed_again() {
    let mut setting = Setting { people: 2, ..Setting::default() };
    setting.shop.behaviour.registrant_accepted = false;
    let world = World::of(setting).await;
    let people: Vec<_> = world.microsoft().directory().people().iter().map(|person| person.id).collect();
    let batch = world.plan(json!({ "people": [people[0]] }), "general").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("failed", 1)]).await;
    let failed = world.only_enrollment().await;
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

/// The first attempt was ruled out by a person who did not see its order; it was paid all the same.
#[tokio::test]
async fn an_order_that_was_ruled_out_and_is_there_after_all_is_used_for_somebody_else() {
    let mut setting = Setting { people: 2, ..Setting::default() };
    setting.shop.behaviour.listing_available = false;
    let world = World::of(setting).await;
    world.sslcom().faults().next("sslcom.create", sim::faults::Fault::LoseAnswer);
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
