//! [`Vault`] over a key file: its 32 bytes wrap the data keys and seal the secrets' rows in the database.
//!
//! The file is readable by its owner alone or the platform does not open. Nothing is on the disk in clear but that key.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::IntegrationId;
use jiff::{SignedDuration, Timestamp};
use pki::{SealedBytes, SealingContext};
use ports::{Clock, DataKey, PlatformError, SecretKind, Vault, WrappedKey};
use rusqlite::{Connection, params};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    OpenError,
    columns::Text,
    database::{Database, Outcome},
    private_file,
    statement::{execute, first},
};

#[derive(Clone)]
pub struct LocalVault {
    database: Database,
    key: Arc<VaultKey>,
    clock: Clock,
    cache: Arc<Mutex<Cache>>,
}

/// The key of the key file. It wraps data keys and seals secrets, each bound to what it is and whose it is.
pub(super) struct VaultKey(pki::DataKey);

#[derive(Default)]
struct Cache {
    secrets: HashMap<(IntegrationId, SecretKind), (SecretString, Timestamp)>,
    /// Counted up by every write, so that a reader that began before it does not put the old secret back.
    writes: u64,
}

impl VaultKey {
    /// Reads the key file, or makes it where the database has never had one.
    pub(super) fn open(path: &Path, connection: &Connection) -> Result<Self, OpenError> {
        let check =
            first(
                connection,
                "SELECT sealed FROM vault_check WHERE only = 1",
                &[],
                |row| Ok(row.get::<_, Vec<u8>>(0)?),
            )
            .map_err(OpenError::Damaged)?;
        let key = match (read_key(path)?, &check) {
            (Some(key), _) => key,
            (None, None) => create_key(path)?,
            (None, Some(_)) => {
                return Err(OpenError::KeyMissing { path: path.to_owned() });
            }
        };
        match check {
            Some(sealed) => key.open_check(&sealed).map_err(|_| OpenError::KeyOfAnother { path: path.to_owned() })?,
            None => key.write_check(connection).map_err(OpenError::Damaged)?,
        }
        Ok(key)
    }

    fn seal(&self, context: &SealingContext, plaintext: &[u8]) -> Outcome<Vec<u8>> {
        Ok(pki::seal(&self.0, context, plaintext)?.to_bytes())
    }

    fn unseal(&self, context: &SealingContext, sealed: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        Ok(pki::open(&self.0, context, &SealedBytes::from_bytes(sealed)?)?)
    }

    fn write_check(&self, connection: &Connection) -> Outcome<()> {
        let sealed = self.seal(&check_context(), b"")?;
        execute(connection, "INSERT INTO vault_check (only, sealed) VALUES (1, ?1)", params![sealed])?;
        Ok(())
    }

    fn open_check(&self, sealed: &[u8]) -> Outcome<()> {
        self.unseal(&check_context(), sealed).map(drop)
    }
}

impl LocalVault {
    pub(super) fn new(database: Database, key: VaultKey, clock: Clock) -> Self {
        Self { database, key: Arc::new(key), clock, cache: Arc::default() }
    }

    /// The cache is whole after a panic: each change of it is one assignment.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for LocalVault {
    async fn secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> Result<Option<SecretString>, PlatformError> {
        let now = (self.clock)();
        let cached = self.cache().fresh(integration, kind, now);
        match cached {
            Some(secret) => Ok(Some(secret)),
            None => self.fresh_secret(integration, kind).await,
        }
    }

