//! Where secrets and the keys over private keys are.

use std::fmt;

use domain::IntegrationId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::PlatformError;

/// Each integration's secrets are two, so that who talks to Graph cannot buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// The client secret of the integration's Entra app, as it is.
    Entra,
    /// JSON: `{"account_key": "...", "secret_key": "..."}`.
    SslCom,
}

impl SecretKind {
    /// The last part of the secret's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::SslCom => "sslcom",
        }
    }
}

/// 256 bits that seal private keys. The envelope in `pki` uses it; the Vault only makes and unwraps it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey(pub [u8; 32]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// A data key as the Vault wrapped it. Stored beside what it seals; useless without the Vault.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WrappedKey(pub Vec<u8>);

/// Keeps secrets, and makes and unwraps data keys bound to one integration.
pub trait Vault: Clone + Send + Sync + 'static {
    /// `None` when it was never stored. May answer from a cache a few minutes old.
    fn secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> impl Future<Output = Result<Option<SecretString>, PlatformError>> + Send;

    /// As [`Vault::secret`] but never from a cache: for after a vendor refused what the cache gave.
    fn fresh_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> impl Future<Output = Result<Option<SecretString>, PlatformError>> + Send;

    fn put_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
        value: SecretString,
    ) -> impl Future<Output = Result<(), PlatformError>> + Send;

    fn new_data_key(
        &self,
        integration: IntegrationId,
    ) -> impl Future<Output = Result<(DataKey, WrappedKey), PlatformError>> + Send;

    /// Fails when the key was wrapped for another integration.
    fn unwrap(
        &self,
        integration: IntegrationId,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = Result<DataKey, PlatformError>> + Send;
}
