//! The token endpoint: redeem a code, renew a sign-in, get a token for the app itself.
//!
//! Tokens leave as [`SecretString`] with the time at which they end, counted from the `now` that was passed in.

use std::{borrow::Cow, fmt, pin::Pin};

use jiff::{SignedDuration, Timestamp};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use super::{App, Entra, IdTokenFault};
use crate::Error;

/// A token of the app itself.
#[derive(Debug, Clone)]
pub struct AppToken {
    pub access: SecretString,
    pub expires_at: Timestamp,
    /// The application permissions granted, in no order. A token may be issued without any. Read for display and for
    /// preflight: what Graph accepts is for Graph to say. Empty also when the token is not a readable JWT.
    pub roles: Vec<String>,
}

/// Tokens on behalf of whoever signed in.
#[derive(Debug, Clone)]
pub struct Delegated {
    pub access: SecretString,
    /// Replaces the one before it, which is to be discarded. `None` unless `offline_access` was asked for.
    pub refresh: Option<SecretString>,
    pub expires_at: Timestamp,
    /// What was granted, which may be less than was asked for.
    pub scopes: Vec<String>,
}

/// Who signed in, proved by an ID token. A person is `object_id` in `tenant_id`; names and addresses may be reassigned.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub object_id: Uuid,
    pub tenant_id: Uuid,
    pub name: Option<String>,
    pub preferred_username: Option<String>,
    /// The app roles assigned to this person.
    pub roles: Vec<String>,
    pub tokens: Delegated,
}

/// Longer than any access token lives (28 hours with continuous access evaluation).
const LONGEST_LIFE: u64 = 2 * 24 * 60 * 60;

impl Entra {
    /// Ends a sign-in begun by [`Entra::start_authorize`]. A code works once, so after an unclear answer the sign-in
    /// starts again.
    ///
    /// # Errors
    /// [`Error::IdToken`] when it is not proved that somebody of `app`'s tenant signed in for `nonce`; else as
    /// [`Entra::app_token`].
    pub async fn redeem(
        &self,
        app: &App,
        redirect_uri: &Url,
        code: &SecretString,
        verifier: &SecretString,
        nonce: &str,
        now: Timestamp,
    ) -> Result<SignedIn, Error> {
        const NAME: &str = "redeeming the code of a sign-in";
        let endpoint = self.token_endpoint(NAME, app, [code, verifier]);
        let answer = self
            .oauth(app)
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect_uri.clone())))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose_secret().to_owned()))
            .request_async(&endpoint)
            .await
            .map_err(|error| token_error(NAME, error))?;
        let id_token = answer.extra_fields().id_token.as_deref().ok_or(Error::IdToken(IdTokenFault::Missing))?;
        let claims = self.verify_id_token(app, id_token, nonce, now).await?;
        Ok(SignedIn {
            object_id: claims.oid,
            tenant_id: claims.tid,
            name: claims.name,
            preferred_username: claims.preferred_username,
            roles: claims.roles.unwrap_or_default(),
            tokens: delegated(&answer, now),
        })
    }

    /// Renews a sign-in without the person. The answer's refresh token is the one to keep.
    ///
    /// # Errors
    /// As [`Entra::app_token`]; a refusal with [`super::Decision::SignInAgain`] means that the sign-in has ended.
    pub async fn refresh(
        &self,
        app: &App,
        refresh_token: &SecretString,
        scopes: &[&str],
        now: Timestamp,
    ) -> Result<Delegated, Error> {
        const NAME: &str = "renewing a sign-in";
        let endpoint = self.token_endpoint(NAME, app, [refresh_token]);
        let answer = self
            .oauth(app)
            .exchange_refresh_token(&RefreshToken::new(refresh_token.expose_secret().to_owned()))
            .add_scopes(scopes.iter().map(|&scope| Scope::new(scope.to_owned())))
            .request_async(&endpoint)
            .await
            .map_err(|error| token_error(NAME, error))?;
        let renewed = delegated(&answer, now);
        // RFC 6749, 6: without a new one the old one stays in use.
        Ok(Delegated { refresh: renewed.refresh.or_else(|| Some(refresh_token.clone())), ..renewed })
    }

    /// A token by client credentials, for everything that was granted to the app on Graph.
    ///
    /// # Errors
    /// [`Error::Entra`] when Entra ID refuses, [`Error::Throttled`] when it asks to wait, [`Error::NotSent`],
    /// [`Error::Unclear`] or [`Error::Unreadable`] when no usable answer came; each may be asked again later.
    pub async fn app_token(&self, app: &App, now: Timestamp) -> Result<AppToken, Error> {
        const NAME: &str = "getting a token for the app";
        let endpoint = self.token_endpoint(NAME, app, []);
        let answer = self
            .oauth(app)
            .exchange_client_credentials()
            .add_scope(Scope::new(self.graph_default_scope.clone()))
            .request_async(&endpoint)
            .await
            .map_err(|error| token_error(NAME, error))?;
        Ok(AppToken {
            roles: roles(answer.access_token().secret()),
            access: answer.access_token().secret().as_str().into(),
            expires_at: end(&answer, now),
        })
    }

    pub(super) fn oauth(&self, app: &App) -> OAuthClient {
        Client::new(ClientId::new(app.client_id.to_string()))
            .set_client_secret(ClientSecret::new(app.client_secret.expose_secret().to_owned()))
            // The discovery document lists client_secret_post; Basic would need another round of encoding.
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(self.tenant_url(app.tenant_id, ["oauth2", "v2.0", "authorize"])))
            .set_token_uri(TokenUrl::from_url(self.tenant_url(app.tenant_id, ["oauth2", "v2.0", "token"])))
    }

    /// `secrets` are sent beside the app's own.
    fn token_endpoint<'a>(
        &'a self,
        request: &'static str,
        app: &'a App,
        secrets: impl IntoIterator<Item = &'a SecretString>,
    ) -> TokenEndpoint<'a> {
        let secrets = secrets.into_iter().chain([&app.client_secret]).map(ExposeSecret::expose_secret).collect();
        TokenEndpoint { entra: self, request, secrets }
    }
}

