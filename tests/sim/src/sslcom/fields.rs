//! Reads what a client sent, member by member. A member that nobody asked for is refused, and so is
//! a JSON null: the real API trips over nulls, which the SDK learned from SSL.com.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use crate::server::page;

/// An answer other than success.
#[derive(Debug)]
pub(super) enum Refusal {
    /// An `errors` object keyed by field.
    Fields { status: StatusCode, errors: Value },
    /// HTML, as the real API answers when it trips.
    Page(StatusCode),
}

impl Refusal {
    pub(super) fn field(name: &str, message: &str) -> Self {
        Self::of(StatusCode::BAD_REQUEST, name, message)
    }

    pub(super) fn of(status: StatusCode, name: &str, message: &str) -> Self {
        Self::Fields { status, errors: json!({ name: [message] }) }
    }

    pub(super) fn unknown_reference() -> Self {
        Self::of(StatusCode::NOT_FOUND, "ref", "could not be found")
    }

    pub(super) fn trip() -> Self {
        Self::Page(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn into_response(self, errors_with_200: bool) -> Response {
        match self {
            Self::Fields { errors, .. } if errors_with_200 => Json(json!({ "errors": errors })).into_response(),
            Self::Fields { status, errors } => (status, Json(json!({ "errors": errors }))).into_response(),
            Self::Page(status) => page(status),
        }
    }
}

/// The members that have not been read yet.
pub(super) struct Fields {
    members: Map<String, Value>,
    /// Where a nested object stands, e.g. `contacts.all.`.
    within: String,
}

impl Fields {
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        let members: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| Refusal::field("base", "the body is not a JSON object"))?;
        if let Some((name, _)) = members.iter().find(|(_, value)| holds_null(value)) {
            return Err(Refusal::field(name, "is null"));
        }
        Ok(Self { members, within: String::new() })
    }

    pub(super) fn from_query(parameters: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut members = Map::new();
        for (name, value) in parameters {
            if members.insert(name.clone(), Value::String(value)).is_some() {
                return Err(Refusal::field(&name, "is given twice"));
            }
        }
        Ok(Self { members, within: String::new() })
    }

    /// A text; an empty one counts as absent, because the SDK sends `""` for what it does not know.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(name, "is not a text")),
        }
    }

    pub(super) fn required_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| self.refuse(name, "can't be blank"))
    }

    /// A number, as a JSON number or as digits in a text: the vendor's examples have both.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, Refusal> {
        let Some(value) = self.members.remove(name) else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.refuse(name, "is not a number"))
    }

    pub(super) fn required_number(&mut self, name: &str) -> Result<u32, Refusal> {
        self.number(name)?.ok_or_else(|| self.refuse(name, "can't be blank"))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self { members, within: format!("{}{name}.", self.within) })),
            Some(_) => Err(self.refuse(name, "is not an object")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(value) = self.members.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| self.refuse(name, "is not a list of texts"))
    }

    /// The names that are left, for an object whose names are the caller's own.
    pub(super) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.refuse(name, "is not understood here")),
        }
    }

    pub(super) fn refuse(&self, name: &str, message: &str) -> Refusal {
        Refusal::field(&format!("{}{name}", self.within), message)
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}
