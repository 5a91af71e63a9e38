//! One order: what the customer sent, how far the CA is, and how answers show it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    OrderRecord,
    behaviour::{Behaviour, ExternalOrderNumber, StatusOf},
    bundle,
};
use crate::ca::{CertificateAuthority, Issued};

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// A voucher: paid, and no request yet.
    Unused,
    WaitingForRegistrant,
    WaitingForValidation,
    Validating,
    Issued,
    /// The CA's staff turned it down, with this status text.
    Rejected(String),
    Revoked,
}

impl OrderState {
    /// The prose of `order_status`. Up to `Validating` as reported from the sandbox 2026-06; what
    /// follows is undocumented.
    fn text(&self) -> &str {
        match self {
            Self::Unused => "unused. waiting on certificate signing request (csr)",
            Self::WaitingForRegistrant => "waiting on registrant information from customer",
            Self::WaitingForValidation => "waiting on validation from customer",
            Self::Validating => "validating, please wait",
            Self::Issued => "issued",
            Self::Rejected(text) => text,
            Self::Revoked => "revoked",
        }
    }

    /// Whether the order can still become a certificate by what the customer or the CA does next.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Unused | Self::WaitingForRegistrant | Self::WaitingForValidation | Self::Validating => true,
            Self::Issued | Self::Rejected(_) | Self::Revoked => false,
        }
    }
}

/// An order as it is journaled.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// Counts the orders of this world from 0.
    pub(super) number: usize,
    pub(super) reference: String,
    /// [`super::catalogue::Account::id`].
    pub(super) account: String,
    pub(super) product: u32,
    pub(super) period_days: u32,
    pub(super) amount_cents: u64,
    pub(super) shown_amount: String,
    pub(super) external_order_number: Option<String>,
    pub(super) created: Timestamp,
    pub(super) request: Option<Request>,
    /// SHA-256 of every request and public key that this order ever used.
    pub(super) used: BTreeSet<String>,
    pub(super) registrant: Option<BTreeMap<String, String>>,
    pub(super) has_contacts: bool,
    pub(super) validation: Option<Validation>,
    /// The CA's staff checked the person and the organisation by hand.
    pub(super) vetted: bool,
    pub(super) receiver: Option<Receiver>,
    pub(super) called_back: bool,
    pub(super) state: OrderState,
    pub(super) certificate: Option<Issued>,
    /// Serials that a later request on the issued order replaced.
    pub(super) superseded: Vec<String>,
    pub(super) revoked: BTreeSet<String>,
}

/// The signing request in force.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Request {
    /// DER in base64.
    der: String,
    pub(super) mailbox: String,
}

impl Request {
    pub(super) fn new(der: &[u8], mailbox: &str) -> Self {
        Self { der: STANDARD.encode(der), mailbox: mailbox.to_owned() }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        STANDARD.decode(&self.der).expect("it was encoded here")
    }

    pub(super) fn domain(&self) -> &str {
        self.mailbox.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The name of the mailbox among the `validations` and `domains` of an order.
    pub(super) fn validation_item(&self) -> String {
        format!("email:{}", self.mailbox)
    }
}

/// The mail with the link that shows control of the mailbox.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Validation {
    pub(super) last_mail: Timestamp,
    pub(super) mails: u32,
    pub(super) clicked: bool,
}

