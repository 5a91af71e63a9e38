//! An order as SSL.com describes it. Everything but its ref may be missing.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Amount, FieldProblem, OrderStatus, StatusTable};

/// SSL.com's name of an order, such as `co-abcd1234`; a voucher's code is used in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderRef(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order's ref is 1 to 100 visible ASCII characters")]
pub struct NotAnOrderRef;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The one in the answer; where that names none, the one that was asked about.
    pub order_ref: OrderRef,
    pub status: OrderStatus,
    pub amount: Option<Amount>,
    pub external_order_number: Option<String>,
    /// Of the answers that were described publicly none had it.
    pub product: Option<String>,
    pub common_name: Option<String>,
    pub subject_alternative_names: Vec<String>,
    /// Verbatim. No issued S/MIME bundle has been described publicly: it may be PEM, base64 or PKCS#7, in any order.
    pub certificates: Option<String>,
    pub validations: Vec<Validation>,
    /// As SSL.com writes it. The certificate's own dates count.
    pub effective_date: Option<String>,
    /// As SSL.com writes it. The certificate's own dates count.
    pub expiration_date: Option<String>,
    /// Where a person can follow the validation.
    pub validation_url: Option<String>,
    /// Objections in an answer that has a ref nevertheless: the order exists.
    pub problems: Vec<FieldProblem>,
}

/// One thing that has to be validated, such as `email:alice@example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    pub item: String,
    pub method: Option<String>,
    pub status: Option<String>,
    pub attempted_on: Option<String>,
}

