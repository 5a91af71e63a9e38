//! One organisation's connection, and its settings in the fields in which they are typed.

use domain::integration::{ImportScope, Settings};
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::{Cloud, KeyAlgorithm, Padding, PfxProfile, RowKind, RowStatus};

#[derive(Serialize, ToSchema)]
pub(crate) struct Integration {
    id: Uuid,
    settings: SettingsFields,
    connector_key: ConnectorKey,
    /// Who pressed Authorize last. `null`: not connected yet.
    connected: Option<Connected>,
    created_at: Timestamp,
}

/// The connector's public key as it was understood; compare it with the one on the server.
#[derive(Serialize, ToSchema)]
struct ConnectorKey {
    /// SHA-256, hexadecimal.
    fingerprint: String,
    bits: u16,
}

#[derive(Serialize, ToSchema)]
struct Connected {
    at: Timestamp,
    name: String,
    /// Of the Entra user.
    object_id: Uuid,
}

/// The body that creates an integration or changes its settings. Secrets are written and never read back.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsBody {
    #[serde(flatten)]
    settings: SettingsFields,
    /// The Value of the Entra app's client secret. Left out in a change: the stored one stays.
    #[schema(write_only)]
    client_secret: Option<String>,
    #[schema(write_only)]
    sslcom_account_key: Option<String>,
    #[schema(write_only)]
    sslcom_secret_key: Option<String>,
}

/// What an operator fills in. What may be left out takes its default.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsFields {
    name: String,
    #[schema(required = false)]
    cloud: Cloud,
    /// Directory (tenant) ID.
    tenant_id: Uuid,
    /// Application (client) ID.
    client_id: Uuid,
    /// As exported on the connector server: base64 of the blob, or PEM.
    intune_public_key: String,
    #[schema(required = false, example = "Microsoft Software Key Storage Provider")]
    provider_name: String,
    #[schema(required = false, example = "PFXEncryptionKey")]
    key_name: String,
    #[schema(required = false)]
    padding: Padding,
    #[schema(required = false)]
    key_algorithm: KeyAlgorithm,
    #[schema(required = false)]
    pfx_profile: PfxProfile,
    registrant: Registrant,
    contact: Contact,
    /// Whether a certificate may be for the user principal name where there is no mail address.
    #[schema(required = false)]
    user_principal_name_allowed: bool,
    /// Object IDs of the groups that are imported; empty: everybody.
    #[schema(required = false)]
    groups: Vec<Uuid>,
    /// Service plans of which a person needs one; left out: Intune's; empty: not checked.
    #[schema(required = false)]
    licence_plans: Vec<Uuid>,
    #[schema(required = false)]
    prevalidated_domains: Vec<PrevalidatedDomain>,
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    orders_per_batch: u32,
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    orders_per_day: u32,
    #[schema(required = false)]
    stop_buying: bool,
    /// Days for which the sealed key is kept after the import.
    #[schema(required = false, maximum = 365)]
    keep_key_days: u16,
    /// What people were told about their keys being kept. With it, keys for encryption and general purpose stay sealed
    /// after those days; `null`: every key is destroyed then.
    escrow_notice: Option<String>,
    /// Days after which validation is given up.
    #[schema(required = false, minimum = 1, maximum = 365)]
    validation_days: u16,
    /// The last day of the client secret, as Entra shows it. A month before it the preflight and an alarm say so.
    client_secret_expires: Option<Date>,
}

/// The organisation that an order names.
#[derive(Serialize, ToSchema)]
struct Registrant {
    organization: String,
    organization_unit: Option<String>,
    street_address: String,
    locality: String,
    state_or_province: String,
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
}

/// Whom SSL.com asks about an order.
#[derive(Serialize, ToSchema)]
struct Contact {
    first_name: String,
    last_name: String,
    email: String,
    phone: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
}

/// A domain that SSL.com has validated for the organisation.
#[derive(Serialize, ToSchema)]
struct PrevalidatedDomain {
    domain: String,
    since: Option<Date>,
}

/// One line of a preflight: what was looked at, how it came out, and what to do.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreflightRow {
    check: String,
    kind: RowKind,
    status: RowStatus,
    result: String,
    fix: String,
}

impl From<domain::Integration> for Integration {
    fn from(integration: domain::Integration) -> Self {
        let connector = &integration.settings.connector;
        Self {
            id: integration.id.0,
            connector_key: ConnectorKey { fingerprint: connector.fingerprint.clone(), bits: connector.bits },
            settings: integration.settings.into(),
            connected: integration.authorized.map(|by| Connected { at: by.at, name: by.name, object_id: by.object_id }),
            created_at: integration.created_at,
        }
    }
}

