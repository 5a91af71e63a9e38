//! What must hold about money when answers are lost, brakes are pulled and funds end.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Wait},
    sslcom::behaviour::{ExternalOrderNumber, OrderAmount},
};

use super::world::{ACCOUNT, Options, PRICE, World};

const PEOPLE: u64 = 5;

/// The enrollment in an order's number, so that a fault happens once for each.
fn enrollment(body: &[u8]) -> Option<String> {
    let order: Value = serde_json::from_slice(body).ok()?;
    let number = order["external_order_number"].as_str()?;
    Some(number.rsplit_once('-')?.0.to_owned())
}

async fn world(data: &tempfile::TempDir) -> World {
    World::start(data.path(), Options { people: 5, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_whose_answer_is_lost_is_found_and_not_repeated() {
    for fault in [Fault::LoseAnswer, Fault::FailAfter(500), Fault::Malformed] {
        let data = tempfile::tempdir().unwrap();
        let world = world(&data).await;
        world.sslcom.faults().once_per("sslcom.create", enrollment, fault.clone());
        let batch = world.plan("general").await;
        world.approve(&batch).await;
        world.rest(&batch, "imported", PEOPLE).await;
        world.delivered(PEOPLE).await;
        assert_eq!(world.purchases(), PEOPLE, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_did_not_happen_is_repeated_only_after_a_person_ruled_it_out() {
    for fault in [Fault::DropBefore, Fault::FailBefore(500), Fault::Throttle(Wait::Absent)] {
        let data = tempfile::tempdir().unwrap();
        let world = World::start(data.path(), Options { people: 2, ..Options::default() }).await;
        world.sslcom.faults().once_per("sslcom.create", enrollment, fault.clone());
        let batch = world.plan("general").await;
        world.approve(&batch).await;
        world.rest(&batch, "unsure", 2).await;
        assert_eq!(world.purchases(), 0, "{fault:?}");
        for row in world.enrollments("unsure").await {
            let (status, answer) = world.act(&row, "resolve", json!({ "not_bought": true })).await;
            assert!(status.is_success(), "{answer}");
        }
        world.rest(&batch, "imported", 2).await;
        assert_eq!(world.purchases(), 2, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_up_is_unsure_and_each_is_resolved_by_naming_its_order() {
    let data = tempfile::tempdir().unwrap();
    let world = world(&data).await;
    world.sslcom.faults().once_per("sslcom.create", enrollment, Fault::LoseAnswer);
    world.sslcom.set_behaviour(sim::sslcom::Behaviour { listing_available: false, ..world.sslcom.behaviour() });
    let batch = world.plan("general").await;
    world.approve(&batch).await;
    world.rest(&batch, "unsure", PEOPLE).await;
    assert_eq!(world.purchases(), PEOPLE);

    let unsure = world.enrollments("unsure").await;
    let (status, answer) = world.act(&unsure[0], "resolve", json!({ "not_bought": true })).await;
    assert!(!status.is_success(), "nobody could look: {answer}");
    let till = world.sslcom.till().by_external_order_number;
    let order_of = |row: &Value| {
        let id = row["id"].as_str().unwrap();
        let (_, references) = till.iter().find(|(number, _)| number.starts_with(id)).expect("its order");
        references[0].clone()
    };
    let others = order_of(&unsure[1]);
    let (status, answer) = world.act(&unsure[0], "resolve", json!({ "bought": others })).await;
    assert_eq!(status, StatusCode::CONFLICT, "an order of another enrollment: {answer}");
    for row in &unsure {
        let (status, answer) = world.act(row, "resolve", json!({ "bought": order_of(row) })).await;
        assert!(status.is_success(), "{answer}");
    }
    world.rest(&batch, "imported", PEOPLE).await;
    world.delivered(PEOPLE).await;
    assert_eq!(world.purchases(), PEOPLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_forgets_its_number_is_a_candidate_and_never_bought_again_unseen() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 1, ..Options::default() }).await;
    world.sslcom.faults().once_per("sslcom.create", enrollment, Fault::LoseAnswer);
    let forgotten = ExternalOrderNumber::Forgotten;
    world.sslcom.set_behaviour(sim::sslcom::Behaviour { external_order_number: forgotten, ..world.sslcom.behaviour() });
    let batch = world.plan("general").await;
    world.approve(&batch).await;
    world.rest(&batch, "unsure", 1).await;
    let unsure = world.enrollments("unsure").await;
    let (status, answer) = world.act(&unsure[0], "resolve", json!({ "not_bought": true })).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is a candidate: {answer}");
    let order = world.sslcom.orders()[0].reference.clone();
    let (status, answer) = world.act(&unsure[0], "resolve", json!({ "bought": order })).await;
    assert!(status.is_success(), "{answer}");
    world.rest(&batch, "imported", 1).await;
    assert_eq!(world.purchases(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_funds_end_what_is_paid_is_finished_and_the_rest_waits() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 5, funds: 2 * PRICE, ..Options::default() }).await;
    let batch = world.plan("general").await;
    world.approve(&batch).await;
    world.rest(&batch, "blocked", 3).await;
    world.delivered(2).await;
    assert_eq!(world.batch(&batch).await["status"], "stopped");

    world.sslcom.add_funds(ACCOUNT, 10 * PRICE);
    world.post(&world.path(&format!("/batches/{batch}/resume")), json!({})).await;
    world.rest(&batch, "imported", 5).await;
    world.delivered(5).await;
    assert_eq!(world.purchases(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_differs_stops_the_batch_and_finishes_what_was_paid() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 12, ..Options::default() }).await;
    let order_amount = OrderAmount::Different(PRICE + 1);
    world.sslcom.set_behaviour(sim::sslcom::Behaviour { order_amount, ..world.sslcom.behaviour() });
    let batch = world.plan("general").await;
    world.approve(&batch).await;
    let stopped = async || (world.batch(&batch).await["status"] == "stopped").then_some(());
    world.until("the batch is stopped", stopped).await;
    world
        .until("everything rests", async || {
            let moving = ["requested", "buying", "bought", "validating", "issued", "importing"];
            for state in moving {
                if !world.enrollments(state).await.is_empty() {
                    return None;
                }
            }
            Some(())
        })
        .await;
    // Those in flight when the first answer came were bought; there are at most as many as are placed at once.
    let bought = world.purchases();
    assert!((1..=8).contains(&bought), "{bought} purchases");
    assert_eq!(world.enrollments("imported").await.len() as u64, bought);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_bought_while_buying_is_stopped() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 3, ..Options::default() }).await;
    let batch = world.plan("general").await;
    world.send(Method::PUT, &world.path("/stop-buying"), Some(json!({ "stopped": true }))).await;
    world.approve(&batch).await;
    let noted = async || {
        let rows = world.enrollments("requested").await;
        (rows.len() == 3 && rows.iter().all(|row| row["note"] == "buying is stopped")).then_some(())
    };
    world.until("each waits with its reason", noted).await;
    assert_eq!(world.sslcom.calls("sslcom.create"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_answer_is_lost_is_read_back_and_not_posted_twice() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 3, ..Options::default() }).await;
    world.microsoft.faults().times("graph.pfx_create", 3, Fault::LoseAnswer);
    let batch = world.plan("encryption").await;
    world.approve(&batch).await;
    world.rest(&batch, "imported", 3).await;
    world.delivered(3).await;
    assert_eq!(world.microsoft.calls("graph.pfx_create"), 3);
    assert_eq!(world.microsoft.records().len(), 3);
}
