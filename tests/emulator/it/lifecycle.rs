//! The stack itself: the schedule starts the sweep, an update keeps the data, and what is retained outlives the stack.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{run, world::World};

#[test]
fn an_update_keeps_everything_and_a_deletion_what_is_retained() {
    run(async {
        let mut world = World::of("lifecycle", 2).await;
        let people = world.operator.get("/people?limit=10").await["items"].as_array().unwrap().clone();
        let batch = world.plan_for(json!({ "people": [people[0]["id"]] })).await;
        world.approve(&batch).await;
        world
            .until_by_schedule("the schedule sweeps, and one is imported", async || {
                world.count(&batch, "imported").await == 1
            })
            .await;
        let (enrollments, resources) = (world.enrollments().await, world.stack.resources.clone());

        let changed = [("StopBuying", "true"), ("OrderCheckConcurrency", "5"), ("LogRetentionDays", "30")];
        let changed: BTreeMap<_, _> = changed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        world.stack.update(changed).await;
        for kept in ["Table", "DataKey", "HttpApi", "OrderCheckQueue", "OrderCheckFunction"] {
            assert_eq!(world.stack.resource(kept), resources[kept], "{kept}");
        }
        assert_eq!(world.enrollments().await, enrollments);
        let other = world.plan_for(json!({ "people": [people[1]["id"]] })).await;
        world.approve(&other).await;
        let stopped =
            async || world.enrollments().await.iter().any(|row| row.to_string().contains("buying is stopped"));
        world.until("the second waits with its reason", stopped).await;
        assert_eq!(world.count(&other, "requested").await, 1);
        world.everybody_has_one(1).await;

        let (table, key) = (world.stack.outputs["TableName"].clone(), world.stack.outputs["DataKeyArn"].clone());
        let function = world.stack.function("api").to_owned();
        world.stack.delete().await;
        let described = world.control.call("dynamodb", "describe_table", json!({ "TableName": table })).await;
        assert!(described["Table"]["ItemCount"].as_u64().unwrap() > 0, "{described}");
        let described = world.control.call("kms", "describe_key", json!({ "KeyId": key })).await;
        assert_eq!(described["KeyMetadata"]["KeyState"], "Enabled");
        let secrets = world.control.call("secretsmanager", "list_secrets", json!({})).await;
        assert_eq!(secrets["SecretList"].as_array().unwrap().len(), 2);
        let gone = json!({ "service": "lambda", "call": "get_function", "arguments": { "FunctionName": function } });
        assert!(world.control.ask(gone).await.is_err(), "the functions are gone");
        let apis = world.control.call("apigatewayv2", "get_apis", json!({})).await;
        assert_eq!(apis["Items"], Value::Array(Vec::new()));
        let answer = world.operator.request(Method::GET, "/api/integrations", None).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    });
}
