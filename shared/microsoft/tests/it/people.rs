//! Listing people, members of a group, and one person.

use microsoft::{
    Cause, Error,
    graph::{INTUNE_A, NextLink, SkippedRow, Start},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    ACCESS, PERSON, REQUEST, access, everything_said, graph,
    vendor::{Canned, Vendor},
};

const SELECT: &str =
    "id,userPrincipalName,mail,proxyAddresses,givenName,surname,displayName,accountEnabled,userType,assignedPlans";

fn person() -> Value {
    json!({"@odata.id": "x", "id": PERSON, "userPrincipalName": "asa@example.com", "mail": "asa.oberg@example.com",
        "proxyAddresses": ["smtp:asa@example.com", "SMTP:Asa.Oberg@example.com", "x500:/o=x", "smtp:ao@example.com"],
        "givenName": "Åsa", "surname": "Öberg", "displayName": "Åsa Öberg", "accountEnabled": true, "userType": "Member",
        "assignedPlans": [
            {"assignedDateTime": "2026-01-01T00:00:00Z", "capabilityStatus": "Deleted", "service": "exchange",
                "servicePlanId": Uuid::from_u128(9)},
            {"capabilityStatus": "Enabled", "service": "SCO", "servicePlanId": INTUNE_A}]})
}

#[tokio::test]
async fn a_listing_selects_what_is_needed_and_sends_the_ids() {
    let vendor = Vendor::start([Canned::json(200, &json!({"value": [person()]})).header("request-id", "r-1")]).await;
    let page = graph(&vendor.base).people_page(&access(), REQUEST, Start::First { top: 999 }).await.unwrap();

    let person = &page.people[0];
    assert_eq!(person.primary_smtp(), Some("Asa.Oberg@example.com"));
    assert_eq!(person.smtp_aliases().collect::<Vec<_>>(), ["asa@example.com", "ao@example.com"]);
    assert!(person.has_enabled_plan(&[INTUNE_A]) && !person.has_enabled_plan(&[Uuid::from_u128(9)]));
    assert_eq!((person.given_name.as_deref(), person.account_enabled), (Some("Åsa"), Some(true)));
    assert_eq!((page.next, page.skipped), (None, vec![]));
    assert_eq!(page.request_ids.to_string(), format!("client-request-id {REQUEST}, request-id r-1"));

    let request = vendor.only();
    assert_eq!((request.method.as_str(), request.uri.path()), ("GET", "/v1.0/users"));
    assert_eq!(request.query(), [("$select", SELECT), ("$top", "999")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {ACCESS}")));
    assert_eq!(request.header("client-request-id"), Some(&*REQUEST.to_string()));
    assert_eq!((request.header("origin"), request.header("cookie")), (None, None));
}

#[tokio::test]
async fn a_next_link_is_used_whole_and_survives_being_stored() {
    let vendor = Vendor::start([]).await;
    let path = "/v1.0/users?$select=id&$skiptoken=RFNwdAoAAQ%2bX%2fa";
    vendor.then([
        Canned::json(200, &json!({"value": [], "@odata.nextLink": vendor.link(path)})),
        Canned::json(200, &json!({"value": [person()]})),
    ]);
    let graph = graph(&vendor.base);
    let empty = graph.people_page(&access(), REQUEST, Start::First { top: 999 }).await.unwrap();
    assert!(empty.people.is_empty(), "an empty page may have a next one");

    let stored = serde_json::to_string(&empty.next.unwrap()).unwrap();
    let next: NextLink = serde_json::from_str(&stored).unwrap();
    assert!(!format!("{next:?}").contains("skiptoken"));
    let page = graph.people_page(&access(), REQUEST, Start::Next(next)).await.unwrap();
    assert_eq!(page.people.len(), 1);
    assert_eq!(vendor.seen()[1].uri.to_string(), path);
}

#[tokio::test]
async fn the_token_never_follows_a_link_to_another_place() {
    let (vendor, stranger) = (Vendor::start([]).await, Vendor::start([]).await);
    let port = vendor.base.port().unwrap();
    let places = [
        stranger.link("/v1.0/users?$skiptoken=t"),
        "https://graph.evil.example/v1.0/users?$skiptoken=t".to_owned(),
        format!("https://127.0.0.1:{port}/v1.0/users?$skiptoken=t"),
        format!("http://user:pass@127.0.0.1:{port}/v1.0/users?$skiptoken=t"),
        format!("http://localhost:{port}/v1.0/users?$skiptoken=t"),
    ];
    for place in places {
        let next = serde_json::from_value(json!(place)).unwrap();
        let error = graph(&vendor.base).people_page(&access(), REQUEST, Start::Next(next)).await.unwrap_err();
        assert!(matches!(error, Error::ForeignLink { .. }), "{place}: {error:?}");
        assert!(!everything_said(&error).contains("skiptoken"));
    }
    assert!(stranger.seen().is_empty() && vendor.seen().is_empty());
}

#[tokio::test]
async fn nulls_absences_and_unknown_values_are_taken_as_they_are() {
    let bare = json!({"id": PERSON, "userPrincipalName": "a_b.com#EXT#@example.com"});
    let mut nulls = person();
    for (_, value) in nulls
        .as_object_mut()
        .unwrap()
        .iter_mut()
        .filter(|(name, _)| !["id", "userPrincipalName"].contains(&name.as_str()))
    {
        *value = Value::Null;
    }
    let vendor = Vendor::start([Canned::json(200, &json!({"value": [bare, nulls]}))]).await;
    let page = graph(&vendor.base).people_page(&access(), REQUEST, Start::First { top: 10 }).await.unwrap();
    assert_eq!((page.people.len(), page.skipped.len()), (2, 0));
    for person in page.people {
        assert_eq!((person.primary_smtp(), person.account_enabled, person.mail.as_deref()), (None, None, None));
        assert!(!person.has_enabled_plan(&[INTUNE_A]));
    }
}

#[tokio::test]
async fn one_bad_row_is_reported_and_the_others_are_kept() {
    let mut odd = person();
    odd["accountEnabled"] = json!("yes");
    let rows = json!({"value": [json!(7), person(), odd, {"id": "not-a-guid", "userPrincipalName": "x"}]});
    let vendor = Vendor::start([Canned::json(200, &rows)]).await;
    let page = graph(&vendor.base).people_page(&access(), REQUEST, Start::First { top: 10 }).await.unwrap();
    assert_eq!(page.people.len(), 1);
    assert_eq!(
        page.skipped,
        [
            SkippedRow { position: 0, id: None },
            SkippedRow { position: 2, id: Some(PERSON.to_string()) },
            SkippedRow { position: 3, id: Some("not-a-guid".to_owned()) },
        ]
    );
}

#[tokio::test]
async fn every_page_of_a_group_is_an_advanced_query() {
    let vendor = Vendor::start([]).await;
    let group = Uuid::from_u128(3);
    let path = format!("/v1.0/groups/{group}/transitiveMembers/microsoft.graph.user");
    let next = vendor.link(&format!("{path}?$skiptoken=t"));
    vendor.then([
        Canned::json(200, &json!({"@odata.count": 2, "value": [person()], "@odata.nextLink": next})),
        Canned::json(200, &json!({"value": [person()]})),
    ]);
    let graph = graph(&vendor.base);
    let first = graph.group_members_page(&access(), REQUEST, group, Start::First { top: 100 }).await.unwrap();
    let next = Start::Next(first.next.unwrap());
    graph.group_members_page(&access(), REQUEST, group, next).await.unwrap();

    let seen = vendor.seen();
    assert_eq!(vendor.paths(), [path.clone(), path]);
    assert!(seen.iter().all(|request| request.header("consistencylevel") == Some("eventual")));
    let expected = [("$count", "true"), ("$select", SELECT), ("$top", "100")];
    assert_eq!(seen[0].query(), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[tokio::test]
async fn one_person_is_read_by_object_id() {
    let gone = json!({"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}});
    let vendor = Vendor::start([Canned::json(200, &person()), Canned::json(404, &gone)]).await;
    let graph = graph(&vendor.base);
    assert_eq!(graph.user(&access(), REQUEST, PERSON).await.unwrap().user_principal_name, "asa@example.com");
    assert_eq!(vendor.only().uri.path(), format!("/v1.0/users/{PERSON}"));
    assert_eq!(vendor.only().query(), [("$select".to_owned(), SELECT.to_owned())]);

    let error = graph.user(&access(), REQUEST, PERSON).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.cause == Cause::NotFound), "{error:?}");
}
