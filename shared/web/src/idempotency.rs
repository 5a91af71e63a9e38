//! `Idempotency-Key` on requests that create something: the same key with the same body is answered as the first
//! time, with another body it is refused. (IETF draft-ietf-httpapi-idempotency-key-header.)
//!
//! Only what was done is remembered. A request that was refused did nothing, so its key is free again.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flow::FieldProblem;
use jiff::{SignedDuration, Timestamp};
use ports::{Platform, Store};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::{Operator, sha256_hex},
    input::unread,
    problem::{Kind, Problem},
};

/// The header's name, for the document.
pub(crate) const HEADER: &str = "idempotency-key";

/// How long an answer is given again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How long a request that never came to its end blocks its key. Longer than any request may run.
const RUNNING: SignedDuration = SignedDuration::from_mins(5);

/// What is stored of an answer. It holds no secret: no creating operation answers with one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

/// Stands before the creating operations.
pub(crate) async fn once<P: Platform>(State(app): State<App<P>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match answered(&app, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answered<P: Platform>(app: &App<P>, request: Request, next: Next) -> Result<Response, Problem> {
    let key = stored_key(&request)?;
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let body = Bytes::from_request(whole, &()).await.map_err(|rejection| unread(rejection.status()))?;
    let hash = sha256_hex(&body);

    let store = app.flow.platform().store();
    let now = app.flow.now();
    match store.idempotent(&key, &hash, None, later(now, RUNNING), now).await? {
        None => {}
        Some((other, _)) if other != hash => {
            return Err(Problem::new(Kind::KeyReused, "this Idempotency-Key was used with another body; use a new one"));
        }
        Some((_, None)) => {
            return Err(Problem::new(Kind::StillRunning, "ask again in a moment, with the same key"));
        }
        Some((_, Some(answer))) => {
            let answer: Answer = serde_json::from_str(&answer)
                .map_err(|problem| ports::PlatformError::new("read a remembered answer", problem))?;
            return Ok(answer.into_response());
        }
    }

    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let now = app.flow.now();
    if !response.status().is_success() {
        // An entry that ends now is forgotten, and the caller may correct the request.
        store.idempotent(&key, &hash, Some(""), now, now).await?;
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|problem| ports::PlatformError::new("keep an answer", problem))?;
    let answer = Answer {
        status: parts.status.as_u16(),
        location: parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let text = serde_json::to_string(&answer)
        .map_err(|problem| ports::PlatformError::new("keep an answer", problem))?;
    store.idempotent(&key, &hash, Some(&text), later(now, REMEMBERED), now).await?;
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// One caller's keys are nothing to another, and one operation's nothing to the next.
fn stored_key(request: &Request) -> Result<String, Problem> {
    let key = read_key(request.headers())?;
    let by = request.extensions().get::<Operator>().map_or("", |operator| operator.name.as_str());
    Ok(sha256_hex([by, request.uri().path(), key].join("\0").as_bytes()))
}

fn read_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let one = headers.get_all(HEADER).iter().collect::<Vec<_>>();
    let text = match one.as_slice() {
        [one] => one.to_str().unwrap_or_default(),
        _ => "",
    };
    let usable = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then_some(text).ok_or_else(|| {
        let problem = "it is not one text of 1 to 200 visible ASCII characters";
        Problem::invalid(vec![FieldProblem::new("Idempotency-Key", problem, "send a new UUID")])
    })
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let json = [(header::CONTENT_TYPE, "application/json")];
        let location = self.location.map(|location| [(header::LOCATION, location)]);
        (status, json, location, self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn request(path: &str, key: &str, by: &str) -> Request {
        let role = domain::operator::Role::Operator;
        Request::post(path)
            .header(HEADER, key)
            .extension(Operator { name: by.to_owned(), role })
            .body(Body::empty())
            .unwrap()
    }

    #[test]
    fn a_key_belongs_to_one_caller_and_one_address() {
        let key = |path, by| stored_key(&request(path, "k", by)).unwrap();
        assert_eq!(key("/a", "x"), key("/a", "x"));
        assert_ne!(key("/a", "x"), key("/a", "y"));
        assert_ne!(key("/a", "x"), key("/b", "x"));
    }

    #[test]
    fn a_key_that_cannot_be_one_is_refused() {
        for key in ["", "with space", &"k".repeat(201)] {
            let problem = stored_key(&request("/a", key, "x")).unwrap_err();
            assert_eq!(problem.errors[0].field, "Idempotency-Key");
        }
        let mut two = request("/a", "one", "x");
        two.headers_mut().append(HEADER, header::HeaderValue::from_static("two"));
        assert!(stored_key(&two).is_err());
    }
}
