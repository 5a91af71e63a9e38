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

    world.send(Method::POST, &world.path("/after-restore"), None).await;
    let compared = world.until("the orders are compared", async || {
        let audit = world.get(&world.path("/audit")).await;
        let lines = audit["items"].as_array().unwrap().iter();
        lines.filter(|line| line["action"] == "restore.compared").map(|line| line["detail"].to_string()).next()
    });
    assert_eq!(
        compared.await,
        "\"3 open enrollments; 3 orders found that the backup did not know; 1 open plans given up; \
         0 orders without an enrollment\""
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
