//! SSL.com's callback. It is a hint that makes one order due now, and it always answers 204: whoever guesses at
//! tokens learns nothing, and SSL.com has nothing to retry.

use std::error::Error;

use axum::{
    body::{Body, to_bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ports::Platform;
use secrecy::{ExposeSecret, SecretString};
use utoipa_axum::router::OpenApiRouter;

use crate::{App, routes::handlers};

/// How much of the body is taken off the line before the connection is given up. Nothing of it is used.
const LARGEST_BODY: usize = 64 << 10;

pub(crate) fn routes<P: Platform>() -> OpenApiRouter<App<P>> {
    OpenApiRouter::default().routes(handlers!(P: order_ready_get, order_ready_post))
}

/// An order changed
///
/// The token is of one order and one attempt. The body is ignored: the order is asked for at SSL.com instead.
#[utoipa::path(
    post, path = "/hooks/sslcom/{token}", tag = "open",
    operation_id = "order_ready", params(("token" = String, Path)),
    responses((status = NO_CONTENT, description = "Always, whatever was sent")),
)]
async fn order_ready_post<P: Platform>(
    State(app): State<App<P>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    order_ready(&app, token, &headers).await;
    // Taken after the hint, so that a slow sender delays nobody; whether it ends well does not matter.
    drop(to_bytes(body, LARGEST_BODY).await);
    StatusCode::NO_CONTENT
}

/// An order changed (without a body)
#[utoipa::path(
    get, path = "/hooks/sslcom/{token}", tag = "open",
    operation_id = "order_ready_without_body", params(("token" = String, Path)),
    responses((status = NO_CONTENT, description = "Always")),
)]
async fn order_ready_get<P: Platform>(
    State(app): State<App<P>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> StatusCode {
    order_ready(&app, token, &headers).await;
    StatusCode::NO_CONTENT
}

async fn order_ready<P: Platform>(app: &App<P>, token: Result<Path<String>, PathRejection>, headers: &HeaderMap) {
    let Ok(Path(token)) = token else { return };
    let credentials = basic(headers);
    let credentials = credentials.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret()));
    if let Err(problem) = flow::order_callback::order_ready(&app.flow, &token, credentials).await {
        let cause = problem.source().map(ToString::to_string);
        tracing::error!(%problem, cause, "a callback was lost; the order is polled anyway");
    }
}

/// The user and the password of an `Authorization: Basic` header (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.into()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let value = HeaderValue::from_str(value).unwrap();
        let read = basic(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]));
        read.map(|(user, password)| (user, password.expose_secret().to_owned()))
    }

    #[test]
    fn basic_credentials_are_split_at_the_first_colon() {
        let aladdin = Some(("Aladdin".to_owned(), "open:sesame".to_owned()));
        assert_eq!(read("basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="), aladdin);
    }

    #[test]
    fn what_is_not_basic_credentials_is_none() {
        for value in ["", "Basic", "Basic ", "Basic !!!", "Basic QWxhZGRpbg==", "Basic /////w==", "Bearer QTpC"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
