//! A certificate that is not what was ordered is kept back until somebody decides.

use serde_json::{Value, json};
use sim::sslcom::{OrderState, behaviour::KeyUsage};

use crate::world::{Setting, World, text};

/// One certificate for encryption, whose key may only sign.
async fn held() -> (World, String, Value) {
    let mut setting = Setting { people: 1, ..Setting::default() };
    setting.shop.behaviour.key_usage = KeyUsage::Signing;
    let world = World::of(setting).await;
    let batch = world.plan(json!({ "everybody": true }), "encryption").await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("held", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["says"]).contains("It does not allow encryption"), "{row}");
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 0);
    (world, batch, row)
}

#[tokio::test]
async fn a_held_certificate_is_imported_when_an_approver_accepts_it_with_a_reason() {
    let (world, batch, row) = held().await;
    assert_eq!(world.decide(&row, "accept", json!({})).await.status, 422);
    world.decide(&row, "accept", json!({ "reason": "for a test device" })).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
    assert!(world.only_enrollment().await["certificate"]["notes"].to_string().contains("for a test device"));
}

#[tokio::test]
async fn a_held_certificate_is_revoked_at_sslcom_when_an_approver_gives_it_up() {
    let (world, batch, row) = held().await;
    world.decide(&row, "revoke", json!({ "reason": "wrong key usage" })).await.done();
    world.until_states(&batch, [("rejected", 1)]).await;
    let order = world.sslcom().order(&world.order_of(&row)).unwrap();
    assert_eq!((order.state, order.revoked.len()), (OrderState::Revoked, 1));
    assert_eq!(world.only_enrollment().await["at_ca"], "revoked");
}

#[tokio::test]
async fn a_held_certificate_that_is_fetched_again_unchanged_is_held_again() {
    let (world, batch, row) = held().await;
    world.decide(&row, "fetch-again", json!({})).await.done();
    let holds = async || world.timeline(&row).await.iter().filter(|event| *event == "certificate_held").count();
    world.until("it is held again", async || holds().await == 2).await;
    world.until_states(&batch, [("held", 1)]).await;
}
