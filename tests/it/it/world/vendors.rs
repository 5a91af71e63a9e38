//! SSL.com and Microsoft for one organisation that has everything it needs: a funded account, an active EPKI agreement,
//! a tenant with licensed people, a connector and a profile for each purpose.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use flow::VendorEndpoints;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use sim::{
    microsoft::{self, Microsoft},
    sslcom::{self, Behaviour, SslCom},
};
use uuid::Uuid;

const ORGANISATION: &str = "Contoso Example Ltd";
/// Validated beforehand.
const DOMAIN: &str = "contoso.example";
/// The organisation's too, but its mailboxes have to be validated one by one.
pub(crate) const UNVALIDATED_DOMAIN: &str = "fabrikam.example";

/// With characters that are written otherwise in an address and in JSON.
pub(crate) const ACCOUNT_KEY: &str = "acct+Key/41f0c9&a7d3e2b8 15";
pub(crate) const SECRET_KEY: &str = "s3cret+Key/8c02d4&f1b6e9a0 77";

/// A sponsor-validated certificate for a year, and its price.
pub(crate) const PRODUCT: u32 = 700;
pub(crate) const PRICE_CENTS: u64 = 7_600;

/// The same world each time.
pub(crate) const SEED: u64 = 20;

/// What differs at SSL.com.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) funds_cents: u64,
    pub(crate) behaviour: Behaviour,
}

impl Default for Shop {
    fn default() -> Self {
        Self { funds_cents: 1_000 * PRICE_CENTS, behaviour: Behaviour::default() }
    }
}

pub(crate) struct Vendors {
    pub(crate) microsoft: Microsoft,
    pub(crate) organisation: microsoft::Organisation,
    /// Nothing while it is stopped.
    sslcom: Option<SslCom>,
    sslcom_port: u16,
    shop: Shop,
    journal: PathBuf,
}

impl Vendors {
    /// Starts them with a journal in this folder.
    pub(crate) async fn start(
        people: usize,
        shop: Shop,
        intune: sim::graph::behaviour::Behaviour,
        redirect_uri: &str,
        journal: &Path,
    ) -> Self {
        let organisation = microsoft::Organisation {
            redirect_uris: vec![redirect_uri.to_owned()],
            domains: vec![DOMAIN.to_owned()],
            ..microsoft::Organisation::from_seed(SEED, people)
        };
        let microsoft = Microsoft::start(microsoft::Options {
            folder: Some(journal.to_owned()),
            organisations: vec![organisation.clone()],
            behaviour: intune,
            ..microsoft::Options::new(SEED, people)
        });
        let sslcom = SslCom::start(sslcom_options(shop.clone(), journal, None)).await.unwrap();
        let port = sslcom.base_url().rsplit_once(':').unwrap().1.parse().unwrap();
        Self {
            microsoft: microsoft.await.unwrap(),
            organisation,
            sslcom: Some(sslcom),
            sslcom_port: port,
            shop,
            journal: journal.to_owned(),
        }
    }

    pub(crate) fn sslcom(&self) -> &SslCom {
        self.sslcom.as_ref().expect("it was not stopped, or was started again")
    }

    /// Nobody listens at its address any more.
    pub(crate) async fn stop_sslcom(&mut self) {
        self.sslcom.take().unwrap().stop().await;
    }

    /// It is back at its address, with its orders.
    pub(crate) async fn start_sslcom(&mut self) {
        let options = sslcom_options(self.shop.clone(), &self.journal, Some(self.sslcom_port));
        self.sslcom = Some(SslCom::start(options).await.unwrap());
    }

    /// What the operator types into the settings.
    pub(crate) fn settings(&self) -> Value {
        let account = account(self.shop.funds_cents);
        let mut settings = sim::operator::settings(&self.organisation, self.microsoft.connector(), &account);
        // The quickest to make; what differs by algorithm has a test of its own.
        settings["key_algorithm"] = json!("p256");
        settings
    }

