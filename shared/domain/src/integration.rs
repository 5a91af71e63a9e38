//! One organisation's connection: its Entra tenant, its connector key, its registrant at the CA, its limits.
//!
//! Secrets are not here; the Vault holds them. Prices, products and vendor addresses are deployment configuration.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{IntegrationId, KeyAlgorithm, PfxProfile, keys::SealingPadding};

/// The stored row. Unique per (cloud, tenant id).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    pub id: IntegrationId,
    pub settings: Settings,
    /// Counted up when something changes that an open plan stands on.
    pub ground: u64,
    /// Who pressed Authorize last, and when. `None`: not connected yet.
    #[serde(default)]
    pub authorized: Option<Authorized>,
    pub created_at: Timestamp,
    pub version: u64,
}

/// What the operator fills in, already checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub name: String,
    pub cloud: Cloud,
    pub tenant_id: Uuid,
    pub client_id: Uuid,
    pub connector: ConnectorSettings,
    #[serde(default)]
    pub key_algorithm: KeyAlgorithm,
    #[serde(default)]
    pub pfx_profile: PfxProfile,
    pub registrant: Registrant,
    pub contact: Contact,
    #[serde(default)]
    pub user_principal_name_allowed: bool,
    #[serde(default)]
    pub scope: ImportScope,
    /// Service plans of which one is enough to be delivered to; empty: the licence is not checked.
    pub licence_plans: Vec<Uuid>,
    /// Domains that the CA has validated for the organisation, as the operator attests.
    #[serde(default)]
    pub prevalidated_domains: Vec<PrevalidatedDomain>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub stop_buying: bool,
    /// Days for which the sealed key is kept after the import, so that a record can be written again.
    pub keep_key_days: u16,
    /// What people were told about their keys being kept. With it, keys that decrypt stay sealed after those days, so
    /// that old mail can be read on another device; without it none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow_notice: Option<String>,
    /// Days after which validation that does not come to an end is given up.
    pub validation_days: u16,
    /// The last day of the Entra app's client secret, as the operator attests: the app may not read it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_expires: Option<Date>,
}

/// Which of Microsoft's clouds the tenant lives in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    #[default]
    Global,
    UsGovL4,
    UsGovL5,
    China,
}

/// The on-premises key that PFX passwords are sealed to, and how the connector finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorSettings {
    /// Base64 of the RSAPUBLICBLOB, whatever form was entered.
    pub public_key: String,
    /// SHA-256 of the key, hexadecimal, to compare with the one on the server.
    pub fingerprint: String,
    pub bits: u16,
    pub provider_name: String,
    pub key_name: String,
    #[serde(default)]
    pub padding: SealingPadding,
}

/// The organisation that an order names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrant {
    pub organization: String,
    #[serde(default)]
    pub organization_unit: Option<String>,
    pub street_address: String,
    pub locality: String,
    pub state_or_province: String,
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Whom the CA asks about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// Which people are imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImportScope {
    #[default]
    Everybody,
    Groups {
        ids: Vec<Uuid>,
    },
}

/// A domain that the CA need not validate again, for 398 days (S/MIME Baseline Requirements 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrevalidatedDomain {
    pub domain: String,
    /// When the CA validated it; `None` when nobody noted it.
    #[serde(default)]
    pub since: Option<Date>,
}

/// Brakes. An order beyond them is not placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub per_batch: u32,
    pub per_day: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_batch: 1_000, per_day: 2_000 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorized {
    pub at: Timestamp,
    /// The object id that signed in; never an e-mail address, which can be given to somebody else.
    pub object_id: Uuid,
    pub name: String,
}

impl Settings {
    /// Intune's plan id, `INTUNE_A` (Microsoft's list of service plan identifiers).
    pub const INTUNE_A: Uuid = Uuid::from_u128(0xc1ec_4a95_1f05_45b3_a911_aa3f_a010_94f5);

    /// Whether a mailbox of this domain is issued for without a mail to its owner, on this day.
    pub fn is_prevalidated(&self, domain: &str, today: Date) -> bool {
        self.prevalidated_domains.iter().any(|row| {
            row.domain.eq_ignore_ascii_case(domain)
                && row.since.is_none_or(|since| today.since(since).is_ok_and(|age| age.get_days() <= 398))
        })
    }

    /// How many days the client secret is still good for, where somebody said when it ends: none on its last day, fewer
    /// than none after it.
    pub fn client_secret_days(&self, today: Date) -> Option<i32> {
        let expires = self.client_secret_expires?;
        today.until(expires).ok().map(|left| left.get_days())
    }

    /// Whether an open plan made under `self` is void under `other`: what decides what is bought, for whom, or
    /// to which key the result is sealed.
    pub fn ground_differs(&self, other: &Self) -> bool {
        let ground = |settings: &Self| Self {
            name: String::new(),
            stop_buying: false,
            keep_key_days: 0,
            validation_days: 0,
            client_secret_expires: None,
            ..settings.clone()
        };
        ground(self) != ground(other)
    }
}
