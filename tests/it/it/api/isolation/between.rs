//! What one integration was given, used for another: a callback's credentials, a sign-in, an Idempotency-Key.

use domain::{
    Enrollment,
    enrollment::StateName,
    operator::Role,
    transition::{Actor, Event, Happened, apply},
};
use ports::{Change, Commit, IntegrationStore};
use reqwest::{Method, StatusCode};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{
    super::{Server, answer, token},
    Furnished,
};

/// SSL.com is given this address and these credentials to call back about the enrollment that validates.
async fn called_back_with(server: &Server, side: &Furnished, hook: &str, password: &str) -> Enrollment {
    let row = side.in_state(StateName::Validating);
    let what = Event::StillValidating { status: "pending".into() };
    let happened = Happened { at: row.changed_at, by: Actor::step("test"), what, request_ids: vec![] };
    let mut change = Change::new(row, apply(row, &happened).unwrap(), happened, Uuid::new_v4());
    change.hook = Some(pki::sha256_hex(format!("{hook}\nintune-smime\n{password}").as_bytes()));
    match server.rows(side.id).commit(change).await.unwrap() {
        Commit::Done(row) => *row,
        refused => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn a_callback_with_the_credentials_of_another_integration_changes_nothing() {
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    let of_own = called_back_with(&server, &own, "own-hook", "own-password").await;
    let of_other = called_back_with(&server, &other, "other-hook", "other-password").await;
    let call = async |hook: &str, password: &str| {
        let request = server.request(Method::POST, &format!("/hooks/sslcom/{hook}"));
        let answer = answer(request.basic_auth("intune-smime", Some(password))).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
        let own = server.rows(own.id).enrollment(of_own.id).await.unwrap().unwrap();
        let other = server.rows(other.id).enrollment(of_other.id).await.unwrap().unwrap();
        (own == of_own, other == of_other)
    };
    assert_eq!(call("other-hook", "own-password").await, (true, true));
    assert_eq!(call("own-hook", "other-password").await, (true, true));
    assert_eq!(call("other-hook", "other-password").await, (true, false), "its own credentials do something");
}

/// The cookie and the state of a sign-in that a browser began at this integration's link.
async fn begun(server: &Server, side: &Furnished) -> (String, String) {
    let link = server.post(&format!("/api/integrations/{}/authorize", side.id), json!({})).await.json();
    let url = Url::parse(link["url"].as_str().unwrap()).unwrap();
    let begun = answer(server.request(Method::GET, &format!("{}?{}", url.path(), url.query().unwrap()))).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let entra = Url::parse(begun.header("location")).unwrap();
    (cookie, entra.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned())
}

#[tokio::test]
async fn a_sign_in_of_one_integration_cannot_be_ended_in_the_browser_of_another() {
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    let come_back = async |state: &str, cookie: &str| {
        let path = format!("/oauth/callback?state={state}&code=a-code");
        answer(server.request(Method::GET, &path).header("cookie", cookie)).await.status
    };
    for _ in 0..2 {
        let (own_cookie, own_state) = begun(&server, &own).await;
        let (other_cookie, other_state) = begun(&server, &other).await;
        assert_eq!(come_back(&own_state, &other_cookie).await, StatusCode::CONFLICT);
        assert_eq!(come_back(&other_state, &own_cookie).await, StatusCode::CONFLICT);
        let (cookie, state) = begun(&server, &own).await;
        // With its own cookie it goes on to Entra, where nobody is.
        assert_eq!(come_back(&state, &cookie).await, StatusCode::BAD_GATEWAY);
    }
    for side in [&own, &other] {
        assert_eq!(server.get(&format!("/api/integrations/{}", side.id)).await.json()["connected"], json!(null));
    }
}

#[tokio::test]
async fn an_idempotency_key_of_one_integration_is_a_new_one_in_another() {
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    let products = server.get(&format!("/api/integrations/{}/products", own.id)).await.json();
    let (code, days) = (&products[0]["code"], &products[0]["offers"][0]["days"]);
    let body = json!({ "everybody": true, "product": code, "days": days, "purpose": "signing" });
    let mut answers = Vec::new();
    for side in [&own, &other] {
        let path = format!("/api/integrations/{}/batches", side.id);
        let request = server.request(Method::POST, &path).bearer_auth(token(Role::Operator));
        let created = answer(request.header("idempotency-key", "the-same").json(&body)).await;
        assert_eq!(created.status, StatusCode::ACCEPTED, "{}", created.text);
        assert!(created.header("location").starts_with(&path), "{}", created.header("location"));
        answers.push(created.json()["id"].clone());
    }
    assert_ne!(answers[0], answers[1]);
}
