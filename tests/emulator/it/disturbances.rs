//! AWS itself is not well for a while, or a secret changes under way: what was begun is done afterwards, once.

use serde_json::{Value, json};

use crate::{meter::Failure, run, text, world::World};

#[test]
fn a_throttled_table_costs_time_and_no_second_certificate() {
    run(async {
        let world = World::of("throttled", 4).await;
        let batch = world.plan().await;
        world.approve(&batch).await;
        world.until("the first order is placed", async || world.purchases() > 0).await;
        world.meter.fail("dynamodb:", Failure::Throttled);
        world.until("many calls were throttled", async || world.meter.failed() >= 60).await;
        world.meter.recover();
        // Who was about to buy and could not even write that it did not is Unsure: a person says so, after a look.
        let resolved = async || {
            let unsure = world.operator.get("/enrollments?state=unsure").await;
            for row in unsure["items"].as_array().unwrap() {
                let path = format!("/enrollments/{}/resolve", text(&row["id"]));
                world.operator.post(&path, json!({ "not_bought": true })).await.done();
            }
            world.count(&batch, "imported").await == 4
        };
        world.until("everybody has a certificate", resolved).await;
        world.everybody_has_one(4).await;
    });
}

#[test]
fn without_the_key_nothing_is_bought_and_with_it_everything_goes_on() {
    run(async {
        let world = World::of("without-key", 3).await;
        let statements = world.statements("order-placement").await;
        let without: Vec<Value> = statements.iter().filter(|row| row["Sid"] != "SealPrivateKeys").cloned().collect();
        assert_eq!(without.len() + 1, statements.len());
        world.put_statements("order-placement", &without).await;
        let batch = world.order_for_everybody().await;
        let denied = async || world.meter.has_denied("order-placement", "kms:GenerateDataKey");
        world.until("KMS refuses the role", denied).await;
        assert_eq!(world.purchases(), 0, "a key is sealed before it is used");

        world.put_statements("order-placement", &statements).await;
        world.until("the first order is placed", async || world.purchases() > 0).await;
        // The role is right and KMS is down: what is sealed cannot be opened for a while.
        world.meter.fail("kms:", Failure::Denied);
        world.until("KMS refused some", async || world.meter.failed() >= 6).await;
        world.meter.recover();
        world.until_count(&batch, "imported", 3).await;
        world.everybody_has_one(3).await;
    });
}

/// The processes hold secrets for minutes. One that a vendor refuses is read again at once.
#[test]
fn secrets_that_were_rotated_are_used_without_a_new_process() {
    run(async {
        let mut world = World::deployed("rotated", 2, &[]).await;
        let good = world.vendors.settings();
        world.save_settings().await;
        world.operator.authorize().await;
        let integration = world.operator.integration().to_owned();
        let mut good_secrets = Vec::new();
        for (kind, field) in [("entra", "client_secret"), ("sslcom", "sslcom_secret_key")] {
            let id = format!("test/{integration}/{kind}");
            let secret = world.control.call("secretsmanager", "get_secret_value", json!({ "SecretId": id })).await;
            let secret = text(&secret["SecretString"]);
            let wrong = secret.replace(good[field].as_str().unwrap(), "no longer the secret");
            assert_ne!(secret, wrong, "the secret {kind} holds {field}");
            good_secrets.push((id, secret, wrong));
        }
        put_secret(&world, &good_secrets[0], true).await;
        world.operator.post("/people/import", json!({})).await.done();
        world.until("the import ends", async || world.operator.get("/people/import").await["running"] == false).await;
        assert_ne!(world.operator.get("/people/import").await["problem"], Value::Null);
        let before = world.bootstraps("user-import");

        put_secret(&world, &good_secrets[0], false).await;
        world.import().await;
        assert!(world.bootstraps("user-import").iter().any(|pid| before.contains(pid)), "the same process");

        // The same with what buys: the first order is refused, and what comes after the rotation is bought.
        put_secret(&world, &good_secrets[1], true).await;
        world.kill("order-placement");
        let people = world.operator.get("/people?limit=10").await["items"].as_array().unwrap().clone();
        let first = world.plan_for(json!({ "people": [people[0]["id"]] })).await;
        world.approve(&first).await;
        let blocked = async || world.count(&first, "blocked").await == 1;
        world.until("SSL.com refuses the keys", blocked).await;
        let before = world.bootstraps("order-placement");
        assert_eq!(world.purchases(), 0);

        put_secret(&world, &good_secrets[1], false).await;
        let second = world.plan_for(json!({ "people": [people[1]["id"]] })).await;
        world.approve(&second).await;
        world.until_count(&second, "imported", 1).await;
        assert!(world.bootstraps("order-placement").iter().any(|pid| before.contains(pid)), "the same process");
        world.operator.post(&format!("/batches/{first}/resume"), json!({})).await.done();
        world.until_count(&first, "imported", 1).await;
        world.everybody_has_one(2).await;
    });
}

async fn put_secret(world: &World, (id, good, wrong): &(String, String, String), is_wrong: bool) {
    let value = if is_wrong { wrong } else { good };
    world.control.call("secretsmanager", "put_secret_value", json!({ "SecretId": id, "SecretString": value })).await;
}