    async fn fresh_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
    ) -> Result<Option<SecretString>, PlatformError> {
        let doing = "read a secret";
        let writes = self.cache().writes;
        let sealed = self
            .database
            .read(doing, move |db| {
                first(
                    db,
                    "SELECT sealed FROM secrets WHERE integration = ?1 AND kind = ?2",
                    params![Text(integration), kind.as_str()],
                    |row| Ok(row.get::<_, Vec<u8>>(0)?),
                )
            })
            .await?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let secret = self
            .key
            .unseal(&secret_context(integration, kind), &sealed)
            .and_then(|plaintext| Ok(SecretString::from(std::str::from_utf8(&plaintext)?)))
            .map_err(|fault| PlatformError::new(doing, fault))?;
        let mut cache = self.cache();
        if cache.writes == writes {
            let until = (self.clock)().saturating_add(CACHED).unwrap_or(Timestamp::MAX);
            cache.secrets.insert((integration, kind), (secret.clone(), until));
        }
        Ok(Some(secret))
    }

    async fn put_secret(
        &self,
        integration: IntegrationId,
        kind: SecretKind,
        value: SecretString,
    ) -> Result<(), PlatformError> {
        let doing = "store a secret";
        let sealed = self
            .key
            .seal(&secret_context(integration, kind), value.expose_secret().as_bytes())
            .map_err(|fault| PlatformError::new(doing, fault))?;
        let written = self
            .database
            .write(doing, move |db| {
                execute(
                    db,
                    "INSERT INTO secrets (integration, kind, sealed) VALUES (?1, ?2, ?3)
                     ON CONFLICT (integration, kind) DO UPDATE SET sealed = excluded.sealed",
                    params![Text(integration), kind.as_str(), sealed],
                )
            })
            .await;
        // Also when it failed: then it is not known which secret is stored.
        let mut cache = self.cache();
        cache.writes = cache.writes.wrapping_add(1);
        cache.secrets.remove(&(integration, kind));
        written.map(drop)
    }

    async fn new_data_key(&self, integration: IntegrationId) -> Result<(DataKey, WrappedKey), PlatformError> {
        let doing = "make a data key";
        let mut key = DataKey([0; 32]);
        aws_lc_rs::rand::fill(&mut key.0)
            .map_err(|_| PlatformError::new(doing, "the random number generator failed"))?;
        let wrapped =
            self.key.seal(&data_key_context(integration), &key.0).map_err(|fault| PlatformError::new(doing, fault))?;
        Ok((key, WrappedKey(wrapped)))
    }

    async fn unwrap(&self, integration: IntegrationId, wrapped: &WrappedKey) -> Result<DataKey, PlatformError> {
        self.key
            .unseal(&data_key_context(integration), &wrapped.0)
            .and_then(|plaintext| {
                let mut key = DataKey([0; 32]);
                if plaintext.len() != key.0.len() {
                    return Err("a data key has 32 bytes".into());
                }
                key.0.copy_from_slice(&plaintext);
                Ok(key)
            })
            .map_err(|fault| PlatformError::new("unwrap a data key", fault))
    }
}

impl fmt::Debug for LocalVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalVault([redacted])")
    }
}

impl Cache {
    fn fresh(&self, integration: IntegrationId, kind: SecretKind, now: Timestamp) -> Option<SecretString> {
        let (secret, until) = self.secrets.get(&(integration, kind))?;
        (now < *until).then(|| secret.clone())
    }
}

fn data_key_context(integration: IntegrationId) -> SealingContext {
    SealingContext::of_integration(integration, "data-key")
}

fn secret_context(integration: IntegrationId, kind: SecretKind) -> SealingContext {
    SealingContext::of_integration(
        integration,
        match kind {
            SecretKind::Entra => "secret-entra",
            SecretKind::SslCom => "secret-sslcom",
        },
    )
}

fn check_context() -> SealingContext {
    SealingContext::of_integration(IntegrationId(Uuid::nil()), "vault-check")
}

/// `None` when there is no such file.
fn read_key(path: &Path) -> Result<Option<VaultKey>, OpenError> {
    let failed = |source| OpenError::File { doing: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    if private_file::is_exposed(&file.metadata().map_err(failed)?) {
        return Err(OpenError::KeyExposed { path: path.to_owned() });
    }
    // Room for one byte more than a key, from the start: a vector that grew would leave a part of the key behind.
    let longest = pki::DataKey::LENGTH + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(longest));
    file.take(longest as u64).read_to_end(&mut bytes).map_err(failed)?;
    match pki::DataKey::from_slice(&bytes) {
        Ok(key) => Ok(Some(VaultKey(key))),
        Err(_) => Err(OpenError::KeyDamaged { path: path.to_owned() }),
    }
}

