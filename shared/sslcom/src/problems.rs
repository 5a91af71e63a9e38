//! The `errors` of an answer: what SSL.com objects to, field by field, and what that calls for.

use std::fmt;

use serde_json::{Map, Value};

use crate::redaction::Redaction;

/// One objection, without anything that the request carried in confidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Dotted when nested: `csr.csr_unique_values`. Empty when SSL.com names none.
    pub field: String,
    /// SSL.com's sentence, one line, shortened. It may name a person.
    pub message: String,
}

/// What a refusal calls for.
///
/// Only `csr_unique_values` is documented. The others are read from the fields, the usual words and the HTTP status, so
/// they choose whom to tell; money must not depend on telling them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalCause {
    Credentials,
    /// The prepaid balance, or whatever else pays, is not enough.
    Funds,
    /// The product code or the period.
    Product,
    /// The account may not do this.
    Entitlement,
    /// This CSR is known already: after an unclear answer it means that the submission had arrived.
    CsrAlreadySubmitted,
    /// The CSR, the registrant, a contact, or another value of the request.
    Data,
    NotFound,
    Other,
}

impl fmt::Display for RefusalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "the credentials",
            Self::Funds => "not enough funds",
            Self::Product => "the product or its period",
            Self::Entitlement => "not allowed for this account",
            Self::CsrAlreadySubmitted => "the CSR was submitted before",
            Self::Data => "a value in the request",
            Self::NotFound => "not found",
            Self::Other => "no readable reason",
        })
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field.as_str(), self.message.as_str()) {
            (field, "") => f.write_str(field),
            ("", message) => f.write_str(message),
            (field, message) => write!(f, "{field}: {message}"),
        }
    }
}

/// The objections as SSL.com wrote them. They stay in this room.
#[derive(Default)]
pub(crate) struct Problems(Vec<FieldProblem>);

/// More than an operator reads.
const MOST_PROBLEMS: usize = 20;

impl Problems {
    /// Those in `errors`. `null`, `{}` and fields with an empty list are no objection, as in Rails.
    pub(crate) fn of(answer: &Value) -> Self {
        let mut problems = Self::default();
        problems.collect("", answer.get("errors").unwrap_or(&Value::Null));
        problems
    }

