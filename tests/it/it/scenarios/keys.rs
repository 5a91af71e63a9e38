//! How long private keys are kept.

use jiff::SignedDuration;
use ports::Attachment;
use serde_json::json;

use crate::world::{Setting, World, vendors::Shop};

async fn the_key_is_destroyed(world: &World) {
    world.until("the key is destroyed", async || world.only_enrollment().await["key"] == "destroyed").await;
    let row = world.only_enrollment().await;
    assert_eq!(world.attachment(&row, Attachment::SealedKey).await, None);
}

#[tokio::test]
async fn the_key_of_a_cancelled_enrollment_is_destroyed() {
    let shop = Shop { funds_cents: 0, ..Shop::default() };
    let world = World::of(Setting { people: 1, shop, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("blocked", 1)]).await;
    let row = world.only_enrollment().await;
    assert!(world.attachment(&row, Attachment::SealedKey).await.is_some());
    world.decide(&row, "cancel", json!({ "reason": "left the company" })).await.done();
    the_key_is_destroyed(&world).await;
}

#[tokio::test]
async fn a_key_that_is_kept_for_no_day_is_destroyed_after_the_import() {
    let settings = json!({ "keep_key_days": 0 });
    let world = World::of(Setting { people: 1, settings, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    the_key_is_destroyed(&world).await;
    world.everybody_has_one(1).await;
    let row = world.only_enrollment().await;
    assert_eq!(world.decide(&row, "import-again", json!({})).await.status, 409);
}

#[tokio::test]
async fn a_key_is_kept_for_its_days_and_then_destroyed() {
    let settings = json!({ "keep_key_days": 2 });
    let world = World::of(Setting { people: 1, settings, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.pass(SignedDuration::from_hours(47));
    world.decide(&world.only_enrollment().await, "import-again", json!({})).await.done();
    world.until("it is imported again", async || world.microsoft().calls("graph.pfx_update") == 1).await;
    world.until_states(&batch, [("imported", 1)]).await;
    world.pass(SignedDuration::from_hours(49));
    the_key_is_destroyed(&world).await;
}

/// Old mail stays readable on a new device, long after the days of the import are over. What signs is not kept.
#[tokio::test]
async fn keys_that_decrypt_are_escrowed_where_people_were_told_and_keys_that_sign_never_are() {
    let settings = json!({ "keep_key_days": 0, "escrow_notice": "Staff notice of 2026-05-04" });
    let world = World::of(Setting { people: 1, settings, ..Setting::default() }).await;
    for (purpose, fate) in [("encryption", "escrowed"), ("signing", "destroyed"), ("general", "escrowed")] {
        let batch = world.plan(json!({ "everybody": true }), purpose).await;
        world.approve(&batch).await.done();
        world.until_states(&batch, [("imported", 1)]).await;
        let row = async || world.operator.get(&format!("/enrollments?batch={batch}")).await["items"][0].clone();
        world.until(&format!("the key for {purpose} is {fate}"), async || row().await["key"] == fate).await;
        let kept = world.attachment(&row().await, Attachment::SealedKey).await.is_some();
        assert_eq!(kept, fate == "escrowed", "{purpose}");
    }
    world.pass(SignedDuration::from_hours(200 * 24));
    let again = world.operator.post("/import-again", json!({})).await.done();
    assert_eq!(again, json!({ "requested": 2, "without_key": 1, "next": null }));
    world.until("both are written again", async || world.microsoft().calls("graph.pfx_update") == 2).await;
    world
        .until("they are escrowed again", async || {
            world.enrollments().await.iter().filter(|row| row["key"] == "escrowed").count() == 2
        })
        .await;
}

#[tokio::test]
async fn a_notice_of_escrow_is_part_of_what_a_plan_stands_on() {
    let mut world = World::with_people(1).await;
    let batch = world.plan_for_everybody().await;
    world.change_settings(json!({ "escrow_notice": "Staff notice of 2026-05-04" })).await;
    assert_eq!(world.approve(&batch).await.status, 409);
}
