//! The pages that a browser visits: sign-in and admin consent.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::Uri,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use url::Url;

use super::{
    App, Parameters, SignIn,
    grants::Code,
    refusal::{Refusal, found},
    scope::{Resource, Scopes},
    tenant,
};
use crate::microsoft::{Tenant, World};

/// A sign-in with the authorization code flow and PKCE (Entra docs, v2-oauth2-auth-code-flow).
pub(super) async fn authorize(State(world): State<Arc<World>>, Path(tenant_name): Path<String>, uri: Uri) -> Response {
    let visit = match Visit::begin(&world, &tenant_name, &uri) {
        Ok(visit) => visit,
        // Before the redirect URI is known to be the application's own, nothing is sent there.
        Err(refusal) => {
            world.note_refusal("entra.authorize", &refusal.cause());
            return refusal.page();
        }
    };
    visit.answer(sign_in(&world, &visit), &world, "entra.authorize")
}

/// Consent to everything in the registration (Entra docs, v2-admin-consent).
pub(super) async fn admin_consent(
    State(world): State<Arc<World>>,
    Path(tenant_name): Path<String>,
    uri: Uri,
) -> Response {
    let visit = match Visit::begin(&world, &tenant_name, &uri) {
        Ok(visit) => visit,
        Err(refusal) => {
            world.note_refusal("entra.adminconsent", &refusal.cause());
            return refusal.page();
        }
    };
    let tenant_id = visit.tenant.id().to_string();
    let consented = || {
        let scope = visit.parameters.required("scope")?;
        let scopes = Scopes::parse(scope, &visit.app.client_id, &world)?;
        if let SignIn::Refuses { error, text } = visit.tenant.signs_in() {
            return Err(Refusal::new(error, 65_004, text));
        }
        if scopes.resource != Resource::Graph || !scopes.is_default() {
            let text = "Application permissions need the scope .default.";
            return Err(Refusal::invalid_scope(70_011, text));
        }
        visit.tenant.consent(&visit.app.client_id);
        Ok(vec![("admin_consent", "True".to_owned()), ("tenant", tenant_id), ("scope", scope.to_owned())])
    };
    let mut answer = visit.answer(consented(), &world, "entra.adminconsent");
    if let Some(location) = answer.headers().get("location").and_then(|value| value.to_str().ok())
        && location.contains("error=")
    {
        // Entra says `admin_consent=True` even then, which has fooled many a client.
        let location = format!("{location}&admin_consent=True");
        let location = location.parse().expect("a URL is a header value");
        answer.headers_mut().insert("location", location);
    }
    answer
}

/// A browser that came from an application which is known, with a way back.
struct Visit {
    tenant: Arc<Tenant>,
    app: App,
    redirect_uri: Url,
    parameters: Parameters,
}

impl Visit {
    fn begin(world: &World, tenant_name: &str, uri: &Uri) -> Result<Self, Refusal> {
        if tenant_name == "common" || tenant_name == "organizations" {
            let text = "The application is not configured as a multi-tenant application.";
            return Err(Refusal::invalid_request(50_194, text));
        }
        let tenant = tenant(world, tenant_name)?;
        let parameters = Parameters::parse(uri.query().unwrap_or_default().as_bytes())?;
        if parameters.optional("client_secret").is_some() {
            let text = "A client secret has no place in a browser's address.";
            return Err(Refusal::invalid_request(90_100, text));
        }
        let app = super::app(&tenant, parameters.required("client_id")?)?;
        let asked = parameters.required("redirect_uri")?;
        let mismatch = || {
            let text = format!(
                "The redirect URI '{asked}' specified in the request does not match the redirect \
                 URIs configured for the application '{}'.",
                app.client_id
            );
            Refusal::invalid_request(50_011, text)
        };
        if !app.redirect_uris.iter().any(|registered| registered == asked) {
            return Err(mismatch());
        }
        let redirect_uri = Url::parse(asked).map_err(|_| mismatch())?;
        let is_local = matches!(redirect_uri.host_str(), Some("localhost" | "127.0.0.1"));
        if redirect_uri.scheme() != "https" && !is_local {
            return Err(mismatch());
        }
        Ok(Self { tenant, app, redirect_uri, parameters })
    }

    /// Back to the application, with the state that it sent.
    fn answer(&self, outcome: Result<Vec<(&str, String)>, Refusal>, world: &World, call: &'static str) -> Response {
        let state = self.parameters.optional("state");
        match outcome {
            Ok(mut parameters) => {
                parameters.extend(state.map(|state| ("state", state.to_owned())));
                found(&self.redirect_uri, parameters).into_response()
            }
            Err(refusal) => {
                world.note_refusal(call, &refusal.cause());
                refusal.redirect(&self.redirect_uri, state)
            }
        }
    }
}

fn sign_in<'a>(world: &World, visit: &Visit) -> Result<Vec<(&'a str, String)>, Refusal> {
    let parameters = &visit.parameters;
    if parameters.required("response_type")? != "code" {
        let text = "The response_type is not enabled for the application.";
        return Err(Refusal::new("unsupported_response_type", 700_054, text));
    }
    if parameters.optional("response_mode").is_some_and(|mode| mode != "query") {
        let text = "The response_mode is not supported by this simulation.";
        return Err(Refusal::invalid_request(90_100, text));
    }
    // Both are recommendations of Entra's documentation and musts of RFC 9700.
    let challenge = parameters.required("code_challenge")?;
    if parameters.optional("code_challenge_method") != Some("S256") || challenge.len() != 43 {
        let text = "The code_challenge must be made by S256.";
        return Err(Refusal::invalid_request(50_147, text));
    }
    if parameters.required("state")?.len() < 16 {
        return Err(Refusal::invalid_request(90_100, "The state can be guessed."));
    }
    let scopes = Scopes::parse(parameters.required("scope")?, &visit.app.client_id, world)?;
    let nonce = parameters.optional("nonce");
    if scopes.openid && nonce.is_none() {
        return Err(Refusal::missing("nonce"));
    }
    if !visit.app.consented {
        return Err(unconsented(&visit.app));
    }
    match visit.tenant.signs_in() {
        SignIn::Refuses { error, text } => Err(Refusal::new(error, 65_004, text)),
        SignIn::Automatically { oid, upn } => {
            let code = world.grants.new_code(Code {
                tenant: visit.tenant.id(),
                client_id: visit.app.client_id.clone(),
                redirect_uri: visit.redirect_uri_as_sent(),
                challenge: challenge.to_owned(),
                scopes,
                nonce: nonce.map(str::to_owned),
                oid,
                upn,
                issued: Timestamp::now(),
                used: false,
            });
            Ok(vec![("code", code)])
        }
    }
}

impl Visit {
    /// The token request must repeat it letter by letter.
    fn redirect_uri_as_sent(&self) -> String {
        self.parameters.optional("redirect_uri").unwrap_or_default().to_owned()
    }
}

pub(super) fn unconsented(app: &App) -> Refusal {
    let text =
        format!("The user or administrator has not consented to use the application with ID '{}'.", app.client_id);
    Refusal::new("consent_required", 65_001, text)
}
