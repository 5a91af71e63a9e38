//! `/users`, one user, and the users of a group.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Answer, Caller, READ_MEMBERS, READ_USERS, Refusal, ok,
    query::{Condition, Literal, Query, bad_request, conditions, project},
};
use crate::{
    directory::{Person, UserType},
    microsoft::World,
};

/// The eleven that come without `$select` (Graph docs, list users).
pub(super) const DEFAULT_PROPERTIES: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

pub(super) const PROPERTIES: &[&str] = &[
    "accountEnabled",
    "assignedPlans",
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "proxyAddresses",
    "surname",
    "userPrincipalName",
    "userType",
];

pub(super) async fn list(State(world): State<Arc<World>>, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    caller.require(READ_USERS)?;
    let query = Query::parse(&uri, &["$select", "$top", "$filter", "$count"])?;
    ok(page(&world, &caller, &query, "/v1.0/users", |_| true)?)
}

pub(super) async fn members(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(group): Path<String>,
    uri: Uri,
) -> Answer {
    caller.require(READ_MEMBERS)?;
    caller.require(READ_USERS)?;
    let query = Query::parse(&uri, &["$select", "$top", "$filter", "$count"])?;
    // An OData cast is an advanced query (Graph docs, aad-advanced-queries).
    if !counts(&query, &caller)? {
        return Err(advanced());
    }
    let members = group
        .parse::<Uuid>()
        .ok()
        .and_then(|id| caller.tenant.directory().transitive_members(id))
        .ok_or_else(|| missing(&group))?;
    let path = format!("/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user");
    ok(page(&world, &caller, &query, &path, |person| members.contains(&person.id))?)
}

pub(super) async fn one(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    caller.require(READ_USERS)?;
    let query = Query::parse(&uri, &["$select"])?;
    let select = query.select(PROPERTIES, DEFAULT_PROPERTIES)?;
    let directory = caller.tenant.directory();
    let person = match id.parse() {
        Ok(id) => directory.person(id),
        Err(_) => directory.person_named(&id),
    };
    let mut shown = project(&shown(&person.ok_or_else(|| missing(&id))?), &select);
    shown["@odata.context"] = format!("{}/v1.0/$metadata#users/$entity", world.graph_url()).into();
    ok(shown)
}

/// A person with every property; `null` where the directory holds nothing.
pub(super) fn shown(person: &Person) -> Value {
    let plans: Vec<Value> = person
        .assigned_plans
        .iter()
        .map(|plan| {
            json!({
                "assignedDateTime": "2025-09-01T08:00:00Z",
                "capabilityStatus": if plan.enabled { "Enabled" } else { "Deleted" },
                "service": plan.service,
                "servicePlanId": plan.service_plan_id,
            })
        })
        .collect();
    json!({
        "accountEnabled": person.account_enabled,
        "assignedPlans": plans,
        "businessPhones": [],
        "displayName": person.display_name,
        "givenName": person.given_name,
        "id": person.id,
        "jobTitle": null,
        "mail": person.mail,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
        "proxyAddresses": person.proxy_addresses,
        "surname": person.surname,
        "userPrincipalName": person.user_principal_name,
        "userType": match person.user_type {
            UserType::Member => "Member",
            UserType::Guest => "Guest",
        },
    })
}

fn page(
    world: &World,
    caller: &Caller,
    query: &Query,
    path: &str,
    within: impl Fn(&Person) -> bool,
) -> Result<Map<String, Value>, Refusal> {
    let select = query.select(PROPERTIES, DEFAULT_PROPERTIES)?;
    let conditions = query.option("$filter").map(conditions).transpose()?.unwrap_or_default();
    let counted = counts(query, caller)?;
    for condition in &conditions {
        check(condition, counted)?;
    }
    let wanted = |person: &Person| within(person) && conditions.iter().all(|each| holds(each, person));
    let directory = caller.tenant.directory();
    let url = format!("{}{path}", world.graph_url());
    let mut page = query.page(&url, &world.behaviour(), |after, size| {
        let (people, more) = directory.page_after(after.parse().unwrap_or(0), size, wanted);
        let items =
            people.iter().map(|(place, person)| (place.to_string(), project(&shown(person), &select))).collect();
        (items, more)
    })?;
    if counted && query.is_first_page() {
        let count = directory.people().iter().filter(|person| wanted(person)).count();
        page.insert("@odata.count".to_owned(), count.into());
    }
    let context = format!("{}/v1.0/$metadata#users({})", world.graph_url(), select.join(","));
    page.insert("@odata.context".to_owned(), context.into());
    Ok(page)
}

/// Whether `$count=true` is there, which needs the header on every page.
fn counts(query: &Query, caller: &Caller) -> Result<bool, Refusal> {
    match query.option("$count") {
        None | Some("false") => Ok(false),
        Some("true") if caller.eventual => Ok(true),
        Some("true") => Err(advanced()),
        Some(other) => Err(bad_request(format!("Invalid value '{other}' for $count."))),
    }
}

fn advanced() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "Request_UnsupportedQuery",
        "This query needs the header ConsistencyLevel: eventual and $count=true.",
    )
}

/// Refuses what [`holds`] does not know, even when nobody is left to be asked about.
fn check(condition: &Condition, advanced_query: bool) -> Result<(), Refusal> {
    let known = match (condition.left.as_str(), &condition.right) {
        ("accountEnabled", Literal::Bool(_)) | ("userType" | "userPrincipalName" | "mail" | "id", Literal::Text(_)) => {
            true
        }
        ("assignedPlans", Literal::Any(inner)) => {
            if !advanced_query {
                return Err(advanced());
            }
            inner.iter().all(|each| {
                matches!(
                    (each.left.as_str(), &each.right),
                    ("servicePlanId", Literal::Bare(_)) | ("capabilityStatus", Literal::Text(_))
                )
            })
        }
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "Request_UnsupportedQuery",
        format!("Unsupported or invalid query filter clause on '{}'.", condition.left),
    ))
}

fn holds(condition: &Condition, person: &Person) -> bool {
    match (condition.left.as_str(), &condition.right) {
        ("accountEnabled", Literal::Bool(wanted)) => person.account_enabled == *wanted,
        ("assignedPlans", Literal::Any(inner)) => person.assigned_plans.iter().any(|plan| {
            let status = if plan.enabled { "Enabled" } else { "Deleted" };
            inner.iter().all(|each| match &each.right {
                Literal::Bare(id) => id.parse() == Ok(plan.service_plan_id),
                Literal::Text(wanted) => wanted == status,
                _ => false,
            })
        }),
        (left, Literal::Text(wanted)) => {
            shown(person)[left].as_str().is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        }
        _ => false,
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::not_found(format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not \
         present."
    ))
}
