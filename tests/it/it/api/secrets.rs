//! What must never be seen: in answers, in addresses, in the log.

use domain::operator::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{Server, answer, document::operations, log::Log, settings, token};

const PLANTED: [&str; 3] = ["planted-client-secret", "planted-account-key", "planted-secret-key"];

#[tokio::test]
async fn no_answer_holds_a_secret_of_the_settings() {
    let server = Server::start().await;
    let id = server.integration().await;
    for operation in operations(&server).await.iter().filter(|operation| operation.method == Method::GET) {
        let answer = server.get(&operation.path(|_| id.0)).await;
        assert!(PLANTED.iter().all(|secret| !answer.text.contains(secret)), "{}", operation.name());
    }
}

#[tokio::test]
async fn a_refused_secret_is_not_repeated_to_the_caller() {
    let server = Server::start().await;
    let mut body = settings();
    body["client_secret"] = json!(["planted-client-secret"]);
    body["sslcom_secret_key"] = json!({ "x": "planted-secret-key" });
    let refused = server.post("/api/integrations", body).await;
    assert_eq!(refused.problem(), "invalid");
    assert!(PLANTED.iter().all(|secret| !refused.text.contains(secret)), "{}", refused.text);
}

/// From the API's link to the redirect to Entra: the ticket works once, and the cookie is what binds the browser.
#[tokio::test]
async fn authorize_begins_at_a_link_that_opens_once() {
    let server = Server::start().await;
    let id = server.integration().await;
    let link = server.post(&format!("/api/integrations/{id}/authorize"), json!({})).await.json();
    let url = Url::parse(link["url"].as_str().unwrap()).unwrap();
    assert_eq!(url.origin().ascii_serialization(), server.base);
    assert_eq!(url.path(), "/oauth/start");
    let path = format!("{}?{}", url.path(), url.query().unwrap());

    let begun = answer(server.request(Method::GET, &path)).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    assert!(begun.header("location").starts_with("http://127.0.0.1:1/"), "{}", begun.header("location"));
    let cookie = begun.header("set-cookie");
    assert!(cookie.starts_with("authorize=") && cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");

    let again = answer(server.request(Method::GET, &path)).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.header("content-type").starts_with("text/html") && again.text.contains("Reference"));

    // Entra sends the browser back with a refusal: the sentence is shown as text, and the state is used up.
    let state = Url::parse(begun.header("location")).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let mut back = Url::parse(&format!("{}/oauth/callback", server.base)).unwrap();
    back.query_pairs_mut()
        .append_pair("state", &state)
        .append_pair("error", "access_denied")
        .append_pair("error_description", "AADSTS65004: <b>declined</b>")
        .append_pair("session_state", "unknown fields pass");
    let came_back = || {
        let path = format!("{}?{}", back.path(), back.query().unwrap());
        answer(server.request(Method::GET, &path).header("cookie", cookie.split(';').next().unwrap()))
    };
    let refused = came_back().await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{}", refused.text);
    assert!(refused.text.contains("access_denied") && !refused.text.contains("<b>"), "{}", refused.text);
    assert_eq!(came_back().await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_callback_of_another_browser_or_without_a_state_is_a_page_that_says_so() {
    let server = Server::start().await;
    for (path, status) in [
        ("/oauth/callback", StatusCode::BAD_REQUEST),
        ("/oauth/callback?code=planted-code", StatusCode::BAD_REQUEST),
        ("/oauth/callback?state=a&state=b&code=planted-code", StatusCode::BAD_REQUEST),
        ("/oauth/callback?state=guessed&code=planted-code", StatusCode::CONFLICT),
        ("/oauth/start", StatusCode::BAD_REQUEST),
        ("/oauth/start?ticket=guessed", StatusCode::CONFLICT),
    ] {
        let page = answer(server.request(Method::GET, path)).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(!page.text.contains("planted-code") && page.text.contains("Authorize again"), "{}", page.text);
    }
}

#[tokio::test]
async fn the_log_has_the_route_and_the_reference_and_nothing_that_was_sent() {
    let log = Log::of_this_thread();
    let server = Server::start().await;
    let ticket = server.access.one_time_ticket("ops", Role::Viewer, jiff::Timestamp::now());
    let signed_in = answer(server.request(Method::POST, "/sign-in").json(&json!({ "ticket": ticket }))).await.json();
    let session = signed_in["token"].as_str().unwrap().to_owned();
    let id = server.integration().await;
    answer(server.request(Method::POST, "/hooks/sslcom/planted-hook").basic_auth("u", Some("planted-password"))).await;
    answer(server.request(Method::GET, "/oauth/callback?state=planted-state&code=planted-code")).await;
    answer(server.request(Method::GET, "/oauth/start?ticket=planted-ticket")).await;
    answer(server.request(Method::GET, "/planted-path")).await;
    answer(server.request(Method::GET, &format!("/api/integrations/{id}/counts")).bearer_auth(&session)).await;
    let refused = server.post("/api/integrations", json!({ "name": "planted-name" })).await;

    let ours = log.ours();
    let text = ours.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    for secret in ["planted", ticket.as_str(), &session, &token(Role::Admin)] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let answered: Vec<_> = ours.iter().filter(|line| line["fields"]["message"] == "request answered").collect();
    let routes: Vec<_> = answered.iter().map(|line| line["fields"]["route"].as_str().unwrap()).collect();
    for route in [
        "/sign-in",
        "/hooks/sslcom/{token}",
        "/oauth/callback",
        "/oauth/start",
        "(none)",
        "/api/integrations/{id}/counts",
    ] {
        assert!(routes.contains(&route), "{route} in {routes:?}");
    }
    let reference = refused.json()["reference"].clone();
    let about = ours.iter().filter(|line| line["fields"]["reference"] == reference);
    let messages: Vec<_> = about.map(|line| line["fields"]["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["request refused", "request answered"]);
    assert!(answered.iter().any(|line| line["fields"]["by"] == "ops" && line["fields"]["status"] == 200));
}
