//! Answers that are polled: an ETag over the body, and 304 while it stays the same.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    access::sha256_hex,
    problem::{Kind, Problem},
};

/// The JSON with its tag, or 304 when the caller has it already.
pub(crate) fn json(asked: &HeaderMap, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => tagged(asked, "application/json", body),
        Err(_) => Problem::new(Kind::Internal, "the answer could not be written").into_response(),
    }
}

pub(crate) fn tagged(asked: &HeaderMap, media: &'static str, body: impl Into<String>) -> Response {
    let body = body.into();
    let tag = format!("\"{}\"", &sha256_hex(body.as_bytes())[..32]);
    let tag_header = [(header::ETAG, tag.clone())];
    if has(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, tag_header).into_response();
    }
    (tag_header, [(header::CONTENT_TYPE, media)], body).into_response()
}

/// Whether `If-None-Match` names the tag. A proxy that compresses makes it weak (RFC 9110, 13.1.2).
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        let first = json(&HeaderMap::new(), &[1, 2]);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, known.parse::<HeaderValue>().unwrap())]);
            assert_eq!(json(&asked, &[1, 2]).status(), StatusCode::NOT_MODIFIED);
            if known != "*" {
                assert_eq!(json(&asked, &[1, 3]).status(), StatusCode::OK);
            }
        }
    }
}
