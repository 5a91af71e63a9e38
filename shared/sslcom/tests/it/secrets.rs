//! No credential, and no token of a callback, in anything that can be printed.

use std::{error::Error as _, fmt::Write as _};

use serde_json::json;
use sslcom::{Client, Contacts, CsrSubmission, Endpoint, Error, ListQuery, Registrant};

use crate::vendor::{
    ACCOUNT_KEY, HOOK_PASSWORD, HOOK_TOKEN, Reply, SECRET_KEY, Step, Vendor, breaking, client, credentials, endpoint,
    new_order, nobody, order_ref,
};

fn assert_silent(text: &str) {
    let encoded: [String; 2] =
        [ACCOUNT_KEY, SECRET_KEY].map(|key| url::form_urlencoded::byte_serialize(key.as_bytes()).collect());
    let secrets =
        [ACCOUNT_KEY, SECRET_KEY, HOOK_PASSWORD, HOOK_TOKEN, &encoded[0], &encoded[1], "account_key=", "http://"];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in: {text}");
    }
}

/// Everything a log could make of an error.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    if let Error::Refused { problems, .. } = error {
        problems.iter().for_each(|problem| write!(text, " {problem}").unwrap());
    }
    text
}

async fn errors_of_every_call(client: &Client) -> Vec<Error> {
    let (credentials, order_ref) = (credentials(), order_ref());
    let submission = CsrSubmission {
        csr_pem: "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned(),
        registrant: Registrant::default(),
        contacts: Contacts::default(),
        extra_fields: serde_json::Map::new(),
    };
    let page = ListQuery { page: 0, per_page: 10, start: None, end: None, search: None, vouchers_only: false };
    let serials = ["0a".to_owned()];
    vec![
        client.create(&credentials, &new_order()).await.unwrap_err(),
        client.submit_csr(&credentials, &order_ref, &submission).await.unwrap_err(),
        client
            .submit_registrant(&credentials, &order_ref, &submission.registrant, &submission.contacts)
            .await
            .unwrap_err(),
        client.request_mailbox_validation(&credentials, &order_ref, "alice@example.com").await.unwrap_err(),
        client.retry_validation(&credentials, &order_ref).await.unwrap_err(),
        client.retrieve(&credentials, &order_ref).await.unwrap_err(),
        client.list(&credentials, &page).await.unwrap_err(),
        client.revoke(&credentials, &order_ref, "superseded", &serials).await.unwrap_err(),
    ]
}

async fn assert_every_error_is_silent(client: &Client) {
    for error in errors_of_every_call(client).await {
        assert_silent(&printed(&error));
    }
}

#[tokio::test]
async fn errors_are_silent_when_nobody_answers() {
    assert_every_error_is_silent(&client(endpoint(nobody().await))).await;
}

#[tokio::test]
async fn errors_are_silent_when_the_connection_is_cut() {
    let (address, _received) = breaking(&[Step::ReadRequest]).await;
    assert_every_error_is_silent(&client(endpoint(address))).await;
}

#[tokio::test]
async fn errors_are_silent_when_time_is_up() {
    let short = std::time::Duration::from_millis(30);
    let (address, _received) = breaking(&[Step::ReadRequest, Step::Hang]).await;
    let client = client(Endpoint { create_timeout: short, answer_timeout: short, ..endpoint(address) });
    assert_every_error_is_silent(&client).await;
}

#[tokio::test]
async fn errors_are_silent_when_ssl_com_echoes_what_it_was_sent() {
    let echo = format!("{ACCOUNT_KEY} {SECRET_KEY}");
    for body in [
        json!({ "errors": { "base": [echo] } }),
        json!({ "errors": { (ACCOUNT_KEY): { (SECRET_KEY): echo } } }),
        json!({ "error": echo, "message": echo }),
        json!(echo),
        json!({ "ref": [echo], "order_status": [echo] }),
    ] {
        for http_status in [200, 302, 400, 401, 429, 500] {
            let vendor = Vendor::answering(Reply::json(http_status, &body)).await;
            if let Err(error) = vendor.client().create(&credentials(), &new_order()).await {
                assert_silent(&printed(&error));
            }
            if let Err(error) = vendor.client().retrieve(&credentials(), &order_ref()).await {
                assert_silent(&printed(&error));
            }
        }
        assert_every_error_is_silent(&Vendor::answering(Reply::json(500, &body)).await.client()).await;
    }
    let page = format!("<html>GET /certificates?account_key={ACCOUNT_KEY}&secret_key={SECRET_KEY}</html>");
    for http_status in [200, 400, 500] {
        let vendor = Vendor::answering(Reply::text(http_status, &page)).await;
        assert_every_error_is_silent(&vendor.client()).await;
    }
}

#[tokio::test]
async fn a_refusal_that_echoes_the_callback_does_not_keep_its_token_or_password() {
    let url = format!("https://app.example/hooks/sslcom/{HOOK_TOKEN}");
    let echo = format!("cannot call {url} ({HOOK_TOKEN}) with {HOOK_PASSWORD}");
    let vendor = Vendor::answering(Reply::json(400, &json!({ "errors": { "callback": echo } }))).await;
    let error = vendor.client().create(&credentials(), &new_order()).await.unwrap_err();
    assert_silent(&printed(&error));
    let Error::Refused { problems, .. } = error else { panic!("{error:?}") };
    assert_eq!(problems[0].to_string(), "callback: cannot call [redacted] ([redacted]) with [redacted]");
}

#[tokio::test]
async fn what_is_kept_on_an_order_from_its_errors_is_silent_too() {
    let body = json!({ "ref": "co-abcd1234", "errors": { "base": format!("for {SECRET_KEY} and {HOOK_TOKEN}") } });
    let vendor = Vendor::answering(Reply::json(500, &body)).await;
    let order = vendor.client().create(&credentials(), &new_order()).await.unwrap();
    assert_eq!(order.problems[0].to_string(), "base: for [redacted] and [redacted]");
}

#[test]
fn a_request_can_be_printed() {
    let extra_fields = json!({ "payment_method": { "credit_card": SECRET_KEY } }).as_object().unwrap().clone();
    let order = sslcom::NewOrder { extra_fields, ..new_order() };
    let text = format!("{order:?} {order:#?} {:?}", credentials());
    assert_silent(&text);
    assert!(text.contains("payment_method") && text.contains("app.example"));
}

#[test]
fn a_client_can_be_printed() {
    let client = client(Endpoint::at("https://sws-test.sslpki.com".parse().unwrap()));
    assert_silent(&format!("{client:?}"));
}
