//! What every call makes of an answer that is no success.

use std::time::Duration;

use microsoft::{Cause, Endpoints, Entra, Error, Graph, graph::Start};
use serde_json::json;

use crate::{
    ACCESS, PERSON, REQUEST, access, app, entra, everything_said, graph, now,
    vendor::{Canned, Vendor, hangs_up},
};

async fn failure_of(answer: Canned) -> Error {
    let vendor = Vendor::start([answer]).await;
    let error = graph(&vendor.base).user(&access(), REQUEST, PERSON).await.unwrap_err();
    let said = everything_said(&error);
    assert!(!said.contains(ACCESS) && !said.contains("http://"), "{said}");
    assert_eq!(vendor.seen().len(), 1, "nothing is sent twice");
    error
}

#[tokio::test]
async fn an_unaccepted_token_is_to_be_renewed_or_by_a_challenge_signed_in_anew() {
    let plain =
        failure_of(Canned::json(401, &json!({"error": {"code": "InvalidAuthenticationToken", "message": "Expired."}})))
            .await;
    assert!(matches!(plain, Error::Unauthorized { claims_challenge: false, .. }), "{plain:?}");

    let challenge = r#"Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#;
    for status in [401, 403] {
        let challenged = failure_of(Canned::text(status, "").header("www-authenticate", challenge)).await;
        assert!(matches!(challenged, Error::Unauthorized { claims_challenge: true, .. }), "{challenged:?}");
    }
}

#[tokio::test]
async fn a_missing_right_keeps_graphs_words_and_ids() {
    let body = json!({"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges to complete the operation.",
        "innerError": {"date": "2026-06-02T10:00:00", "request-id": "r", "client-request-id": "c"}}});
    let error = failure_of(Canned::json(403, &body).header("request-id", "r-3")).await;
    assert_eq!(
        error.to_string(),
        "Graph refused reading a person: 403 Authorization_RequestDenied: Insufficient privileges to complete the operation."
    );
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.cause, refusal.activity_id), (Cause::Permission, None));
    assert_eq!(refusal.request_ids.to_string(), format!("client-request-id {REQUEST}, request-id r-3"));
}

#[tokio::test]
async fn every_notation_of_a_wait_is_understood() {
    let named = |name, value| Canned::text(429, "").header(name, value);
    let date = "Tue, 02 Jun 2026 10:00:00 GMT";
    let notations = [
        (named("retry-after", "20"), Some(20_000)),
        (named("retry-after", "Tue, 02 Jun 2026 10:00:45 GMT").header("date", date), Some(45_000)),
        (named("x-ms-retry-after-ms", "1500"), Some(1_500)),
        (Canned::text(429, ""), None),
    ];
    for (answer, milliseconds) in notations {
        let error = failure_of(answer).await;
        let Error::Throttled { retry_after, .. } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, milliseconds.map(Duration::from_millis));
    }
}

#[tokio::test]
async fn a_read_that_is_to_be_repeated_later_is_throttled_when_the_time_is_named() {
    for status in [503, 504] {
        let named = failure_of(Canned::text(status, "").header("retry-after", "9")).await;
        assert!(matches!(named, Error::Throttled { retry_after: Some(_), .. }), "{named:?}");
        let unnamed = failure_of(Canned::text(status, "")).await;
        assert!(matches!(unnamed, Error::Unclear { retry_after: None, .. }), "{unnamed:?}");
    }
}

#[tokio::test]
async fn outages_are_unclear_and_what_is_not_implemented_is_refused() {
    for status in [408, 500, 502] {
        let error = failure_of(Canned::text(status, "<html>")).await;
        assert!(matches!(error, Error::Unclear { status: Some(told), .. } if told == status), "{error:?}");
    }
    let error = failure_of(Canned::json(501, &json!({"error": {"code": "NotImplemented", "message": ""}}))).await;
    assert_eq!(error.to_string(), "Graph refused reading a person: 501 NotImplemented");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stranger = Vendor::start([]).await;
    let error = failure_of(Canned::text(302, "").header("location", stranger.base.as_str())).await;
    assert!(matches!(&error, Error::Refused(refusal) if refusal.cause == Cause::Other), "{error:?}");
    assert!(stranger.seen().is_empty());
}

#[tokio::test]
async fn a_graph_beside_entra_is_reached_in_its_own_way() {
    let vendor = Vendor::start([Canned::json(200, &json!({"value": []}))]).await;
    let encrypted: url::Url = "https://login.example".parse().unwrap();
    let endpoints = Endpoints::new(encrypted, vendor.base.clone()).unwrap();
    let graph = Graph::beside(&Entra::new(endpoints.clone()).unwrap(), endpoints).unwrap();
    graph.people_page(&access(), REQUEST, Start::First { top: 1 }).await.unwrap();
    vendor.only();
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_not_the_documented_json_is_unreadable() {
    for answer in ["x".repeat(2 * 1024 * 1024), "<html>".to_owned(), r#"{"id": 7}"#.to_owned()] {
        let error = failure_of(Canned::text(200, &answer)).await;
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
    }
    let vendor = Vendor::start([Canned::json(200, &json!({"values": []}))]).await;
    let error = graph(&vendor.base).people_page(&access(), REQUEST, Start::First { top: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { reason: "it is not a page", .. }), "{error:?}");
}

#[tokio::test]
async fn a_lost_connection_does_not_tell_the_address() {
    let base = hangs_up().await;
    let error = graph(&base).people_page(&access(), REQUEST, Start::First { top: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Unclear { status: None, .. }), "{error:?}");
    let said = everything_said(&error);
    assert!(!said.contains("$select") && !said.contains("%24select") && !said.contains(ACCESS), "{said}");
}

/// Callers run on a runtime with several threads.
#[test]
fn calls_may_move_between_threads() {
    fn moves<T: Send + 'static>(_: T) {}
    let base: url::Url = "http://localhost:1".parse().unwrap();
    let (entra, graph) = (entra(&base), graph(&base));
    moves(async move { entra.app_token(&app(), now()).await });
    moves(async move { graph.people_page(&access(), REQUEST, Start::First { top: 1 }).await });
}
