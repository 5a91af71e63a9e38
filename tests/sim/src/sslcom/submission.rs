//! What a customer hands in for an order: the signing request, the registrant, the contacts, the
//! wish to validate the mailbox.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::{
    behaviour::StateField,
    books::Books,
    catalogue::Product,
    fields::{Fields, Refusal},
    order::{Order, Request, Validation},
    world::World,
};
use crate::ca::csr::SigningRequest;

/// What was handed in at once, each part checked by itself.
pub(super) struct Submission {
    request: Option<SigningRequest>,
    unique_value: String,
    names_person: bool,
    registrant: Option<BTreeMap<String, String>>,
    contacts: bool,
    /// Validation item and approver.
    domains: Vec<(String, String)>,
}

impl Submission {
    pub(super) fn read(world: &World, fields: &mut Fields) -> Result<Self, Refusal> {
        let request = match fields.text("csr")? {
            // Seen in the sandbox 2026-06: CRLF line ends are answered with 500.
            Some(pem) if pem.contains('\r') => return Err(Refusal::trip()),
            Some(pem) => Some(SigningRequest::from_pem(&pem).map_err(|problem| Refusal::Fields {
                status: StatusCode::BAD_REQUEST,
                errors: json!({ "csr": ["csr has problems", problem.to_string()] }),
            })?),
            None => None,
        };
        let unique_value = fields.text("unique_value")?.unwrap_or_default();
        if !unique_value.chars().all(|character| character.is_ascii_alphanumeric()) {
            return Err(fields.refuse("unique_value", "is not alphanumeric"));
        }
        // Accepted for every product; means nothing to a mail certificate.
        fields.number("server_software")?;
        Ok(Self {
            names_person: request
                .as_ref()
                .is_some_and(|request| request.given_name.is_some() || request.surname.is_some()),
            request,
            unique_value,
            registrant: registrant(world, fields)?,
            contacts: contacts(fields)?,
            domains: domains(fields)?,
        })
    }

    pub(super) fn has_request(&self) -> bool {
        self.request.is_some()
    }

    pub(super) fn has_registrant(&self) -> bool {
        self.registrant.is_some()
    }

    pub(super) fn asks_for_validation(&self) -> bool {
        !self.domains.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.request.is_none() && self.registrant.is_none() && !self.contacts && self.domains.is_empty()
    }

    /// Checks the parts against each other, the order and all earlier requests.
    pub(super) fn must_fit(&self, order: &Order, books: &Books, product: &Product) -> Result<(), Refusal> {
        if let Some(request) = &self.request {
            let reused = self.digests(request).iter().any(|digest| books.is_used(digest));
            if reused {
                let message = "The CSR and unique value pair has been used before";
                return Err(Refusal::Fields {
                    status: StatusCode::BAD_REQUEST,
                    errors: json!({ "csr": { "csr_unique_values": [message] } }),
                });
            }
            if product.names_person() && !self.names_person {
                return Err(Refusal::Fields {
                    status: StatusCode::BAD_REQUEST,
                    errors: json!({ "csr": ["csr has problems", "it names no person"] }),
                });
            }
        }
        let mailbox = match (&self.request, &order.request) {
            (Some(request), _) => Some(request.mailbox.as_str()),
            (None, Some(request)) => Some(request.mailbox.as_str()),
            (None, None) => None,
        };
        for (item, approver) in &self.domains {
            let Some(mailbox) = mailbox else {
                return Err(Refusal::field("domains", "come after the csr"));
            };
            if *item != format!("email:{mailbox}") {
                return Err(Refusal::field(&format!("domains.{item}"), "is not in the csr"));
            }
            if approver != mailbox {
                let name = format!("domains.{item}.dcv");
                return Err(Refusal::field(&name, "is not an acceptable approver"));
            }
        }
        let anonymous = |registrant: &BTreeMap<_, _>| !registrant.contains_key("organization");
        if product.names_organisation() && self.registrant.as_ref().is_some_and(anonymous) {
            return Err(Refusal::field("organization", "can't be blank"));
        }
        Ok(())
    }

