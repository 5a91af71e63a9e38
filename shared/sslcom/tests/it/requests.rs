//! The exact form of every request.

use axum::http::Method;
use jiff::civil::date;
use serde_json::{Value, json};
use sslcom::{Contact, Contacts, CsrSubmission, Endpoint, Error, ListQuery, NewOrder, Registrant, StateField};

use crate::vendor::{
    ACCOUNT_KEY, HOOK_PASSWORD, HOOK_TOKEN, Reply, SECRET_KEY, Seen, Vendor, client, credentials, new_order, order_ref,
    voucher,
};

const CSR: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";

async fn accepting() -> Vendor {
    Vendor::answering(Reply::json(200, &voucher())).await
}

fn submission() -> CsrSubmission {
    CsrSubmission {
        csr_pem: CSR.to_owned(),
        registrant: Registrant {
            organization: "Example GmbH".to_owned(),
            locality: "Köln".to_owned(),
            state_or_province: "NRW".to_owned(),
            country: "DE".to_owned(),
            ..Registrant::default()
        },
        contacts: Contacts {
            all: Some(Contact {
                first_name: "Ada".to_owned(),
                last_name: "Berg".to_owned(),
                email: "it@example.com".to_owned(),
                ..Contact::default()
            }),
            ..Contacts::default()
        },
        extra_fields: serde_json::Map::new(),
    }
}

fn assert_json_call(seen: &Seen, method: &Method, path: &str, body: &Value) {
    assert_eq!((&seen.method, seen.path.as_str()), (method, path));
    assert_eq!(seen.json(), *body);
    assert!(seen.query.is_empty(), "the credentials of a write are in its body only");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_common_headers(seen);
}

