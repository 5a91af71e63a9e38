//! The addresses to which a browser is sent: sign-in with S256 PKCE, and admin consent.

use std::{borrow::Cow, fmt};

use oauth2::{CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{App, Entra};

/// A sign-in that was begun. All but the address stays on the server until the callback.
pub struct Authorization {
    /// Where the browser goes. Its query holds the state.
    pub url: Url,
    /// Comes back with the code; to be bound to the browser.
    pub state: SecretString,
    /// Comes back inside the ID token.
    pub nonce: String,
    /// Proves at redemption that the code was asked for here (RFC 7636).
    pub verifier: SecretString,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").field("url", &self.url.path()).finish_non_exhaustive()
    }
}

impl Entra {
    /// Begins the authorization code flow. `openid` and `profile` are always asked for; `scopes` is what is wanted
    /// beside them, of one resource only (Entra docs, "OAuth 2.0 authorization code flow").
    pub fn start_authorize(&self, app: &App, redirect_uri: &Url, scopes: &[&str]) -> Authorization {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(32).into_secret();
        let client = self.oauth(app);
        let (url, state) = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect_uri.clone())))
            .add_scopes(["openid", "profile"].iter().chain(scopes).map(|&scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .add_extra_param("response_mode", "query")
            .add_extra_param("nonce", &nonce)
            .add_extra_param("prompt", "select_account")
            .url();
        Authorization { url, state: state.into_secret().into(), nonce, verifier: verifier.into_secret().into() }
    }

    /// Where an administrator approves everything in the registration. A convenience beside the portal's own button.
    pub fn admin_consent_url(&self, app: &App, redirect_uri: &Url, state: &SecretString) -> Url {
        let mut url = self.tenant_url(app.tenant_id, ["v2.0", "adminconsent"]);
        url.query_pairs_mut()
            .append_pair("client_id", &app.client_id.to_string())
            // Only this scope covers application permissions (Entra docs, "Admin consent on the Microsoft identity platform").
            .append_pair("scope", &self.graph_default_scope)
            .append_pair("redirect_uri", redirect_uri.as_str())
            .append_pair("state", state.expose_secret());
        url
    }
}
