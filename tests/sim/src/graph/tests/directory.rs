use std::collections::HashSet;

use serde_json::Value;

use crate::{
    directory::{INTUNE_A, Removal},
    microsoft::fixture::World,
};

const EVENTUAL: &[(&str, &str)] = &[("ConsistencyLevel", "eventual")];

fn ids(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn only_selected_properties_are_shown() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let selected = "/v1.0/users?$select=id,proxyAddresses,assignedPlans,userType";
    let answer = world.client.get(selected).await;
    let user = answer.value()[0].as_object().unwrap();
    assert_eq!(user.len(), 4);
    assert_eq!(user["proxyAddresses"], serde_json::json!(person.proxy_addresses));
    let plans = user["assignedPlans"].as_array().unwrap();
    assert!(
        plans
            .iter()
            .any(|plan| { plan["servicePlanId"] == INTUNE_A.to_string() && plan["capabilityStatus"] == "Enabled" })
    );
    let answer = world.client.get("/v1.0/users").await;
    assert_eq!(answer.value()[0].as_object().unwrap().len(), 11);
    assert!(answer.value()[0].get("proxyAddresses").is_none());
}

#[tokio::test]
async fn options_that_graph_does_not_offer_are_refused() {
    let world = World::with_people(3).await;
    for query in [
        "$skip=1",
        "$top=1000",
        "$top=0",
        "$top=many",
        "$orderby=displayName",
        "$expand=manager",
        "$select=shoeSize",
        "$select=id&$select=mail",
        "$count=true",
        "$filter=accountEnabled ne true",
        "$filter=shoeSize eq '1'",
        "$filter=userType eq Member",
        "$skiptoken=guess",
    ] {
        let answer = world.client.get(&format!("/v1.0/users?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.code().starts_with("Request_"), "{query}: {}", answer.code());
    }
}

#[tokio::test]
async fn pages_lead_to_everybody_once() {
    let world = World::with_people(25).await;
    let people = world.microsoft.directory().people();
    let expected: Vec<String> = people.iter().map(|person| person.id.to_string()).collect();
    assert_eq!(ids(&world.client.all("/v1.0/users?$select=id&$top=7", &[]).await), expected);
    world.behave(|behaviour| behaviour.page_size = 4);
    assert_eq!(ids(&world.client.all("/v1.0/users?$top=999", &[]).await), expected);
    world.behave(|behaviour| behaviour.empty_pages = true);
    let before = world.microsoft.calls("graph.users");
    assert_eq!(ids(&world.client.all("/v1.0/users?$top=999", &[]).await), expected);
    assert_eq!(world.microsoft.calls("graph.users") - before, 7 + 6);
}

#[tokio::test]
async fn a_link_keeps_its_query_and_is_good_for_no_other() {
    let world = World::with_people(5).await;
    let page = world.client.get("/v1.0/users?$select=id&$top=2").await;
    let link = page.link("@odata.nextLink").unwrap().to_owned();
    assert!(link.starts_with(world.microsoft.graph_base_url()));
    let next = world.client.get(&link).await;
    assert_eq!(next.value()[0].as_object().unwrap().len(), 1);
    let changed = link.replace("=id&", "=mail&");
    assert_ne!(changed, link);
    assert_eq!(world.client.get(&changed).await.status, 400);

    world.behave(|behaviour| behaviour.next_link_on_another_host = true);
    let page = world.client.get("/v1.0/users?$top=2").await;
    assert!(!page.link("@odata.nextLink").unwrap().starts_with(world.microsoft.graph_base_url()));
}

#[tokio::test]
async fn filters_find_members_with_a_licence() {
    let world = World::with_people(4).await;
    let directory = world.microsoft.directory();
    let disabled = directory.add_disabled("Dis", "Abled").to_string();
    let guest = directory.add_guest("Gu", "Est").to_string();
    let unlicensed = directory.add_unlicensed("Un", "Licensed").to_string();
    let plain = "/v1.0/users?$filter=accountEnabled eq true and userType eq 'Member'";
    let found = world.client.all(plain, &[]).await;
    let found = ids(&found);
    assert!(!found.contains(&disabled.as_str()) && !found.contains(&guest.as_str()));
    assert!(found.contains(&unlicensed.as_str()));
    let licensed = format!(
        "/v1.0/users?$count=true&$top=2&$filter=assignedPlans/any(p:p/servicePlanId eq {INTUNE_A} \
         and p/capabilityStatus eq 'Enabled')"
    );
    assert_eq!(world.client.get(&licensed).await.status, 400, "without the header");
    let first = world.client.get_with(&licensed, EVENTUAL).await;
    assert_eq!(first.body["@odata.count"], 5);
    let link = first.link("@odata.nextLink").unwrap();
    assert_eq!(world.client.get(link).await.status, 400, "the header belongs to every page");
    let second = world.client.get_with(link, EVENTUAL).await;
    assert!(second.body.get("@odata.count").is_none());
    assert_eq!(world.client.all(&licensed, EVENTUAL).await.len(), 5);
}

#[tokio::test]
async fn one_user_is_found_by_id_and_by_name_until_deleted() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let by_id = format!("/v1.0/users/{}", person.id);
    let by_name = format!("/v1.0/users/{}", person.user_principal_name.to_uppercase());
    for path in [&by_id, &by_name] {
        let answer = world.client.get(&format!("{path}?$select=userPrincipalName")).await;
        assert_eq!(answer.body["userPrincipalName"], person.user_principal_name);
    }
    world.microsoft.directory().delete(person.id, Removal::Restorable);
    for path in [&by_id, &by_name] {
        let answer = world.client.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "Request_ResourceNotFound"));
    }
}

