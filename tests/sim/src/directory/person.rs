//! A user object with the properties that Graph shows of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The service plan of an Intune licence, INTUNE_A.
pub const INTUNE_A: Uuid = Uuid::from_u128(0xc1ec4a95_1f05_45b3_a911_aa3fa01094f5);
/// A service plan that has nothing to do with devices, EXCHANGE_S_ENTERPRISE.
const EXCHANGE: Uuid = Uuid::from_u128(0xefb87545_963c_4e0d_99df_69c6916d9eb0);

/// A user object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: Uuid,
    pub user_principal_name: String,
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    /// `SMTP:` marks the primary address, `smtp:` an alias.
    pub proxy_addresses: Vec<String>,
    pub account_enabled: bool,
    pub user_type: UserType,
    pub assigned_plans: Vec<AssignedPlan>,
}

impl Person {
    /// The address that Outlook compares with the certificate: the primary one of
    /// `proxyAddresses`, else `mail`.
    pub fn primary_address(&self) -> Option<&str> {
        let primary = self.proxy_addresses.iter().find_map(|entry| entry.strip_prefix("SMTP:"));
        primary.or(self.mail.as_deref())
    }

    pub fn has_intune(&self) -> bool {
        self.assigned_plans.iter().any(|plan| plan.service_plan_id == INTUNE_A && plan.enabled)
    }

    /// Changes the primary address; the one before becomes an alias, as in Exchange.
    pub fn readdress(&mut self, address: &str) {
        for entry in &mut self.proxy_addresses {
            if let Some(before) = entry.strip_prefix("SMTP:") {
                *entry = format!("smtp:{before}");
            }
        }
        self.proxy_addresses
            .retain(|entry| entry.split_once(':').is_none_or(|(_, before)| !before.eq_ignore_ascii_case(address)));
        self.proxy_addresses.insert(0, format!("SMTP:{address}"));
        self.mail = Some(address.to_owned());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserType {
    Member,
    Guest,
}

/// One service plan of a person's licences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedPlan {
    pub service: String,
    pub service_plan_id: Uuid,
    /// `capabilityStatus` is `Enabled`; otherwise `Deleted`.
    pub enabled: bool,
}

/// A person with every licence, whose user principal name is their primary address.
pub(super) fn licensed(id: Uuid, given: &str, surname: &str, local_part: &str, domain: &str) -> Person {
    let address = format!("{local_part}@{domain}");
    let plan =
        |service: &str, service_plan_id| AssignedPlan { service: service.to_owned(), service_plan_id, enabled: true };
    Person {
        id,
        user_principal_name: address.clone(),
        display_name: format!("{given} {surname}"),
        given_name: Some(given.to_owned()),
        surname: Some(surname.to_owned()),
        mail: Some(address.clone()),
        proxy_addresses: vec![format!("smtp:{}@{domain}", local_part.replace('.', "_")), format!("SMTP:{address}")],
        account_enabled: true,
        user_type: UserType::Member,
        assigned_plans: vec![plan("exchange", EXCHANGE), plan("SCO", INTUNE_A)],
    }
}
