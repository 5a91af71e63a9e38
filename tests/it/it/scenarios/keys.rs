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
