//! Entra ID for the tenants of a world: sign-in, consent and tokens (v2.0 endpoints).
//!
//! It is as strict as the documentation allows: PKCE, state and nonce are demanded, redirect URIs
//! are compared letter by letter, and a secret that travels where it should not is refused.

mod authorize;
pub(crate) mod grants;
pub(crate) mod keys;
mod refusal;
mod scope;
mod token;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::Method,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use crate::microsoft::{Tenant, World};
use refusal::Refusal;

/// An application as it is registered in one tenant.
#[derive(Clone)]
pub struct App {
    pub client_id: String,
    pub secret: String,
    pub secret_expires: Option<Timestamp>,
    pub redirect_uris: Vec<String>,
    /// Application permissions of Graph, which become the `roles` of an app-only token.
    pub roles: Vec<String>,
    /// Delegated permissions of Graph.
    pub scopes: Vec<String>,
    /// Whether an administrator consented to both.
    pub consented: bool,
    /// Registered as a public client, which has no secret.
    pub is_public: bool,
    /// People and their app roles in this application, for its own tokens.
    pub assigned_roles: Vec<(Uuid, String)>,
}

impl App {
    /// A web application with everything that an importer needs, consented to.
    pub fn importer(client_id: &str, secret: &str, redirect_uris: &[String]) -> Self {
        let permissions = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            client_id: client_id.to_owned(),
            secret: secret.to_owned(),
            secret_expires: None,
            redirect_uris: redirect_uris.to_vec(),
            roles: permissions(&[
                "DeviceManagementConfiguration.ReadWrite.All",
                "GroupMember.Read.All",
                "User.Read.All",
            ]),
            scopes: permissions(&[
                "DeviceManagementConfiguration.ReadWrite.All",
                "GroupMember.Read.All",
                "User.Read",
                "User.Read.All",
            ]),
            consented: true,
            is_public: false,
            assigned_roles: Vec::new(),
        }
    }

    /// A web application that people only sign in to.
    pub fn sign_in(client_id: &str, secret: &str, redirect_uris: &[String]) -> Self {
        Self {
            roles: Vec::new(),
            scopes: vec!["User.Read".to_owned()],
            ..Self::importer(client_id, secret, redirect_uris)
        }
    }
}

/// What happens when a browser comes to the sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    Automatically {
        oid: Uuid,
        upn: String,
    },
    Refuses {
        /// E.g. `access_denied`.
        error: &'static str,
        text: String,
    },
}

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(jwks))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::authorize))
        .route("/{tenant}/oauth2/v2.0/token", post(token::token))
        .route("/{tenant}/v2.0/adminconsent", get(authorize::admin_consent))
        .with_state(world)
}

/// The names of calls, for counts and faults.
pub(crate) fn call_name(_: &Method, path: &str) -> &'static str {
    match path.split_once('/').and_then(|(_, path)| path.split_once('/')).map(|(_, path)| path) {
        Some("v2.0/.well-known/openid-configuration") => "entra.discovery",
        Some("discovery/v2.0/keys") => "entra.jwks",
        Some("oauth2/v2.0/authorize") => "entra.authorize",
        Some("oauth2/v2.0/token") => "entra.token",
        Some("v2.0/adminconsent") => "entra.adminconsent",
        _ => "entra.other",
    }
}

async fn discovery(State(world): State<Arc<World>>, Path(tenant_name): Path<String>) -> Response {
    let tenant = match tenant(&world, &tenant_name) {
        Ok(tenant) => tenant.id(),
        Err(refusal) => return refusal.into_response(),
    };
    let base = format!("{}/{tenant}", world.entra_url());
    Json(json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
    }))
    .into_response()
}

async fn jwks(State(world): State<Arc<World>>, Path(tenant_name): Path<String>) -> Response {
    match tenant(&world, &tenant_name) {
        Ok(_) => Json(world.keys.jwks()).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn tenant(world: &World, name: &str) -> Result<Arc<Tenant>, Refusal> {
    name.parse().ok().and_then(|id: Uuid| world.tenant(id)).ok_or_else(|| {
        let text = format!(
            "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are \
             signing into the correct cloud."
        );
        Refusal::invalid_request(90_002, text)
    })
}

fn app(tenant: &Tenant, client_id: &str) -> Result<App, Refusal> {
    tenant.app(client_id).ok_or_else(|| {
        let text =
            format!("Application with identifier '{client_id}' was not found in the directory '{}'.", tenant.id());
        Refusal::new("unauthorized_client", 700_016, text)
    })
}

/// Form or query parameters, each at most once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text).into_owned().collect();
        for (place, (name, _)) in pairs.iter().enumerate() {
            if pairs[..place].iter().any(|(before, _)| before == name) {
                let text = format!("The parameter '{name}' is duplicated.");
                return Err(Refusal::invalid_request(9_000_411, text));
            }
        }
        Ok(Self(pairs))
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(found, value)| (found == name).then_some(value.as_str()))
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(name))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
