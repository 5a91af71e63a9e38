//! The JSON body of a write. Empty members are left out, because SSL.com mishandles `null` (sslcorp-php-sdk, commit
//! 1994ab5), and configuration may add fields but never change what is bought.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::{Credentials, Error};

pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn new() -> Self {
        Self(Map::new())
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(value) = pruned(value.into()) {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// # Errors
    /// [`Error::Configuration`] for a field that is the client's own.
    pub(crate) fn with_extra_fields(mut self, extra: &Map<String, Value>) -> Result<Self, Error> {
        for (name, value) in extra {
            if OWN_FIELDS.contains(&name.as_str()) || self.0.contains_key(name) {
                return Err(Error::configuration(format!("extra field {name:?}"), "the client sets this field itself"));
            }
            self = self.with(name, value.clone());
        }
        Ok(self)
    }

    /// With the credentials, which SSL.com takes as members of the body.
    pub(crate) fn signed(self, credentials: &Credentials) -> Value {
        let signed = self
            .with("account_key", credentials.account_key.expose_secret())
            .with("secret_key", credentials.secret_key.expose_secret());
        Value::Object(signed.0)
    }
}

/// Who pays, for what, and how the order is found again. `csr` is one of them because a CSR in the request that creates an
/// order was answered with HTTP 500 (seen in the sandbox, 2026-06).
const OWN_FIELDS: [&str; 7] =
    ["account_key", "secret_key", "product", "period", "external_order_number", "callback", "csr"];

fn pruned(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Array(elements) => {
            let elements: Vec<Value> = elements.into_iter().filter_map(pruned).collect();
            (!elements.is_empty()).then_some(Value::Array(elements))
        }
        Value::Object(members) => {
            let members: Map<_, _> =
                members.into_iter().filter_map(|(name, value)| Some((name, pruned(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        Value::Bool(_) | Value::Number(_) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn credentials() -> Credentials {
        Credentials { account_key: "A".into(), secret_key: "S".into() }
    }

    #[test]
    fn empty_members_are_left_out_at_any_depth() {
        let body = Body::new()
            .with("a", "")
            .with("b", Value::Null)
            .with("c", json!({ "d": [null, { "e": "" }], "f": {} }))
            .with("g", json!({ "h": "", "i": false, "j": 0, "k": ["", "l"] }));
        let sent = json!({ "account_key": "A", "secret_key": "S", "g": { "i": false, "j": 0, "k": ["l"] } });
        assert_eq!(body.signed(&credentials()), sent);
    }

    #[test]
    fn configuration_may_add_fields_but_not_replace_one() {
        let extra = |name: &str| json!({ name: "x" }).as_object().unwrap().clone();
        let body = Body::new().with("country", "DE");
        let added = body.with_extra_fields(&extra("email_address")).unwrap().signed(&credentials());
        assert_eq!(added["email_address"], "x");
        for name in OWN_FIELDS.into_iter().chain(["country"]) {
            let refused = Body::new().with("country", "DE").with_extra_fields(&extra(name));
            let text = refused.err().unwrap().to_string();
            assert_eq!(text, format!("extra field {name:?} cannot be used: the client sets this field itself"));
        }
    }
}
