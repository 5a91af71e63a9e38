//! Why Microsoft did not do what was asked, divided by what the caller does next.
//!
//! No variant carries a token, a secret, or an address with its query.

use std::{fmt, time::Duration};

use uuid::Uuid;

use crate::entra::{EntraRefusal, IdTokenFault};

/// `request` says in words what was being asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A base address in the deployment's configuration cannot be used.
    #[error("the {which} address must be https (http only on this machine), without user, query or fragment")]
    Endpoint { which: &'static str },

    /// The machine offers no usable TLS; nothing can be sent.
    #[error("the HTTP client could not be made")]
    Client { source: reqwest::Error },

    /// No connection was made, so nothing was done.
    #[error("no connection for {request}")]
    NotSent { request: &'static str, source: reqwest::Error },

    /// It may or may not have been done. A read can be repeated; after a write only a read tells.
    #[error("no clear answer to {request}{}", StatusSuffix(*status))]
    Unclear {
        request: &'static str,
        status: Option<u16>,
        retry_after: Option<Duration>,
        request_ids: Option<RequestIds>,
        source: Option<reqwest::Error>,
    },

    /// Not done; Microsoft asks to wait. `None` when it does not say for how long.
    #[error("{request} is throttled")]
    Throttled { request: &'static str, retry_after: Option<Duration>, request_ids: Option<RequestIds> },

    /// Not done: another access token is needed. With a claims challenge (continuous access evaluation) a person must
    /// sign in again.
    #[error("the access token was not accepted for {request}")]
    Unauthorized { request: &'static str, claims_challenge: bool, request_ids: RequestIds },

    /// Not done, and it will be refused again until something changes.
    #[error("Graph refused {0}")]
    Refused(Box<Refusal>),

    /// Entra ID issued no token.
    #[error("Entra ID refused: {0}")]
    Entra(Box<EntraRefusal>),

    /// Whoever signed in is not proved.
    #[error("the ID token was not accepted")]
    IdToken(#[source] IdTokenFault),

    /// The delta link is too old (7 days for users). Only a full run helps.
    #[error("the delta link has expired")]
    DeltaExpired,

    /// A link to follow points away from Graph; following it would hand the token to somebody else.
    #[error("a link to follow points to another host: {host}")]
    ForeignLink { host: String },

    /// An answer that is not what is documented.
    #[error("the answer to {request} cannot be read: {reason}")]
    Unreadable { request: &'static str, reason: &'static str },
}

impl Error {
    /// What a transport failure means. The address is dropped: links carry state tokens in their query.
    pub(crate) fn unanswered(request: &'static str, request_ids: Option<RequestIds>, source: reqwest::Error) -> Self {
        let source = source.without_url();
        if source.is_connect() || source.is_builder() {
            Self::NotSent { request, source }
        } else {
            Self::Unclear { request, status: None, retry_after: None, request_ids, source: Some(source) }
        }
    }
}

/// What Graph said to a request that it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub request: &'static str,
    pub status: u16,
    /// `error.code`, the part that the Graph docs say to branch on. Empty when the answer had none.
    pub code: String,
    /// One line, shortened. From Intune's nested JSON only its sentence.
    pub message: String,
    /// Intune's own id of the event, when its message names one. Microsoft's support asks for it.
    pub activity_id: Option<String>,
    pub request_ids: RequestIds,
    pub cause: Cause,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, status, code, message, .. } = self;
        write!(f, "{request}: {status} {code}")?;
        if message.is_empty() { Ok(()) } else { write!(f, ": {message}") }
    }
}

/// Why, as far as the answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// 403: the app or the operator lacks a right.
    Permission,
    /// 404.
    NotFound,
    /// Intune's answer without a reason. Reported causes: the certificate is already there for that person, or the
    /// person has no Intune licence (microsoft/Intune-Resource-Access, issue 160). A read by id tells which.
    DuplicateOrNoLicence,
    /// 400 with a reason.
    BadRequest,
    Other,
}

/// What Microsoft's support asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// Chosen by us and sent along.
    pub client_request_id: Uuid,
    /// Chosen by Graph; `None` when no answer came.
    pub request_id: Option<String>,
}

impl fmt::Display for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client-request-id {}", self.client_request_id)?;
        self.request_id.iter().try_for_each(|id| write!(f, ", request-id {id}"))
    }
}

struct StatusSuffix(Option<u16>);

impl fmt::Display for StatusSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|status| write!(f, " (status {status})"))
    }
}