    /// Puts the parts on the order, `now`, and returns what is used up by it.
    pub(super) fn apply(self, order: &mut Order, now: Timestamp) -> Vec<String> {
        let mut used = Vec::new();
        if let Some(request) = &self.request {
            used = self.digests(request);
            order.request = Some(Request::new(&request.der, request.mailbox.as_str()));
            order.validation = None;
        }
        if let Some(registrant) = self.registrant {
            order.registrant = Some(registrant);
        }
        order.has_contacts |= self.contacts;
        if !self.domains.is_empty() {
            let mails = order.validation.as_ref().map_or(0, |validation| validation.mails);
            order.validation = Some(Validation {
                last_mail: now,
                mails: mails + 1,
                clicked: order.validation.as_ref().is_some_and(|validation| validation.clicked),
            });
        }
        used
    }

    /// The vendor's rule is about the pair of request and unique value. A key pair that serves two
    /// requests is refused as well: two people must never share one.
    fn digests(&self, request: &SigningRequest) -> Vec<String> {
        let hex = |kind: &str, parts: &[&[u8]]| {
            let digest = digest(&SHA256, &parts.concat());
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{kind}:{hex}")
        };
        vec![hex("csr", &[&request.der, self.unique_value.as_bytes()]), hex("key", &[&request.public_key.bits])]
    }
}

fn registrant(world: &World, fields: &mut Fields) -> Result<Option<BTreeMap<String, String>>, Refusal> {
    const NAMES: [&str; 9] = [
        "organization",
        "organization_unit",
        "post_office_box",
        "street_address_1",
        "street_address_2",
        "street_address_3",
        "locality",
        "postal_code",
        "country",
    ];
    let state_field = match world.behaviour().state_field {
        StateField::Province => "state_or_province",
        StateField::Providence => "state_or_providence",
    };
    let mut registrant = BTreeMap::new();
    for name in NAMES {
        if let Some(text) = fields.text(name)? {
            registrant.insert(name.to_owned(), text);
        }
    }
    if let Some(state) = fields.text(state_field)? {
        // Answers spell it right, whatever the request had to say.
        registrant.insert("state_or_province".to_owned(), state);
    }
    if registrant.is_empty() {
        return Ok(None);
    }
    for name in ["locality", "country"] {
        if !registrant.contains_key(name) {
            return Err(fields.refuse(name, "can't be blank"));
        }
    }
    if !registrant.contains_key("state_or_province") {
        return Err(fields.refuse(state_field, "can't be blank"));
    }
    if !world.behaviour().registrant_accepted {
        return Err(fields.refuse("locality", "is not the organisation's"));
    }
    let country = &registrant["country"];
    if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Err(fields.refuse("country", "is not an ISO 3166 code of two letters"));
    }
    Ok(Some(registrant))
}

/// Whether every role has a contact.
fn contacts(fields: &mut Fields) -> Result<bool, Refusal> {
    const ROLES: [&str; 4] = ["administrative", "billing", "technical", "validation"];
    let Some(mut contacts) = fields.object("contacts")? else { return Ok(false) };
    let mut for_all = false;
    let mut roles = 0;
    for role in ROLES.into_iter().chain(["all"]) {
        let Some(mut contact) = contacts.object(role)? else { continue };
        for name in ["first_name", "last_name", "phone", "country"] {
            contact.required_text(name)?;
        }
        if !contact.required_text("email")?.contains('@') {
            return Err(contact.refuse("email", "is not an e-mail address"));
        }
        contact.finish()?;
        for_all |= role == "all";
        roles += usize::from(role != "all");
    }
    contacts.finish()?;
    if !for_all && roles < ROLES.len() {
        return Err(Refusal::field("contacts", "do not name every role"));
    }
    Ok(true)
}

fn domains(fields: &mut Fields) -> Result<Vec<(String, String)>, Refusal> {
    let Some(mut domains) = fields.object("domains")? else { return Ok(Vec::new()) };
    let mut asked = Vec::new();
    for item in domains.names() {
        if let Some(mut validation) = domains.object(&item)? {
            asked.push((item, validation.required_text("dcv")?));
            validation.finish()?;
        }
    }
    if asked.is_empty() {
        return Err(Refusal::field("domains", "can't be blank"));
    }
    Ok(asked)
}
