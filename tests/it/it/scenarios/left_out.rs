//! Whom a plan leaves out, and why.

use std::collections::BTreeMap;

use serde_json::json;

use crate::world::{Setting, World, text};

#[tokio::test]
async fn a_plan_leaves_out_whom_a_certificate_would_not_help_and_says_why() {
    let mut world = World::unconnected(Setting { people: 2, ..Setting::default() }).await;
    let directory = world.microsoft().directory();
    let [ordinary, other] = directory.people().try_into().unwrap();
    let expected = BTreeMap::from([
        (ordinary.id, "new"),
        (other.id, "shared_address"),
        (directory.add_with_address_of(other.id, "Same", "Address").unwrap(), "shared_address"),
        (directory.add_guest("Gustav", "Guest"), "guest"),
        (directory.add_disabled("Doris", "Disabled"), "disabled"),
        (directory.add_unlicensed("Ulla", "Unlicensed"), "no_licence"),
        (directory.add_without_mailbox("Nils", "Nowhere"), "no_address"),
        (directory.add_with_long_address("Lena", "Long"), "address_too_long"),
        (directory.add_with_one_name("Madonna"), "new"),
    ]);
    world.save_settings().await;
    world.operator.authorize().await;
    world.import().await;

    let batch = world.plan_for_everybody().await;
    let page = world.operator.get(&format!("/batches/{batch}/plan?limit=200")).await;
    let rows = page["items"].as_array().unwrap().iter();
    let found: BTreeMap<_, _> =
        rows.map(|row| (text(&row["person"]).parse().unwrap(), row["assessment"].as_str().unwrap())).collect();
    assert_eq!(found, expected);
    let plan = world.batch(&batch).await;
    assert_eq!((&plan["planned"], &plan["left_out"]), (&json!(2), &json!(7)));
    assert_eq!(plan["total"]["text"], "$152.00");

    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
}

#[tokio::test]
async fn whoever_has_a_record_of_another_tool_is_left_out() {
    let world = World::with_people(2).await;
    let covered = world.microsoft().directory().people()[0].id;
    world.vendors.import_with_another_tool(covered).await;
    let batch = world.plan_for_everybody().await;
    let page = world.operator.get(&format!("/batches/{batch}/plan?assessment=covered_elsewhere")).await;
    assert_eq!(page["items"][0]["person"], json!(covered));
    assert_eq!(world.batch(&batch).await["planned"], 1);

    // That record covers general use only.
    let signing = world.plan(json!({ "everybody": true }), "signing").await;
    assert_eq!(world.batch(&signing).await["planned"], 2);
}

/// Who comes from another tool has its record removed first, and is enrolled then.
#[tokio::test]
async fn whose_record_of_another_tool_was_removed_is_enrolled() {
    let world = World::with_people(2).await;
    let covered = world.microsoft().directory().people()[0].id;
    world.vendors.import_with_another_tool(covered).await;
    let before = world.plan_for_everybody().await;
    assert_eq!(world.batch(&before).await["planned"], 1);
    let [record] = world.microsoft().records().try_into().unwrap();
    world.vendors.remove_with_another_tool(&record.id).await;
    // Clocks of different machines may differ by minutes.
    world.pass(jiff::SignedDuration::from_mins(6));
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
}

#[tokio::test]
async fn whoever_is_enrolled_already_is_left_out_of_the_next_plan() {
    let world = World::with_people(2).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2)]).await;
    let next = world.plan_for_everybody().await;
    let page = world.operator.get(&format!("/batches/{next}/plan?assessment=covered")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(world.approve(&next).await.refused(409), "the plan enrolls nobody");
    world.everybody_has_one(2).await;
}