impl From<Settings> for SettingsFields {
    fn from(settings: Settings) -> Self {
        let registrant = settings.registrant;
        let contact = settings.contact;
        Self {
            name: settings.name,
            cloud: settings.cloud.into(),
            tenant_id: settings.tenant_id,
            client_id: settings.client_id,
            intune_public_key: settings.connector.public_key,
            provider_name: settings.connector.provider_name,
            key_name: settings.connector.key_name,
            padding: settings.connector.padding.into(),
            key_algorithm: settings.key_algorithm.into(),
            pfx_profile: settings.pfx_profile.into(),
            registrant: Registrant {
                organization: registrant.organization,
                organization_unit: registrant.organization_unit,
                street_address: registrant.street_address,
                locality: registrant.locality,
                state_or_province: registrant.state_or_province,
                postal_code: registrant.postal_code,
                country: registrant.country,
            },
            contact: Contact {
                first_name: contact.first_name,
                last_name: contact.last_name,
                email: contact.email,
                phone: contact.phone,
                country: contact.country,
            },
            user_principal_name_allowed: settings.user_principal_name_allowed,
            groups: match settings.scope {
                ImportScope::Everybody => Vec::new(),
                ImportScope::Groups { ids } => ids,
            },
            licence_plans: settings.licence_plans,
            prevalidated_domains: settings
                .prevalidated_domains
                .into_iter()
                .map(|row| PrevalidatedDomain { domain: row.domain, since: row.since })
                .collect(),
            orders_per_batch: settings.limits.per_batch,
            orders_per_day: settings.limits.per_day,
            stop_buying: settings.stop_buying,
            keep_key_days: settings.keep_key_days,
            escrow_notice: settings.escrow_notice,
            validation_days: settings.validation_days,
            client_secret_expires: settings.client_secret_expires,
        }
    }
}

impl From<flow::preflight::PreflightRow> for PreflightRow {
    fn from(row: flow::preflight::PreflightRow) -> Self {
        Self { check: row.check, kind: row.kind.into(), status: row.status.into(), result: row.result, fix: row.fix }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use domain::integration::{ConnectorSettings, Limits};
    use flow::settings_input::SettingsInput;
    use serde_json::Value;

    use super::*;

    fn settings() -> Settings {
        let text = || "x".to_owned();
        Settings {
            name: text(),
            cloud: domain::integration::Cloud::China,
            tenant_id: Uuid::from_u128(1),
            client_id: Uuid::from_u128(2),
            connector: ConnectorSettings {
                public_key: text(),
                fingerprint: text(),
                bits: 2048,
                provider_name: text(),
                key_name: text(),
                padding: domain::keys::SealingPadding::OaepSha256,
            },
            key_algorithm: domain::KeyAlgorithm::P256,
            pfx_profile: domain::PfxProfile::Modern,
            registrant: domain::integration::Registrant {
                organization: text(),
                organization_unit: Some(text()),
                street_address: text(),
                locality: text(),
                state_or_province: text(),
                postal_code: text(),
                country: text(),
            },
            contact: domain::integration::Contact {
                first_name: text(),
                last_name: text(),
                email: text(),
                phone: text(),
                country: text(),
            },
            user_principal_name_allowed: true,
            scope: ImportScope::Groups { ids: vec![Uuid::from_u128(3)] },
            licence_plans: vec![Uuid::from_u128(4)],
            prevalidated_domains: vec![domain::integration::PrevalidatedDomain {
                domain: "example.com".into(),
                since: Some(jiff::civil::date(2026, 6, 1)),
            }],
            limits: Limits::default(),
            stop_buying: true,
            keep_key_days: 1,
            escrow_notice: Some(text()),
            validation_days: 2,
            client_secret_expires: Some(jiff::civil::date(2027, 6, 1)),
        }
    }

    #[test]
    fn settings_are_shown_in_the_fields_in_which_they_are_typed() {
        let body = SettingsBody {
            settings: settings().into(),
            client_secret: Some("value".into()),
            sslcom_account_key: Some("account".into()),
            sslcom_secret_key: Some("secret".into()),
        };
        let Value::Object(fields) = serde_json::to_value(body).unwrap() else { panic!("settings are an object") };
        let (input, problems) = SettingsInput::from_fields(fields);
        assert_eq!(problems, []);
        assert_eq!(input.keep_key_days, Some(1));
        assert_eq!(input.client_secret_expires.as_deref(), Some("2027-06-01"));
        assert_eq!(input.groups, [Uuid::from_u128(3).to_string()]);
        assert_eq!(input.cloud, domain::integration::Cloud::China);
    }
}