#[tokio::test]
async fn members_of_inner_groups_are_members() {
    let world = World::with_people(6).await;
    let directory = world.microsoft.directory();
    let people: Vec<_> = directory.people().iter().map(|person| person.id).collect();
    let inner = directory.add_group("inner", &people[2..5]);
    let outer = directory.add_group("outer", &[people[0], people[2], inner]);
    let path = format!("/v1.0/groups/{outer}/transitiveMembers/microsoft.graph.user");
    let query = "?$count=true&$top=2&$select=id";
    assert_eq!(world.client.get(&path).await.status, 400);
    assert_eq!(world.client.get(&format!("{path}{query}")).await.status, 400);
    assert_eq!(world.client.get_with(&path, EVENTUAL).await.status, 400);
    let first = world.client.get_with(&format!("{path}{query}"), EVENTUAL).await;
    assert_eq!(first.body["@odata.count"], 4);
    let all = world.client.all(&format!("{path}{query}"), EVENTUAL).await;
    let expected = [0, 2, 3, 4].map(|place: usize| people[place].to_string());
    assert_eq!(ids(&all), expected);
    directory.delete(people[0], Removal::Restorable);
    assert_eq!(world.client.all(&format!("{path}{query}"), EVENTUAL).await.len(), 3);
    let nowhere =
        "/v1.0/groups/6d0b8f3c-0000-4000-8000-000000000000/transitiveMembers/microsoft.graph.user?$count=true";
    assert_eq!(world.client.get_with(nowhere, EVENTUAL).await.status, 404);
}

/// Reads a whole round; gives its objects and the link to the next.
async fn round(world: &World, path: &str) -> (Vec<Value>, String) {
    let mut objects = Vec::new();
    let mut path = path.to_owned();
    loop {
        let page = world.client.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        objects.extend_from_slice(page.value());
        match (page.link("@odata.nextLink"), page.link("@odata.deltaLink")) {
            (Some(next), None) => path = next.to_owned(),
            (None, Some(delta)) => return (objects, delta.to_owned()),
            links => panic!("one of two links, not {links:?}"),
        }
    }
}

const DELTA: &str = "/v1.0/users/delta?$select=id,mail,accountEnabled";

