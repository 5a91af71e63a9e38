//! One axum [`Router`]: the JSON API, the OAuth callback, the webhook and the console.
//!
//! It maps HTTP to [`flow`] and back and decides nothing about an enrollment. What needs which role stands in the
//! OpenAPI document, and the document is what [`Access`] enforces: an operation without a role is open to nobody.

mod access;
mod api;
mod console;
mod document;
mod edge;
mod health;
mod hook;
mod idempotency;
mod input;
mod oauth;
mod problem;
mod routes;
mod shape;
mod sign_in;
mod tagged;

use std::time::Duration;

use axum::Router;
use flow::Flow;
use ports::Platform;

pub use access::{Access, ApiToken, NotAHash};

/// What the deployment decides about its HTTP surface.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names under which the router may be asked, with or without a port; another `Host` is answered with 421.
    /// This keeps a page elsewhere from reaching a loopback server by a DNS name of its own. `None`: every name.
    pub hosts: Option<Vec<String>>,
    pub surface: Surface,
    /// How long a request may take. What takes longer is answered as unavailable and may be tried again.
    pub answer_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        // An HTTP API of AWS gives up after 30 seconds, and the answer would be its own.
        Self { hosts: None, surface: Surface::default(), answer_within: Duration::from_secs(25) }
    }
}

/// Which of the routes are served. Where each part is a function of its own, it has only its own routes and rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// All of them, in one process that also signs its users in.
    #[default]
    Everything,
    /// The JSON API and the console, behind somebody else's sign-in.
    Api,
    /// The browser's part of Authorize.
    Authorize,
    /// SSL.com's callback.
    Webhook,
}

/// The HTTP surface.
///
/// Whoever puts another sign-in in front inserts an [`Operator`](domain::operator::Operator) into the request's extensions; the bearer tokens
/// of `access` are then not asked for.
pub fn router<P: Platform>(flow: Flow<P>, access: Access, options: Options) -> Router {
    routes::assemble(App { flow, access }, options)
}

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct App<P: Platform> {
    pub(crate) flow: Flow<P>,
    pub(crate) access: Access,
}
