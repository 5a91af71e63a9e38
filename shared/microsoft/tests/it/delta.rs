//! Following changes in the directory.

use microsoft::{
    Error,
    graph::{DeltaPosition, Removed},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    PERSON, REQUEST, access, graph,
    vendor::{Canned, Vendor},
};

/// A position at `path` of `vendor`, as it would come back from a store.
fn stored(kind: &str, link: &str) -> DeltaPosition {
    serde_json::from_value(json!({ kind: link })).unwrap()
}

#[tokio::test]
async fn following_begins_now_with_all_properties_tracked() {
    let vendor = Vendor::start([]).await;
    let link = vendor.link("/v1.0/users/delta?$deltatoken=now");
    vendor.then([
        Canned::json(200, &json!({"value": [], "@odata.deltaLink": link})),
        Canned::json(200, &json!({"value": []})),
    ]);
    let graph = graph(&vendor.base);
    let begun = graph.delta_latest(&access(), REQUEST).await.unwrap();
    assert_eq!(serde_json::to_value(&begun).unwrap(), json!(link));

    let request = vendor.only();
    assert_eq!(request.uri.path(), "/v1.0/users/delta");
    let query = request.query();
    assert!(query[0].0 == "$select" && query[0].1.contains("assignedPlans"), "an untracked property has no event");
    assert_eq!(query[1], ("$deltatoken".to_owned(), "latest".to_owned()));
    assert_eq!(query.len(), 2, "$top is not supported here");

    let error = graph.delta_latest(&access(), REQUEST).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn changes_and_tombstones_come_apart_and_the_position_moves_on() {
    let vendor = Vendor::start([]).await;
    let [restorable, gone] = [1, 2].map(Uuid::from_u128);
    vendor.then([
        Canned::json(
            200,
            &json!({"@odata.nextLink": vendor.link("/v1.0/users/delta?$skiptoken=2"), "value": [
                {"id": PERSON, "userPrincipalName": "asa@example.com", "accountEnabled": false},
                {"id": restorable, "@removed": {"reason": "changed"}},
                {"id": gone, "@removed": {"reason": "deleted"}},
                {"id": "odd", "@removed": {"reason": "deleted"}},
                {"id": PERSON, "userPrincipalName": "asa@example.com", "accountEnabled": true}]}),
        ),
        Canned::json(200, &json!({"@odata.deltaLink": vendor.link("/v1.0/users/delta?$deltatoken=3"), "value": []})),
    ]);
    let graph = graph(&vendor.base);
    let start = stored("caught_up", &vendor.link("/v1.0/users/delta?$deltatoken=1"));
    let page = graph.delta_page(&access(), REQUEST, start).await.unwrap();
    assert_eq!(page.changed.iter().map(|person| person.account_enabled).collect::<Vec<_>>(), [Some(false), Some(true)]);
    assert_eq!(page.removed, [Removed { id: restorable, permanently: false }, Removed { id: gone, permanently: true }]);
    assert_eq!(page.skipped.len(), 1);

    let last = graph.delta_page(&access(), REQUEST, page.position).await.unwrap();
    assert!(matches!(last.position, DeltaPosition::CaughtUp(_)));
    let asked: Vec<_> = vendor.seen().iter().map(|request| request.uri.to_string()).collect();
    assert_eq!(asked, ["/v1.0/users/delta?$deltatoken=1", "/v1.0/users/delta?$skiptoken=2"]);
}

#[tokio::test]
async fn an_expired_link_asks_for_a_full_run() {
    let vendor = Vendor::start([
        Canned::text(410, "").header("location", "https://graph.microsoft.com/v1.0/users/delta?$deltatoken="),
        Canned::json(400, &json!({"error": {"code": "resyncRequired", "message": "Resync required"}})),
        Canned::json(404, &json!({"error": {"code": "SyncStateNotFound", "message": ""}})),
        Canned::json(400, &json!({"error": {"code": "Request_BadRequest", "message": "Badly formed token"}})),
    ])
    .await;
    let graph = graph(&vendor.base);
    let position = stored("caught_up", &vendor.link("/v1.0/users/delta?$deltatoken=old"));
    for _ in 0..3 {
        let error = graph.delta_page(&access(), REQUEST, position.clone()).await.unwrap_err();
        assert!(matches!(error, Error::DeltaExpired), "{error:?}");
    }
    let error = graph.delta_page(&access(), REQUEST, position).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_delta_link_to_another_host_is_refused_and_a_page_without_a_link_is_unreadable() {
    let vendor = Vendor::start([Canned::json(200, &json!({"value": []}))]).await;
    let graph = graph(&vendor.base);
    for kind in ["caught_up", "more_pages"] {
        let foreign = stored(kind, "https://graph.evil.example/v1.0/users/delta?$deltatoken=1");
        let error = graph.delta_page(&access(), REQUEST, foreign).await.unwrap_err();
        assert!(matches!(&error, Error::ForeignLink { host } if host == "graph.evil.example"), "{error:?}");
    }
    let own = stored("more_pages", &vendor.link("/v1.0/users/delta?$skiptoken=1"));
    let error = graph.delta_page(&access(), REQUEST, own).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
}
