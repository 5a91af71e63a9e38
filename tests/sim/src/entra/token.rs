//! The token endpoint: authorization codes, refresh tokens and client credentials.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    App, Parameters, app,
    authorize::unconsented,
    grants::{Code, Session},
    refusal::Refusal,
    scope::{Resource, Scopes},
    tenant,
};
use crate::{
    directory::id_from,
    microsoft::{Tenant, World},
};

pub(super) async fn token(
    State(world): State<Arc<World>>,
    Path(tenant_name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer(&world, &tenant_name, &headers, &body) {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response(),
        Err(refusal) => {
            world.note_refusal("entra.token", &refusal.cause());
            refusal.into_response()
        }
    }
}

fn answer(world: &World, tenant_name: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let form = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if form.and_then(|value| value.split(';').next()) != Some("application/x-www-form-urlencoded") {
        let text = "The request body must be application/x-www-form-urlencoded.";
        return Err(Refusal::invalid_request(900_144, text));
    }
    let parameters = Parameters::parse(body)?;
    let grant = parameters.required("grant_type")?;
    if tenant_name == "common" || tenant_name == "organizations" {
        let text = format!("The grant type '{grant}' isn't supported over the /{tenant_name} endpoint.");
        return Err(Refusal::invalid_request(9_001_023, text));
    }
    let tenant = tenant(world, tenant_name)?;
    let app = authenticate(&tenant, headers, &parameters)?;
    let request = TokenRequest { world, tenant: &tenant, app: &app, parameters: &parameters };
    match grant {
        "authorization_code" => request.redeem_code(),
        "refresh_token" => request.refresh(),
        "client_credentials" => request.client_credentials(),
        other => {
            let text = format!("The app requested an unsupported grant type '{other}'.");
            Err(Refusal::new("unsupported_grant_type", 70_003, text))
        }
    }
}

/// Finds out which application asks, by its secret in the form or as HTTP Basic.
fn authenticate(tenant: &Tenant, headers: &HeaderMap, parameters: &Parameters) -> Result<App, Refusal> {
    let basic = headers.get(header::AUTHORIZATION).map(|value| {
        value
            .to_str()
            .ok()
            .and_then(basic_credentials)
            .ok_or_else(|| Refusal::invalid_client(7_000_218, "The Authorization header is unreadable."))
    });
    let (client_id, secret) = match basic.transpose()? {
        Some(_) if parameters.optional("client_secret").is_some() => {
            let text = "The client authenticates in two ways at once.";
            return Err(Refusal::invalid_request(7_000_218, text));
        }
        Some((client_id, secret)) => (client_id, Some(secret)),
        None => (parameters.required("client_id")?.to_owned(), parameters.optional("client_secret").map(str::to_owned)),
    };
    let app = app(tenant, &client_id)?;
    if app.is_public {
        let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return Err(Refusal::invalid_client(700_025, text));
    }
    if headers.contains_key(header::ORIGIN) {
        let text = "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.";
        return Err(Refusal::invalid_request(9_002_326, text));
    }
    let Some(secret) = secret else {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(Refusal::invalid_client(7_000_218, text));
    };
    if secret != app.secret {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client \
             secret value, not the client secret ID, for a secret added to app '{client_id}'."
        );
        return Err(Refusal::invalid_client(7_000_215, text));
    }
    if app.secret_expires.is_some_and(|end| end <= Timestamp::now()) {
        let text = format!("The provided client secret keys for app '{client_id}' are expired.");
        return Err(Refusal::invalid_client(7_000_222, text));
    }
    Ok(app)
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
fn basic_credentials(header: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (client_id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let mut pairs = url::form_urlencoded::parse(part.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned())
    };
    Some((decode(client_id)?, decode(secret)?))
}

struct TokenRequest<'a> {
    world: &'a World,
    tenant: &'a Tenant,
    app: &'a App,
    parameters: &'a Parameters,
}

