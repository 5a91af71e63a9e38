//! What the local platform leaves on the disk.

use std::fs;

use domain::{IntegrationId, transition::Event};
use local::platform::{LocalPlatform, OpenError};
use ports::{Attachment, IntegrationStore, Platform, SecretKind, Store, Vault};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{LocalStand, Stand, clock};
use contract::samples::{change, connected, done, person, read, stored};

#[tokio::test]
async fn a_restart_keeps_everything() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let (id, rows) = connected(&stand.platform).await?;
    let somebody = person("Åsa Öberg", "asa@example.com");
    rows.put_people(std::slice::from_ref(&somebody)).await?;
    let row = stored(&rows, id).await?;
    let mut approved = change(&row, Event::Approved)?;
    approved.attachments = vec![(Attachment::SealedKey, Some(vec![1, 2, 3]))];
    let requested = done(rows.commit(approved.clone()).await?)?;
    let vault = stand.platform.vault();
    vault.put_secret(id, SecretKind::Entra, SecretString::from("a client secret")).await?;
    let (key, wrapped) = vault.new_data_key(id).await?;
    drop(rows);

    let stand = stand.restart()?;
    let rows = stand.platform.store().of(id);
    assert_eq!(rows.integration().await?.map(|integration| integration.id), Some(id));
    assert_eq!(rows.person(somebody.id).await?, Some(somebody));
    assert_eq!(read(&rows, row.id).await?, requested);
    assert_eq!(rows.attachment(row.id, Attachment::SealedKey).await?, Some(vec![1, 2, 3]));
    assert_eq!(done(rows.commit(approved).await?)?, requested, "the lost answer is recognised by the next process");
    let secret = stand.platform.vault().secret(id, SecretKind::Entra).await?;
    assert_eq!(secret.as_ref().map(|secret| secret.expose_secret()), Some("a client secret"));
    assert_eq!(stand.platform.vault().unwrap(id, &wrapped).await?.0, key.0);
    Ok(())
}

#[tokio::test]
async fn a_directory_is_open_once_at_a_time() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let open = || LocalPlatform::open(stand.path(), clock(&stand.now)).map(drop);
    let refused = open().expect_err("it is open");
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains("in use by another process"), "{refused}");

    // A part that lives on keeps the directory.
    let LocalStand { platform, now, directory } = stand;
    let rows = platform.store().of(IntegrationId(Uuid::new_v4()));
    drop(platform);
    let open = || LocalPlatform::open(directory.path(), clock(&now)).map(drop);
    assert!(matches!(open(), Err(OpenError::InUse { .. })));
    drop(rows);
    open()?;
    Ok(())
}

#[tokio::test]
async fn no_file_holds_a_secret_or_a_data_key_in_clear() -> anyhow::Result<()> {
    let stand = LocalStand::new().await?;
    let integration = IntegrationId(Uuid::new_v4());
    let vault = stand.platform.vault();
    let secrets = ["a-planted-client-secret", "a-planted-secret-key", "a-planted-replacement"];
    vault.put_secret(integration, SecretKind::Entra, SecretString::from(secrets[0])).await?;
    vault.put_secret(integration, SecretKind::SslCom, SecretString::from(secrets[1])).await?;
    vault.put_secret(integration, SecretKind::Entra, SecretString::from(secrets[2])).await?;
    let (key, _) = vault.new_data_key(integration).await?;
    vault.secret(integration, SecretKind::Entra).await?;

    let planted = secrets.map(str::as_bytes).into_iter().chain([key.0.as_slice()]);
    let planted: Vec<_> = planted.collect();
    // While the log is beside the database, and after it was written back.
    let mut files = Vec::new();
    for file in fs::read_dir(stand.path())? {
        files.push((file.as_ref().map(|file| file.file_name()).ok(), fs::read(file?.path())?));
    }
    assert!(files.iter().any(|(name, _)| name.as_ref().is_some_and(|name| name.to_string_lossy().ends_with("-wal"))));
    let directory = stand.directory;
    drop(stand.platform);
    for file in fs::read_dir(directory.path())? {
        files.push((None, fs::read(file?.path())?));
    }
    for (name, content) in files {
        for secret in &planted {
            assert!(!content.windows(secret.len()).any(|window| window == *secret), "{name:?}");
        }
    }
    Ok(())
}
