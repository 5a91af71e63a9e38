//! What must hold when a backup is put back.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;

use crate::world::{World, text};

#[tokio::test]
async fn a_plan_of_a_backup_cannot_buy_again_what_was_bought_after_it() {
    let mut world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    let backup = backed_up(&mut world).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 3)]).await;
    put_back(&mut world, &backup).await;

    assert_eq!(
        compared(&world).await,
        "3 open enrollments; 3 orders found that the backup did not know; 1 open plans given up; \
         0 orders without an enrollment"
    );
    assert_eq!(world.operator.get("").await["settings"]["stop_buying"], json!(true));
    world.approve(&batch).await.refused(409);
    world.stop_buying(false).await;
    // Their keys are lost with the data that was not backed up, so each is held for a person.
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);
}

/// What was approved when the backup was made is bought after it; put back, it is found at SSL.com and not bought again.
/// Its certificates are for keys that are lost: they are revoked, and the people are enrolled anew.
#[tokio::test]
async fn an_approved_batch_of_a_backup_is_not_bought_again_and_its_people_are_not_stuck() {
    let mut world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    world.stop_buying(true).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", 3)]).await;
    let backup = backed_up(&mut world).await;
    world.stop_buying(false).await;
    for row in world.enrollments().await {
        world.decide(&row, "try-now", json!({})).await;
    }
    world.until_states(&batch, [("imported", 3)]).await;
    put_back(&mut world, &backup).await;
    // A limit of today says nothing about what was paid before.
    world.change_settings(json!({ "orders_per_day": 1, "stop_buying": true })).await;

    let compared = compared(&world).await;
    assert!(compared.starts_with("3 open enrollments; 3 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);

    for row in world.enrollments().await {
        world.insist(&row, "revoke", json!({ "reason": "the key is lost" })).await;
    }
    world.until_states(&batch, [("rejected", 3)]).await;
    world.change_settings(json!({ "orders_per_day": 100, "stop_buying": false })).await;
    let next = world.order_for_everybody().await;
    world.until_states(&next, [("imported", 3)]).await;
    assert_eq!(world.purchases(), 6);
}

/// Copies the data while nobody has it open; then the application goes on.
async fn backed_up(world: &mut World) -> PathBuf {
    let (data, backup) = (world.folder().join("application"), world.folder().join("backup"));
    world.stop_application().await;
    copy(&data, &backup);
    world.start_application(&data).await;
    backup
}

async fn put_back(world: &mut World, backup: &Path) {
    world.stop_application().await;
    world.start_application(backup).await;
}

/// Asks for the comparison with SSL.com and answers what the audit says of it.
async fn compared(world: &World) -> String {
    world.operator.send(Method::POST, "/after-restore", None).await.done();
    let line = async || {
        let audit = world.operator.get("/audit").await;
        audit["items"].as_array().unwrap().iter().find(|line| line["action"] == "restore.compared").cloned()
    };
    world.until("the orders are compared", async || line().await.is_some()).await;
    text(&line().await.unwrap()["detail"])
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
