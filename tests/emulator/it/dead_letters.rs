//! What cannot be done ends as a dead letter after five times, and everything else is done.

use std::time::Duration;

use serde_json::json;
use sim::faults::Fault;

use crate::{run, told, world::World};

const QUEUES: [&str; 5] = ["user-import", "batch-enrollment", "order-placement", "order-check", "pfx-import"];

#[test]
fn what_cannot_be_read_is_a_dead_letter_and_everybody_gets_a_certificate() {
    run(async {
        let world = World::of("unreadable", 3).await;
        let unreadable = ["this is no message", r#"{"v":7,"integration":"of a later release"}"#];
        for queue in QUEUES {
            world.hurry(queue, 1).await;
            for body in unreadable {
                world.send(queue, body).await;
            }
        }
        let batch = world.order_for_everybody().await;
        world.until_count(&batch, "imported", 3).await;
        world.everybody_has_one(3).await;
        for queue in QUEUES {
            world
                .until(&format!("both are dead letters of {queue}"), async || {
                    let mut letters = world.dead_letters(queue).await;
                    letters.sort_by_key(|letter| letter.starts_with('{'));
                    letters == unreadable
                })
                .await;
            world.until(&format!("{queue} is empty"), async || world.is_empty(queue).await).await;
        }
        world.sweep().await.unwrap();
    });
}

/// A step that takes longer than its function may is given back, five times; its enrollment is marked and the next
/// person's is done.
#[test]
fn a_step_that_takes_too_long_is_a_dead_letter_that_its_enrollment_tells_of() {
    run(async {
        let world = World::of("too-long", 2).await;
        let people = world.operator.get("/people?limit=10").await["items"].as_array().unwrap().clone();
        world.hurry("order-check", 1).await;
        // The function's time-out less what it keeps for its answer; SSL.com would be waited for longer.
        let function = world.stack.function("order-check");
        let short = json!({ "FunctionName": function, "Timeout": 6 });
        world.control.call("lambda", "update_function_configuration", short).await;
        world.vendors.sslcom.faults().always("sslcom.retrieve", Fault::Slow(Duration::from_secs(11)));

        let batch = world.plan_for(json!({ "people": [people[0]["id"]] })).await;
        world.approve(&batch).await;
        world.until_count(&batch, "failed", 1).await;
        let letters = world.dead_letters("order-check").await;
        assert!(!letters.is_empty());
        let [marked] = world.enrollments().await.try_into().unwrap();
        assert!(marked.to_string().contains("was given up"), "{marked}");

        world.vendors.sslcom.faults().clear_all();
        let other = world.plan_for(json!({ "people": [people[1]["id"]] })).await;
        world.approve(&other).await;
        world.until_count(&other, "imported", 1).await;
        assert_eq!(world.purchases(), 2);
    });
}

/// No step of the product can be made to panic or to hang from outside; so a bootstrap on the same loop with a step
/// that does both stands in for one function.
#[test]
fn a_panic_and_a_process_that_hangs_are_dead_letters_and_the_other_messages_are_done() {
    run(async {
        let stand_in = told("EMULATOR_FUNCTIONS").join("faulty-step.zip");
        let world = World::deployed("faulty-step", 1, &[("pfx-import", &stand_in)]).await;
        world.hurry("pfx-import", 1).await;
        let function = world.stack.function("pfx-import");
        world
            .control
            .call("lambda", "update_function_configuration", json!({ "FunctionName": function, "Timeout": 4 }))
            .await;
        let message = |number: u32| {
            let (integration, enrollment) = (uuid::Uuid::nil(), uuid::Uuid::from_u128(number.into()));
            json!({ "v": 1, "integration": integration, "enrollment": enrollment }).to_string()
        };
        // By its number the stand-in panics at the second message and hangs its whole process at the third.
        for number in [1, 2, 4, 5] {
            world.send("pfx-import", &message(number)).await;
        }
        world
            .until_alone("the panic is the only dead letter", async || {
                world.dead_letters("pfx-import").await == [message(2)] && world.is_empty("pfx-import").await
            })
            .await;
        world.send("pfx-import", &message(3)).await;
        world
            .until_alone("the one that hangs is a dead letter too", async || {
                world.dead_letters("pfx-import").await.contains(&message(3)) && world.is_empty("pfx-import").await
            })
            .await;
        world.send("pfx-import", &message(6)).await;
        world.until_alone("the next message is done", async || world.is_empty("pfx-import").await).await;
        assert_eq!(world.dead_letters("pfx-import").await.len(), 2);
        world.sweep().await.unwrap();
    });
}
