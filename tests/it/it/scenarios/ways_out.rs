//! No state is a trap: from each there is a request to the API that leads on. A new state does not compile here until it
//! has one.

use domain::enrollment::StateName;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::{
    faults::Fault,
    sslcom::behaviour::{Behaviour, KeyUsage},
};

use crate::world::{Setting, World, application::Timing};

#[tokio::test]
async fn every_state_has_a_way_out_through_the_api() {
    for state in StateName::ALL {
        way_out(state).await;
    }
}

/// Brings an enrollment into the state, and out of it by what an operator can ask for.
async fn way_out(state: StateName) {
    match state {
        StateName::Planned => {
            let world = World::with_people(1).await;
            world.plan_for_everybody().await;
            leaves(&world, state, "cancel", json!({ "reason": "not needed" }), "cancelled").await;
        }
        StateName::Requested => {
            let world = World::with_people(1).await;
            world.stop_buying(true).await;
            world.order_for_everybody().await;
            leaves(&world, state, "cancel", json!({ "reason": "not needed" }), "cancelled").await;
        }
        StateName::Buying => {
            let world = patient(|behaviour| behaviour.listing_available = false).await;
            world.sslcom().faults().next("sslcom.create", Fault::LoseAnswer);
            world.order_for_everybody().await;
            is_in(&world, state).await;
            world.sslcom().until(|sslcom| sslcom.calls("sslcom.create") == 1).await;
            world.sslcom().set_behaviour(Behaviour::default());
            world.keep_trying("imported").await;
        }
        StateName::Bought => {
            let world = patient(|behaviour| behaviour.unknown_status_text = Some("in a drawer".to_owned())).await;
            world.order_for_everybody().await;
            is_in(&world, state).await;
            world.sslcom().set_behaviour(Behaviour::default());
            world.keep_trying("imported").await;
        }
        StateName::Validating => {
            let world = patient(|behaviour| behaviour.epki_automatic = false).await;
            world.order_for_everybody().await;
            leaves(&world, state, "give-up", json!({ "reason": "left the company" }), "rejected").await;
        }
        StateName::Issued => {
            let world = patient(|_| {}).await;
            world.microsoft().faults().always("graph.user", Fault::FailBefore(503));
            world.order_for_everybody().await;
            is_in(&world, state).await;
            world.microsoft().faults().clear("graph.user");
            world.keep_trying("imported").await;
        }
        StateName::Importing => {
            let world = patient(|_| {}).await;
            world.microsoft().faults().next("graph.pfx_create", Fault::LoseAnswer);
            world.microsoft().faults().always("graph.pfx_get", Fault::FailBefore(503));
            world.order_for_everybody().await;
            is_in(&world, state).await;
            world.microsoft().faults().clear("graph.pfx_get");
            world.keep_trying("imported").await;
        }
        StateName::Imported => {
            let world = World::with_people(1).await;
            world.order_for_everybody().await;
            is_in(&world, state).await;
            decided(&world, "import-again", json!({})).await;
            world.until("it is written again", async || world.microsoft().calls("graph.pfx_update") == 1).await;
        }
        StateName::Unsure => {
            let world = patient(|behaviour| behaviour.listing_available = false).await;
            world.sslcom().faults().next("sslcom.create", Fault::DropBefore);
            world.order_for_everybody().await;
            is_in(&world, StateName::Buying).await;
            world.pass(SignedDuration::from_mins(31));
            is_in(&world, state).await;
            decided(&world, "resolve", json!({ "not_bought": true, "checked": "not in the portal" })).await;
            is_in(&world, StateName::Imported).await;
        }
        StateName::Blocked => {
            let mut setting = Setting { people: 1, ..Setting::default() };
            setting.shop.funds_cents = 0;
            let world = World::of(setting).await;
            world.order_for_everybody().await;
            leaves(&world, state, "cancel", json!({ "reason": "no money" }), "cancelled").await;
        }
        StateName::Held => {
            let mut setting = Setting { people: 1, ..Setting::default() };
            setting.shop.behaviour.key_usage = KeyUsage::Signing;
            let world = World::of(setting).await;
            world.order_for_everybody().await;
            leaves(&world, state, "accept", json!({ "reason": "for a test device" }), "imported").await;
        }
        StateName::Rejected | StateName::Expired => {
            let world = patient(|behaviour| behaviour.epki_automatic = false).await;
            world.order_for_everybody().await;
            is_in(&world, StateName::Validating).await;
            let row = world.only_enrollment().await;
            world.sslcom().reject(&world.order_of(&row), state.as_str());
            world.keep_trying(state.as_str()).await;
            let next = world.plan_for_everybody().await;
            let page = world.operator.get(&format!("/enrollments?batch={next}")).await;
            assert_eq!(page["items"][0]["replaces"], row["id"]);
        }
        StateName::Failed => {
            let world = World::with_people(1).await;
            let person = world.microsoft().directory().people()[0].id;
            let gone = sim::directory::Removal::Final;
            world.stop_buying(true).await;
            world.order_for_everybody().await;
            world.microsoft().directory().delete(person, gone);
            world.stop_buying(false).await;
            world.keep_trying("failed").await;
            leaves(&world, state, "give-up", json!({ "reason": "left the company" }), "rejected").await;
            assert_eq!(world.sslcom().count(|state| *state == sim::sslcom::OrderState::Revoked), 1);
        }
        StateName::Cancelled => {
            let world = World::with_people(1).await;
            world.plan_for_everybody().await;
            decided(&world, "cancel", json!({ "reason": "not needed" })).await;
            is_in(&world, state).await;
            let next = world.plan_for_everybody().await;
            assert_eq!(world.batch(&next).await["planned"], 1);
        }
    }
}

/// One person, and nothing is tried again before its time: who gets on does so because somebody asked.
async fn patient(behave: impl FnOnce(&mut Behaviour)) -> World {
    let timing = Timing { as_in_production: true, ..Timing::default() };
    let mut setting = Setting { people: 1, timing, ..Setting::default() };
    behave(&mut setting.shop.behaviour);
    World::of(setting).await
}

async fn is_in(world: &World, state: StateName) {
    let rests = async || world.enrollments().await.iter().any(|row| row["state"] == state.as_str());
    world.until(&format!("it is {state}"), rests).await;
}

async fn decided(world: &World, action: &str, body: Value) {
    world.insist(&world.only_enrollment().await, action, body).await;
}

/// In the state, this request leads to the other.
async fn leaves(world: &World, state: StateName, action: &str, body: Value, to: &str) {
    is_in(world, state).await;
    decided(world, action, body).await;
    world.until(&format!("it is {to}"), async || world.only_enrollment().await["state"] == to).await;
}
