use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
};
use tokio::sync::mpsc;

use super::{behaviour::Callback, *};
use crate::server::Server;

/// Somebody who waits to be called.
struct Receiver {
    server: Server,
    calls: mpsc::UnboundedReceiver<Received>,
}

#[derive(Debug)]
struct Received {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Receiver {
    /// Answers everything with an error, which must not matter.
    async fn start() -> Self {
        let (heard, calls) = mpsc::unbounded_channel();
        let listen = async |State(heard): State<mpsc::UnboundedSender<Received>>,
                            method: Method,
                            uri: Uri,
                            headers: HeaderMap,
                            body: Bytes| {
            heard.send(Received { method, uri, headers, body }).unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let router = Router::new().fallback(listen).with_state(heard);
        let server = Server::start(router, Faults::default(), |_, _| "call", None).await.unwrap();
        Self { server, calls }
    }

    fn url(&self) -> String {
        format!("{}/hooks/token", self.server.base_url())
    }

    fn order(&self, method: &str) -> Value {
        json!({
            "product": 700, "period": 365, "external_order_number": "n-1",
            "callback": {
                "url": self.url(), "method": method,
                "auth": { "basic": { "username": "sslcom", "password": "p@ss" } },
                "parameters": { "certificate_hook": "cert", "custom_1": "n-1" },
            },
        })
    }

    async fn next(&mut self) -> Received {
        within_reason(self.calls.recv()).await.unwrap()
    }
}

/// Buys with a callback, submits everything and waits for the certificate.
async fn issue(shop: &Shop, order: Value) -> String {
    let bought = shop.send(Method::POST, "/certificates", order).await;
    let reference = bought.member("ref").as_str().unwrap().to_owned();
    shop.put(&reference, submission(&csr(MAILBOX))).await;
    shop.until_issued(&reference).await;
    reference
}

#[tokio::test]
async fn the_receiver_is_called_once_with_basic_credentials_and_its_parameters() {
    let shop = Shop::open().await;
    let mut receiver = Receiver::start().await;
    let reference = issue(&shop, receiver.order("post")).await;
    let call = receiver.next().await;
    assert_eq!((call.method, call.uri.path()), (Method::POST, "/hooks/token"));
    assert_eq!(call.headers["authorization"], "Basic c3NsY29tOnBAc3M=");
    assert_eq!(call.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["ref"], json!(reference));
    assert_eq!(body["custom_1"], "n-1");
    assert!(body["cert"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(shop.sslcom.order(&reference).unwrap().called_back);
    assert_eq!(shop.sslcom.defects(), Defects::default());
}

#[tokio::test]
async fn the_receiver_can_be_called_by_get_or_with_a_form() {
    let shop = Shop::open().await;
    let mut receiver = Receiver::start().await;
    issue(&shop, receiver.order("get")).await;
    let call = receiver.next().await;
    assert_eq!(call.method, Method::GET);
    assert!(call.uri.query().unwrap().contains("custom_1=n-1"));

    shop.change(|behaviour| behaviour.callback = Callback::Form);
    issue(&shop, receiver.order("post")).await;
    let call = receiver.next().await;
    assert_eq!(call.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(call.body.starts_with(b"cert=-----BEGIN+CERTIFICATE-----"));
}

#[tokio::test]
async fn the_receiver_can_be_called_early_twice_or_never() {
    let shop = Shop::open().await;
    let mut receiver = Receiver::start().await;
    shop.change(|behaviour| behaviour.callback = Callback::None);
    issue(&shop, receiver.order("post")).await;

    shop.change(|behaviour| behaviour.callback = Callback::Early);
    issue(&shop, receiver.order("post")).await;
    let early: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
    assert_eq!(early["order_status"], "validating, please wait");
    assert_eq!(early["cert"], Value::Null);

    shop.change(|behaviour| behaviour.callback = Callback::Twice);
    issue(&shop, receiver.order("post")).await;
    for _ in 0..2 {
        let call: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
        assert_eq!(call["order_status"], "issued");
    }
    assert_eq!(receiver.server.calls("call"), 3, "one early and two late");
}

#[tokio::test]
async fn a_receiver_that_is_not_there_changes_nothing() {
    let shop = Shop::open().await;
    let mut receiver = Receiver::start().await;
    let order = receiver.order("post");
    receiver.server.stop().await;
    let reference = issue(&shop, order).await;
    assert_eq!(shop.look(&reference).await.status_text(), "issued");
}

#[tokio::test]
async fn personal_data_in_a_callback_is_counted() {
    let shop = Shop::open().await;
    for callback in [
        json!({ "url": "http://127.0.0.1:9/?who=asa@exempel.se" }),
        json!({ "url": "http://127.0.0.1:9/", "parameters": { "who": "asa@exempel.se" } }),
    ] {
        let mut order = order(700, "n");
        order["callback"] = callback;
        assert_eq!(shop.send(Method::POST, "/certificates", order).await.status, 200);
    }
    assert_eq!(shop.sslcom.defects().callbacks_with_personal_data, 2);
}
