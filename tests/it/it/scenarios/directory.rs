//! The directory after its first import: only what changed is read, until the changes are too old.

use serde_json::json;
use sim::{directory::Removal, graph::behaviour::Behaviour};

use crate::world::{Setting, World};

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

#[tokio::test]
async fn a_changed_address_is_read_with_the_changes_and_is_the_one_that_is_ordered() {
    let world = World::with_people(2).await;
    let directory = world.microsoft().directory();
    let moved = directory.people()[0].id;
    directory.change(moved, |person| person.readdress("new.name@contoso.example"));
    assert_eq!(world.import().await["seen"], 1);
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2)]).await;
    let mailboxes: Vec<_> = world.sslcom().orders().into_iter().filter_map(|order| order.mailbox).collect();
    assert!(mailboxes.contains(&"new.name@contoso.example".to_owned()), "{mailboxes:?}");
}

/// Every page is one generation, also where Graph cuts them small and sends empty ones.
#[tokio::test]
async fn a_full_import_reads_every_page_before_it_says_who_left() {
    let intune = Behaviour { page_size: 2, empty_pages: true, ..Behaviour::default() };
    let world = World::of(Setting { people: 7, intune, ..Setting::default() }).await;
    let directory = world.microsoft().directory();
    let leaver = directory.people()[6].id;
    directory.delete(leaver, Removal::Final);
    directory.expire_delta_tokens();
    let import = world.import().await;
    assert_eq!((&import["seen"], &import["left"]), (&json!(6), &json!(1)));
}

#[tokio::test]
async fn who_leaves_a_group_is_left_and_who_comes_back_is_not() {
    let mut world = World::with_people(3).await;
    let directory = world.microsoft().directory();
    let people: Vec<_> = directory.people().iter().map(|person| person.id).collect();
    let group = directory.add_group("Berlin", &people[..2]);
    world.change_settings(json!({ "groups": [group] })).await;
    world.import().await;
    let left = async |id| world.operator.get(&format!("/people/{id}")).await["left"].clone();
    for member in [false, true] {
        world.microsoft().directory().change_group(group, |members| {
            match member {
                true => members.insert(people[0]),
                false => members.remove(&people[0]),
            };
        });
        world.import().await;
        assert_eq!(left(people[0]).await, json!(!member));
        assert_eq!((left(people[1]).await, left(people[2]).await), (json!(false), json!(true)));
        let batch = world.plan_for_everybody().await;
        assert_eq!(world.batch(&batch).await["planned"], 1 + u64::from(member));
    }
}
