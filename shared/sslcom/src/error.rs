//! Why SSL.com did not do what was asked, divided by what the caller does next.
//!
//! No variant carries a credential or an address: SSL.com takes its keys in the query of every GET.

use std::time::Duration;

use crate::problems::{FieldProblem, RefusalCause};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection was made, so nothing happened: the name was not found, the connection was refused or timed out,
    /// or TLS could not be agreed on.
    ///
    /// This is certain. The HTTP stack hands a request over only to a connection that is ready, and this variant is
    /// used only for failures of making one (`reqwest::Error::is_connect`). The reverse is not certain: a request that
    /// never left may also end as [`Error::Unclear`].
    #[error("SSL.com could not be reached")]
    NotSent { source: reqwest::Error },

    /// SSL.com said no, and will say it again until something changes.
    ///
    /// `Display` says the cause only, because SSL.com's fields and sentences may name a person. They are in `problems`.
    #[error("SSL.com refused the request: {cause} (HTTP status {http_status})")]
    Refused { http_status: u16, cause: RefusalCause, problems: Vec<FieldProblem> },

    /// SSL.com answered 429. `None` when it does not say for how long, or not readably.
    ///
    /// No rate limit is documented, so nothing proves that such a request was not carried out: after
    /// [`Client::create`](crate::Client::create) the order must be looked up.
    #[error("SSL.com asks to wait")]
    Throttled { retry_after: Option<Duration> },

    /// It may or may not have been done. A read can be repeated; after a write only a read can tell.
    #[error("no clear answer to {what}")]
    Unclear { what: &'static str, source: Uncertainty },

    /// Nothing was sent: a setting, or a value given with the request, must be corrected first.
    #[error("{setting} cannot be used: {reason}")]
    Configuration { setting: String, reason: String },
}

impl Error {
    pub(crate) fn configuration(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Configuration { setting: setting.into(), reason: reason.into() }
    }

    /// What a failed exchange means.
    pub(crate) fn unanswered(what: &'static str, source: reqwest::Error) -> Self {
        let source = source.without_url();
        if source.is_connect() || source.is_builder() {
            Self::NotSent { source }
        } else if source.is_timeout() {
            Self::Unclear { what, source: Uncertainty::TimedOut { source } }
        } else {
            Self::Unclear { what, source: Uncertainty::Cut { source } }
        }
    }
}

/// What makes an answer unclear.
#[derive(Debug, thiserror::Error)]
pub enum Uncertainty {
    #[error("the answer was not complete in time")]
    TimedOut { source: reqwest::Error },

    #[error("the connection ended before the answer did")]
    Cut { source: reqwest::Error },

    #[error("the answer is larger than {limit} bytes")]
    Oversized { limit: usize },

    /// A status that says neither done nor refused: 5xx mostly, a redirect, a request cut short on the way.
    #[error("the answer is HTTP status {http_status}{}", if *.html { " with an HTML page" } else { "" })]
    Status { http_status: u16, html: bool },

    #[error("the answer with HTTP status {http_status} is {}", if *.html { "an HTML page" } else { "not JSON" })]
    NotJson { http_status: u16, html: bool, source: serde_json::Error },

    /// JSON, but not what is documented.
    #[error("the answer with HTTP status {http_status} has no {missing}")]
    Unexpected { http_status: u16, missing: &'static str },
}