/// Whom to call when the certificate is there.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Receiver {
    pub(super) url: String,
    pub(super) by_get: bool,
    pub(super) basic: Option<(String, String)>,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Order {
    pub(super) fn status(&self, behaviour: &Behaviour) -> String {
        match &behaviour.unknown_status_text {
            Some(text) if self.is_one_of(behaviour.unknown_status_of) => text.clone(),
            _ => self.state.text().to_owned(),
        }
    }

    fn is_one_of(&self, which: StatusOf) -> bool {
        match which {
            StatusOf::Open => self.state.is_open(),
            StatusOf::Submitted => self.state.is_open() && self.request.is_some(),
            StatusOf::Issued => self.state == OrderState::Issued,
        }
    }

    /// The members of the answers to create, retrieve and update. The real answers differ in which
    /// of them they carry; no public source gives the full lists.
    pub(super) fn to_json(&self, behaviour: &Behaviour, ca: &CertificateAuthority) -> Value {
        let page = |name: &str| format!("https://ssl.sim.example/{name}/{}", self.reference);
        let mailbox = self.request.as_ref().map(|request| request.mailbox.as_str());
        let issued = self.certificate.as_ref();
        let contents: Vec<_> = issued.iter().map(|_| json!({ "ref": self.reference })).collect();
        json!({
            "ref": self.reference,
            "order_status": self.status(behaviour),
            "order_amount": self.shown_amount,
            "external_order_number": self.echoed_number(behaviour),
            "certificate_url": page("certificate"),
            "receipt_url": page("receipt"),
            "smart_seal_url": page("smart_seal"),
            "validation_url": page("validation"),
            "validations": self.validations(),
            "certificates": issued.map(|issued| bundle::render(behaviour.bundle, &issued.der(), ca)),
            "certificate_contents": contents,
            "registrant": self.registrant,
            "common_name": mailbox,
            "subject_alternative_names": mailbox.map(|mailbox| [mailbox]),
            "effective_date": issued.map(|issued| issued.not_before),
            "expiration_date": issued.map(|issued| issued.not_after),
        })
    }

    /// An entry of a listing.
    pub(super) fn to_summary(&self, behaviour: &Behaviour, product_name: &str) -> Map<String, Value> {
        let summary = json!({
            "ref": self.reference,
            "order_status": self.status(behaviour),
            "order_amount": self.shown_amount,
            "external_order_number": self.listed_number(behaviour),
            "product": self.product.to_string(),
            "product_name": product_name,
            "period": self.period_days,
            "created_at": self.created,
            "common_name": self.request.as_ref().map(|request| &request.mailbox),
            "expiration_date": self.certificate.as_ref().map(|issued| issued.not_after),
            "certificates_count": u8::from(self.certificate.is_some()),
        });
        match summary {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    pub(super) fn record(&self) -> OrderRecord {
        OrderRecord {
            reference: self.reference.clone(),
            account: self.account.clone(),
            product: self.product,
            period_days: self.period_days,
            amount_cents: self.amount_cents,
            external_order_number: self.external_order_number.clone(),
            created: self.created,
            state: self.state.clone(),
            mailbox: self.request.as_ref().map(|request| request.mailbox.clone()),
            certificate: self.certificate.clone(),
            superseded: self.superseded.clone(),
            revoked: self.revoked.iter().cloned().collect(),
            validation_mails: self.validation.as_ref().map_or(0, |validation| validation.mails),
            called_back: self.called_back,
        }
    }

    fn echoed_number(&self, behaviour: &Behaviour) -> Option<&str> {
        match behaviour.external_order_number {
            ExternalOrderNumber::Searchable | ExternalOrderNumber::Echoed | ExternalOrderNumber::Retrieved => {
                self.external_order_number.as_deref()
            }
            ExternalOrderNumber::Forgotten => None,
        }
    }

    fn listed_number(&self, behaviour: &Behaviour) -> Option<&str> {
        let is_listed = behaviour.external_order_number != ExternalOrderNumber::Retrieved;
        self.echoed_number(behaviour).filter(|_| is_listed)
    }

    fn validations(&self) -> Option<Value> {
        let request = self.request.as_ref()?;
        let clicked = self.validation.as_ref().is_some_and(|validation| validation.clicked);
        let status = if clicked || self.state == OrderState::Issued { "satisfied" } else { "pending" };
        Some(json!({
            request.validation_item(): {
                "dcv_method": "email",
                "status": status,
                "attempted_on": self.validation.as_ref().map(|validation| validation.last_mail),
            }
        }))
    }
}
