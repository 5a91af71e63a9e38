//! What must hold when a backup is put back.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::world::{Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_backup_cannot_buy_again_what_was_bought_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let mut world = World::start(&data, Options { people: 3, ..Options::default() }).await;
    let batch = world.plan("general").await;
    world.stop().await;
    drop_flow(&mut world).await;
    copy(&data, &backup);

    world.start_again(&data).await;
    world.approve(&batch).await;
    world.rest(&batch, "imported", 3).await;
    world.stop().await;
    world.start_again(&backup).await;

    assert_eq!(
        compare(&world).await,
        "3 open enrollments; 3 orders found that the backup did not know; 1 open plans given up; \
         0 orders without an enrollment"
    );
    assert_eq!(world.get(&world.path("")).await["settings"]["stop_buying"], json!(true));
    let (status, _) =
        world.send(Method::POST, &world.path(&format!("/batches/{batch}/approve")), Some(json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    world.send(Method::PUT, &world.path("/stop-buying"), Some(json!({ "stopped": false }))).await;
    // Their keys are lost with the data that was not backed up, so each is held for a person.
    world.rest(&batch, "held", 3).await;
    assert_eq!(world.purchases(), 3);
}

/// What was approved when the backup was made is bought after it; put back, it is found at SSL.com and not bought again.
/// Its certificates are for keys that are lost: they are revoked, and the people are enrolled anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_approved_batch_of_a_backup_is_not_bought_again_and_its_people_are_not_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let mut world = World::start(&data, Options { people: 3, ..Options::default() }).await;
    let batch = world.plan("general").await;
    stop_buying(&world, true).await;
    world.approve(&batch).await;
    world.rest(&batch, "requested", 3).await;
    world.stop().await;
    drop_flow(&mut world).await;
    copy(&data, &backup);

    world.start_again(&data).await;
    stop_buying(&world, false).await;
    for row in world.enrollments("requested").await {
        world.act(&row, "try-now", json!({})).await;
    }
    world.rest(&batch, "imported", 3).await;
    world.stop().await;
    world.start_again(&backup).await;
    // A limit of today says nothing about what was paid before.
    let mut settings = world.settings();
    settings["orders_per_day"] = json!(1);
    settings["stop_buying"] = json!(true);
    assert!(world.send(Method::PUT, &world.path(""), Some(settings)).await.0.is_success());

    let compared = compare(&world).await;
    assert!(compared.starts_with("3 open enrollments; 3 orders found"), "{compared}");
    stop_buying(&world, false).await;
    world.rest(&batch, "held", 3).await;
    assert_eq!(world.purchases(), 3);

    for row in world.enrollments("held").await {
        let (status, answer) = world.act(&row, "revoke", json!({ "reason": "the key is lost" })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    world.rest(&batch, "rejected", 3).await;
    assert!(world.send(Method::PUT, &world.path(""), Some(world.settings())).await.0.is_success());
    let next = world.plan("general").await;
    world.approve(&next).await;
    world.rest(&next, "imported", 3).await;
    assert_eq!(world.purchases(), 6);
}

/// Asks for the comparison with SSL.com and answers what the audit says of it.
async fn compare(world: &World) -> String {
    world.send(Method::POST, &world.path("/after-restore"), None).await;
    let compared = async || {
        let audit = world.get(&world.path("/audit")).await;
        let line = audit["items"].as_array()?.iter().find(|line| line["action"] == "restore.compared")?.clone();
        line["detail"].as_str().map(str::to_owned)
    };
    world.until("the orders are compared", compared).await
}

async fn stop_buying(world: &World, stopped: bool) {
    let answer = world.send(Method::PUT, &world.path("/stop-buying"), Some(json!({ "stopped": stopped }))).await;
    assert!(answer.0.is_success(), "{answer:?}");
}

/// The folder is free only when every part of the platform is dropped.
async fn drop_flow(world: &mut World) {
    let elsewhere = tempfile::tempdir().unwrap();
    world.start_again(elsewhere.path()).await;
    world.stop().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
