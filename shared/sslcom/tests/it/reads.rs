//! What the answers to everything but a purchase mean.

use serde_json::{Value, json};
use sslcom::{Client, Error, ListQuery, Order, RefusalCause, Stage, Uncertainty};

use crate::vendor::{Reply, Vendor, credentials, order_ref};

async fn told(reply: Reply) -> Client {
    Vendor::answering(reply).await.client()
}

async fn retrieved(http_status: u16, body: &Value) -> Result<Order, Error> {
    told(Reply::json(http_status, body)).await.retrieve(&credentials(), &order_ref()).await
}

async fn validation_requested(reply: Reply) -> Result<Order, Error> {
    told(reply).await.request_mailbox_validation(&credentials(), &order_ref(), "alice@example.com").await
}

const FIRST_PAGE: ListQuery =
    ListQuery { page: 0, per_page: 10, start: None, end: None, search: None, vouchers_only: false };

#[tokio::test]
async fn an_issued_order_is_read_with_its_bundle() {
    let bundle = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let answer = json!({
        "order_status": "issued",
        "certificates": bundle,
        "common_name": "alice@example.com",
        "subject_alternative_names": ["alice@example.com"],
        "validations": { "email:alice@example.com": { "dcv_method": "email", "status": "validated", "attempted_on": null } },
        "effective_date": "2026-06-16T10:00:00Z",
        "expiration_date": "2027-06-16T10:00:00Z",
    });
    let order = retrieved(200, &answer).await.unwrap();
    assert_eq!(order.order_ref, order_ref(), "the answer names no ref, so it is the one that was asked about");
    assert_eq!(order.status.stage, Stage::Issued);
    assert_eq!(order.certificates.as_deref(), Some(bundle));
    assert_eq!(order.common_name.as_deref(), Some("alice@example.com"));
    assert_eq!(order.subject_alternative_names, ["alice@example.com"]);
    assert_eq!(order.validations[0].item, "email:alice@example.com");
    assert_eq!(order.expiration_date.as_deref(), Some("2027-06-16T10:00:00Z"));
}

#[tokio::test]
async fn an_unseen_status_is_kept_and_means_nothing() {
    let order = retrieved(200, &json!({ "order_status": "On hold: compliance review" })).await.unwrap();
    assert_eq!((order.status.text.as_str(), order.status.stage), ("On hold: compliance review", Stage::Unknown));
}

#[tokio::test]
async fn another_ref_in_the_answer_is_reported_as_it_is() {
    let order = retrieved(200, &json!({ "ref": "co-other", "order_status": "issued" })).await.unwrap();
    assert_eq!(order.order_ref.as_str(), "co-other");
}

#[tokio::test]
async fn an_answer_without_status_and_certificates_is_no_order() {
    for body in [json!({}), json!([]), json!({ "common_name": "alice@example.com" }), json!({ "order_status": "" })] {
        let result = retrieved(200, &body).await;
        assert!(
            matches!(result, Err(Error::Unclear { source: Uncertainty::Unexpected { .. }, .. })),
            "{body}: {result:?}"
        );
    }
    assert!(retrieved(200, &json!({ "certificates": "MIIB" })).await.is_ok());
}

#[tokio::test]
async fn an_order_that_is_not_there_is_told_from_doubt() {
    let result = retrieved(404, &json!({ "errors": { "ref": ["unknown"] } })).await;
    assert!(
        matches!(result, Err(Error::Refused { http_status: 404, cause: RefusalCause::NotFound, .. })),
        "{result:?}"
    );
    assert!(matches!(retrieved(503, &json!({})).await, Err(Error::Unclear { .. })));
    assert!(matches!(retrieved(429, &json!({})).await, Err(Error::Throttled { retry_after: None })));
}

#[tokio::test]
async fn a_change_is_acknowledged_by_an_object_without_errors() {
    let order =
        validation_requested(Reply::json(200, &json!({ "order_status": "validating, please wait" }))).await.unwrap();
    assert_eq!((order.order_ref, order.status.stage), (order_ref(), Stage::Validating));
    assert!(validation_requested(Reply::json(200, &json!({ "errors": null }))).await.is_ok());
    for reply in [Reply::text(200, ""), Reply::html(200), Reply::json(200, &json!([]))] {
        assert!(matches!(validation_requested(reply).await, Err(Error::Unclear { .. })));
    }
}

#[tokio::test]
async fn a_csr_that_had_arrived_before_is_recognised() {
    let answer = json!({ "errors": { "csr": { "csr_unique_values": ["has already been taken"] } } });
    for http_status in [200, 400, 409] {
        let result = validation_requested(Reply::json(http_status, &answer)).await;
        let Err(Error::Refused { cause: RefusalCause::CsrAlreadySubmitted, problems, .. }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(problems[0].field, "csr.csr_unique_values");
    }
}

#[tokio::test]
async fn a_revocation_and_a_repeated_validation_need_no_body_but_stand_no_errors() {
    let serials = ["0a".to_owned()];
    for reply in [Reply::text(204, ""), Reply::json(200, &json!({})), Reply::json(202, &json!("ok"))] {
        let client = told(reply).await;
        client.revoke(&credentials(), &order_ref(), "superseded", &serials).await.unwrap();
        client.retry_validation(&credentials(), &order_ref()).await.unwrap();
    }
    let client = told(Reply::json(200, &json!({ "errors": { "serials": ["not found"] } }))).await;
    assert!(matches!(
        client.revoke(&credentials(), &order_ref(), "superseded", &serials).await,
        Err(Error::Refused { .. })
    ));
    assert!(matches!(client.retry_validation(&credentials(), &order_ref()).await, Err(Error::Refused { .. })));
    let client = told(Reply::html(200)).await;
    assert!(matches!(
        client.revoke(&credentials(), &order_ref(), "superseded", &serials).await,
        Err(Error::Unclear { .. })
    ));
}

#[tokio::test]
async fn a_listing_is_read_and_what_is_no_listing_is_not_an_empty_one() {
    let entry = json!({ "ref": "co-1", "order_status": "issued", "external_order_number": "0197-1", "product": 700 });
    let client = told(Reply::json(200, &json!([entry, { "order_status": "?" }]))).await;
    let listing = client.list(&credentials(), &FIRST_PAGE).await.unwrap();
    assert_eq!((listing.orders.len(), listing.unreadable), (1, 1));
    assert_eq!(listing.orders[0].external_order_number.as_deref(), Some("0197-1"));
    assert_eq!(listing.orders[0].product.as_deref(), Some("700"));
    for reply in [Reply::json(200, &json!({})), Reply::text(200, ""), Reply::html(200), Reply::html(500)] {
        let result = told(reply).await.list(&credentials(), &FIRST_PAGE).await;
        assert!(matches!(result, Err(Error::Unclear { .. })), "{result:?}");
    }
}
