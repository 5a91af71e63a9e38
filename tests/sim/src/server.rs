//! Serves a router on localhost, counts its calls and lets the planned faults happen.
//!
//! It stands on hyper directly, because only below the router can a connection be closed without
//! an answer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, fmt::rfc2822};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt as _;

use crate::faults::{Fault, Faults, Wait};

/// Larger bodies are answered with 413.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Names a call for faults and counts, from its method and path.
pub type CallName = fn(&Method, &str) -> &'static str;

/// A running server. Dropping it closes the port and every connection a little later, and
/// [`stop`](Self::stop) waits for that.
pub struct Server {
    base_url: String,
    served: Arc<Served>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on `127.0.0.1`, on any free port unless one is given.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(router: Router, faults: Faults, name: CallName, port: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let served = Arc::new(Served { router, faults, name, calls: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&served)));
        Ok(Self { base_url, served, accepting })
    }

    /// `http://127.0.0.1:{port}`, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// How many requests of this call arrived, those that met a fault included.
    pub fn calls(&self, name: &str) -> u64 {
        self.served.counts().get(name).copied().unwrap_or(0)
    }

    /// How many requests of each call arrived.
    pub fn all_calls(&self) -> BTreeMap<&'static str, u64> {
        self.served.counts().clone()
    }

    /// Closes the port and every connection, and returns when that is done.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    pub fn faults(&self) -> &Faults {
        &self.served.faults
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Served {
    router: Router,
    faults: Faults,
    name: CallName,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Served {
    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Hangup> {
        let (parts, body) = request.into_parts();
        let name = (self.name)(&parts.method, parts.uri.path());
        *self.counts().entry(name).or_default() += 1;
        let Ok(body) = axum::body::to_bytes(Body::new(body), BODY_LIMIT).await else {
            return Ok(page(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        match self.faults.take(name, path_and_query, &body) {
            None => Ok(self.act(parts, body).await),
            Some(Fault::FailBefore(status)) => Ok(failure_page(status)),
            Some(Fault::DropBefore) => Err(Hangup),
            Some(Fault::LoseAnswer) => {
                self.act(parts, body).await;
                Err(Hangup)
            }
            Some(Fault::FailAfter(status)) => {
                self.act(parts, body).await;
                Ok(failure_page(status))
            }
            Some(Fault::Throttle(wait)) => Ok(throttled(wait)),
            Some(Fault::Slow(delay)) => {
                let answer = self.act(parts, body).await;
                #[expect(clippy::disallowed_methods, reason = "the wait is what is simulated")]
                tokio::time::sleep(delay).await;
                Ok(answer)
            }
            Some(Fault::Malformed) => Ok(cut_in_half(self.act(parts, body).await).await),
            Some(Fault::HoldBefore(hold)) => {
                hold.over().await;
                Ok(self.act(parts, body).await)
            }
            Some(Fault::HoldAfter(hold)) => {
                let answer = self.act(parts, body).await;
                hold.over().await;
                Ok(answer)
            }
        }
    }

    /// Lets the router act in a task of its own: a client that gives up does not undo what it
    /// asked for.
    async fn act(&self, parts: Parts, body: Bytes) -> Response<Body> {
        let call = self.router.clone().oneshot(Request::from_parts(parts, Body::from(body)));
        match tokio::spawn(call).await {
            Ok(answer) => answer.unwrap_or_else(|never: Infallible| match never {}),
            Err(_panicked) => page(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Makes hyper close the connection without a byte.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Hangup {}

async fn accept(listener: TcpListener, served: Arc<Served>) {
    // Ends with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(stream, Arc::clone(&served)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, served: Arc<Served>) {
    // A small answer must not wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| served.answer(request));
    // A connection that breaks is an ordinary end: the client hung up, or a fault did.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn failure_page(status: u16) -> Response<Body> {
    page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

/// An HTML page, which is what a proxy or a framework sends where JSON was expected.
pub(crate) fn page(status: StatusCode) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let text = format!(
        "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
         <body><h1>{title}</h1><p>We're sorry, but something went wrong.</p></body></html>\n"
    );
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

pub(crate) fn throttled(wait: Wait) -> Response<Body> {
    // The shape of Graph's error; SSL.com documents none.
    let body = r#"{"error":{"code":"TooManyRequests","message":"Too many requests."}}"#;
    let mut answer =
        Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header(header::CONTENT_TYPE, "application/json");
    answer = match wait {
        Wait::Seconds(seconds) => answer.header(header::RETRY_AFTER, seconds),
        Wait::Date(ahead) => answer.header(header::RETRY_AFTER, http_date(ahead)),
        Wait::Milliseconds(milliseconds) => answer.header("x-ms-retry-after-ms", milliseconds),
        Wait::Absent => answer,
    };
    answer.body(Body::from(body)).expect("every header value is plain ASCII")
}

fn http_date(ahead: std::time::Duration) -> String {
    rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&(Timestamp::now() + ahead))
        .expect("now lies in the years that an HTTP date can name")
}

async fn cut_in_half(answer: Response<Body>) -> Response<Body> {
    let whole = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default();
    let half = if whole.len() < 2 { Bytes::from_static(b"{") } else { whole.slice(..whole.len() / 2) };
    let mut answer = Response::new(Body::from(half));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::time::{Duration, Instant};

    use axum::routing::post;
    use tokio::sync::watch;

    use super::*;

    /// A server whose only call adds one to a number and says so in JSON.
    struct Adder {
        server: Server,
        acted: watch::Sender<u64>,
        client: reqwest::Client,
    }

    impl Adder {
        async fn start() -> Self {
            let acted = watch::Sender::new(0);
            let number = acted.clone();
            let router = Router::new().route(
                "/add",
                post(move || async move {
                    number.send_modify(|number| *number += 1);
                    format!("{{\"number\":{}}}", *number.borrow())
                }),
            );
            let name: CallName = |_, path| if path == "/add" { "add" } else { "other" };
            let server = Server::start(router, Faults::default(), name, None).await.unwrap();
            let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
            Self { server, acted, client }
        }

        async fn call(&self) -> reqwest::Result<reqwest::Response> {
            self.client.post(format!("{}/add", self.server.base_url())).body("{}").send().await
        }

        async fn call_with(&self, fault: Fault) -> reqwest::Result<reqwest::Response> {
            self.server.faults().next("add", fault);
            self.call().await
        }

        fn acted(&self) -> u64 {
            *self.acted.borrow()
        }
    }

    #[tokio::test]
    async fn a_call_without_a_fault_is_answered_and_counted() {
        let adder = Adder::start().await;
        let answer = adder.call().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "{\"number\":1}");
        assert_eq!(adder.server.calls("add"), 1);
        assert_eq!(adder.server.calls("other"), 0);
    }

    #[tokio::test]
    async fn fail_before_answers_html_and_does_not_act() {
        let adder = Adder::start().await;
        let answer = adder.call_with(Fault::FailBefore(503)).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
        assert_eq!(adder.acted(), 0);
        assert_eq!(adder.server.calls("add"), 1);
    }

    #[tokio::test]
    async fn drop_before_closes_the_connection_and_does_not_act() {
        let adder = Adder::start().await;
        let error = adder.call_with(Fault::DropBefore).await.unwrap_err();
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!(adder.acted(), 0);
    }

    #[tokio::test]
    async fn lose_answer_acts_and_closes_the_connection() {
        let adder = Adder::start().await;
        let error = adder.call_with(Fault::LoseAnswer).await.unwrap_err();
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!(adder.acted(), 1);
    }

    #[tokio::test]
    async fn fail_after_acts_and_answers_html() {
        let adder = Adder::start().await;
        let answer = adder.call_with(Fault::FailAfter(500)).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE html>"));
        assert_eq!(adder.acted(), 1);
    }

    #[tokio::test]
    async fn throttling_does_not_act_and_names_the_wait_in_each_notation() {
        let adder = Adder::start().await;
        let waited = async |wait, header: &str| {
            let answer = adder.call_with(Fault::Throttle(wait)).await.unwrap();
            assert_eq!(answer.status(), 429);
            answer.headers().get(header).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(waited(Wait::Seconds(7), "retry-after").await.as_deref(), Some("7"));
        assert_eq!(waited(Wait::Milliseconds(1500), "x-ms-retry-after-ms").await.as_deref(), Some("1500"));
        let date = waited(Wait::Date(Duration::from_secs(90)), "retry-after").await.unwrap();
        assert!(date.ends_with(" GMT"), "{date}");
        assert_eq!(waited(Wait::Absent, "retry-after").await, None);
        assert_eq!(adder.acted(), 0);
    }

    #[tokio::test]
    async fn a_slow_call_acts_even_when_the_client_gives_up() {
        let adder = Adder::start().await;
        let begun = Instant::now();
        adder.call_with(Fault::Slow(Duration::from_millis(30))).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(30));

        adder.server.faults().next("add", Fault::Slow(Duration::from_secs(600)));
        let mut acted = adder.acted.subscribe();
        tokio::select! {
            answer = adder.call() => panic!("answered: {answer:?}"),
            // Giving up in the moment of acting is what a time-out of the client does.
            seen = acted.wait_for(|number| *number == 2) => assert!(seen.is_ok()),
        }
    }

    #[tokio::test]
    async fn a_call_that_is_held_before_acting_never_acts_when_the_client_goes() {
        let adder = Adder::start().await;
        let hold = crate::faults::Hold::new();
        adder.server.faults().next("add", Fault::HoldBefore(hold.clone()));
        tokio::select! {
            answer = adder.call() => panic!("answered: {answer:?}"),
            () = hold.arrived() => {}
        }
        // The server hears of the end of a connection when it turns to it.
        adder.call().await.unwrap();
        hold.release();
        adder.call().await.unwrap();
        assert_eq!(adder.acted(), 2);
    }

    #[tokio::test]
    async fn a_call_that_is_held_goes_on_when_it_is_let_go() {
        let adder = Adder::start().await;
        for (fault, acted) in [
            (Fault::HoldBefore as fn(crate::faults::Hold) -> Fault, 0),
            (Fault::HoldAfter as fn(crate::faults::Hold) -> Fault, 2),
        ] {
            let hold = crate::faults::Hold::new();
            let (answer, ()) = tokio::join!(adder.call_with(fault(hold.clone())), async {
                hold.arrived().await;
                assert_eq!(adder.acted(), acted);
                hold.release();
            });
            assert_eq!(answer.unwrap().status(), 200);
        }
    }

    #[tokio::test]
    async fn malformed_acts_and_breaks_the_json_off() {
        let adder = Adder::start().await;
        let answer = adder.call_with(Fault::Malformed).await.unwrap();
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_err(), "{text}");
        assert_eq!(adder.acted(), 1);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let adder = Adder::start().await;
        let url = format!("{}/add", adder.server.base_url());
        let answer = adder.client.post(url).body(vec![b'x'; BODY_LIMIT + 1]).send().await;
        // The client may see the refusal or the closed connection, depending on how far it got.
        assert!(answer.is_err() || answer.unwrap().status() == 413);
        assert_eq!(adder.acted(), 0);
    }

    #[tokio::test]
    async fn a_stopped_server_frees_its_port() {
        let adder = Adder::start().await;
        adder.call().await.unwrap();
        let port: u16 = adder.server.base_url().rsplit(':').next().unwrap().parse().unwrap();
        let mut adder = adder;
        adder.server.stop().await;
        let router = Router::new();
        let again = Server::start(router, Faults::default(), |_, _| "any", Some(port)).await;
        assert!(again.is_ok());
    }
}
