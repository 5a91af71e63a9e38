//! What the operator of a simulated organisation types into the application's settings, under the names of its API.

use serde_json::{Value, json};

use crate::{connector::Connector, microsoft, sslcom};

/// The settings that connect a tenant with an account at SSL.com. Everything that has a default is left out.
pub fn settings(tenant: &microsoft::Organisation, connector: &Connector, account: &sslcom::Account) -> Value {
    let name = account.organisation.as_deref().unwrap_or("an account without an organisation");
    let domains: Vec<_> = tenant.domains.iter().map(|domain| json!({ "domain": domain })).collect();
    let mailbox = tenant.domains.first().map(|domain| format!("it@{domain}"));
    json!({
        "name": name,
        "tenant_id": tenant.tenant_id,
        "client_id": tenant.client_id,
        "client_secret": tenant.client_secret,
        "intune_public_key": connector.public_key_blob_base64(),
        "provider_name": connector.provider_name(),
        "key_name": connector.key_name(),
        "sslcom_account_key": account.account_key,
        "sslcom_secret_key": account.secret_key,
        "registrant": {
            "organization": name,
            "street_address": "1 Example Street",
            "locality": "London",
            "state_or_province": "London",
            "postal_code": "EC1A 1AA",
            "country": "GB",
        },
        "contact": {
            "first_name": "Ada",
            "last_name": "Example",
            "email": mailbox,
            "phone": "+44 20 7946 0000",
            "country": "GB",
        },
        "prevalidated_domains": domains,
    })
}