impl OrderRef {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` for no ref; an error for a ref that cannot be read, which is something else after a purchase.
    pub(crate) fn read(order: &Map<String, Value>) -> Result<Option<Self>, NotAnOrderRef> {
        match order.get("ref") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => text.trim().parse().map(Some),
            Some(Value::Number(number)) => number.to_string().parse().map(Some),
            Some(_) => Err(NotAnOrderRef),
        }
    }
}

impl Order {
    pub(crate) fn read(order_ref: OrderRef, order: &Map<String, Value>, statuses: &StatusTable) -> Self {
        Self {
            order_ref,
            status: statuses.read(&text(order, "order_status").unwrap_or_default()),
            amount: order.get("order_amount").and_then(Amount::read),
            external_order_number: text(order, "external_order_number"),
            product: text(order, "product"),
            common_name: text(order, "common_name"),
            subject_alternative_names: order.get("subject_alternative_names").map(texts).unwrap_or_default(),
            certificates: order
                .get("certificates")
                .map(texts)
                .filter(|parts| !parts.is_empty())
                .map(|parts| parts.join("\n")),
            validations: order.get("validations").map(validations).unwrap_or_default(),
            effective_date: text(order, "effective_date"),
            expiration_date: text(order, "expiration_date"),
            validation_url: text(order, "validation_url"),
            problems: Vec::new(),
        }
    }
}

/// In characters. Bounds what is kept of any text but the certificates.
const LONGEST_TEXT: usize = 500;

/// A text, or a number as text. Nothing for an empty one.
pub(crate) fn text(order: &Map<String, Value>, name: &str) -> Option<String> {
    match order.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.chars().take(LONGEST_TEXT).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The texts in a value, however nested: one text, a list, or an object whose members' names do not matter.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => vec![text.clone()],
        Value::Array(elements) => elements.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn validations(value: &Value) -> Vec<Validation> {
    let members = value.as_object().into_iter().flatten();
    let one = |(item, state): (&String, &Value)| {
        let none = Map::new();
        let members = state.as_object().unwrap_or(&none);
        Validation {
            item: item.clone(),
            method: text(members, "dcv_method"),
            status: text(members, "status").or_else(|| state.as_str().map(str::to_owned)),
            attempted_on: text(members, "attempted_on"),
        }
    };
    members.map(one).collect()
}

impl FromStr for OrderRef {
    type Err = NotAnOrderRef;

    fn from_str(text: &str) -> Result<Self, NotAnOrderRef> {
        // A path segment of dots only would address something else than an order.
        let is_ref = (1..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.bytes().any(|byte| byte != b'.');
        if is_ref { Ok(Self(text.to_owned())) } else { Err(NotAnOrderRef) }
    }
}

impl TryFrom<String> for OrderRef {
    type Error = NotAnOrderRef;

    fn try_from(text: String) -> Result<Self, NotAnOrderRef> {
        text.parse()
    }
}

impl From<OrderRef> for String {
    fn from(order_ref: OrderRef) -> Self {
        order_ref.0
    }
}

impl fmt::Display for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;
    use crate::Stage;

    fn order(value: &Value) -> Order {
        Order::read("co-1".parse().unwrap(), value.as_object().unwrap(), &StatusTable::default())
    }

    fn ref_in(value: Value) -> Result<Option<OrderRef>, NotAnOrderRef> {
        OrderRef::read(json!({ "ref": value }).as_object().unwrap())
    }

    #[test]
    fn a_ref_is_read_absent_or_unreadable_and_these_are_three_things() {
        assert_eq!(ref_in(json!(" co-abcd1234 ")).unwrap().unwrap().as_str(), "co-abcd1234");
        assert_eq!(ref_in(json!(12345)).unwrap().unwrap().as_str(), "12345");
        for absent in [json!(null), json!(""), json!("  ")] {
            assert_eq!(ref_in(absent), Ok(None));
        }
        for unreadable in [json!({}), json!(["co-1"]), json!(true), json!("co 1"), json!(".."), json!("x".repeat(101))]
        {
            assert_eq!(ref_in(unreadable), Err(NotAnOrderRef));
        }
    }

    #[test]
    fn an_order_of_nulls_is_an_order() {
        let order = order(&json!({
            "order_status": null, "order_amount": null, "certificates": null, "validations": null, "common_name": null,
            "subject_alternative_names": null, "effective_date": null, "registrant": null,
        }));
        assert_eq!((order.status.text.as_str(), order.status.stage), ("", Stage::Unknown));
        assert_eq!((order.amount, order.certificates, order.validations), (None, None, vec![]));
    }

    #[test]
    fn certificates_are_kept_verbatim_and_joined_when_they_come_apart() {
        let bundle = "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n";
        assert_eq!(order(&json!({ "certificates": bundle })).certificates.unwrap(), bundle);
        let apart = [json!(["A", null, "B"]), json!({ "1": "A", "2": { "pem": "B" } }), json!([{ "pem": "A" }, ["B"]])];
        for certificates in apart {
            assert_eq!(order(&json!({ "certificates": certificates })).certificates.unwrap(), "A\nB");
        }
        for nothing in [json!(""), json!("\n"), json!([]), json!({}), json!([null, ""]), json!(false)] {
            assert_eq!(order(&json!({ "certificates": nothing })).certificates, None);
        }
    }

    #[test]
    fn validations_are_read_item_by_item() {
        let validations = order(&json!({ "validations": {
            "alice@example.com": null,
            "email:alice@example.com": { "dcv_method": "email", "status": "sent", "attempted_on": "2026-06-16" },
            "other": "pending",
        } }))
        .validations;
        let read: Vec<_> =
            validations.iter().map(|v| (v.item.as_str(), v.method.as_deref(), v.status.as_deref())).collect();
        let expected = [
            ("alice@example.com", None, None),
            ("email:alice@example.com", Some("email"), Some("sent")),
            ("other", None, Some("pending")),
        ];
        assert_eq!(read, expected);
        assert_eq!(order(&json!({ "validations": ["x", 1] })).validations, []);
    }

    #[test]
    fn a_long_text_is_not_kept_whole() {
        assert_eq!(order(&json!({ "order_status": "x".repeat(10_000) })).status.text.len(), LONGEST_TEXT);
    }

    #[test]
    fn a_ref_keeps_its_form_when_stored() {
        let order_ref: OrderRef = "co-abcd1234".parse().unwrap();
        assert_eq!(serde_json::to_value(&order_ref).unwrap(), json!("co-abcd1234"));
        assert_eq!(serde_json::from_value::<OrderRef>(json!("co-abcd1234")).unwrap(), order_ref);
        assert!(serde_json::from_value::<OrderRef>(json!("co 1")).is_err());
    }
}
