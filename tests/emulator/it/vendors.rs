//! SSL.com and Microsoft for one organisation that has everything it needs.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use sim::{
    microsoft::{self, Microsoft},
    sslcom::{self, SslCom},
};

const ORGANISATION: &str = "Contoso Example Ltd";
const DOMAIN: &str = "contoso.example";
const ACCOUNT_KEY: &str = "acct+Key/41f0c9&a7d3e2b8 15";
const SECRET_KEY: &str = "s3cret+Key/8c02d4&f1b6e9a0 77";
/// A sponsor-validated certificate for a year, and its price.
pub(crate) const PRODUCT: u32 = 700;
const PRICE_CENTS: u64 = 7_600;
const SEED: u64 = 31;

pub(crate) struct Vendors {
    pub(crate) sslcom: SslCom,
    pub(crate) microsoft: Microsoft,
    organisation: microsoft::Organisation,
}

impl Vendors {
    pub(crate) async fn start(people: usize, redirect_uri: &str) -> Self {
        let organisation = microsoft::Organisation {
            redirect_uris: vec![redirect_uri.to_owned()],
            domains: vec![DOMAIN.to_owned()],
            ..microsoft::Organisation::from_seed(SEED, people)
        };
        let microsoft =
            microsoft::Options { organisations: vec![organisation.clone()], ..microsoft::Options::new(SEED, people) };
        let sslcom = sslcom::Options {
            seed: SEED,
            accounts: vec![sslcom::Account {
                account_key: ACCOUNT_KEY.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                funds_cents: 1_000 * PRICE_CENTS,
                products: vec![PRODUCT],
                organisation: Some(ORGANISATION.to_owned()),
            }],
            organisations: vec![sslcom::Organisation {
                name: ORGANISATION.to_owned(),
                identifier: "VATGB-123456789".to_owned(),
                country: "GB".to_owned(),
                epki_agreement: true,
                domains: vec![sslcom::PrevalidatedDomain {
                    domain: DOMAIN.to_owned(),
                    validated_on: Timestamp::now().to_zoned(TimeZone::UTC).date(),
                }],
            }],
            issue_after: Some(Duration::from_millis(50)),
            ..sslcom::Options::default()
        };
        Self {
            sslcom: SslCom::start(sslcom).await.unwrap(),
            microsoft: Microsoft::start(microsoft).await.unwrap(),
            organisation,
        }
    }

    /// What the stack's parameter Deployment says: these vendors, and waits as short as they are quick.
    pub(crate) fn deployment(&self) -> Value {
        json!({
            "sslcom": { "base_url": self.sslcom.base_url(), "create_timeout": "12s", "answer_timeout": "12s" },
            "microsoft": {
                "login_url": self.microsoft.entra_base_url(),
                "graph_url": self.microsoft.graph_base_url(),
            },
            "product": [{
                "code": PRODUCT,
                "label": "Personal ID + Organization (IV+OV) S/MIME",
                "certificate_type": "sponsor",
                "offers": [{ "days": 365, "price_cents": PRICE_CENTS }],
            }],
            "timing": {
                "purchase_window": "10s",
                "quiet_time": "25s",
                "look_up_after": ["1s", "2s"],
                "poll_after": ["1s"],
                "read_back_after": ["0s", "1s"],
                "retry_after": "1s",
            },
        })
    }

    /// What the operator types into the settings.
    pub(crate) fn settings(&self) -> Value {
        let connector = self.microsoft.connector();
        json!({
            "name": ORGANISATION,
            "tenant_id": self.organisation.tenant_id,
            "client_id": self.organisation.client_id,
            "client_secret": self.organisation.client_secret,
            "intune_public_key": connector.public_key_blob_base64(),
            "provider_name": connector.provider_name(),
            "key_name": connector.key_name(),
            "sslcom_account_key": ACCOUNT_KEY,
            "sslcom_secret_key": SECRET_KEY,
            // The quickest to make.
            "key_algorithm": "p256",
            "registrant": {
                "organization": ORGANISATION,
                "street_address": "1 Example Street",
                "locality": "London",
                "state_or_province": "London",
                "postal_code": "EC1A 1AA",
                "country": "GB",
            },
            "contact": {
                "first_name": "Ada",
                "last_name": "Example",
                "email": format!("it@{DOMAIN}"),
                "phone": "+44 20 7946 0000",
                "country": "GB",
            },
            "prevalidated_domains": [{ "domain": DOMAIN }],
        })
    }
}
