//! A certificate that is not what was ordered is kept back until somebody decides.

use domain::transition::{Event, LEASE};
use ports::Attachment;
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Hold},
    sslcom::{
        OrderState,
        behaviour::{Behaviour, Bundle, KeyUsage},
    },
};

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

/// More than a store's row takes: its beginning is kept for whoever looks, and the order can be fetched again.
#[tokio::test]
async fn an_answer_that_is_larger_than_any_certificate_is_held_and_not_stored_whole() {
    let mut setting = Setting { people: 1, ..Setting::default() };
    setting.shop.behaviour.bundle = Bundle::Huge;
    let world = World::of(setting).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("held", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(text(&row["says"]).contains("larger than 256 KiB"), "{row}");
    let kept = world.attachment(&row, Attachment::CertificateChain).await.unwrap();
    assert!(kept.starts_with(b"-----BEGIN CERTIFICATE-----") && kept.len() == 256 * 1024, "{} bytes", kept.len());

    world.sslcom().set_behaviour(Behaviour::default());
    world.insist(&row, "fetch-again", json!({})).await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.everybody_has_one(1).await;
}

/// SSL.com does not revoke twice; that it is revoked is what was wanted.
#[tokio::test]
async fn a_revocation_whose_answer_was_lost_is_repeated() {
    let (world, batch, row) = held().await;
    world.sslcom().faults().next("sslcom.revoke", Fault::LoseAnswer);
    let reason = json!({ "reason": "wrong key usage" });
    world.decide(&row, "revoke", reason.clone()).await.refused(502);
    world.decide(&row, "revoke", reason).await.done();
    world.until_states(&batch, [("rejected", 1)]).await;
    assert_eq!(world.only_enrollment().await["at_ca"], "revoked");
}

/// Somebody revokes while somebody else accepts: what is revoked is not delivered, and can be given up.
#[tokio::test]
async fn a_certificate_that_is_accepted_while_it_is_revoked_is_not_imported() {
    let (world, batch, row) = held().await;
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.revoke", Fault::HoldAfter(hold.clone()));
    let pause = world.microsoft().faults();
    pause.always("graph.user", Fault::FailBefore(503));
    let reason = json!({ "reason": "they disagree" });
    let accepted = async {
        hold.arrived().await;
        world.decide(&row, "accept", reason.clone()).await.done();
        hold.release();
    };
    tokio::join!(world.decide(&row, "revoke", reason.clone()), accepted).0.done();
    pause.clear("graph.user");
    // An import that was under way with the row as it was before could not write, and waits its lease.
    world.pass(LEASE);
    world.until_states(&batch, [("failed", 1)]).await;
    let failed = world.only_enrollment().await;
    assert!(text(&failed["says"]).contains("the certificate was revoked"), "{failed}");
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 0);
    world.insist(&failed, "give-up", reason).await;
    world.until_states(&batch, [("rejected", 1)]).await;
}

#[tokio::test]
async fn a_held_certificate_that_was_revoked_cannot_be_accepted() {
    let (world, batch, row) = held().await;
    world.microsoft().faults().always("graph.user", Fault::FailBefore(503));
    let reason = json!({ "reason": "for a test device" });
    world.decide(&row, "accept", reason.clone()).await.done();
    world.happens(&row, Event::CertificateHeld { reasons: vec!["the person has another address".into()] }).await;
    world.happens(&row, Event::CertificateRevoked).await;
    let refused = world.decide(&row, "accept", reason.clone()).await.refused(409);
    assert!(refused.contains("the certificate was revoked"), "{refused}");
    world.insist(&row, "revoke", reason).await;
    world.until_states(&batch, [("rejected", 1)]).await;
}

/// What was done at SSL.com stands in the audit, also where the row went on meanwhile.
#[tokio::test]
async fn a_certificate_that_is_revoked_while_it_is_fetched_again_is_not_delivered() {
    let (world, batch, row) = held().await;
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.revoke", Fault::HoldAfter(hold.clone()));
    let fetched_again = async {
        hold.arrived().await;
        world.decide(&row, "fetch-again", json!({})).await.done();
        world.until_states(&batch, [("rejected", 1)]).await;
        hold.release();
    };
    let reason = json!({ "reason": "they disagree" });
    tokio::join!(world.decide(&row, "revoke", reason), fetched_again).0.refused(409);
    let audit = world.operator.get("/audit").await;
    let said = |line: &Value| line["action"] == "certificate.revoked" && line["subject"] == row["id"];
    assert!(audit["items"].as_array().unwrap().iter().any(said), "{audit}");
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 0);
}

#[tokio::test]
async fn a_held_certificate_that_is_fetched_again_unchanged_is_held_again() {
    let (world, batch, row) = held().await;
    world.decide(&row, "fetch-again", json!({})).await.done();
    let holds = async || world.timeline(&row).await.iter().filter(|event| *event == "certificate_held").count();
    world.until("it is held again", async || holds().await == 2).await;
    world.until_states(&batch, [("held", 1)]).await;
}
