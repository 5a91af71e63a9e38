//! What happens to every request and answer: the host is checked, a problem is written and logged under its
//! reference, headers are set, and one access line is logged. Paths carry tokens, so only the route's template is.

use std::{any::Any, error::Error, sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::operator::Operator;
use ports::Platform;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    App, Options, console,
    problem::{Kind, Problem},
};

/// What the edge itself needs.
#[derive(Clone)]
pub(crate) struct Edge<P: Platform> {
    pub(crate) app: App<P>,
    hosts: Option<Arc<[String]>>,
    answer_within: Duration,
}

/// An HTTP API of AWS carries 6 MB, and a third is lost where the answer is written as base64.
const LARGEST_ANSWER: u64 = 4 << 20;

impl<P: Platform> Edge<P> {
    pub(crate) fn new(app: App<P>, options: Options) -> Self {
        let lower = |hosts: Vec<String>| hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { app, hosts: options.hosts.map(lower), answer_within: options.answer_within }
    }
}

pub(crate) async fn around<P: Platform>(State(edge): State<Edge<P>>, request: Request, next: Next) -> Response {
    let reference = Uuid::new_v4();
    let began = edge.app.flow.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", %reference, %method, route);

    let mut response = match host_problem(edge.hosts.as_deref(), &request) {
        Some(problem) => problem.into_response(),
        None => {
            let answered = tokio::time::timeout(edge.answer_within, next.run(request).instrument(span.clone())).await;
            answered.unwrap_or_else(|_| took_too_long().into_response())
        }
    };
    if is_too_large(&response) {
        let detail = "the answer is larger than what can be sent; ask for fewer at once with `limit`";
        response = Problem::new(Kind::Internal, detail).into_response();
    }

    let _entered = span.enter();
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        log(&problem, reference);
        response = written(&problem, reference);
    }
    protect(response.headers_mut());
    let by = response.extensions_mut().remove::<Operator>().map(|operator| operator.name);
    let milliseconds = edge.app.flow.now().duration_since(began).as_millis();
    let status = response.status().as_u16();
    tracing::info!(%reference, %method, route, status, milliseconds, by, "request answered");
    response
}

/// A handler that panicked; the panic hook has written what and where.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    Problem::new(Kind::Internal, "it was not foreseen; tell us the reference").into_response()
}

fn took_too_long() -> Problem {
    let detail = "it took too long, most likely because SSL.com or Microsoft did not answer; try again";
    Problem::new(Kind::Unavailable, detail)
}

fn is_too_large(response: &Response) -> bool {
    response.body().size_hint().lower() > LARGEST_ANSWER
}

pub(crate) async fn unknown_path() -> Problem {
    Problem::new(Kind::NotFound, "there is nothing at this address")
}

pub(crate) async fn wrong_method() -> Problem {
    Problem::new(Kind::MethodNotAllowed, "this address exists, but not for this method")
}

fn host_problem(hosts: Option<&[String]>, request: &Request) -> Option<Problem> {
    let hosts = hosts?;
    let asked = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(|authority| authority.as_str()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let refused = || Problem::new(Kind::WrongHost, "use the address that the deployment was given");
    (!hosts.iter().any(|host| is_host(host, &asked))).then(refused)
}

/// An allowed name with a port means that port; without one, any.
fn is_host(allowed: &str, asked: &str) -> bool {
    let name = match asked.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => asked,
    };
    !asked.is_empty() && (asked == allowed || name == allowed)
}

/// The one line that has the whole chain. What the caller sent is not repeated: it may be anything.
fn log(problem: &Problem, reference: Uuid) {
    let kind = problem.kind.slug();
    match problem.kind {
        Kind::Unavailable | Kind::Internal => {
            let chain = problem.source.as_ref().map(|source| chain(source)).unwrap_or_default();
            tracing::error!(%reference, kind, chain, "request failed");
        }
        Kind::Vendor => tracing::warn!(%reference, kind, sentence = problem.detail, "request failed"),
        _ => {
            let fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
            tracing::info!(%reference, kind, ?fields, "request refused");
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let links = std::iter::successors(Some(error), |link: &&dyn Error| (*link).source());
    links.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn written(problem: &Problem, reference: Uuid) -> Response {
    let status = problem.kind.status();
    let mut response = if problem.page {
        (status, console::problem_page(problem, reference)).into_response()
    } else {
        let body = serde_json::to_string(&problem.document(reference)).expect("a problem holds only texts and numbers");
        let media = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, media, body).into_response()
    };
    problem.set_headers(&mut response);
    response
}

fn protect(headers: &mut HeaderMap) {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages and styles say what they allow; everything else is about somebody's certificates.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use ports::PlatformError;

    use super::*;

    #[test]
    fn an_allowed_name_without_a_port_means_any_port() {
        assert!(is_host("localhost", "localhost:8080"));
        assert!(is_host("localhost", "localhost"));
        assert!(is_host("127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(is_host("[::1]", "[::1]:8080"));
        assert!(!is_host("127.0.0.1:8080", "127.0.0.1:9090"));
        assert!(!is_host("localhost", "localhost.evil.example"));
        assert!(!is_host("localhost", "evil.example:localhost"));
        assert!(!is_host("", ""));
    }

    #[test]
    fn an_answer_that_a_gateway_would_cut_off_is_too_large() {
        let of = |bytes: u64| Response::new(Body::from(vec![b' '; usize::try_from(bytes).expect("4 MB")]));
        assert!(!is_too_large(&of(LARGEST_ANSWER)) && is_too_large(&of(LARGEST_ANSWER + 1)));
    }

    #[test]
    fn a_panic_is_answered_without_what_it_said() {
        let mut response = panicked(Box::new("the key was 0x42"));
        let problem = response.extensions_mut().remove::<Arc<Problem>>();
        let problem = problem.map(|problem| (problem.kind, problem.detail.contains("0x42")));
        assert_eq!(problem, Some((Kind::Internal, false)));
    }

    #[test]
    fn the_chain_names_every_link_once() {
        let inner = std::io::Error::other("disk is full");
        let error = PlatformError::new("save a batch", inner);
        assert_eq!(chain(&error), "the platform failed to save a batch: disk is full");
    }
}