/// How `oauth2` sends its requests. A closure would do, were its future known to be `Send`.
struct TokenEndpoint<'a> {
    entra: &'a Entra,
    request: &'static str,
    secrets: Vec<&'a str>,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.try_into().map_err(|source| Error::unanswered(self.request, None, source))?;
            let answered = self.entra.ask(self.request, request, &self.secrets).await?;
            let mut response = HttpResponse::new(answered.body);
            *response.headers_mut() = answered.headers;
            Ok(response)
        })
    }
}

pub(super) type OAuthClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

type TokenAnswer = StandardTokenResponse<WithIdToken, BasicTokenType>;

#[derive(Serialize, Deserialize)]
pub(super) struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

impl fmt::Debug for WithIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithIdToken").finish_non_exhaustive()
    }
}

/// A parse error of `oauth2` holds the whole body, tokens included; it stops here.
fn token_error(request: &'static str, error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::Unreadable { request, reason: "it is not a token answer" }
        }
    }
}

fn delegated(answer: &TokenAnswer, now: Timestamp) -> Delegated {
    Delegated {
        access: answer.access_token().secret().as_str().into(),
        refresh: answer.refresh_token().map(|token| token.secret().as_str().into()),
        expires_at: end(answer, now),
        scopes: answer.scopes().into_iter().flatten().map(|scope| scope.to_string()).collect(),
    }
}

/// Without `expires_in` the token counts as ended, so it is used at once and never kept.
fn end(answer: &TokenAnswer, now: Timestamp) -> Timestamp {
    let life = answer.expires_in().map_or(0, |life| life.as_secs().min(LONGEST_LIFE));
    now.saturating_add(SignedDuration::from_secs(i64::try_from(life).unwrap_or(0))).unwrap_or(now)
}

fn roles(access_token: &str) -> Vec<String> {
    #[derive(Default, Deserialize)]
    struct Claims {
        #[serde(default)]
        roles: Vec<String>,
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(access_token).unwrap_or_default().roles
}
