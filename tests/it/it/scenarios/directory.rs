//! The directory after its first import: only what changed is read, until the changes are too old.

use serde_json::json;
use sim::directory::Removal;

use crate::world::World;

#[tokio::test]
async fn the_next_import_reads_newcomers_and_leavers_only() {
    let world = World::with_people(3).await;
    let directory = world.microsoft().directory();
    let leaver = directory.people()[0].id;
    let newcomer = directory.add(directory.newcomer("Nora", "New"));
    directory.delete(leaver, Removal::Restorable);
    let import = world.import().await;
    assert_eq!((&import["seen"], &import["left"]), (&json!(1), &json!(1)));
    assert_eq!(world.microsoft().calls("graph.users"), 1, "the full list is read once");

    let person = async |id| world.operator.get(&format!("/people/{id}")).await;
    assert_eq!(person(leaver).await["left"], true);
    assert_eq!(person(newcomer).await["left"], false);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 3)]).await;
    world.everybody_has_one(3).await;
}

#[tokio::test]
async fn changes_that_are_too_old_to_be_told_are_found_by_a_full_import() {
    let world = World::with_people(3).await;
    let directory = world.microsoft().directory();
    let leaver = directory.people()[2].id;
    directory.delete(leaver, Removal::Final);
    directory.expire_delta_tokens();
    let import = world.import().await;
    assert_eq!((&import["seen"], &import["left"]), (&json!(2), &json!(1)));
    assert_eq!(world.operator.get(&format!("/people/{leaver}")).await["left"], true);
}

#[tokio::test]
async fn members_of_the_chosen_groups_are_imported_and_nobody_else() {
    let mut world = World::with_people(4).await;
    let directory = world.microsoft().directory();
    let people: Vec<_> = directory.people().iter().map(|person| person.id).collect();
    let inner = directory.add_group("Berlin", &people[1..2]);
    let outer = directory.add_group("Germany", &[people[0], inner]);
    world.change_settings(json!({ "groups": [outer] })).await;
    let import = world.import().await;
    assert_eq!((&import["seen"], &import["left"]), (&json!(2), &json!(2)));
    let batch = world.plan_for_everybody().await;
    assert_eq!(world.batch(&batch).await["planned"], 2);
}