impl TokenRequest<'_> {
    fn redeem_code(&self) -> Result<Value, Refusal> {
        let text = self.parameters.required("code")?;
        let redirect_uri = self.parameters.required("redirect_uri")?;
        let malformed = || Refusal::invalid_grant(9_002_313, "The authorization code is malformed.");
        let code = self.world.grants.use_code(text).ok_or_else(malformed)?;
        self.check_code(&code, redirect_uri)?;
        self.check_narrowed(&code.scopes)?;
        let session = Session {
            tenant: code.tenant,
            client_id: code.client_id,
            scopes: code.scopes,
            oid: code.oid,
            upn: code.upn,
            revoked: false,
        };
        self.delegated(session, code.nonce.as_deref())
    }

    fn check_code(&self, code: &Code, redirect_uri: &str) -> Result<(), Refusal> {
        if code.client_id != self.app.client_id || code.tenant != self.tenant.id() {
            let text = "The authorization code was issued to another client or tenant.";
            return Err(Refusal::invalid_grant(700_005, text));
        }
        if code.used {
            let text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code.";
            return Err(Refusal::invalid_grant(54_005, text));
        }
        let lifetime = self.world.behaviour().code_lifetime;
        if Timestamp::now() >= code.issued + lifetime {
            let text = "The provided authorization code has expired due to inactivity.";
            return Err(Refusal::invalid_grant(70_008, text));
        }
        if code.redirect_uri != redirect_uri {
            let text = "The reply address does not match the reply address provided when requesting the code.";
            return Err(Refusal::invalid_grant(50_011, text));
        }
        let verifier = self.parameters.optional("code_verifier").unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        // RFC 7636 section 4.1: 43 to 128 characters.
        if !(43..=128).contains(&verifier.len()) || challenge != code.challenge {
            let text = "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
            return Err(Refusal::invalid_grant(501_481, text));
        }
        Ok(())
    }

    fn refresh(&self) -> Result<Value, Refusal> {
        let text = self.parameters.required("refresh_token")?;
        let malformed = || Refusal::invalid_grant(9_002_313, "The refresh token is malformed.");
        let session = self.world.grants.session(text).ok_or_else(malformed)?;
        if session.client_id != self.app.client_id || session.tenant != self.tenant.id() {
            let text = "The refresh token was issued to another client or tenant.";
            return Err(Refusal::invalid_grant(70_000, text));
        }
        if session.revoked {
            let text = "The refresh token has expired due to inactivity.";
            return Err(Refusal::invalid_grant(700_082, text));
        }
        if !self.app.consented {
            return Err(unconsented_grant(self.app));
        }
        self.check_narrowed(&session.scopes)?;
        self.delegated(session, None)
    }

    fn client_credentials(&self) -> Result<Value, Refusal> {
        let scope = self.parameters.required("scope")?;
        let scopes = Scopes::parse(scope, &self.app.client_id, self.world)?;
        if !scopes.is_default() || scopes.openid || scopes.offline_access {
            let text = format!(
                "The provided request must include a 'scope' input parameter ending in /.default. \
                 The scope '{scope}' is not valid."
            );
            return Err(Refusal::invalid_scope(1_002_012, text));
        }
        let lifetime = self.world.behaviour().access_token_lifetime.as_secs();
        // Without consent Entra gives a token all the same; it has no roles.
        let roles = match scopes.resource {
            Resource::Graph if self.app.consented => self.app.roles.clone(),
            Resource::Graph | Resource::Own => Vec::new(),
        };
        let mut claims = self.claims(&scopes.resource);
        let service_principal = format!("{} in {}", self.app.client_id, self.tenant.id());
        claims["oid"] = id_from(&service_principal).to_string().into();
        claims["idtyp"] = "app".into();
        if !roles.is_empty() {
            claims["roles"] = roles.into();
        }
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": self.world.keys.sign(&claims),
        }))
    }

    /// The scope of a token request may leave out, and not add, what was asked for at sign-in.
    fn check_narrowed(&self, granted: &Scopes) -> Result<(), Refusal> {
        let Some(scope) = self.parameters.optional("scope") else { return Ok(()) };
        let asked = Scopes::parse(scope, &self.app.client_id, self.world)?;
        let mut permissions = asked.permissions.iter();
        if permissions.all(|permission| granted.permissions.contains(permission)) {
            return Ok(());
        }
        let text = "The scope requested is not part of what was signed in for.";
        Err(Refusal::invalid_grant(70_000, text))
    }

    fn delegated(&self, session: Session, nonce: Option<&str>) -> Result<Value, Refusal> {
        let held = &self.app.scopes;
        let scopes = &session.scopes;
        let asked = if scopes.is_default() { held } else { &scopes.permissions };
        if scopes.resource == Resource::Graph && asked.iter().any(|one| !held.contains(one)) {
            return Err(unconsented_grant(self.app));
        }
        let mut scope = asked.clone();
        for (wanted, name) in [(scopes.openid, "openid"), (scopes.openid, "profile")] {
            scope.extend(wanted.then(|| name.to_owned()));
        }
        let lifetime = self.world.behaviour().access_token_lifetime.as_secs();
        let mut claims = self.claims(&scopes.resource);
        self.describe_person(&mut claims, &session);
        claims["scp"] = scope.join(" ").into();
        let mut body = json!({
            "token_type": "Bearer",
            "scope": scope.join(" "),
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": self.world.keys.sign(&claims),
        });
        if scopes.openid {
            let mut claims = self.claims(&Resource::Own);
            self.describe_person(&mut claims, &session);
            if let Some(nonce) = nonce {
                claims["nonce"] = nonce.into();
            }
            body["id_token"] = self.world.keys.sign(&claims).into();
        }
        if scopes.offline_access {
            body["refresh_token"] = self.world.grants.new_refresh_token(session).into();
        }
        Ok(body)
    }

    fn claims(&self, resource: &Resource) -> Value {
        let now = Timestamp::now().as_second();
        let lifetime = self.world.behaviour().access_token_lifetime.as_secs();
        let tenant = self.tenant.id();
        json!({
            "aud": match resource {
                Resource::Graph => self.world.graph_audience(),
                Resource::Own => &self.app.client_id,
            },
            "iss": format!("{}/{tenant}/v2.0", self.world.entra_url()),
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add_unsigned(lifetime),
            "appid": self.app.client_id,
            "azp": self.app.client_id,
            "tid": tenant,
            "ver": "2.0",
        })
    }

    fn describe_person(&self, claims: &mut Value, session: &Session) {
        let person = self.tenant.directory().person(session.oid);
        let name = person.map_or_else(|| session.upn.clone(), |person| person.display_name);
        claims["oid"] = session.oid.to_string().into();
        // Pairwise: another application sees another subject.
        let subject = format!("{} of {}", session.oid, self.app.client_id);
        claims["sub"] = id_from(&subject).to_string().into();
        claims["name"] = name.into();
        claims["preferred_username"] = session.upn.clone().into();
        let roles = self.app.assigned_roles.iter().filter(|(oid, _)| *oid == session.oid);
        let roles: Vec<&str> = roles.map(|(_, role)| role.as_str()).collect();
        // App roles are of the application's own tokens, not of Graph's.
        if !roles.is_empty() && claims["aud"] == self.app.client_id.as_str() {
            claims["roles"] = roles.into();
        }
    }
}

fn unconsented_grant(app: &App) -> Refusal {
    Refusal::invalid_grant(65_001, unconsented(app).cause())
}
