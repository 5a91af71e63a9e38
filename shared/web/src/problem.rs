//! What a caller is told when something was not done: an RFC 9457 problem with a stable type, one sentence, and
//! the reference under which the log has the whole chain.
//!
//! A handler only says what went wrong; [`crate::edge`] writes the answer and the log line, once.

use std::sync::Arc;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flow::{FieldProblem, Refusal};
use ports::PlatformError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a request was not answered as asked. Cheap to make; nothing is logged or written until the edge sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    /// For the person who asked.
    pub(crate) detail: String,
    pub(crate) errors: Vec<FieldProblem>,
    /// For the log.
    pub(crate) source: Option<PlatformError>,
    /// Answered as a page, because a browser shows it to a person.
    pub(crate) page: bool,
}

macro_rules! kinds {
    ($($kind:ident $slug:literal $status:ident $title:literal,)+) => {
        /// The types of problem. Programs may rely on them; they are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
        pub(crate) enum Kind { $(#[serde(rename = $slug)] $kind),+ }

        impl Kind {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$kind),+];

            pub(crate) fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),+ }
            }

            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),+ }
            }
        }
    };
}

kinds! {
    Malformed "malformed" BAD_REQUEST "The request cannot be read",
    Unauthenticated "unauthenticated" UNAUTHORIZED "Sign in first",
    Forbidden "forbidden" FORBIDDEN "Your role does not allow this",
    NotFound "not-found" NOT_FOUND "There is no such thing",
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "This cannot be done here",
    Conflict "conflict" CONFLICT "It does not fit what is there now",
    StillRunning "still-running" CONFLICT "The first request with this key is still running",
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The request is too large",
    MediaType "media-type" UNSUPPORTED_MEDIA_TYPE "Send JSON",
    WrongHost "wrong-host" MISDIRECTED_REQUEST "This server does not answer under that name",
    Invalid "invalid" UNPROCESSABLE_ENTITY "Some fields cannot be used",
    KeyReused "key-reused" UNPROCESSABLE_ENTITY "The key was used for another request",
    Vendor "vendor" BAD_GATEWAY "SSL.com or Microsoft did not do it",
    Unavailable "unavailable" SERVICE_UNAVAILABLE "We could not do it right now",
    Internal "internal" INTERNAL_SERVER_ERROR "Something is broken on our side",
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), source: None, page: false }
    }

    pub(crate) fn invalid(errors: Vec<FieldProblem>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.problem),
            many => format!("{} fields cannot be used", many.len()),
        };
        Self { errors, ..Self::new(Kind::Invalid, detail) }
    }

    /// Also said of what belongs to another integration: whether it exists is not told.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} with this id"))
    }

    /// The same problem, for a person at a browser.
    pub(crate) fn on_page(self) -> Self {
        Self { page: true, ..self }
    }

    /// What the caller reads. The reference is also in the log.
    pub(crate) fn document(&self, reference: Uuid) -> ProblemDocument {
        let row = |error: &FieldProblem| FieldError {
            field: error.field.clone(),
            problem: error.problem.clone(),
            fix: error.fix.clone(),
        };
        ProblemDocument {
            r#type: format!("urn:intune-smime:problem:{}", self.kind.slug()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            instance: format!("urn:uuid:{reference}"),
            reference,
            errors: self.errors.iter().map(row).collect(),
        }
    }

    pub(crate) fn set_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        match self.kind {
            Kind::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Kind::StillRunning | Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(what) => Self::not_found(what),
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::Conflict(sentence) => Self::new(Kind::Conflict, sentence),
            Refusal::Vendor(sentence) => Self::new(Kind::Vendor, sentence),
            Refusal::Platform(source) => source.into(),
        }
    }
}

impl From<PlatformError> for Problem {
    fn from(source: PlatformError) -> Self {
        let detail = "our own storage or queue did not answer; nothing is lost, try again in a moment";
        Self { source: Some(source), ..Self::new(Kind::Unavailable, detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// RFC 9457 problem details.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Stable; the last part is the word to decide on.
    #[schema(example = "urn:intune-smime:problem:conflict")]
    r#type: String,
    title: &'static str,
    status: u16,
    /// A sentence for a person.
    detail: String,
    #[schema(example = "urn:uuid:6f0c1c3e-6a0b-4f55-9c2a-0a9d6a0e6a11")]
    instance: String,
    /// Under it, the log has what exactly happened.
    reference: Uuid,
    /// Every field that cannot be used, for problems of type `invalid`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// One field, what is wrong with it and what to do.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Dotted, as in the request.
    #[schema(example = "registrant.country")]
    field: String,
    problem: String,
    fix: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_type_and_an_error_status() {
        let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }

    #[test]
    fn every_refusal_becomes_its_problem() {
        let platform = || PlatformError::new("read a row", "disk /secret/path is full");
        let field = FieldProblem::new("name", "it is missing", "fill it in");
        let refusals = [
            (Refusal::NotFound("batch"), Kind::NotFound, "there is no batch with this id"),
            (Refusal::Invalid(vec![field]), Kind::Invalid, "name: it is missing"),
            (Refusal::Conflict("the plan is old".into()), Kind::Conflict, "the plan is old"),
            (Refusal::Vendor("no funds".into()), Kind::Vendor, "no funds"),
            (Refusal::Platform(platform()), Kind::Unavailable, "our own storage"),
        ];
        for (refusal, kind, detail) in refusals {
            let problem = Problem::from(refusal);
            assert_eq!(problem.kind, kind);
            assert!(problem.detail.starts_with(detail), "{}", problem.detail);
            let told = serde_json::to_string(&problem.document(Uuid::nil())).unwrap_or_default();
            assert!(!told.contains("/secret/path"), "the chain is for the log: {told}");
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let document = Problem::not_found("person").document(Uuid::nil());
        let expected = serde_json::json!({
            "type": "urn:intune-smime:problem:not-found",
            "title": "There is no such thing",
            "status": 404,
            "detail": "there is no person with this id",
            "instance": "urn:uuid:00000000-0000-0000-0000-000000000000",
            "reference": "00000000-0000-0000-0000-000000000000",
        });
        assert_eq!(serde_json::to_value(document).ok(), Some(expected));
    }
}
