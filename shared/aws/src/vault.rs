//! [`Vault`] over Secrets Manager, which has the secrets, and KMS, which makes and unwraps data keys.
//!
//! A data key is bound to stage and integration by its encryption context: KMS refuses to unwrap it for another one, and
//! each function's role says in which context it may ask.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_kms::{primitives::Blob, types::DataKeySpec};
use aws_sdk_secretsmanager::types::Tag;
use domain::IntegrationId;
use jiff::{SignedDuration, Timestamp};
use ports::{Clock, DataKey, PlatformError, SecretKind, Vault, WrappedKey};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long a secret is used before it is read again. After a vendor refused one it is read at once.
const CACHED: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone)]
pub struct AwsVault {
    secrets: aws_sdk_secretsmanager::Client,
    kms: aws_sdk_kms::Client,
    stage: Arc<str>,
    data_key: Arc<str>,
    clock: Clock,
    cache: Arc<Mutex<Cache>>,
}

#[derive(Default)]
struct Cache {
    secrets: HashMap<(IntegrationId, SecretKind), (SecretString, Timestamp)>,
    /// Counted up by every write, so that a reader that began before it does not put the old secret back.
    writes: u64,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl AwsVault {
    /// `data_key` is the ARN of the KMS key that wraps data keys.
    pub fn new(
        secrets: aws_sdk_secretsmanager::Client,
        kms: aws_sdk_kms::Client,
        stage: &str,
        data_key: &str,
        clock: Clock,
    ) -> Self {
        Self { secrets, kms, stage: stage.into(), data_key: data_key.into(), clock, cache: Arc::default() }
    }

    fn name(&self, integration: IntegrationId, kind: SecretKind) -> String {
        format!("{}/{integration}/{}", self.stage, kind.as_str())
    }

    fn context(&self, integration: IntegrationId) -> HashMap<String, String> {
        HashMap::from([
            ("stage".to_owned(), self.stage.to_string()),
            ("integration".to_owned(), integration.to_string()),
        ])
    }

    /// The cache is whole after a panic: each change of it is one assignment.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, integration: IntegrationId, kind: SecretKind) -> Option<SecretString> {
        let now = (self.clock)();
        let cache = self.cache();
        let (secret, until) = cache.secrets.get(&(integration, kind))?;
        (now < *until).then(|| secret.clone())
    }

    async fn read(&self, integration: IntegrationId, kind: SecretKind) -> Result<Option<SecretString>, Fault> {
        let writes = self.cache().writes;
        let read = self.secrets.get_secret_value().secret_id(self.name(integration, kind)).send().await;
        let read = match read {
            Ok(read) => read,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let secret = SecretString::from(read.secret_string.ok_or("the secret is binary; it has to be text")?);
        let mut cache = self.cache();
        if cache.writes == writes {
            let until = (self.clock)().saturating_add(CACHED).unwrap_or(Timestamp::MAX);
            cache.secrets.insert((integration, kind), (secret.clone(), until));
        }
        Ok(Some(secret))
    }

    async fn write(&self, integration: IntegrationId, kind: SecretKind, value: &SecretString) -> Result<(), Fault> {
        let name = self.name(integration, kind);
        // The token makes a repeated request the same write, and a new one another.
        let put = || self.secrets.put_secret_value().client_request_token(Uuid::new_v4().to_string()).secret_id(&name);
        match put().secret_string(value.expose_secret()).send().await {
            Ok(_) => return Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {}
            Err(error) => return Err(error.into()),
        }
        let tag = Tag::builder().key("stage").value(&*self.stage).build();
        let created = self
            .secrets
            .create_secret()
            .name(&name)
            .description("Of an integration of intune-smime")
            .client_request_token(Uuid::new_v4().to_string())
            .secret_string(value.expose_secret())
            .tags(tag)
            .send()
            .await;
        match created {
            Ok(_) => Ok(()),
            // Somebody else was quicker; the later value counts.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
                put().secret_string(value.expose_secret()).send().await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn generate(&self, integration: IntegrationId) -> Result<(DataKey, WrappedKey), Fault> {
        let generated = self
            .kms
            .generate_data_key()
            .key_id(&*self.data_key)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(self.context(integration)))
            .send()
            .await?;
        let key = data_key(generated.plaintext)?;
        let wrapped = generated.ciphertext_blob.ok_or("KMS sent no wrapped key")?;
        Ok((key, WrappedKey(wrapped.into_inner())))
    }

    async fn decrypt(&self, integration: IntegrationId, wrapped: &WrappedKey) -> Result<DataKey, Fault> {
        let decrypted = self
            .kms
            .decrypt()
            .key_id(&*self.data_key)
            .ciphertext_blob(Blob::new(wrapped.0.clone()))
            .set_encryption_context(Some(self.context(integration)))
            .send()
            .await?;
        data_key(decrypted.plaintext)
    }
}

fn data_key(plaintext: Option<Blob>) -> Result<DataKey, Fault> {
    let bytes = Zeroizing::new(plaintext.ok_or("KMS sent no key")?.into_inner());
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| "KMS sent a key of another length")?;
    Ok(DataKey(key))
}

fn failed(doing: &'static str) -> impl FnOnce(Fault) -> PlatformError {
    move |fault| PlatformError::new(doing, fault)
}

impl Vault for AwsVault {
    async fn secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> Result<Option<SecretString>, PlatformError> {
        match self.cached(integration, kind) {
            Some(secret) => Ok(Some(secret)),
            None => self.fresh_secret(integration, kind).await,
        }
    }

    async fn fresh_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> Result<Option<SecretString>, PlatformError> {
        self.read(integration, kind).await.map_err(failed("read a secret"))
    }

    async fn put_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
        value: SecretString,
    ) -> Result<(), PlatformError> {
        let written = self.write(integration, kind, &value).await.map_err(failed("store a secret"));
        let mut cache = self.cache();
        cache.writes += 1;
        cache.secrets.remove(&(integration, kind));
        written
    }

    async fn new_data_key(&self, integration: IntegrationId) -> Result<(DataKey, WrappedKey), PlatformError> {
        self.generate(integration).await.map_err(failed("make a data key"))
    }

    async fn unwrap(&self, integration: IntegrationId, wrapped: &WrappedKey) -> Result<DataKey, PlatformError> {
        self.decrypt(integration, wrapped).await.map_err(failed("unwrap a data key"))
    }
}
