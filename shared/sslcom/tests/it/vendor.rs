//! Servers in SSL.com's place: one that speaks HTTP properly and one that breaks off.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
    response::IntoResponse,
};
use serde_json::{Value, json};
use sslcom::{Callback, Client, Credentials, Endpoint, NewOrder, OrderRef, ProductCode, StatusTable};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const ACCOUNT_KEY: &str = "account-key-5f0c/1+";
pub(crate) const SECRET_KEY: &str = "secret-key-77aa=&2";
pub(crate) const HOOK_TOKEN: &str = "hook-token-3c3c3c3c3c3c";
pub(crate) const HOOK_PASSWORD: &str = "hook-password-9d9d";

#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("content-type", "application/json")], body: body.to_string() }
    }

    pub(crate) fn html(status: u16) -> Self {
        let body =
            "<!DOCTYPE html><html><body><h1>We're sorry, but something went wrong.</h1></body></html>".to_owned();
        Self { status, headers: vec![("content-type", "text/html; charset=utf-8")], body }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: vec![], body: body.to_owned() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers every request alike and remembers what was asked.
pub(crate) struct Vendor {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Vendor {
    pub(crate) async fn answering(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let app = Router::new().fallback(async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let url = url::Url::parse(&format!("http://vendor{}", parts.uri)).unwrap();
            record.lock().unwrap().push(Seen {
                method: parts.method,
                path: url.path().to_owned(),
                query: url.query_pairs().into_owned().collect(),
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let headers: HeaderMap = reply
                .headers
                .iter()
                .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            (StatusCode::from_u16(reply.status).unwrap(), headers, reply.body.clone()).into_response()
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    pub(crate) fn client(&self) -> Client {
        client(self.endpoint())
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn only_request(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "each call is one request");
        seen[0].clone()
    }
}

/// What a server that breaks off does on each connection, before it closes it.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    ReadRequest,
    /// Whatever comes first, without expecting HTTP.
    ReadBytes,
    Write(&'static str),
    /// Chunks of a body until the other side has had enough.
    Flood,
    Hang,
}

/// A server that follows the same steps on every connection, and all that was sent to it.
pub(crate) async fn breaking(steps: &'static [Step]) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for step in steps {
                match step {
                    Step::ReadRequest => {
                        let Some(request) = read_request(&mut stream).await else { break };
                        record.lock().unwrap().push(request);
                    }
                    Step::ReadBytes => {
                        let mut buffer = [0; 4096];
                        let read = stream.read(&mut buffer).await.unwrap_or(0);
                        record.lock().unwrap().push(String::from_utf8_lossy(&buffer[..read]).into_owned());
                    }
                    Step::Write(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                    Step::Flood => {
                        let chunk = format!("400\r\n{}\r\n", "[".repeat(0x400));
                        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                    }
                    Step::Hang => std::future::pending().await,
                }
            }
        }
    });
    (address, received)
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        let read = stream.read(&mut buffer).await.ok().filter(|&read| read > 0)?;
        request.extend_from_slice(&buffer[..read]);
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::at(format!("http://{address}").parse().unwrap())
}

pub(crate) fn client(endpoint: Endpoint) -> Client {
    Client::new(endpoint, StatusTable::default()).unwrap()
}

pub(crate) fn credentials() -> Credentials {
    Credentials { account_key: ACCOUNT_KEY.into(), secret_key: SECRET_KEY.into() }
}

pub(crate) fn order_ref() -> OrderRef {
    "co-abcd1234".parse().unwrap()
}

pub(crate) fn new_order() -> NewOrder {
    NewOrder {
        product: ProductCode(700),
        period_days: 365,
        external_order_number: "0197-1".to_owned(),
        callback: Some(Callback {
            url: format!("https://app.example/hooks/sslcom/{HOOK_TOKEN}").parse().unwrap(),
            username: "sslcom".to_owned(),
            password: HOOK_PASSWORD.into(),
            parameters: [("certificate_hook".to_owned(), "cert".to_owned())].into(),
        }),
        extra_fields: serde_json::Map::new(),
    }
}

/// The answer to a purchase that went well (members as in SSL.com Apiary).
pub(crate) fn voucher() -> Value {
    json!({
        "ref": "co-abcd1234",
        "order_status": "unused. waiting on certificate signing request (csr)",
        "order_amount": "$38.00",
        "external_order_number": "0197-1",
        "certificate_url": "https://secure.ssl.com/certificates/co-abcd1234",
        "validation_url": "https://secure.ssl.com/validations/co-abcd1234",
        "validations": null,
        "certificates": null,
        "registrant": null,
        "certificate_contents": [],
    })
}
