//! Who may do what: every operation of the document with every role.

use std::collections::BTreeSet;

use domain::operator::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ROLES, Server, answer,
    document::{Operation, operations},
    token, word,
};

/// What was decided, beside the code that says it: a change of a role has to be made in both places.
const DECIDED: &str = "
DELETE /api/session viewer
GET /api/integrations viewer
GET /api/integrations/{id} viewer
GET /api/integrations/{id}/audit viewer
GET /api/integrations/{id}/batches viewer
GET /api/integrations/{id}/batches/{batch} viewer
GET /api/integrations/{id}/batches/{batch}/plan viewer
GET /api/integrations/{id}/counts viewer
GET /api/integrations/{id}/enrollments viewer
GET /api/integrations/{id}/enrollments/{enrollment} viewer
GET /api/integrations/{id}/enrollments/{enrollment}/timeline viewer
GET /api/integrations/{id}/people viewer
GET /api/integrations/{id}/people/import viewer
GET /api/integrations/{id}/people/{person} viewer
GET /api/integrations/{id}/preflight viewer
GET /api/integrations/{id}/products viewer
GET /api/integrations/{id}/vouchers viewer
GET /api/session viewer
POST /api/integrations admin
POST /api/integrations/{id}/after-restore admin
POST /api/integrations/{id}/authorize admin
POST /api/integrations/{id}/batches operator
POST /api/integrations/{id}/batches/{batch}/abandon operator
POST /api/integrations/{id}/batches/{batch}/approve approver
POST /api/integrations/{id}/batches/{batch}/resume approver
POST /api/integrations/{id}/enrollments/{enrollment}/accept approver
POST /api/integrations/{id}/enrollments/{enrollment}/cancel approver
POST /api/integrations/{id}/enrollments/{enrollment}/fetch-again approver
POST /api/integrations/{id}/enrollments/{enrollment}/give-order approver
POST /api/integrations/{id}/enrollments/{enrollment}/give-up approver
POST /api/integrations/{id}/enrollments/{enrollment}/import-again operator
POST /api/integrations/{id}/enrollments/{enrollment}/release-order approver
POST /api/integrations/{id}/enrollments/{enrollment}/resend-validation operator
POST /api/integrations/{id}/enrollments/{enrollment}/resolve approver
POST /api/integrations/{id}/enrollments/{enrollment}/retry operator
POST /api/integrations/{id}/enrollments/{enrollment}/revoke approver
POST /api/integrations/{id}/enrollments/{enrollment}/try-now operator
POST /api/integrations/{id}/enrollments/{enrollment}/unblock approver
POST /api/integrations/{id}/import-again operator
POST /api/integrations/{id}/people/import operator
PUT /api/integrations/{id} admin
PUT /api/integrations/{id}/stop-buying admin
";

/// Everything that answers without a token.
const PUBLIC: [&str; 13] = [
    "GET /",
    "GET /connected",
    "GET /console.css",
    "GET /console.js",
    "GET /health",
    "GET /health/ready",
    "GET /hooks/sslcom/{token}",
    "GET /icon.svg",
    "GET /oauth/callback",
    "GET /oauth/start",
    "GET /openapi.json",
    "POST /hooks/sslcom/{token}",
    "POST /sign-in",
];

/// The one role that the document names for an operation.
fn needed(operation: &Operation) -> Role {
    let security = operation.body["security"].as_array().unwrap_or_else(|| panic!("{} has no role", operation.name()));
    let [Value::Object(only)] = security.as_slice() else { panic!("{}: {security:?}", operation.name()) };
    let [role] = only["bearer"].as_array().unwrap().as_slice() else { panic!("{}", operation.name()) };
    serde_json::from_value(role.clone()).unwrap()
}

#[tokio::test]
async fn each_operation_needs_the_role_that_was_decided() {
    let server = Server::start().await;
    let (api, public): (Vec<_>, Vec<_>) = operations(&server).await.into_iter().partition(Operation::is_api);
    let said: BTreeSet<_> =
        api.iter().map(|operation| format!("{} {}", operation.name(), word(needed(operation)))).collect();
    let decided: BTreeSet<_> = DECIDED.trim().lines().map(str::to_owned).collect();
    assert_eq!(said, decided);
    assert!(public.iter().all(|operation| operation.body.get("security").is_none()));
    let public: BTreeSet<_> = public.iter().map(Operation::name).collect();
    let decided: BTreeSet<_> = PUBLIC.map(str::to_owned).into();
    assert_eq!(public, decided);
}

#[tokio::test]
async fn every_operation_lets_in_exactly_the_roles_that_cover_its_own() {
    let server = Server::start().await;
    for operation in operations(&server).await.iter().filter(|operation| operation.is_api()) {
        let path = operation.path(|_| Uuid::nil());
        let sent = || server.request(operation.method.clone(), &path);
        let without = answer(sent()).await;
        assert_eq!(without.problem(), "unauthenticated", "{}", operation.name());
        assert_eq!(without.header("www-authenticate"), "Bearer");
        for wrong in ["Bearer", "Bearer wrong", "Basic dG9rZW4tb2YtYWRtaW46", "token-of-admin"] {
            let status = answer(sent().header("authorization", wrong)).await.status;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {wrong:?}", operation.name());
        }
        for role in ROLES {
            let answer = answer(sent().bearer_auth(token(role))).await;
            if role.covers(needed(operation)) {
                let kept_out = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status);
                assert!(!kept_out, "{} as {role:?}: {}", operation.name(), answer.status);
                assert!(!answer.status.is_server_error(), "{} as {role:?}: {}", operation.name(), answer.text);
            } else {
                assert_eq!(answer.problem(), "forbidden", "{} as {role:?}", operation.name());
            }
        }
    }
}

#[tokio::test]
async fn an_integration_that_does_not_exist_is_a_404_on_every_route() {
    let server = Server::start().await;
    for operation in operations(&server).await {
        let reads = operation.method == Method::GET && operation.is_api() && operation.template.contains("{id}");
        if reads {
            let answer = server.get(&operation.path(|_| Uuid::from_u128(7))).await;
            assert_eq!(answer.problem(), "not-found", "{}", operation.name());
        }
    }
    for id in ["7", "..", "%00", "00000000-0000-0000-0000-00000000000g"] {
        let answer = server.get(&format!("/api/integrations/{id}/counts")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn a_ticket_signs_in_once_and_signing_out_ends_the_session() {
    let server = Server::start().await;
    let ticket = server.access.one_time_ticket("local", Role::Operator, jiff::Timestamp::now());
    let sign_in = || answer(server.request(Method::POST, "/sign-in").json(&json!({ "ticket": ticket })));
    let signed_in = sign_in().await.json();
    assert_eq!((&signed_in["name"], &signed_in["roles"]), (&json!("local"), &json!(["operator"])));
    assert_eq!(signed_in["expires_at"], "2026-11-23T00:00:00Z");
    assert_eq!(sign_in().await.problem(), "unauthenticated");

    let token = signed_in["token"].as_str().unwrap();
    let session = |method| answer(server.request(method, "/api/session").bearer_auth(token));
    assert_eq!(session(Method::GET).await.json(), json!({ "name": "local", "roles": ["operator"] }));
    assert_eq!(session(Method::DELETE).await.status, StatusCode::NO_CONTENT);
    assert_eq!(session(Method::GET).await.problem(), "unauthenticated");
}
