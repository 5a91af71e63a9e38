//! The main job, in its kinds.

use serde_json::json;

use super::world::{Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_bought_for_once_and_their_device_opens_it_for_each_purpose() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options::default()).await;
    for (done, purpose) in (1..).zip(["general", "encryption", "signing"]) {
        let batch = world.plan(purpose).await;
        world.approve(&batch).await;
        world.rest(&batch, "imported", 4).await;
        world.delivered(4 * done).await;
        assert_eq!(world.purchases(), 4 * done);
    }
    assert_eq!(world.microsoft.records().len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_the_modern_profile_and_polling_alone_come_to_the_same_end() {
    for algorithm in ["rsa3072", "p256"] {
        let data = tempfile::tempdir().unwrap();
        let settings = json!({ "key_algorithm": algorithm, "pfx_profile": "modern", "padding": "oaep_sha256" });
        let options = Options { people: 2, public: false, settings, ..Options::default() };
        let world = World::start(data.path(), options).await;
        let batch = world.plan("general").await;
        world.approve(&batch).await;
        world.rest(&batch, "imported", 2).await;
        world.delivered(2).await;
        assert_eq!(world.purchases(), 2, "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_batches_over_the_same_people_approved_at_once_buy_once_for_each() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(data.path(), Options { people: 6, ..Options::default() }).await;
    let (first, second) = (world.plan("general").await, world.plan("general").await);
    tokio::join!(world.approve(&first), world.approve(&second));
    world.delivered(6).await;
    world
        .until("both batches rest", async || {
            let counts = world.get(&world.path("/counts")).await;
            let of = |state: &str| {
                let rows = counts["states"].as_array().unwrap();
                rows.iter().find(|row| row["state"] == state).and_then(|row| row["count"].as_u64()).unwrap_or_default()
            };
            (of("imported") == 6 && of("cancelled") == 6).then_some(())
        })
        .await;
    assert_eq!(world.purchases(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_name_is_repaired_by_importing_again() {
    let data = tempfile::tempdir().unwrap();
    let settings = json!({ "key_name": "PFXEncryptionKye" });
    let world = World::start(data.path(), Options { people: 1, settings, ..Options::default() }).await;
    let batch = world.plan("general").await;
    world.approve(&batch).await;
    world.rest(&batch, "imported", 1).await;
    world.microsoft.settled().await;
    assert_eq!(world.microsoft.delivered_count(), 0, "Intune takes a record that nobody can open");

    let (status, _) = world.send(reqwest::Method::PUT, &world.path(""), Some(world.settings())).await;
    assert!(status.is_success());
    let imported = world.enrollments("imported").await;
    let (status, answer) = world.act(&imported[0], "import-again", json!({})).await;
    assert!(status.is_success(), "{answer}");
    world.delivered(1).await;
    assert_eq!(world.purchases(), 1);
    assert_eq!(world.microsoft.records().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_to_be_kept_is_gone_after_the_import() {
    let data = tempfile::tempdir().unwrap();
    let settings = json!({ "keep_key_days": 0 });
    let world = World::start(data.path(), Options { people: 1, settings, ..Options::default() }).await;
    let batch = world.plan("signing").await;
    world.approve(&batch).await;
    world.rest(&batch, "imported", 1).await;
    world
        .until("the key is destroyed", async || {
            (world.enrollments("imported").await[0]["key"] == "destroyed").then_some(())
        })
        .await;
    let imported = world.enrollments("imported").await;
    let (status, _) = world.act(&imported[0], "import-again", json!({})).await;
    assert_eq!(status, reqwest::StatusCode::CONFLICT);
}
