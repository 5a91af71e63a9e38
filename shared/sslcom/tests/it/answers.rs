//! What each answer to a purchase means. A row that is wrong here buys twice or loses an order.

use std::time::Duration;

use serde_json::{Value, json};
use sslcom::{Client, Endpoint, Error, Order, RefusalCause, Stage, Uncertainty};

use crate::vendor::{
    Reply, Step, Vendor, breaking, client, credentials, endpoint, new_order, nobody, order_ref, voucher,
};

async fn buy(client: &Client) -> Result<Order, Error> {
    client.create(&credentials(), &new_order()).await
}

/// Also asserts that the purchase was sent once, which holds for every answer.
async fn bought(reply: Reply) -> Result<Order, Error> {
    let vendor = Vendor::answering(reply).await;
    let result = buy(&vendor.client()).await;
    vendor.only_request();
    result
}

async fn refusal(http_status: u16, body: &Value) -> (u16, RefusalCause, Vec<String>) {
    match bought(Reply::json(http_status, body)).await {
        Err(Error::Refused { http_status, cause, problems }) => {
            (http_status, cause, problems.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    }
}

async fn doubt(reply: Reply) -> Uncertainty {
    match bought(reply).await {
        Err(Error::Unclear { what: "the purchase of an order", source }) => source,
        other => panic!("{other:?}"),
    }
}

async fn doubt_after(steps: &'static [Step]) -> Uncertainty {
    let (address, received) = breaking(steps).await;
    let result = buy(&client(endpoint(address))).await;
    assert_eq!(received.lock().unwrap().len(), 1, "a purchase is sent once");
    match result {
        Err(Error::Unclear { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_voucher_is_an_order() {
    let order = bought(Reply::json(200, &voucher())).await.unwrap();
    assert_eq!(order.order_ref, order_ref());
    assert_eq!(order.status.stage, Stage::AwaitingCsr);
    assert_eq!(order.status.text, "unused. waiting on certificate signing request (csr)");
    assert_eq!(order.amount.unwrap().cents, Some(3_800));
    assert_eq!(order.external_order_number.as_deref(), Some("0197-1"));
    assert_eq!(order.certificates, None);
    assert!(order.problems.is_empty());
}

#[tokio::test]
async fn a_ref_is_an_order_whatever_the_status_and_its_errors_are_kept() {
    let answer = json!({ "ref": "co-abcd1234", "errors": { "callback": ["could not be stored"] } });
    for http_status in [200, 201, 302, 400, 409, 422, 429, 500, 503] {
        let order = bought(Reply::json(http_status, &answer)).await.unwrap();
        assert_eq!(order.order_ref, order_ref(), "{http_status}");
        assert_eq!(order.problems[0].to_string(), "callback: could not be stored");
    }
}

#[tokio::test]
async fn a_ref_counts_whatever_the_content_type_says() {
    let order = bought(Reply::text(500, &voucher().to_string()).with("content-type", "text/html")).await.unwrap();
    assert_eq!(order.order_ref, order_ref());
}

#[tokio::test]
async fn a_ref_that_cannot_be_read_is_doubt_even_beside_a_refusal() {
    let answer = json!({ "ref": { "id": 1 }, "errors": { "product": ["is unknown"] } });
    for http_status in [200, 400] {
        assert!(matches!(
            doubt(Reply::json(http_status, &answer)).await,
            Uncertainty::Unexpected { missing: "readable ref", .. }
        ));
    }
}

#[tokio::test]
async fn errors_with_a_client_error_are_a_refusal() {
    let body = json!({ "errors": { "product": ["is unknown"], "period": "is not included in the list" } });
    let (http_status, cause, mut problems) = refusal(400, &body).await;
    problems.sort();
    assert_eq!((http_status, cause), (400, RefusalCause::Product));
    assert_eq!(problems, ["period: is not included in the list", "product: is unknown"]);
}

#[tokio::test]
async fn errors_with_200_are_a_refusal() {
    let body = json!({ "ref": null, "errors": { "funds": ["Insufficient funds"] } });
    assert_eq!(refusal(200, &body).await, (200, RefusalCause::Funds, vec!["funds: Insufficient funds".to_owned()]));
}

#[tokio::test]
async fn a_client_error_is_a_refusal_without_errors_too() {
    assert_eq!(
        refusal(401, &json!({ "message": "Unauthorized" })).await,
        (401, RefusalCause::Credentials, vec!["Unauthorized".to_owned()])
    );
    for (http_status, expected) in [
        (400, RefusalCause::Data),
        (401, RefusalCause::Credentials),
        (402, RefusalCause::Funds),
        (403, RefusalCause::Entitlement),
        (404, RefusalCause::NotFound),
        (422, RefusalCause::Data),
        (418, RefusalCause::Other),
    ] {
        match bought(Reply::html(http_status)).await {
            Err(Error::Refused { cause, problems, .. }) => assert_eq!((cause, problems.len()), (expected, 0)),
            other => panic!("{http_status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_error_about_a_request_cut_short_is_doubt_unless_it_states_errors() {
    for http_status in [408, 409, 499] {
        assert!(matches!(doubt(Reply::html(http_status)).await, Uncertainty::Status { html: true, .. }));
        let (_, cause, _) = refusal(http_status, &json!({ "errors": { "product": "is unknown" } })).await;
        assert_eq!(cause, RefusalCause::Product);
    }
}

#[tokio::test]
async fn a_server_error_is_doubt_even_with_errors() {
    let source = doubt(Reply::html(500)).await;
    assert_eq!(source.to_string(), "the answer is HTTP status 500 with an HTML page");
    let source = doubt(Reply::json(500, &json!({ "errors": { "product": ["is unknown"] } }))).await;
    assert_eq!(source.to_string(), "the answer is HTTP status 500");
    assert!(matches!(doubt(Reply::text(502, "")).await, Uncertainty::Status { http_status: 502, html: false }));
}

#[tokio::test]
async fn success_without_a_ref_is_doubt() {
    for body in [
        json!({}),
        json!([]),
        json!("ok"),
        json!(null),
        json!({ "ref": "" }),
        json!({ "errors": {} }),
        json!([{ "ref": "co-1" }]),
    ] {
        let source = doubt(Reply::json(200, &body)).await;
        assert!(matches!(source, Uncertainty::Unexpected { http_status: 200, missing: "ref" }), "{body}");
    }
    assert!(matches!(doubt(Reply::text(204, "")).await, Uncertainty::Unexpected { .. }));
}

#[tokio::test]
async fn what_is_not_json_is_doubt() {
    let source = doubt(Reply::html(200)).await;
    assert_eq!(source.to_string(), "the answer with HTTP status 200 is an HTML page");
    for text in [r#"{"order_status":"unused","ref":"co-abc"#, "{}{}", &"[".repeat(100_000)] {
        assert!(matches!(doubt(Reply::text(200, text)).await, Uncertainty::NotJson { html: false, .. }));
    }
}

#[tokio::test]
async fn a_redirect_is_doubt_and_is_not_followed() {
    let elsewhere = Vendor::answering(Reply::json(200, &voucher())).await;
    let location: &'static str = format!("http://{}/certificates", elsewhere.address).leak();
    for http_status in [301, 302, 303, 307, 308] {
        let source = doubt(Reply::text(http_status, "").with("location", location)).await;
        assert!(matches!(source, Uncertainty::Status { .. }));
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn too_many_requests_asks_to_wait_for_as_long_as_it_says() {
    let date = "Tue, 16 Jun 2026 10:00:00 GMT";
    for (headers, expected) in [
        (vec![], None),
        (vec![("retry-after", "17")], Some(Duration::from_secs(17))),
        (vec![("date", date), ("retry-after", "Tue, 16 Jun 2026 10:01:30 GMT")], Some(Duration::from_secs(90))),
        (vec![("date", date), ("retry-after", "Tue, 16 Jun 2026 09:00:00 GMT")], Some(Duration::ZERO)),
        (vec![("retry-after", "99999999999")], Some(Duration::from_secs(86_400))),
        (vec![("retry-after", "soon")], None),
        (vec![("retry-after", "-1")], None),
    ] {
        let mut reply = Reply::json(429, &json!({ "errors": { "base": "slow down" } }));
        reply.headers.extend(headers.clone());
        match bought(reply).await {
            Err(Error::Throttled { retry_after }) => assert_eq!(retry_after, expected, "{headers:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let client = client(endpoint(nobody().await));
    assert!(matches!(buy(&client).await, Err(Error::NotSent { .. })));
}

#[tokio::test]
async fn failed_tls_means_that_nothing_was_sent() {
    let (address, received) = breaking(&[Step::ReadBytes, Step::Write("HTTP/1.1 400 Bad Request\r\n\r\n")]).await;
    let client = client(Endpoint::at(format!("https://{address}").parse().unwrap()));
    assert!(matches!(buy(&client).await, Err(Error::NotSent { .. })));
    let received = received.lock().unwrap().concat();
    assert!(!received.contains("POST"), "only a TLS greeting may be sent");
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_doubt() {
    assert!(matches!(doubt_after(&[Step::ReadRequest]).await, Uncertainty::Cut { .. }));
}

#[tokio::test]
async fn a_connection_that_ends_within_the_answer_is_doubt_whatever_its_status() {
    const REFUSED: &[Step] = &[
        Step::ReadRequest,
        Step::Write("HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{\"errors\": {\"product\": \"is un"),
    ];
    const CREATED: &[Step] =
        &[Step::ReadRequest, Step::Write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ref\": \"co-abcd1234\"")];
    const GARBAGE: &[Step] = &[Step::ReadRequest, Step::Write("not HTTP at all\r\n\r\n")];
    for steps in [REFUSED, CREATED, GARBAGE] {
        assert!(matches!(doubt_after(steps).await, Uncertainty::Cut { .. }));
    }
}

#[tokio::test]
async fn a_purchase_on_a_kept_connection_that_is_then_cut_is_not_sent_again() {
    const STEPS: &[Step] = &[
        Step::ReadRequest,
        Step::Write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]"),
        Step::ReadRequest,
    ];
    let (address, received) = breaking(STEPS).await;
    let client = client(endpoint(address));
    let page = sslcom::ListQuery { page: 0, per_page: 10, start: None, end: None, search: None, vouchers_only: false };
    client.list(&credentials(), &page).await.unwrap();
    assert!(matches!(buy(&client).await, Err(Error::Unclear { source: Uncertainty::Cut { .. }, .. })));
    let received = received.lock().unwrap();
    assert_eq!(received.iter().filter(|request| request.starts_with("POST /certificates ")).count(), 1);
}

#[tokio::test]
async fn silence_beyond_the_time_out_is_doubt() {
    const SILENT: &[Step] = &[Step::ReadRequest, Step::Hang];
    const HALF: &[Step] =
        &[Step::ReadRequest, Step::Write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), Step::Hang];
    for steps in [SILENT, HALF] {
        let (address, _received) = breaking(steps).await;
        let client = client(Endpoint { create_timeout: Duration::from_millis(200), ..endpoint(address) });
        let result = buy(&client).await;
        assert!(matches!(result, Err(Error::Unclear { source: Uncertainty::TimedOut { .. }, .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_purchase_and_other_calls_have_their_own_time_outs() {
    let (address, _received) = breaking(&[Step::ReadRequest, Step::Hang]).await;
    let client = client(Endpoint { answer_timeout: Duration::from_millis(200), ..endpoint(address) });
    let result = client.retrieve(&credentials(), &order_ref()).await;
    assert!(matches!(result, Err(Error::Unclear { source: Uncertainty::TimedOut { .. }, .. })), "{result:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    const STEPS: &[Step] =
        &[Step::ReadRequest, Step::Write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), Step::Flood];
    let (address, _received) = breaking(STEPS).await;
    let client = client(Endpoint { max_answer_bytes: 100_000, ..endpoint(address) });
    assert!(matches!(
        buy(&client).await,
        Err(Error::Unclear { source: Uncertainty::Oversized { limit: 100_000 }, .. })
    ));
}

#[tokio::test]
async fn an_answer_of_exactly_the_limit_is_read() {
    let vendor = Vendor::answering(Reply::json(200, &voucher())).await;
    let length = voucher().to_string().len();
    let exact = client(Endpoint { max_answer_bytes: length, ..vendor.endpoint() });
    assert!(buy(&exact).await.is_ok());
    let short = client(Endpoint { max_answer_bytes: length - 1, ..vendor.endpoint() });
    assert!(matches!(buy(&short).await, Err(Error::Unclear { source: Uncertainty::Oversized { .. }, .. })));
}
