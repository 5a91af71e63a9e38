//! Proof of who signed in: the ID token against the tenant's published keys (OpenID Connect Core, 3.1.3.7).
//!
//! Only RS256, only keys and issuer from the tenant's own discovery document, only for this app, tenant and nonce.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{Jwk, PublicKeyUse},
};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::{App, Entra};
use crate::{Error, cloud::is_protected};

/// Why an ID token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    #[error("there is none")]
    Missing,
    #[error("it is not a JWT with the documented claims")]
    Malformed,
    #[error("it is not signed with RS256")]
    Algorithm,
    #[error("it is signed with a key that the tenant does not publish")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("its issuer is not the tenant")]
    Issuer,
    #[error("it is for another app")]
    Audience,
    #[error("it is of another tenant")]
    Tenant,
    #[error("it is the answer to another sign-in")]
    Nonce,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
}

/// How far the clocks may differ, in seconds.
const LEEWAY: i64 = 5 * 60;

/// After this the keys are read again, so that a withdrawn one does not live on.
const KEYS_LAST: SignedDuration = SignedDuration::from_hours(24);

/// The signing keys per tenant, as last read.
pub(super) type Cache = Mutex<HashMap<Uuid, Arc<SigningKeys>>>;

pub(super) struct SigningKeys {
    issuer: String,
    keys: Vec<Jwk>,
    read_at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct Claims {
    exp: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    pub(super) oid: Uuid,
    pub(super) tid: Uuid,
    pub(super) name: Option<String>,
    pub(super) preferred_username: Option<String>,
    #[serde(default)]
    pub(super) roles: Option<Vec<String>>,
}

impl Entra {
    pub(super) async fn verify_id_token(
        &self,
        app: &App,
        id_token: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Claims, Error> {
        let header = decode_header(id_token).map_err(|error| Error::IdToken(fault(error.kind())))?;
        if header.alg != Algorithm::RS256 {
            return Err(Error::IdToken(IdTokenFault::Algorithm));
        }
        let key_id = header.kid.ok_or(Error::IdToken(IdTokenFault::UnknownKey))?;
        let kept = self.kept_signing_keys(app.tenant_id, now);
        let keys = match kept.filter(|keys| keys.find(&key_id).is_some()) {
            Some(keys) => keys,
            // Keys are rolled without notice (Entra docs, "Signing key rollover").
            None => self.read_signing_keys(app.tenant_id, now).await?,
        };
        keys.verify(id_token, &key_id, app, nonce, now).map_err(Error::IdToken)
    }

    fn kept_signing_keys(&self, tenant_id: Uuid, now: Timestamp) -> Option<Arc<SigningKeys>> {
        let kept = self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&tenant_id).filter(|keys| now.duration_since(keys.read_at) < KEYS_LAST).cloned()
    }

    async fn read_signing_keys(&self, tenant_id: Uuid, now: Timestamp) -> Result<Arc<SigningKeys>, Error> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: Url,
        }
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<serde_json::Value>,
        }

        const DISCOVERY: &str = "reading the OpenID configuration";
        const KEYS: &str = "reading the signing keys";
        let url = self.tenant_url(tenant_id, ["v2.0", ".well-known", "openid-configuration"]);
        let Discovery { issuer, jwks_uri } = self.read(DISCOVERY, url).await?;
        if !names_tenant(&issuer, tenant_id) {
            return Err(Error::IdToken(IdTokenFault::Issuer));
        }
        if !is_protected(&jwks_uri) {
            return Err(Error::Unreadable {
                request: DISCOVERY,
                reason: "it names an unprotected address for the keys",
            });
        }
        let KeySet { keys } = self.read(KEYS, jwks_uri).await?;
        let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let read = Arc::new(SigningKeys { issuer, keys, read_at: now });
        self.signing_keys.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant_id, Arc::clone(&read));
        Ok(read)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, name: &'static str, url: Url) -> Result<T, Error> {
        let answered = self.ask(name, Request::new(Method::GET, url), &[]).await?;
        serde_json::from_slice(&answered.body)
            .map_err(|_| Error::Unreadable { request: name, reason: "it is not the documented JSON" })
    }
}

impl SigningKeys {
    fn find(&self, key_id: &str) -> Option<&Jwk> {
        let signs = |key: &&Jwk| key.common.public_key_use != Some(PublicKeyUse::Encryption);
        self.keys.iter().filter(signs).find(|key| key.common.key_id.as_deref() == Some(key_id))
    }

    fn verify(
        &self,
        id_token: &str,
        key_id: &str,
        app: &App,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Claims, IdTokenFault> {
        let key = self.find(key_id).ok_or(IdTokenFault::UnknownKey)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| IdTokenFault::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[app.client_id]);
        validation.set_required_spec_claims(&["aud", "iss"]);
        // The library would ask the machine's clock; `now` is compared below.
        validation.validate_exp = false;
        let claims: Claims = decode(id_token, &key, &validation).map_err(|error| fault(error.kind()))?.claims;

        let now = now.as_second();
        if claims.tid != app.tenant_id {
            Err(IdTokenFault::Tenant)
        } else if claims.nonce.as_deref() != Some(nonce) {
            Err(IdTokenFault::Nonce)
        } else if claims.exp.saturating_add(LEEWAY) <= now {
            Err(IdTokenFault::Expired)
        } else if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > now) {
            Err(IdTokenFault::NotYetValid)
        } else {
            Ok(claims)
        }
    }
}

/// With a tenant id in its path, discovery returns the issuer verbatim; the documents of `common` hold a placeholder.
fn names_tenant(issuer: &str, tenant_id: Uuid) -> bool {
    let tenant_id = tenant_id.to_string();
    issuer.split('/').any(|segment| segment == tenant_id)
}

fn fault(kind: &ErrorKind) -> IdTokenFault {
    match kind {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            IdTokenFault::Algorithm
        }
        ErrorKind::InvalidAudience => IdTokenFault::Audience,
        ErrorKind::InvalidIssuer => IdTokenFault::Issuer,
        ErrorKind::InvalidSignature => IdTokenFault::Signature,
        _ => IdTokenFault::Malformed,
    }
}
