//! Entra ID: the authorization code flow with PKCE, tokens for the app itself, and admin consent.
//!
//! The tenant is always named by its id; `common` and `organizations` are never used, so only the tenant's own people
//! and only its own copy of the app can get through.

mod answers;
mod authorize;
mod id_token;
mod refusal;
mod tokens;

use std::{fmt, sync::Arc};

use reqwest::{Client, Request, StatusCode};
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

pub use self::{
    answers::{AuthorizationAnswer, ConsentAnswer},
    authorize::Authorization,
    id_token::IdTokenFault,
    refusal::{Decision, EntraRefusal, advice},
    tokens::{AppToken, Delegated, SignedIn},
};
use crate::{
    Endpoints, Error,
    cloud::under,
    retry_after::retry_after,
    watch::{Watch, Watched},
    wire,
};

/// No answer of Entra ID is larger: a token with every role and group stays far below.
const LONGEST_ANSWER: usize = 256 * 1024;

/// An app registration, and the tenant in which it acts.
#[derive(Debug, Clone)]
pub struct App {
    pub tenant_id: Uuid,
    pub client_id: Uuid,
    pub client_secret: SecretString,
}

/// Speaks to one cloud's Entra ID on behalf of any app there. Clones share connections and the signing keys read.
#[derive(Clone)]
pub struct Entra {
    login: Url,
    graph_default_scope: String,
    http: Client,
    signing_keys: Arc<id_token::Cache>,
    watched: Watched,
}

impl Entra {
    /// # Errors
    /// [`Error::Client`] when the machine offers no usable TLS.
    pub fn new(endpoints: Endpoints) -> Result<Self, Error> {
        Ok(Self {
            http: wire::client(endpoints.login())?,
            login: endpoints.login().clone(),
            graph_default_scope: endpoints.graph_default_scope(),
            signing_keys: Arc::default(),
            watched: Watched::default(),
        })
    }

    /// The connections, where this base is reached in the same way: what is plain must never become so for what is not.
    pub(crate) fn http_for(&self, base: &Url) -> Option<Client> {
        (base.scheme() == self.login.scheme()).then(|| self.http.clone())
    }

    /// The same client for another cloud that is reached in the same way.
    #[must_use]
    pub fn at(&self, endpoints: &Endpoints) -> Self {
        Self {
            login: endpoints.login().clone(),
            graph_default_scope: endpoints.graph_default_scope(),
            signing_keys: Arc::default(),
            ..self.clone()
        }
    }

    /// A client whose requests this is told of.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watched: Watched(Some(watch)), ..self }
    }

    fn tenant_url<'a>(&self, tenant_id: Uuid, segments: impl IntoIterator<Item = &'a str>) -> Url {
        under(&under(&self.login, [tenant_id.to_string().as_str()]), segments)
    }

    /// The body and headers of a 200; anything else is an error. `secrets` are what was sent: should the answer repeat
    /// one of them, it goes no further.
    async fn ask(&self, name: &'static str, request: Request, secrets: &[&str]) -> Result<Answered, Error> {
        let answer = wire::exchange(&self.http, &self.watched, request, LONGEST_ANSWER)
            .await
            .map_err(|source| Error::unanswered(name, None, source))?;
        let wait = retry_after(&answer.headers);
        let asks_to_wait = matches!(answer.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
        match answer.status {
            StatusCode::OK => {
                let headers = answer.headers.clone();
                Ok(Answered { headers, body: answer.into_body(name, None)? })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(Error::Throttled { request: name, retry_after: wait, request_ids: None })
            }
            // Asking for a token a second time harms nobody, so "not now" may be taken at its word.
            _ if asks_to_wait && wait.is_some() => {
                Err(Error::Throttled { request: name, retry_after: wait, request_ids: None })
            }
            status if status.is_server_error() => Err(Error::Unclear {
                request: name,
                status: Some(status.as_u16()),
                retry_after: wait,
                request_ids: None,
                source: None,
            }),
            _ => Err(match EntraRefusal::parse(answer.body_if_read(), secrets) {
                Some(refusal) => Error::Entra(Box::new(refusal)),
                None => Error::Unreadable { request: name, reason: "a refusal without an OAuth error" },
            }),
        }
    }
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entra").field("login", &self.login.as_str()).finish_non_exhaustive()
    }
}

struct Answered {
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}