    pub(crate) fn endpoints(&self, create_timeout: Duration) -> VendorEndpoints {
        let address = |text: &str| text.parse().unwrap();
        let sslcom = ::sslcom::Endpoint {
            create_timeout,
            first_page: 0,
            ..::sslcom::Endpoint::at(address(self.sslcom().base_url()))
        };
        let (login, graph) = (address(self.microsoft.entra_base_url()), address(self.microsoft.graph_base_url()));
        VendorEndpoints {
            sslcom,
            statuses: ::sslcom::StatusTable::default(),
            microsoft: Some(::microsoft::Endpoints::new(login, graph).unwrap()),
        }
    }

    /// Adds somebody with an address whose domain SSL.com has not validated beforehand, and answers it.
    pub(crate) fn add_unvalidated(&self, given_name: &str, surname: &str) -> (Uuid, String) {
        let mut person = self.microsoft.directory().newcomer(given_name, surname);
        let address = format!("{}@{UNVALIDATED_DOMAIN}", given_name.to_lowercase());
        person.readdress(&address);
        (self.microsoft.directory().add(person), address)
    }

    /// Another tool imports a record for this person, as the organisation's app.
    pub(crate) async fn import_with_another_tool(&self, person: Uuid) {
        let (http, token) = self.another_tools_token().await;
        let records = self.records_url();
        let connector = self.microsoft.connector();
        let now = Timestamp::now();
        let record = json!({
            "thumbprint": "00112233445566778899aabbccddeeff00112233",
            "intendedPurpose": "unassigned",
            "userPrincipalName": self.microsoft.directory().person(person).unwrap().user_principal_name,
            "startDateTime": now,
            "expirationDateTime": now + jiff::SignedDuration::from_hours(24 * 300),
            "providerName": connector.provider_name(),
            "keyName": connector.key_name(),
            "paddingScheme": "oaepSha512",
            "encryptedPfxBlob": STANDARD.encode([0x30, 0x00]),
            "encryptedPfxPassword": STANDARD.encode([7; 256]),
        });
        let posted = http.post(records).bearer_auth(token).json(&record);
        let posted = posted.send().await.unwrap();
        assert!(posted.status().is_success(), "{}", posted.text().await.unwrap());
    }

    /// Somebody removes this record from Intune.
    pub(crate) async fn remove_with_another_tool(&self, record: &str) {
        let (http, token) = self.another_tools_token().await;
        let removed = http.delete(format!("{}/{record}", self.records_url())).bearer_auth(token).send().await.unwrap();
        assert!(removed.status().is_success(), "{}", removed.text().await.unwrap());
    }

    fn records_url(&self) -> String {
        format!("{}/beta/deviceManagement/userPfxCertificates", self.microsoft.graph_base_url())
    }

    async fn another_tools_token(&self) -> (reqwest::Client, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let app = &self.organisation;
        let entra = format!("{}/{}/oauth2/v2.0/token", self.microsoft.entra_base_url(), app.tenant_id);
        let token = http.post(entra).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ]);
        let token: Value = token.send().await.unwrap().json().await.unwrap();
        (http, token["access_token"].as_str().unwrap().to_owned())
    }
}

fn account(funds_cents: u64) -> sslcom::Account {
    sslcom::Account {
        account_key: ACCOUNT_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        funds_cents,
        products: vec![PRODUCT],
        organisation: Some(ORGANISATION.to_owned()),
    }
}

fn sslcom_options(shop: Shop, journal: &Path, port: Option<u16>) -> sslcom::Options {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    sslcom::Options {
        seed: SEED,
        journal: Some(journal.to_owned()),
        port,
        accounts: vec![account(shop.funds_cents)],
        organisations: vec![sslcom::Organisation::with_agreement(ORGANISATION, DOMAIN, today)],
        behaviour: shop.behaviour,
        issue_after: Some(Duration::from_millis(20)),
        ..sslcom::Options::default()
    }
}