fn assert_common_headers(seen: &Seen) {
    assert_eq!(seen.headers["accept"], "application/json");
    assert_eq!(seen.headers["user-agent"], "intune-smime");
    assert!(!seen.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_purchase() {
    let vendor = accepting().await;
    let extra_fields =
        json!({ "hide_certificate_reference": "y", "ca_certificate_id": null }).as_object().unwrap().clone();
    vendor.client().create(&credentials(), &NewOrder { extra_fields, ..new_order() }).await.unwrap();
    let body = json!({
        "account_key": ACCOUNT_KEY,
        "secret_key": SECRET_KEY,
        "product": "700",
        "period": "365",
        "external_order_number": "0197-1",
        "callback": {
            "url": format!("https://app.example/hooks/sslcom/{HOOK_TOKEN}"),
            "method": "post",
            "auth": { "basic": { "username": "sslcom", "password": HOOK_PASSWORD } },
            "parameters": { "certificate_hook": "cert" },
        },
        "hide_certificate_reference": "y",
    });
    assert_json_call(&vendor.only_request(), &Method::POST, "/certificates", &body);
}

#[tokio::test]
async fn a_purchase_without_a_callback_does_not_mention_one() {
    let vendor = accepting().await;
    vendor.client().create(&credentials(), &NewOrder { callback: None, ..new_order() }).await.unwrap();
    assert!(vendor.only_request().json().get("callback").is_none());
}

#[tokio::test]
async fn a_purchase_that_could_not_be_found_again_or_is_changed_by_a_setting_is_not_sent() {
    let vendor = accepting().await;
    let nameless = NewOrder { external_order_number: " ".to_owned(), ..new_order() };
    let other_product = json!({ "product": "106" }).as_object().unwrap().clone();
    let changed = NewOrder { extra_fields: other_product, ..new_order() };
    for order in [nameless, changed] {
        let result = vendor.client().create(&credentials(), &order).await;
        assert!(matches!(result, Err(Error::Configuration { .. })), "{result:?}");
    }
    assert!(vendor.seen().is_empty());
}

#[tokio::test]
async fn a_csr_with_registrant_and_contacts() {
    let vendor = accepting().await;
    vendor.client().submit_csr(&credentials(), &order_ref(), &submission()).await.unwrap();
    let body = json!({
        "account_key": ACCOUNT_KEY,
        "secret_key": SECRET_KEY,
        "csr": CSR,
        "organization": "Example GmbH",
        "locality": "Köln",
        "state_or_province": "NRW",
        "country": "DE",
        "contacts": { "all": { "first_name": "Ada", "last_name": "Berg", "email": "it@example.com" } },
    });
    assert_json_call(&vendor.only_request(), &Method::PUT, "/certificate/co-abcd1234", &body);
}

#[tokio::test]
async fn the_state_is_spelt_as_configured() {
    let vendor = accepting().await;
    let client = client(Endpoint { state_field: StateField::StateOrProvidence, ..vendor.endpoint() });
    client.submit_csr(&credentials(), &order_ref(), &submission()).await.unwrap();
    let body = vendor.only_request().json();
    assert_eq!(body["state_or_providence"], "NRW");
    assert!(body.get("state_or_province").is_none());
}

#[tokio::test]
async fn a_refusal_that_names_the_other_spelling_is_met_with_it() {
    for (field, is_met) in
        [("state_or_providence", true), ("registrant.state_or_providence", true), ("state_or_province", false)]
    {
        let refused = Reply::json(400, &json!({ "errors": { field: ["can't be blank"] } }));
        let vendor = Vendor::answering(refused).await;
        let client = vendor.client();
        let refusal = client.submit_csr(&credentials(), &order_ref(), &submission()).await.unwrap_err();
        let asked = client.state_field_asked(&refusal);
        assert_eq!(asked, is_met.then_some(StateField::StateOrProvidence), "{field}");
        let mut submission = submission();
        submission.registrant.state_field = asked;
        assert!(client.submit_csr(&credentials(), &order_ref(), &submission).await.is_err());
        let body = vendor.seen()[1].json();
        assert_eq!(body.get("state_or_providence").is_some(), is_met);
        assert_eq!(body.get("state_or_province").is_some(), !is_met);
    }
}

#[tokio::test]
async fn a_csr_that_ssl_com_would_answer_with_500_is_not_sent() {
    let vendor = accepting().await;
    for csr_pem in [CSR.replace('\n', "\r\n"), format!("{CSR}\r"), "MIIB".to_owned(), String::new()] {
        let result =
            vendor.client().submit_csr(&credentials(), &order_ref(), &CsrSubmission { csr_pem, ..submission() }).await;
        assert!(matches!(result, Err(Error::Configuration { .. })), "{result:?}");
    }
    assert!(vendor.seen().is_empty());
}

#[tokio::test]
async fn a_registrant_alone() {
    let vendor = accepting().await;
    let CsrSubmission { registrant, contacts, .. } = submission();
    vendor.client().submit_registrant(&credentials(), &order_ref(), &registrant, &contacts).await.unwrap();
    let body = json!({
        "account_key": ACCOUNT_KEY,
        "secret_key": SECRET_KEY,
        "organization": "Example GmbH",
        "locality": "Köln",
        "state_or_province": "NRW",
        "country": "DE",
        "contacts": { "all": { "first_name": "Ada", "last_name": "Berg", "email": "it@example.com" } },
    });
    assert_json_call(&vendor.only_request(), &Method::PUT, "/certificate/co-abcd1234", &body);
}

#[tokio::test]
async fn a_mailbox_validation_and_its_configured_item() {
    for (template, item) in [("email:{address}", "email:alice@example.com"), ("{address}", "alice@example.com")] {
        let vendor = accepting().await;
        let client = client(Endpoint { mailbox_validation_item: template.to_owned(), ..vendor.endpoint() });
        client.request_mailbox_validation(&credentials(), &order_ref(), "alice@example.com").await.unwrap();
        let body = json!({
            "account_key": ACCOUNT_KEY,
            "secret_key": SECRET_KEY,
            "domains": { item: { "dcv": "alice@example.com" } },
        });
        assert_json_call(&vendor.only_request(), &Method::PUT, "/certificate/co-abcd1234", &body);
    }
}

#[tokio::test]
async fn a_repeated_validation() {
    let vendor = accepting().await;
    vendor.client().retry_validation(&credentials(), &order_ref()).await.unwrap();
    let body = json!({ "account_key": ACCOUNT_KEY, "secret_key": SECRET_KEY });
    let path = "/certificate/co-abcd1234/retry_domain_validation";
    assert_json_call(&vendor.only_request(), &Method::POST, path, &body);
}

#[tokio::test]
async fn a_revocation() {
    let vendor = Vendor::answering(Reply::text(204, "")).await;
    let serials = ["0a1b".to_owned(), "0c".to_owned()];
    vendor.client().revoke(&credentials(), &order_ref(), "keyCompromise", &serials).await.unwrap();
    let body = json!({
        "account_key": ACCOUNT_KEY,
        "secret_key": SECRET_KEY,
        "reason": "keyCompromise",
        "serials": ["0a1b", "0c"],
    });
    assert_json_call(&vendor.only_request(), &Method::DELETE, "/certificate/co-abcd1234", &body);
}

#[tokio::test]
async fn a_revocation_without_serials_is_not_sent_because_it_may_mean_all() {
    let vendor = accepting().await;
    for serials in [vec![], vec!["0a".to_owned(), String::new()]] {
        let result = vendor.client().revoke(&credentials(), &order_ref(), "superseded", &serials).await;
        assert!(matches!(result, Err(Error::Configuration { .. })));
    }
    assert!(vendor.seen().is_empty());
}

fn pairs(seen: &Seen) -> Vec<(&str, &str)> {
    seen.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn assert_get(seen: &Seen, path: &str, query: &[(&str, &str)]) {
    assert_eq!((&seen.method, seen.path.as_str(), seen.body.as_str()), (&Method::GET, path, ""));
    let expected: Vec<_> =
        [("account_key", ACCOUNT_KEY), ("secret_key", SECRET_KEY)].into_iter().chain(query.iter().copied()).collect();
    assert_eq!(pairs(seen), expected);
    assert_common_headers(seen);
}

#[tokio::test]
async fn a_question_about_an_order() {
    let vendor = accepting().await;
    vendor.client().retrieve(&credentials(), &order_ref()).await.unwrap();
    let format = [("response_type", "individually"), ("response_encoding", "base64")];
    assert_get(&vendor.only_request(), "/certificate/co-abcd1234", &format);
}

#[tokio::test]
async fn a_ref_cannot_leave_its_place_in_the_path() {
    let vendor = accepting().await;
    let odd = "../user?x#y".parse().unwrap();
    vendor.client().retrieve(&credentials(), &odd).await.unwrap();
    assert_eq!(vendor.only_request().path, "/certificate/..%2Fuser%3Fx%23y");
}

#[tokio::test]
async fn the_first_page_and_a_full_query_of_a_listing() {
    let query = ListQuery { page: 0, per_page: 100, start: None, end: None, search: None, vouchers_only: false };
    let vendor = Vendor::answering(Reply::json(200, &json!([]))).await;
    vendor.client().list(&credentials(), &query).await.unwrap();
    assert_get(&vendor.only_request(), "/certificates", &[("page", "1"), ("per_page", "100")]);

    let vendor = Vendor::answering(Reply::json(200, &json!([]))).await;
    let query = ListQuery {
        page: 4,
        per_page: 50,
        start: Some(date(2026, 6, 1)),
        end: Some(date(2026, 12, 31)),
        search: Some("0197-1 & more".to_owned()),
        vouchers_only: true,
    };
    let from_zero = client(Endpoint { first_page: 0, ..vendor.endpoint() });
    from_zero.list(&credentials(), &query).await.unwrap();
    let expected = [
        ("page", "4"),
        ("per_page", "50"),
        ("start", "06-01-2026"),
        ("end", "12-31-2026"),
        ("search", "0197-1 & more"),
        ("filter", "vouchers"),
    ];
    assert_get(&vendor.only_request(), "/certificates", &expected);
}

#[tokio::test]
async fn requests_keep_the_prefix_of_the_base_address() {
    let vendor = accepting().await;
    let base_url = format!("http://{}/sws/", vendor.address).parse().unwrap();
    client(Endpoint::at(base_url)).create(&credentials(), &new_order()).await.unwrap();
    assert_eq!(vendor.only_request().path, "/sws/certificates");
}
