//! `Idempotency-Key` on requests that create something: the same key with the same body is answered as the first
//! time, with another body it is refused. (IETF draft-ietf-httpapi-idempotency-key-header.)
//!
//! Refusals are remembered like successes. Where we failed ourselves, nobody knows what was done: the key is used up.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::operator::Operator;
use flow::FieldProblem;
use jiff::{SignedDuration, Timestamp};
use ports::{Platform, PlatformError, Store};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    access::sha256_hex,
    input::unread,
    problem::{Kind, Problem},
};

/// The header's name.
pub(crate) const HEADER: &str = "idempotency-key";

/// How long an answer is given again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// What is stored of an answer. It holds no secret: no creating operation answers with one.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Given {
        status: u16,
        location: Option<String>,
        body: String,
    },
    Refused {
        kind: Kind,
        detail: String,
        /// Field, problem and fix.
        errors: Vec<(String, String, String)>,
    },
    /// The request failed on our side, so that part of it may have been done.
    Failed,
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
    let until = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
    match store.idempotent(&key, &hash, None, until, now).await? {
        None => {}
        Some((other, _)) if other != hash => {
            return Err(Problem::new(
                Kind::KeyReused,
                "this Idempotency-Key was used with another body; use a new one",
            ));
        }
        Some((_, None)) => {
            return Err(Problem::new(Kind::StillRunning, "ask again in a moment, with the same key"));
        }
        Some((_, Some(answer))) => {
            let answer: Answer = serde_json::from_str(&answer)
                .map_err(|problem| PlatformError::new("read a remembered answer", problem))?;
            return Ok(answer.into_response());
        }
    }

    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (answer, response) = Answer::read(response).await;
    let text = serde_json::to_string(&answer).unwrap_or_default();
    // It is done whether or not the answer can be kept; a repetition is then told that the first one still runs.
    if let Err(problem) = store.idempotent(&key, &hash, Some(&text), until, app.flow.now()).await {
        tracing::error!(%problem, "the answer to an Idempotency-Key was not kept");
    }
    Ok(response)
}

impl Answer {
    async fn read(response: Response) -> (Self, Response) {
        if response.status().is_server_error() && response.status() != StatusCode::BAD_GATEWAY {
            return (Self::Failed, response);
        }
        if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
            let row = |error: &FieldProblem| (error.field.clone(), error.problem.clone(), error.fix.clone());
            let errors = problem.errors.iter().map(row).collect();
            return (Self::Refused { kind: problem.kind, detail: problem.detail.clone(), errors }, response);
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            let problem = Problem::new(Kind::Internal, "the answer could not be written");
            return (Self::Failed, problem.into_response());
        };
        let given = Self::Given {
            status: parts.status.as_u16(),
            location: parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        (given, Response::from_parts(parts, Body::from(body)))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Given { status, location, body } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                let json = [(header::CONTENT_TYPE, "application/json")];
                (status, json, location.map(|location| [(header::LOCATION, location)]), body).into_response()
            }
            Self::Refused { kind, detail, errors } => {
                let row = |(field, problem, fix)| FieldProblem { field, problem, fix };
                Problem { errors: errors.into_iter().map(row).collect(), ..Problem::new(kind, detail) }.into_response()
            }
            Self::Failed => {
                let detail = "the first request with this key failed on our side; see what it did, then use a new key";
                Problem::new(Kind::Conflict, detail).into_response()
            }
        }
    }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn request(path: &str, key: &str, by: &str) -> Request {
        let role = domain::operator::Role::Operator;
        Request::post(path)
            .header(HEADER, key)
            .extension(Operator { name: by.to_owned(), roles: vec![role] })
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

    #[tokio::test]
    async fn a_refusal_is_remembered_with_its_fields_and_our_own_failure_is_not_repeated() {
        let field = FieldProblem::new("days", "0 is out of range", "use 1 to 825");
        let (answer, _) = Answer::read(Problem::invalid(vec![field.clone()]).into_response()).await;
        let stored = serde_json::to_string(&answer).unwrap();
        let again = serde_json::from_str::<Answer>(&stored).unwrap().into_response();
        assert_eq!(again.extensions().get::<Arc<Problem>>().unwrap().errors, [field]);

        let failed = Problem::new(Kind::Unavailable, "later").into_response();
        let (answer, response) = Answer::read(failed).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer, Answer::Failed);
        assert_eq!(answer.into_response().status(), StatusCode::CONFLICT);
    }

    #[tokio::test]
    async fn an_answer_is_given_again_with_its_status_and_location() {
        let first = (StatusCode::CREATED, [(header::LOCATION, "/a/1")], "{}").into_response();
        let (answer, _) = Answer::read(first).await;
        let again = answer.into_response();
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()[header::LOCATION], "/a/1");
        assert_eq!(to_bytes(again.into_body(), 10).await.unwrap(), "{}");
    }
}
