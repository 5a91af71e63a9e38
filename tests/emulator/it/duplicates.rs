//! Everything may come twice, at the same time too, and a process may end at any moment: nothing is bought twice.

use std::time::Duration;

use serde_json::{Value, json};
use sim::faults::Fault;

use crate::{run, text, world::World};

#[test]
fn every_kind_of_message_may_come_again_and_again() {
    run(async {
        let world = World::of("duplicates", 5).await;
        let integration = world.operator.integration();
        // Redelivered while the first delivery is still worked on.
        for queue in ["batch-enrollment", "order-placement", "order-check", "pfx-import"] {
            world.hurry(queue, 2).await;
        }
        world.vendors.sslcom.faults().always("sslcom.create", Fault::Slow(Duration::from_secs(3)));
        world.vendors.microsoft.faults().always("graph.pfx_create", Fault::Slow(Duration::from_secs(2)));
        let batch = world.plan().await;
        let about_batch =
            |verb: &str| json!({ "v": 1, "do": verb, "integration": integration, "batch": batch }).to_string();
        world.approve(&batch).await;
        for _ in 0..3 {
            world.send("batch-enrollment", &about_batch("plan")).await;
            world.send("batch-enrollment", &about_batch("approve")).await;
            world.send("user-import", &json!({ "v": 1, "integration": integration }).to_string()).await;
        }
        let enrollments = world.enrollments().await;
        assert_eq!(enrollments.len(), 5);
        let again = async || {
            for row in &enrollments {
                send_all_about(&world, integration, row).await;
            }
        };
        again().await;
        world.until("somebody's order is placed", async || world.purchases() > 0).await;
        again().await;
        world.until_count(&batch, "imported", 5).await;
        again().await;
        world
            .until("all is read", async || {
                for queue in ["user-import", "batch-enrollment", "order-placement", "order-check", "pfx-import"] {
                    if !world.is_empty(queue).await {
                        return false;
                    }
                }
                true
            })
            .await;
        world.everybody_has_one(5).await;
        assert_eq!(world.count(&batch, "imported").await, 5);
        assert_eq!(world.vendors.microsoft.records().len(), 5);
        assert_eq!(world.vendors.sslcom.calls("sslcom.create"), 5, "no order is sent a second time");
    });
}

async fn send_all_about(world: &World, integration: &str, row: &Value) {
    let enrollment = text(&row["id"]);
    let about = json!({ "v": 1, "integration": integration, "enrollment": enrollment });
    let one = json!({ "v": 1, "do": "one", "integration": integration, "enrollment": enrollment });
    let look_up = json!({ "v": 1, "do": "look_up", "integration": integration });
    world.send("order-placement", &one.to_string()).await;
    world.send("order-check", &one.to_string()).await;
    world.send("order-check", &look_up.to_string()).await;
    world.send("pfx-import", &about.to_string()).await;
}

/// Each process is killed while a vendor has acted and not yet answered.
#[test]
fn a_process_that_is_killed_in_the_middle_of_an_order_buys_once() {
    run(async {
        let world = World::of("killed", 1).await;
        let (sslcom, microsoft) = (&world.vendors.sslcom, &world.vendors.microsoft);
        sslcom.faults().next("sslcom.create", Fault::Slow(Duration::from_secs(8)));
        sslcom.faults().next("sslcom.update", Fault::Slow(Duration::from_secs(8)));
        microsoft.faults().next("graph.pfx_create", Fault::Slow(Duration::from_secs(8)));
        let batch = world.order_for_everybody().await;

        world.until("it is bought", async || world.purchases() == 1).await;
        assert_eq!(world.kill("order-placement"), 1, "it waits for SSL.com's answer");
        world.until("the request is there", async || sslcom.calls("sslcom.update") == 1).await;
        assert!(world.kill("order-check") >= 1, "it waits for SSL.com's answer");
        world.until("the record is there", async || microsoft.records().len() == 1).await;
        assert!(world.kill("pfx-import") >= 1, "it waits for Intune's answer");

        world.until_count(&batch, "imported", 1).await;
        world.everybody_has_one(1).await;
        assert_eq!(sslcom.calls("sslcom.create"), 1, "the order was looked up, not sent again");
        assert_eq!(microsoft.records().len(), 1);
    });
}
