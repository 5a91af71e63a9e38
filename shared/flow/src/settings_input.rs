//! What an operator types into the settings, and how it becomes [`Settings`]: every problem is named at once.

mod countries;
mod problems;
mod unreadable;

use domain::{
    KeyAlgorithm, PfxProfile,
    integration::{Cloud, ConnectorSettings, Contact, ImportScope, Limits, PrevalidatedDomain, Registrant, Settings},
    keys::SealingPadding,
};
use pki::ConnectorKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use self::problems::Problems;
use crate::FieldProblem;

/// The settings as typed, in the API's JSON and in the `[[integration]]` tables of a deployment file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SettingsInput {
    pub name: String,
    pub cloud: Cloud,
    pub tenant_id: String,
    pub client_id: String,
    /// Left out when settings are changed: the stored one stays.
    pub client_secret: Option<SecretString>,
    /// The connector's public key in any form that people have it in.
    pub intune_public_key: String,
    pub provider_name: Option<String>,
    pub key_name: Option<String>,
    pub padding: SealingPadding,
    pub sslcom_account_key: Option<SecretString>,
    pub sslcom_secret_key: Option<SecretString>,
    pub key_algorithm: KeyAlgorithm,
    pub pfx_profile: PfxProfile,
    pub registrant: RegistrantInput,
    pub contact: ContactInput,
    pub user_principal_name_allowed: bool,
    /// Object ids; empty: everybody is imported.
    pub groups: Vec<String>,
    /// Service plan ids. Left out: Intune's own plan. Empty: the licence is not checked.
    pub licence_plans: Option<Vec<String>>,
    pub prevalidated_domains: Vec<DomainInput>,
    pub orders_per_batch: Option<u32>,
    pub orders_per_day: Option<u32>,
    pub stop_buying: bool,
    /// 0 to 365; 14 when left out.
    pub keep_key_days: Option<u16>,
    /// What people were told about their keys being kept; left out: no key is kept longer.
    pub escrow_notice: Option<String>,
    /// 1 to 365; 30 when left out.
    pub validation_days: Option<u16>,
    /// YYYY-MM-DD; what Entra shows as the secret's end.
    pub client_secret_expires: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrantInput {
    pub organization: String,
    pub organization_unit: Option<String>,
    pub street_address: String,
    pub locality: String,
    pub state_or_province: String,
    pub postal_code: String,
    pub country: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContactInput {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub country: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainInput {
    pub domain: String,
    /// `YYYY-MM-DD`
    pub since: Option<String>,
}

/// Secrets that came with the input. They go to the Vault and nowhere else.
#[derive(Clone, Debug, Default)]
pub struct SecretsInput {
    pub client_secret: Option<SecretString>,
    /// Account key and secret key.
    pub sslcom: Option<(SecretString, SecretString)>,
}

/// Every field that the input knows.
const FIELDS: [&str; 26] = [
    "name",
    "cloud",
    "tenant_id",
    "client_id",
    "client_secret",
    "intune_public_key",
    "provider_name",
    "key_name",
    "padding",
    "sslcom_account_key",
    "sslcom_secret_key",
    "key_algorithm",
    "pfx_profile",
    "registrant",
    "contact",
    "user_principal_name_allowed",
    "groups",
    "licence_plans",
    "prevalidated_domains",
    "orders_per_batch",
    "orders_per_day",
    "stop_buying",
    "keep_key_days",
    "escrow_notice",
    "validation_days",
    "client_secret_expires",
];

impl SettingsInput {
    /// Reads the fields one by one, so that one of the wrong type does not hide the next. What could be read is
    /// answered too, for the checks that come after.
    pub fn from_fields(fields: Map<String, Value>) -> (Self, Vec<FieldProblem>) {
        let mut problems = Vec::new();
        let mut readable = Map::new();
        for (field, value) in fields {
            if !FIELDS.contains(&field.as_str()) {
                problems.push(FieldProblem::new(field, "there is no such field", "remove it, or correct its name"));
            } else if let Some(value) = unreadable::readable(&field, value, &mut problems) {
                readable.insert(field, value);
            }
        }
        let input = serde_json::from_value(Value::Object(readable)).unwrap_or_default();
        (input, problems)
    }

    /// The settings and the secrets, or every problem. `secrets_needed` is false when stored ones stay.
    pub fn parse(&self, secrets_needed: bool) -> Result<(Settings, SecretsInput), Vec<FieldProblem>> {
        let mut problems = Problems::default();
        let settings = Settings {
            name: problems.text("name", &self.name, 100),
            cloud: self.cloud,
            tenant_id: problems.guid(
                "tenant_id",
                &self.tenant_id,
                "copy the Directory (tenant) ID of the tenant's overview in Entra",
            ),
            client_id: problems.guid(
                "client_id",
                &self.client_id,
                "copy the Application (client) ID of the app registration",
            ),
            connector: self.connector(&mut problems),
            key_algorithm: self.key_algorithm,
            pfx_profile: self.pfx_profile,
            registrant: self.registrant.parse(&mut problems),
            contact: self.contact.parse(&mut problems),
            user_principal_name_allowed: self.user_principal_name_allowed,
            scope: self.scope(&mut problems),
            licence_plans: match &self.licence_plans {
                None => vec![Settings::INTUNE_A],
                Some(plans) => problems.guids("licence_plans", plans, "use a service plan id (GUID)"),
            },
            prevalidated_domains: self.domains(&mut problems),
            limits: Limits {
                per_batch: problems.range(
                    "orders_per_batch",
                    self.orders_per_batch,
                    Limits::default().per_batch,
                    1,
                    100_000,
                ),
                per_day: problems.range("orders_per_day", self.orders_per_day, Limits::default().per_day, 1, 100_000),
            },
            stop_buying: self.stop_buying,
            keep_key_days: problems.range("keep_key_days", self.keep_key_days, 14, 0, 365),
            escrow_notice: self.escrow_notice.as_ref().map(|notice| problems.text("escrow_notice", notice, 2_000)),
            validation_days: problems.range("validation_days", self.validation_days, 30, 1, 365),
            client_secret_expires: problems.date("client_secret_expires", self.client_secret_expires.as_deref()),
        };
        if settings.tenant_id == settings.client_id && !settings.tenant_id.is_nil() {
            let fix = "copy the Application (client) ID of the app registration";
            problems.add("client_id", "it is the same as tenant_id", fix);
        }
        let secrets = self.secrets(secrets_needed, &mut problems);
        if problems.0.is_empty() { Ok((settings, secrets)) } else { Err(problems.0) }
    }

    fn connector(&self, problems: &mut Problems) -> ConnectorSettings {
        let given = |text: &Option<String>, default: &str| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
        };
        let mut settings = ConnectorSettings {
            public_key: String::new(),
            fingerprint: String::new(),
            bits: 0,
            provider_name: given(&self.provider_name, "Microsoft Software Key Storage Provider"),
            key_name: given(&self.key_name, "PFXEncryptionKey"),
            padding: self.padding,
        };
        for (field, text) in [("provider_name", &settings.provider_name), ("key_name", &settings.key_name)] {
            if text.chars().count() > 256 || text.chars().any(char::is_control) {
                problems.add(
                    field,
                    "it is too long or holds control characters",
                    "use the exact name given to Add-IntuneKspKey",
                );
            }
        }
        match ConnectorKey::parse(self.intune_public_key.as_bytes()) {
            Ok(key) => {
                settings.public_key = key.to_blob_base64();
                settings.fingerprint = key.fingerprint().to_owned();
                settings.bits = u16::try_from(key.bits()).unwrap_or(u16::MAX);
            }
            Err(problem) => problems.add(
                "intune_public_key",
                problem.to_string(),
                "export the public key on the connector server with Export-IntunePublicKey and paste it here as base64 or PEM",
            ),
        }
        settings
    }

    fn scope(&self, problems: &mut Problems) -> ImportScope {
        if self.groups.is_empty() {
            return ImportScope::Everybody;
        }
        ImportScope::Groups { ids: problems.guids("groups", &self.groups, "copy the group's Object ID in Entra") }
    }

    fn domains(&self, problems: &mut Problems) -> Vec<PrevalidatedDomain> {
        let rows = self.prevalidated_domains.iter().enumerate();
        let domains: Vec<_> = rows
            .map(|(row, input)| {
                let field = format!("prevalidated_domains[{row}]");
                // A mailbox of the domain is readable exactly when the domain is.
                let domain = format!("a@{}", input.domain.trim()).parse::<domain::Mailbox>();
                let domain = domain.map(|mailbox| mailbox.domain().to_owned()).unwrap_or_else(|_| {
                    problems.add(format!("{field}.domain"), "it is not a domain name", "write it as in example.com");
                    String::new()
                });
                let since = problems.date(&format!("{field}.since"), input.since.as_deref());
                PrevalidatedDomain { domain, since }
            })
            .collect();
        let names: Vec<_> = domains.iter().map(|domain| &domain.domain).filter(|name| !name.is_empty()).collect();
        problems.repeated(&names, |row| format!("prevalidated_domains[{row}].domain"));
        domains
    }

    fn secrets(&self, needed: bool, problems: &mut Problems) -> SecretsInput {
        let given = |field: &str, secret: &Option<SecretString>, fix: &str, problems: &mut Problems| {
            let secret = problems.secret(field, secret.as_ref());
            if needed && secret.is_none() {
                problems.add(field, "it is missing", fix);
            }
            secret
        };
        let client_secret = given(
            "client_secret",
            &self.client_secret,
            "create a client secret in Entra and paste its Value",
            problems,
        );
        if client_secret.as_ref().is_some_and(|secret| Uuid::parse_str(secret.expose_secret()).is_ok()) {
            problems.add(
                "client_secret",
                "this is a GUID, which is the secret's ID",
                "paste the secret's Value; Entra shows it once, when the secret is created",
            );
        }
        let keys_fix = "copy it from SSL.com's dashboard, under API credentials";
        let account_key = given("sslcom_account_key", &self.sslcom_account_key, keys_fix, problems);
        let secret_key = given("sslcom_secret_key", &self.sslcom_secret_key, keys_fix, problems);
        if account_key.is_some() != secret_key.is_some() && !needed {
            problems.add(
                "sslcom_secret_key",
                "account key and secret key are changed together",
                "give both, or neither",
            );
        }
        let text = |key: &Option<SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
        if account_key.is_some() && text(&account_key) == text(&secret_key) {
            problems.add("sslcom_secret_key", "it is the same as the account key", keys_fix);
        }
        SecretsInput { client_secret, sslcom: account_key.zip(secret_key) }
    }
}

impl RegistrantInput {
    fn parse(&self, problems: &mut Problems) -> Registrant {
        Registrant {
            organization: problems.legible("registrant.organization", &self.organization, 64),
            organization_unit: (self.organization_unit.as_deref())
                .filter(|unit| !unit.trim().is_empty())
                .map(|unit| problems.legible("registrant.organization_unit", unit, 64)),
            street_address: problems.legible("registrant.street_address", &self.street_address, 128),
            locality: problems.legible("registrant.locality", &self.locality, 128),
            state_or_province: problems.legible("registrant.state_or_province", &self.state_or_province, 128),
            postal_code: problems.legible("registrant.postal_code", &self.postal_code, 40),
            country: problems.country("registrant.country", &self.country),
        }
    }
}

impl ContactInput {
    fn parse(&self, problems: &mut Problems) -> Contact {
        let email = problems.text("contact.email", &self.email, 254);
        if !email.is_empty() && email.parse::<domain::Mailbox>().is_err() {
            problems.add("contact.email", "it is not an e-mail address", "give an address that somebody reads");
        }
        Contact {
            first_name: problems.legible("contact.first_name", &self.first_name, 64),
            last_name: problems.legible("contact.last_name", &self.last_name, 64),
            email,
            phone: problems.phone("contact.phone", &self.phone),
            country: problems.country("contact.country", &self.country),
        }
    }
}
