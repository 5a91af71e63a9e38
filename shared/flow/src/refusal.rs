//! Why something that an operator asked for was not done, in sentences for that operator.

use ports::PlatformError;
use serde::Serialize;

/// What the caller can do about it decides the variant.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing in this integration. Also said of what belongs to another one.
    #[error("there is no {0} with this id")]
    NotFound(&'static str),
    /// The input is wrong; every problem is named at once, and nothing was stored.
    #[error("{} of the fields cannot be used", .0.len())]
    Invalid(Vec<FieldProblem>),
    /// It does not fit what is there now.
    #[error("{0}")]
    Conflict(String),
    /// A vendor said no or was not reached.
    #[error("{0}")]
    Vendor(String),
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

/// One field of the input, what is wrong with it and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Dotted, as in the request: `registrant.country`.
    pub field: String,
    pub problem: String,
    pub fix: String,
}

impl std::fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), fix: fix.into() }
    }
}
