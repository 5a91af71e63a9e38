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
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let sslcom = sslcom::Options {
            seed: SEED,
            accounts: vec![account()],
            organisations: vec![sslcom::Organisation::with_agreement(ORGANISATION, DOMAIN, today)],
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
        let mut settings = sim::operator::settings(&self.organisation, self.microsoft.connector(), &account());
        // The quickest to make.
        settings["key_algorithm"] = json!("p256");
        settings
    }
}

fn account() -> sslcom::Account {
    sslcom::Account {
        account_key: ACCOUNT_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        funds_cents: 1_000 * PRICE_CENTS,
        products: vec![PRODUCT],
        organisation: Some(ORGANISATION.to_owned()),
    }
}
