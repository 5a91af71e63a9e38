//! Private keys between the moment they are made and the moment they are destroyed: always sealed.

use std::collections::HashMap;

use domain::{Enrollment, EnrollmentId, IntegrationId, KeyAlgorithm};
use jiff::{SignedDuration, Timestamp};
use pki::{PrivateKey, SealedBytes, SealingContext};
use ports::{Attachment, DataKey, IntegrationStore, Platform, PlatformError, Vault, WrappedKey};

use crate::Flow;

/// Data keys of the last minutes, so that a batch of messages asks the Vault once.
#[derive(Default)]
pub(crate) struct DataKeys {
    /// For sealing: one per integration.
    sealing: HashMap<IntegrationId, (DataKey, WrappedKey, Timestamp)>,
    /// For opening: by what the Vault wrapped.
    opening: HashMap<(IntegrationId, WrappedKey), (DataKey, Timestamp)>,
}

const DATA_KEY_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// What a row has to hold before anything is bought for it.
pub(crate) struct NewKey {
    /// The attachment [`Attachment::SealedKey`].
    pub(crate) sealed: Vec<u8>,
    /// The key in clear, for the certificate request only; dropped by the caller right after.
    pub(crate) key: PrivateKey,
}

/// Makes a key and seals it for this enrollment.
pub(crate) async fn new_key<P: Platform>(flow: &Flow<P>, row: &Enrollment) -> Result<NewKey, PlatformError> {
    let algorithm = row.key_algorithm;
    let key = generate(algorithm).await?;
    let sealed = seal(flow, row.integration, &context(row.integration, row.id), |data_key, context| {
        pki::seal_private_key(data_key, context, &key)
    })
    .await?;
    Ok(NewKey { sealed, key })
}

/// Opens the key of this enrollment. `None` when it was destroyed.
pub(crate) async fn stored_key<P: Platform>(
    flow: &Flow<P>,
    row: &Enrollment,
) -> Result<Option<PrivateKey>, PlatformError> {
    let rows = flow.rows(row.integration);
    let Some(stored) = rows.attachment(row.id, Attachment::SealedKey).await? else {
        return Ok(None);
    };
    let (data_key, sealed) = unpack(flow, row.integration, &stored).await?;
    let context = context(row.integration, row.id);
    pki::open_private_key(&data_key, &context, &sealed)
        .map(Some)
        .map_err(|problem| PlatformError::new("open a sealed key", problem))
}

/// Seals a short secret of an integration, such as a PKCE verifier.
pub(crate) async fn seal_secret<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    purpose: &'static str,
    secret: &str,
) -> Result<Vec<u8>, PlatformError> {
    let context = SealingContext::of_integration(integration, purpose);
    seal(flow, integration, &context, |data_key, context| pki::seal(data_key, context, secret.as_bytes())).await
}

/// Opens what [`seal_secret`] sealed.
pub(crate) async fn open_secret<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    purpose: &'static str,
    stored: &[u8],
) -> Result<secrecy::SecretString, PlatformError> {
    let (data_key, sealed) = unpack(flow, integration, stored).await?;
    let context = SealingContext::of_integration(integration, purpose);
    let clear = pki::open(&data_key, &context, &sealed)
        .map_err(|problem| PlatformError::new("open a sealed secret", problem))?;
    std::str::from_utf8(&clear)
        .map(secrecy::SecretString::from)
        .map_err(|problem| PlatformError::new("open a sealed secret", problem))
}

fn context(integration: IntegrationId, enrollment: EnrollmentId) -> SealingContext {
    SealingContext::of_enrollment(integration, enrollment, "private-key")
}

/// Key generation takes tens of milliseconds of CPU, too long for the runtime's own threads.
async fn generate(algorithm: KeyAlgorithm) -> Result<PrivateKey, PlatformError> {
    tokio::task::spawn_blocking(move || PrivateKey::generate(algorithm))
        .await
        .map_err(|problem| PlatformError::new("make a key", problem))?
        .map_err(|problem| PlatformError::new("make a key", problem))
}

/// `length of the wrapped key (2 bytes, big-endian) | wrapped data key | sealed bytes`
async fn seal<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    context: &SealingContext,
    work: impl FnOnce(&pki::DataKey, &SealingContext) -> Result<SealedBytes, pki::Error>,
) -> Result<Vec<u8>, PlatformError> {
    let (data_key, wrapped) = sealing_key(flow, integration).await?;
    let sealed =
        work(&for_envelope(&data_key)?, context).map_err(|problem| PlatformError::new("seal a secret", problem))?;
    let length = u16::try_from(wrapped.0.len()).map_err(|problem| PlatformError::new("seal a secret", problem))?;
    let mut stored = length.to_be_bytes().to_vec();
    stored.extend_from_slice(&wrapped.0);
    stored.extend_from_slice(&sealed.to_bytes());
    Ok(stored)
}

async fn unpack<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    stored: &[u8],
) -> Result<(pki::DataKey, SealedBytes), PlatformError> {
    let damaged = || PlatformError::new("read a sealed secret", "the stored bytes are damaged");
    let (length, rest) = stored.split_first_chunk::<2>().ok_or_else(damaged)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (wrapped, sealed) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let data_key = opening_key(flow, integration, WrappedKey(wrapped.to_vec())).await?;
    let sealed =
        SealedBytes::from_bytes(sealed).map_err(|problem| PlatformError::new("read a sealed secret", problem))?;
    Ok((for_envelope(&data_key)?, sealed))
}

/// The same bytes as the room of cryptography names them.
fn for_envelope(key: &DataKey) -> Result<pki::DataKey, PlatformError> {
    pki::DataKey::from_slice(&key.0).map_err(|problem| PlatformError::new("use a data key", problem))
}

async fn sealing_key<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
) -> Result<(DataKey, WrappedKey), PlatformError> {
    let now = flow.now();
    let mut cache = flow.data_keys.lock().await;
    if let Some((key, wrapped, until)) = cache.sealing.get(&integration)
        && now < *until
    {
        return Ok((key.clone(), wrapped.clone()));
    }
    let (key, wrapped) = flow.platform.vault().new_data_key(integration).await?;
    let until = now.saturating_add(DATA_KEY_LIFE).unwrap_or(Timestamp::MAX);
    cache.sealing.insert(integration, (key.clone(), wrapped.clone(), until));
    Ok((key, wrapped))
}

async fn opening_key<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    wrapped: WrappedKey,
) -> Result<DataKey, PlatformError> {
    let now = flow.now();
    let mut cache = flow.data_keys.lock().await;
    cache.opening.retain(|_, (_, until)| now < *until);
    if let Some((key, _)) = cache.opening.get(&(integration, wrapped.clone())) {
        return Ok(key.clone());
    }
    let key = flow.platform.vault().unwrap(integration, &wrapped).await?;
    let until = now.saturating_add(DATA_KEY_LIFE).unwrap_or(Timestamp::MAX);
    cache.opening.insert((integration, wrapped), (key.clone(), until));
    Ok(key)
}