fn create_key(path: &Path) -> Result<VaultKey, OpenError> {
    let mut bytes = Zeroizing::new([0; pki::DataKey::LENGTH]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| OpenError::NoRandomness)?;
    private_file::create(path, bytes.as_slice()).map_err(|source| OpenError::File {
        doing: "create",
        path: path.to_owned(),
        source,
    })?;
    Ok(VaultKey(pki::DataKey::new(bytes)))
}

/// A secret that was changed in another way than through this process is used at most this long.
const CACHED: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::fs;

    use ports::Platform;

    use super::*;
    use crate::platform::LocalPlatform;

    const INTEGRATION: IntegrationId = IntegrationId(Uuid::from_u128(7));

    /// A clock that a test turns.
    fn clock() -> (Arc<Mutex<Timestamp>>, Clock) {
        let now = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH));
        let shown = Arc::clone(&now);
        (now, Arc::new(move || *shown.lock().unwrap()))
    }

    #[tokio::test]
    async fn a_secret_that_changed_behind_the_cache_is_used_for_five_minutes_at_most() {
        let directory = tempfile::tempdir().unwrap();
        let (now, clock) = clock();
        let platform = LocalPlatform::open(directory.path(), clock).unwrap();
        let vault = platform.vault();
        let read = async || {
            let secret = vault.secret(INTEGRATION, SecretKind::Entra).await.unwrap();
            secret.unwrap().expose_secret().to_owned()
        };
        let first = SecretString::from("first");
        vault.put_secret(INTEGRATION, SecretKind::Entra, first).await.unwrap();
        assert_eq!(read().await, "first");

        let context = secret_context(INTEGRATION, SecretKind::Entra);
        let sealed = vault.key.seal(&context, b"second").unwrap();
        vault
            .database
            .write("change the row", move |db| execute(db, "UPDATE secrets SET sealed = ?1", params![sealed]))
            .await
            .unwrap();
        *now.lock().unwrap() += SignedDuration::from_secs(299);
        assert_eq!(read().await, "first");
        let fresh = vault.fresh_secret(INTEGRATION, SecretKind::Entra).await.unwrap();
        assert_eq!(fresh.unwrap().expose_secret(), "second");
        assert_eq!(read().await, "second");

        vault
            .database
            .write("swap the rows", |db| execute(db, "UPDATE secrets SET kind = 'sslcom'", &[]))
            .await
            .unwrap();
        *now.lock().unwrap() += SignedDuration::from_secs(300);
        assert!(vault.secret(INTEGRATION, SecretKind::Entra).await.unwrap().is_none());
        assert!(vault.secret(INTEGRATION, SecretKind::SslCom).await.is_err(), "a row of another kind does not open");
    }

    #[test]
    fn a_key_file_that_is_lost_cut_or_of_another_database_is_refused_by_its_name() {
        let (_, clock) = clock();
        let directory = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let open = |directory: &tempfile::TempDir| LocalPlatform::open(directory.path(), clock.clone());
        drop(open(&directory).unwrap());
        drop(open(&other).unwrap());
        let path = directory.path().join("vault.key");
        let original = fs::read(&path).unwrap();

        fs::write(&path, &original[..31]).unwrap();
        assert!(matches!(open(&directory), Err(OpenError::KeyDamaged { .. })));
        fs::write(&path, [&original[..], b"\n"].concat()).unwrap();
        assert!(matches!(open(&directory), Err(OpenError::KeyDamaged { .. })));
        fs::copy(other.path().join("vault.key"), &path).unwrap();
        assert!(matches!(open(&directory), Err(OpenError::KeyOfAnother { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(open(&directory), Err(OpenError::KeyMissing { .. })));
        assert!(!path.exists(), "no new key hides that the old one is lost");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_and_the_database_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let (_, clock) = clock();
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let platform = LocalPlatform::open(&directory, clock.clone()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        for file in fs::read_dir(&directory).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        drop(platform);

        let key = directory.join("vault.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = LocalPlatform::open(&directory, clock).map(drop).unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("can be read by other users of this machine; take that right away (chmod 600)")
        );
    }
}
