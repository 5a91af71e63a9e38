//! What is asked of SSL.com, in its own words.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{Credentials, Endpoint, Error, ProductCode, StateField, body::Body};

/// An order to be created, and paid for, without a CSR: SSL.com calls it a voucher until one is submitted.
#[derive(Clone)]
pub struct NewOrder {
    pub product: ProductCode,
    pub period_days: u32,
    /// The only thing of ours that SSL.com keeps beside an order, so the only way to find it again.
    pub external_order_number: String,
    pub callback: Option<Callback>,
    /// Fields that the deployment adds, such as the id of a saved identity. They cannot replace the client's own.
    pub extra_fields: Map<String, Value>,
}

/// What SSL.com calls once the certificate is issued (SSL.com Apiary, `callback`).
#[derive(Clone)]
pub struct Callback {
    /// Its path may carry a token, so it is not shown.
    pub url: Url,
    pub username: String,
    pub password: SecretString,
    /// Sent along. `certificate_hook` names the parameter in which SSL.com puts the certificate. Nothing personal belongs
    /// here: these values pass through SSL.com's logs.
    pub parameters: BTreeMap<String, String>,
}

/// What makes a certificate request out of a paid order.
#[derive(Clone)]
pub struct CsrSubmission {
    /// PKCS#10 in PEM with LF line ends. SSL.com reads the mailbox from its subject and SAN.
    pub csr_pem: String,
    pub registrant: Registrant,
    pub contacts: Contacts,
    /// As in [`NewOrder`].
    pub extra_fields: Map<String, Value>,
}

/// The organisation on whose behalf the certificate is asked for; even the personal products want one. What is empty is not
/// sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registrant {
    pub organization: String,
    pub organization_unit: String,
    pub post_office_box: String,
    pub street_address_1: String,
    pub street_address_2: String,
    pub street_address_3: String,
    pub locality: String,
    pub state_or_province: String,
    /// How the member before is spelt, where it is not as the endpoint has it.
    #[serde(skip)]
    pub state_field: Option<StateField>,
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub duns_number: String,
    pub company_number: String,
}

/// Whom SSL.com may turn to. `all` stands for every role that is not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contacts {
    pub all: Option<Contact>,
    pub administrative: Option<Contact>,
    pub billing: Option<Contact>,
    pub technical: Option<Contact>,
    pub validation: Option<Contact>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// One page of the account's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// 0 is the first page; the number that is sent starts at [`Endpoint::first_page`].
    pub page: u32,
    pub per_page: u32,
    /// The first and the last day of creation. In which time zone SSL.com counts days is not documented.
    pub start: Option<Date>,
    pub end: Option<Date>,
    /// SSL.com's free search. Whether it covers `external_order_number` is not documented.
    pub search: Option<String>,
    /// Only orders that were paid for and not used.
    pub vouchers_only: bool,
}

impl NewOrder {
    pub(crate) fn body(&self) -> Result<Body, Error> {
        if self.external_order_number.trim().is_empty() {
            return Err(Error::configuration("external_order_number", "an order without one cannot be found again"));
        }
        let body = Body::new()
            .with("product", self.product.to_string())
            .with("period", self.period_days.to_string())
            .with("external_order_number", self.external_order_number.as_str())
            .with("callback", self.callback.as_ref().map(Callback::to_json));
        body.with_extra_fields(&self.extra_fields)
    }
}

impl Callback {
    fn to_json(&self) -> Value {
        json!({
            "url": self.url,
            "method": "post",
            "auth": { "basic": { "username": self.username, "password": self.password.expose_secret() } },
            "parameters": self.parameters,
        })
    }
}

impl CsrSubmission {
    pub(crate) fn body(&self, state_field: StateField) -> Result<Body, Error> {
        // CRLF is answered with HTTP 500, seen in the sandbox, 2026-06. A 500 would leave open what became of the CSR.
        if self.csr_pem.contains('\r') {
            return Err(Error::configuration("csr", "its lines must end with LF"));
        }
        if !self.csr_pem.starts_with("-----BEGIN ") {
            return Err(Error::configuration("csr", "it is not PEM"));
        }
        let body = self.registrant.add_to(Body::new().with("csr", self.csr_pem.as_str()), state_field);
        body.with("contacts", self.contacts.to_json()).with_extra_fields(&self.extra_fields)
    }
}

impl Registrant {
    pub(crate) fn add_to(&self, body: Body, state_field: StateField) -> Body {
        body.with("organization", self.organization.as_str())
            .with("organization_unit", self.organization_unit.as_str())
            .with("post_office_box", self.post_office_box.as_str())
            .with("street_address_1", self.street_address_1.as_str())
            .with("street_address_2", self.street_address_2.as_str())
            .with("street_address_3", self.street_address_3.as_str())
            .with("locality", self.locality.as_str())
            .with(self.state_field.unwrap_or(state_field).name(), self.state_or_province.as_str())
            .with("postal_code", self.postal_code.as_str())
            .with("country", self.country.as_str())
            .with("duns_number", self.duns_number.as_str())
            .with("company_number", self.company_number.as_str())
    }
}

impl Contacts {
    pub(crate) fn to_json(&self) -> Value {
        let role = |contact: &Option<Contact>| {
            contact.as_ref().map(|Contact { first_name, last_name, email, phone, country }| {
                json!({
                    "first_name": first_name,
                    "last_name": last_name,
                    "email": email,
                    "phone": phone,
                    "country": country,
                })
            })
        };
        json!({
            "all": role(&self.all),
            "administrative": role(&self.administrative),
            "billing": role(&self.billing),
            "technical": role(&self.technical),
            "validation": role(&self.validation),
        })
    }
}

impl ListQuery {
    pub(crate) fn pairs(&self, endpoint: &Endpoint) -> Vec<(&'static str, String)> {
        let date = |date: Date| date.strftime("%m-%d-%Y").to_string();
        let mut pairs = vec![
            ("page", endpoint.first_page.saturating_add(self.page).to_string()),
            ("per_page", self.per_page.to_string()),
        ];
        pairs.extend(self.start.map(|start| ("start", date(start))));
        pairs.extend(self.end.map(|end| ("end", date(end))));
        pairs.extend(self.search.clone().map(|search| ("search", search)));
        pairs.extend(self.vouchers_only.then(|| ("filter", "vouchers".to_owned())));
        pairs
    }
}

/// Credentials as SSL.com takes them with a GET.
pub(crate) fn query(credentials: &Credentials) -> [(&'static str, &str); 2] {
    [("account_key", credentials.account_key.expose_secret()), ("secret_key", credentials.secret_key.expose_secret())]
}

impl fmt::Debug for NewOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOrder")
            .field("product", &self.product)
            .field("period_days", &self.period_days)
            .field("external_order_number", &self.external_order_number)
            .field("callback", &self.callback)
            .field("extra_fields", &NamesOnly(self.extra_fields.keys()))
            .finish()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("host", &self.url.host_str())
            .field("parameters", &NamesOnly(self.parameters.keys()))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CsrSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrSubmission")
            .field("registrant", &self.registrant)
            .field("extra_fields", &NamesOnly(self.extra_fields.keys()))
            .finish_non_exhaustive()
    }
}

/// Values may be tokens or means of payment.
struct NamesOnly<I>(I);

impl<I: Iterator<Item: fmt::Debug> + Clone> fmt::Debug for NamesOnly<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.clone()).finish()
    }
}
