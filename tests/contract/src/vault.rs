//! Secrets, and data keys bound to one integration.

use domain::IntegrationId;
use ports::{Platform, SecretKind, Vault, WrappedKey};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub async fn a_secret_is_read_as_it_was_stored_and_replaced<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let vault = platform.vault();
    let (a, b) = (IntegrationId(Uuid::new_v4()), IntegrationId(Uuid::new_v4()));
    let fresh = async |integration, kind| -> anyhow::Result<Option<String>> {
        let secret = vault.fresh_secret(integration, kind).await?;
        Ok(secret.map(|secret| secret.expose_secret().to_owned()))
    };
    assert_eq!(fresh(a, SecretKind::Entra).await?, None);
    assert!(vault.secret(a, SecretKind::Entra).await?.is_none());
    for value in ["first", "the second, with ö and \u{0}", ""] {
        vault.put_secret(a, SecretKind::Entra, SecretString::from(value)).await?;
        assert_eq!(fresh(a, SecretKind::Entra).await?.as_deref(), Some(value));
    }
    assert!(vault.secret(a, SecretKind::Entra).await?.is_some());
    assert_eq!(fresh(a, SecretKind::SslCom).await?, None, "who talks to Graph cannot buy");
    assert_eq!(fresh(b, SecretKind::Entra).await?, None);
    vault.put_secret(a, SecretKind::SslCom, SecretString::from("{}")).await?;
    assert_eq!(fresh(a, SecretKind::SslCom).await?.as_deref(), Some("{}"));
    assert_eq!(fresh(a, SecretKind::Entra).await?.as_deref(), Some(""));
    Ok(())
}

pub async fn a_data_key_unwraps_for_its_integration_alone<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let vault = platform.vault();
    let (a, b) = (IntegrationId(Uuid::new_v4()), IntegrationId(Uuid::new_v4()));
    let (key, wrapped) = vault.new_data_key(a).await?;
    assert_eq!(vault.unwrap(a, &wrapped).await?.0, key.0);
    assert!(vault.unwrap(b, &wrapped).await.is_err());
    assert!(!wrapped.0.windows(32).any(|window| window == key.0));
    Ok(())
}

pub async fn a_wrapped_key_of_which_a_bit_changed_does_not_unwrap<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let vault = platform.vault();
    let integration = IntegrationId(Uuid::new_v4());
    let (_, wrapped) = vault.new_data_key(integration).await?;
    for position in 0..wrapped.0.len() {
        let mut damaged = wrapped.clone();
        damaged.0[position] ^= 1 << (position % 8);
        assert!(vault.unwrap(integration, &damaged).await.is_err(), "byte {position}");
    }
    for length in [0, 1, wrapped.0.len() - 1] {
        let cut = WrappedKey(wrapped.0[..length].to_vec());
        assert!(vault.unwrap(integration, &cut).await.is_err(), "{length} bytes");
    }
    Ok(())
}

pub async fn no_two_data_keys_are_alike<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let integration = IntegrationId(Uuid::new_v4());
    let (one, wrapped_one) = platform.vault().new_data_key(integration).await?;
    let (other, wrapped_other) = platform.vault().new_data_key(integration).await?;
    assert_ne!(one.0, other.0);
    assert_ne!(wrapped_one, wrapped_other);
    assert_ne!(one.0, [0; 32]);
    assert_eq!(format!("{one:?}"), "DataKey([redacted])");
    Ok(())
}
