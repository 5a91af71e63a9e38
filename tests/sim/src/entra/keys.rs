//! The keys that sign tokens, and the tokens: RS256 JWTs (RFC 7515, RFC 7519).

use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::{
    digest::{SHA256, digest},
    error::Unspecified,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::connector::pkcs1_numbers;

/// The keys of the whole cloud, the newest last. Tokens do not outlive the world, so the keys are
/// not journaled.
pub(crate) struct SigningKeys {
    keys: Mutex<Vec<SigningKey>>,
}

struct SigningKey {
    id: String,
    pair: KeyPair,
}

impl SigningKeys {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        Ok(Self { keys: Mutex::new(vec![SigningKey::generate()?]) })
    }

    /// Signs with a new key from now on. The old ones stay published, as Entra leaves them for
    /// tokens that are still valid.
    pub(crate) fn rotate(&self) -> Result<(), Unspecified> {
        let key = SigningKey::generate()?;
        self.lock().push(key);
        Ok(())
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.lock().iter().map(SigningKey::published).collect();
        json!({ "keys": keys })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let keys = self.lock();
        let key = keys.last().expect("there is a key from the beginning");
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": key.id });
        let mut token = format!("{}.{}", encoded(&header), encoded(claims));
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// The claims of a token that one of these keys signed. Its time is not looked at.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = decoded(header)?;
        if header["alg"] != "RS256" {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let keys = self.lock();
        let key = keys.iter().find(|key| header["kid"] == key.id.as_str())?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.pair.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        decoded(claims)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SigningKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SigningKey {
    fn generate() -> Result<Self, Unspecified> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let id = URL_SAFE_NO_PAD.encode(&digest(&SHA256, pair.public_key().as_ref()).as_ref()[..20]);
        Ok(Self { id, pair })
    }

    fn published(&self) -> Value {
        let numbers = pkcs1_numbers(self.pair.public_key().as_ref());
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.id,
            "x5t": self.id,
            "n": URL_SAFE_NO_PAD.encode(numbers.modulus),
            "e": URL_SAFE_NO_PAD.encode(numbers.exponent),
        })
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_token_stays_good_after_a_rotation_and_a_changed_one_never_is() {
        let keys = SigningKeys::generate().unwrap();
        let claims = json!({ "oid": "1" });
        let token = keys.sign(&claims);
        keys.rotate().unwrap();
        assert_eq!(keys.verify(&token), Some(claims));
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 2);

        let parts: Vec<&str> = token.split('.').collect();
        let forged = encoded(&json!({ "oid": "2" }));
        assert_eq!(keys.verify(&format!("{}.{forged}.{}", parts[0], parts[2])), None);
        let none = encoded(&json!({ "alg": "none" }));
        assert_eq!(keys.verify(&format!("{none}.{forged}.")), None);
        assert_eq!(SigningKeys::generate().unwrap().verify(&token), None);
        for garbage in ["", ".", "..", "a.b.c"] {
            assert_eq!(keys.verify(garbage), None);
        }
    }
}