    /// For an answer that is a refusal by its status: the other members in which web services say why.
    pub(crate) fn or_stated_otherwise(mut self, answer: &Value) -> Self {
        if self.is_empty() {
            for member in ["error", "message"] {
                self.collect("", answer.get(member).unwrap_or(&Value::Null));
            }
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn cause(&self, http_status: u16) -> RefusalCause {
        let any = |test: &dyn Fn(&str, &str) -> bool| {
            self.0.iter().any(|FieldProblem { field, message }| test(field, &message.to_lowercase()))
        };
        let is_about = |words: &[&str]| {
            any(&|field, message| {
                !is_data(field) && words.iter().any(|word| root(field) == *word || message.contains(word))
            })
        };
        if any(&|field, _| field.contains("csr_unique_values")) {
            RefusalCause::CsrAlreadySubmitted
        } else if http_status == 402 || is_about(FUNDS) {
            RefusalCause::Funds
        } else if http_status == 401 || is_about(CREDENTIALS) {
            RefusalCause::Credentials
        } else if http_status == 403 || is_about(ENTITLEMENT) {
            RefusalCause::Entitlement
        } else if any(&|field, _| matches!(root(field), "product" | "period")) {
            RefusalCause::Product
        } else if matches!(http_status, 404 | 410) {
            RefusalCause::NotFound
        } else if !self.is_empty() || matches!(http_status, 400 | 413 | 422) {
            RefusalCause::Data
        } else {
            RefusalCause::Other
        }
    }

    pub(crate) fn cleaned(self, redaction: &Redaction) -> Vec<FieldProblem> {
        self.0
            .into_iter()
            .take(MOST_PROBLEMS)
            .map(|problem| FieldProblem {
                field: redaction.clean(&problem.field),
                message: redaction.clean(&problem.message),
            })
            .collect()
    }

    // As deep as the JSON, which serde_json reads to 128 levels only.
    fn collect(&mut self, field: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(members) => self.collect_members(field, members),
            Value::Array(elements) => elements.iter().for_each(|element| self.collect(field, element)),
            Value::String(message) => self.push(field, message.clone()),
            Value::Bool(_) | Value::Number(_) => self.push(field, value.to_string()),
        }
    }

    fn collect_members(&mut self, field: &str, members: &Map<String, Value>) {
        for (name, value) in members {
            let nested = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
            self.collect(&nested, value);
        }
    }

    fn push(&mut self, field: &str, message: String) {
        self.0.push(FieldProblem { field: field.to_owned(), message });
    }
}

const FUNDS: &[&str] = &[
    "funds",
    "funded_account",
    "payment_method",
    "insufficient fund",
    "not enough fund",
    "balance",
    "payment required",
];

const CREDENTIALS: &[&str] = &[
    "account_key",
    "secret_key",
    "credentials",
    "api key",
    "api_key",
    "unauthorized",
    "not authenticated",
    "authentication",
];

const ENTITLEMENT: &[&str] =
    &["not permitted", "not allowed", "not entitled", "not authorized", "permission", "forbidden", "agreement"];

/// A field that describes the person, the organisation or the key: its sentence says nothing about the account, even if
/// it is called `contacts.billing`.
fn is_data(field: &str) -> bool {
    matches!(root(field), "contacts" | "registrant" | "csr" | "domains" | "app_rep")
}

fn root(field: &str) -> &str {
    field.split('.').next().unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Credentials;

    fn cause(http_status: u16, errors: Value) -> RefusalCause {
        Problems::of(&json!({ "errors": errors })).cause(http_status)
    }

    fn shown(errors: Value) -> Vec<String> {
        let credentials = Credentials { account_key: "ACCOUNT".into(), secret_key: "SECRET".into() };
        let problems = Problems::of(&json!({ "errors": errors })).cleaned(&Redaction::of(&credentials));
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_shape_of_errors_becomes_dotted_fields() {
        let errors = json!({
            "csr": { "csr_unique_values": ["used before", { "by": "co-1" }] },
            "period": "is not included in the list",
            "product": [],
            "code": 7,
        });
        let mut problems = shown(errors);
        problems.sort();
        let expected = [
            "code: 7",
            "csr.csr_unique_values.by: co-1",
            "csr.csr_unique_values: used before",
            "period: is not included in the list",
        ];
        assert_eq!(problems, expected);
        assert_eq!(shown(json!("server error")), ["server error"]);
        assert_eq!(shown(json!(["first", "second"])), ["first", "second"]);
    }

    #[test]
    fn empty_errors_are_no_objection() {
        for errors in [json!(null), json!({}), json!([]), json!({ "csr": [], "product": null })] {
            assert!(Problems::of(&json!({ "errors": errors })).is_empty());
        }
        assert!(Problems::of(&json!([])).is_empty());
        assert!(!Problems::of(&json!({ "errors": { "csr": "" } })).is_empty());
    }

    #[test]
    fn no_secret_no_control_character_and_no_flood_is_kept() {
        let many: Vec<_> = (0..1_000).map(|_| "key SECRET\u{7} is wrong").collect();
        let problems = shown(json!({ "ACCOUNT": many }));
        assert_eq!(problems.len(), MOST_PROBLEMS);
        assert_eq!(problems[0], "[redacted]: key [redacted]  is wrong");
    }

    #[test]
    fn a_known_csr_is_told_by_its_documented_field() {
        assert_eq!(cause(200, json!({ "csr": { "csr_unique_values": ["..."] } })), RefusalCause::CsrAlreadySubmitted);
        assert_eq!(cause(422, json!({ "csr_unique_values": {"x": ["y"]} })), RefusalCause::CsrAlreadySubmitted);
    }

    #[test]
    fn each_cause_is_told_from_fields_words_and_status() {
        for (http_status, errors, expected) in [
            (402, json!({}), RefusalCause::Funds),
            (200, json!({ "funds": ["are not enough"] }), RefusalCause::Funds),
            (400, json!({ "base": ["Insufficient funds in the account"] }), RefusalCause::Funds),
            (401, json!({ "billing": "balance too low" }), RefusalCause::Funds),
            (401, json!({}), RefusalCause::Credentials),
            (200, json!({ "account_key": ["not found"] }), RefusalCause::Credentials),
            (403, json!({}), RefusalCause::Entitlement),
            (400, json!({ "product": ["is not allowed for this account"] }), RefusalCause::Entitlement),
            (400, json!({ "product": ["is unknown"] }), RefusalCause::Product),
            (200, json!({ "period": ["is not included in the list"] }), RefusalCause::Product),
            (404, json!({}), RefusalCause::NotFound),
            (400, json!({ "csr": ["csr has problems"] }), RefusalCause::Data),
            (422, json!({}), RefusalCause::Data),
            (200, json!("something"), RefusalCause::Data),
            (418, json!({}), RefusalCause::Other),
        ] {
            assert_eq!(cause(http_status, errors.clone()), expected, "{http_status} {errors}");
        }
    }

    #[test]
    fn a_contact_for_billing_is_not_a_lack_of_funds() {
        let errors =
            json!({ "contacts": { "billing": { "email": ["payment required contact, permission missing"] } } });
        assert_eq!(cause(400, errors), RefusalCause::Data);
    }
}
