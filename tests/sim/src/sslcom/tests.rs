#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod callbacks;
mod flow;
mod listing;
mod refusals;
mod restart;

use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{ToSpan as _, Zoned, civil::Date};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, KeyUsagePurpose, SanType};
use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "account-1";
const SECRET: &str = "secret-1";
const MAILBOX: &str = "asa@exempel.se";

/// An SSL.com with one customer whose domain is pre-validated, and a client that speaks for them.
struct Shop {
    sslcom: SslCom,
    client: reqwest::Client,
}

/// An answer: its status, and its JSON unless it was something else.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    json: Option<Value>,
    text: String,
}

fn options() -> Options {
    Options {
        accounts: vec![
            Account {
                account_key: ACCOUNT.to_owned(),
                secret_key: SECRET.to_owned(),
                funds_cents: 100_000,
                products: vec![300, 301, 302, 303, 600, 700],
                organisation: Some("Exempel AB".to_owned()),
            },
            Account {
                account_key: "account-2".to_owned(),
                secret_key: "secret-2".to_owned(),
                funds_cents: 10_000,
                products: vec![300],
                organisation: None,
            },
        ],
        organisations: vec![Organisation {
            name: "Exempel AB".to_owned(),
            identifier: "VATSE-556677889901".to_owned(),
            country: "SE".to_owned(),
            epki_agreement: true,
            domains: vec![
                PrevalidatedDomain { domain: "exempel.se".to_owned(), validated_on: days_ago(300) },
                PrevalidatedDomain { domain: "gammal.se".to_owned(), validated_on: days_ago(500) },
            ],
        }],
        issue_after: Some(Duration::from_millis(5)),
        ..Options::default()
    }
}

fn days_ago(days: i64) -> Date {
    Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date().checked_sub(days.days()).unwrap()
}

impl Shop {
    async fn open() -> Self {
        Self::open_with(options()).await
    }

    async fn open_with(options: Options) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { sslcom: SslCom::start(options).await.unwrap(), client }
    }

    fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = self.sslcom.behaviour();
        change(&mut behaviour);
        self.sslcom.set_behaviour(behaviour);
    }

    /// Sends members with the customer's credentials among them.
    async fn send(&self, method: Method, path: &str, members: Value) -> Answer {
        self.try_send(method, path, members).await.unwrap()
    }

    async fn try_send(&self, method: Method, path: &str, members: Value) -> reqwest::Result<Answer> {
        let mut body = json!({ "account_key": ACCOUNT, "secret_key": SECRET });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let url = format!("{}{path}", self.sslcom.base_url());
        Answer::read(self.client.request(method, url).json(&body).send().await?).await
    }

    /// Asks with the customer's credentials in the query.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.sslcom.base_url());
        let credentials = [("account_key", ACCOUNT), ("secret_key", SECRET)];
        let request = self.client.get(url).query(&credentials).query(query);
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    async fn buy(&self, number: &str) -> String {
        let answer = self.send(Method::POST, "/certificates", order(700, number)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.member("ref").as_str().unwrap().to_owned()
    }

    async fn put(&self, reference: &str, members: Value) -> Answer {
        self.send(Method::PUT, &format!("/certificate/{reference}"), members).await
    }

    async fn look(&self, reference: &str) -> Answer {
        self.ask(&format!("/certificate/{reference}"), &[]).await
    }

    async fn until_issued(&self, reference: &str) {
        let issued =
            self.sslcom.until(|sslcom| sslcom.order(reference).is_some_and(|order| order.state == OrderState::Issued));
        within_reason(issued).await;
    }

    /// Buys and submits everything, and waits for the certificate.
    async fn issue(&self, number: &str, mailbox: &str) -> String {
        let reference = self.buy(number).await;
        let answer = self.put(&reference, submission(&csr(mailbox))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.until_issued(&reference).await;
        reference
    }
}

impl Answer {
    async fn read(answer: reqwest::Response) -> reqwest::Result<Self> {
        let status = answer.status();
        let text = answer.text().await?;
        Ok(Self { status, json: serde_json::from_str(&text).ok(), text })
    }

    fn member(&self, name: &str) -> &Value {
        &self.json.as_ref().unwrap_or_else(|| panic!("not JSON: {self:?}"))[name]
    }

    fn status_text(&self) -> &str {
        self.member("order_status").as_str().unwrap()
    }

    fn error_fields(&self) -> Vec<&str> {
        self.member("errors").as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn is_html_500(&self) -> bool {
        self.status == 500 && self.json.is_none() && self.text.contains("<html>")
    }
}

/// Fails a test that would otherwise wait for ever.
async fn within_reason<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it never happened")
}

fn order(product: u32, number: &str) -> Value {
    json!({ "product": product.to_string(), "period": "365", "external_order_number": number })
}

fn submission(csr: &str) -> Value {
    let mut members = registrant();
    let more = json!({ "csr": csr, "contacts": contacts() });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn registrant() -> Value {
    json!({
        "organization": "Exempel AB",
        "street_address_1": "Storgatan 1",
        "locality": "Umeå",
        "state_or_province": "Västerbotten",
        "postal_code": "903 26",
        "country": "SE",
    })
}

fn contacts() -> Value {
    json!({ "all": {
        "first_name": "Karin", "last_name": "Ek", "email": "pki@exempel.se",
        "phone": "+46 90 123456", "country": "SE",
    } })
}

fn csr(mailbox: &str) -> String {
    csr_with(&KeyPair::generate().unwrap(), mailbox)
}

fn csr_with(key: &KeyPair, mailbox: &str) -> String {
    request(key, mailbox, Vec::new())
}

fn csr_for(mailbox: &str, usages: Vec<KeyUsagePurpose>) -> String {
    request(&KeyPair::generate().unwrap(), mailbox, usages)
}

fn request(key: &KeyPair, mailbox: &str, usages: Vec<KeyUsagePurpose>) -> String {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, mailbox);
    name.push(DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]), DnValue::Ia5String(mailbox.try_into().unwrap()));
    name.push(DnType::CustomDnType(vec![2, 5, 4, 42]), "Åsa");
    name.push(DnType::CustomDnType(vec![2, 5, 4, 4]), "Öberg");
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.key_usages = usages;
    parameters.subject_alt_names = vec![SanType::Rfc822Name(mailbox.try_into().unwrap())];
    parameters.serialize_request(key).unwrap().pem().unwrap()
}