#[tokio::test]
async fn a_delta_round_tells_what_changed_since_the_last() {
    let world = World::with_people(5).await;
    world.behave(|behaviour| behaviour.page_size = 2);
    let directory = world.microsoft.directory();
    let people = directory.people();
    let (all, link) = round(&world, DELTA).await;
    assert_eq!(all.len(), 5);
    let (none, link) = round(&world, &link).await;
    assert_eq!(none, Vec::<Value>::new());

    directory.disable(people[0].id);
    directory.delete(people[1].id, Removal::Restorable);
    directory.delete(people[2].id, Removal::Final);
    let added = directory.add_with_one_name("Cher");
    let (changes, link) = round(&world, &link).await;
    assert_eq!(ids(&changes), [people[0].id, people[1].id, people[2].id, added].map(|id| id.to_string()));
    assert_eq!(changes[0]["accountEnabled"], false);
    assert_eq!(changes[0].as_object().unwrap().len(), 3, "the selection is kept");
    assert_eq!(changes[1]["@removed"]["reason"], "changed");
    assert_eq!(changes[2]["@removed"]["reason"], "deleted");
    let (none, _) = round(&world, &link).await;
    assert_eq!(none, Vec::<Value>::new());
}

#[tokio::test]
async fn what_changes_while_a_round_is_read_comes_in_the_next() {
    let world = World::with_people(4).await;
    world.behave(|behaviour| behaviour.page_size = 2);
    let first = world.client.get(DELTA).await;
    let people = world.microsoft.directory().people();
    world.microsoft.directory().disable(people[0].id);
    world.microsoft.directory().disable(people[3].id);
    let (rest, link) = round(&world, first.link("@odata.nextLink").unwrap()).await;
    let (next, _) = round(&world, &link).await;
    let seen: HashSet<String> = [first.value(), &rest, &next]
        .into_iter()
        .flatten()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen.len(), 4);
    assert_eq!(next.len(), 2);
}

#[tokio::test]
async fn latest_begins_now_and_the_list_covers_what_was_before() {
    let world = World::with_people(3).await;
    let answer = world.client.get("/v1.0/users/delta?$select=id&$deltatoken=latest").await;
    assert!(answer.value().is_empty());
    let link = answer.link("@odata.deltaLink").unwrap().to_owned();
    let person = world.person(1);
    world.microsoft.directory().disable(person.id);
    let (changes, _) = round(&world, &link).await;
    assert_eq!(ids(&changes), [person.id.to_string()]);
}

#[tokio::test]
async fn replays_and_empty_pages_lose_nobody() {
    let world = World::with_people(5).await;
    world.behave(|behaviour| {
        behaviour.page_size = 2;
        behaviour.empty_pages = true;
        behaviour.delta_replays = true;
    });
    let (all, _) = round(&world, DELTA).await;
    assert_eq!(all.len(), 5 + 3);
    assert_eq!(ids(&all).into_iter().collect::<HashSet<_>>().len(), 5);
}

#[tokio::test]
async fn an_expired_token_is_gone_and_says_where_to_begin_again() {
    let world = World::with_people(3).await;
    let (_, link) = round(&world, DELTA).await;
    world.microsoft.directory().expire_delta_tokens();
    let answer = world.client.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (410, "syncStateNotFound"));
    let again = answer.headers["location"].to_str().unwrap();
    let (all, link) = round(&world, again).await;
    assert_eq!(all.len(), 3);
    round(&world, &link).await;
}

#[tokio::test]
async fn an_expired_token_may_be_told_by_its_code_alone() {
    let world = World::with_people(1).await;
    let (_, link) = round(&world, DELTA).await;
    world.behave(|behaviour| behaviour.expired_delta_status = 400);
    world.microsoft.directory().expire_delta_tokens();
    let answer = world.client.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "syncStateNotFound"));
    assert!(!answer.headers.contains_key("location"));
}

#[tokio::test]
async fn delta_refuses_what_it_does_not_support() {
    let world = World::with_people(3).await;
    for query in
        ["$top=5", "$filter=accountEnabled eq true", "$expand=manager", "$deltatoken=guess", "$skiptoken=guess"]
    {
        let answer = world.client.get(&format!("/v1.0/users/delta?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    let (_, link) = round(&world, DELTA).await;
    let as_skip = link.replace("deltatoken", "skiptoken");
    assert_eq!(world.client.get(&as_skip).await.status, 400);
    assert_eq!(world.client.get(&format!("{link}&$select=id")).await.status, 400);
    let prefer = [("prefer", "return=minimal, odata.maxpagesize=2")];
    assert_eq!(world.client.get_with(DELTA, &prefer).await.value().len(), 2);
}
