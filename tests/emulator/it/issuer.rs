//! The sign-in app's issuer: publishes its keys and signs tokens for operators (RS256; RFC 7515, RFC 7517, RFC 7519).

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{Json, Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const AUDIENCE: &str = "sign-in-app";

pub(crate) struct Issuer {
    url: String,
    key: KeyPair,
    serving: JoinHandle<()>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        // An RSAPublicKey (RFC 8017) of this size ends with the modulus, the head of the exponent (02 03), and 65537.
        let public = key.public_key().as_ref();
        let (modulus, exponent) = public[public.len() - 261..].split_at(256);
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let published = json!({ "keys": [{
            "kid": "1", "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": number(modulus),
            "e": number(&exponent[2..]),
        }] });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/keys", get(async move || Json(published)));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, serving }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A good token of somebody with these app roles.
    pub(crate) fn token(&self, roles: &[&str]) -> String {
        self.token_with(roles, json!({}))
    }

    /// A token that says something else in these claims.
    pub(crate) fn token_with(&self, roles: &[&str], claims: Value) -> String {
        let now = Timestamp::now();
        let second = |after: SignedDuration| (now + after).as_second();
        let mut all = json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "operator", "oid": "5f0c1c9e-6c0a-4a6e-8d53-0d4b8c8a1f11",
            "preferred_username": "operator@contoso.example", "roles": roles,
            "iat": second(SignedDuration::ZERO), "nbf": second(SignedDuration::from_secs(-5)),
            "exp": second(SignedDuration::from_hours(2)),
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "typ": "JWT", "alg": "RS256", "kid": "1" })), part(&all));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
