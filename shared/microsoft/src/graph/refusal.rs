//! Turns an answer that is no success into an error (Graph docs, "Error responses and resource types" and "Throttling").

use reqwest::{
    StatusCode,
    header::{HeaderMap, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{Cause, Error, Refusal, RequestIds, retry_after::retry_after, sentence::sentence_without, wire::Answer};

/// Whether a request that was perhaps carried out has changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Write,
}

/// `access`: the token that was sent, which is not to be repeated.
pub(super) fn request_ids(headers: &HeaderMap, client_request_id: Uuid, access: &str) -> RequestIds {
    let request_id = headers.get("request-id").and_then(|id| id.to_str().ok());
    let request_id = request_id.map(|id| sentence_without(access, id));
    RequestIds { client_request_id, request_id }
}

pub(super) fn error(
    request: &'static str,
    effect: Effect,
    answer: &Answer,
    request_ids: RequestIds,
    access: &str,
) -> Error {
    let wait = retry_after(&answer.headers);
    let said = Said::read(answer.body_if_read(), access);
    let claims_challenge = has_claims_challenge(&answer.headers) || said.code == "insufficient_claims";
    let throttled = |request_ids| Error::Throttled { request, retry_after: wait, request_ids: Some(request_ids) };
    match answer.status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized { request, claims_challenge, request_ids },
        StatusCode::FORBIDDEN if claims_challenge => Error::Unauthorized { request, claims_challenge, request_ids },
        StatusCode::TOO_MANY_REQUESTS => throttled(request_ids),
        // A gateway that gives up on a write does not know what became of it; so this is "not now" for reads only.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT if wait.is_some() && effect == Effect::Read => {
            throttled(request_ids)
        }
        // 501 is how the directory refuses a property that it does not hold (Graph docs, "List users").
        status if is_unclear(status) => Error::Unclear {
            request,
            status: Some(status.as_u16()),
            retry_after: wait,
            request_ids: Some(request_ids),
            source: None,
        },
        status => Error::Refused(Box::new(Refusal {
            request,
            status: status.as_u16(),
            code: said.code,
            message: said.message,
            activity_id: said.activity_id,
            request_ids,
            cause: match status {
                StatusCode::FORBIDDEN => Cause::Permission,
                StatusCode::NOT_FOUND => Cause::NotFound,
                StatusCode::BAD_REQUEST => Cause::BadRequest,
                _ => Cause::Other,
            },
        })),
    }
}

fn is_unclear(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
}

/// Continuous access evaluation asks for more claims in the header (Entra docs, "Claims challenges").
fn has_claims_challenge(headers: &HeaderMap) -> bool {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|challenge| challenge.to_str().ok());
    challenges.any(|challenge| challenge.contains("insufficient_claims") || challenge.contains("claims="))
}

/// What an error body says, unpacked.
#[derive(Default)]
struct Said {
    code: String,
    message: String,
    activity_id: Option<String>,
}

impl Said {
    fn read(body: &[u8], access: &str) -> Self {
        #[derive(Deserialize)]
        struct Envelope {
            error: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            code: Option<String>,
            message: Option<String>,
        }
        /// Intune puts a second JSON text into the message (seen in MicrosoftDocs/memdocs, issue 2987).
        #[derive(Deserialize)]
        struct Intune {
            #[serde(rename = "Message")]
            message: String,
        }

        let Ok(Envelope { error }) = serde_json::from_slice(body) else {
            return Self::default();
        };
        let sentence = |text: &str| sentence_without(access, text);
        let outer = error.message.unwrap_or_default();
        let message = match serde_json::from_str(&outer) {
            Ok(Intune { message }) => message,
            Err(_) => outer,
        };
        let activity_id = message.split_once("Activity ID: ").map(|(_, rest)| rest);
        Self {
            code: sentence(&error.code.unwrap_or_default()),
            activity_id: activity_id.and_then(|rest| rest.split_whitespace().next()).map(sentence),
            // "An error has occurred - Operation ID (for customer support): … - Activity ID: … - Url: …"
            message: sentence(message.split(" - Operation ID").next().unwrap_or_default()),
        }
    }
}
