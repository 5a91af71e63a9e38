//! Reads tables field by field, so that one wrong field does not hide the next. No problem's text holds a secret.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::FieldProblem;

/// How the tables were written, for the sentences that say how to write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    Toml,
    Json,
}

impl Notation {
    /// The table of this name; its default where there is none, or a wrong one.
    pub fn table<T: DeserializeOwned + Default>(
        self,
        name: &str,
        value: Option<Value>,
        problems: &mut Vec<FieldProblem>,
    ) -> T {
        fields(name, self.fields_of(name, value, problems), problems)
    }

    /// The rows of a list of tables, each with the name by which a problem calls it.
    pub fn rows(
        self,
        name: &str,
        value: Option<Value>,
        problems: &mut Vec<FieldProblem>,
    ) -> Vec<(String, Map<String, Value>)> {
        let (rows, mut is_list) = match value {
            None => (Vec::new(), true),
            Some(Value::Array(rows)) => (rows, true),
            Some(_) => (Vec::new(), false),
        };
        let mut tables = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            match row {
                Value::Object(table) => tables.push((format!("{name}[{index}]"), table)),
                _ => is_list = false,
            }
        }
        if !is_list {
            let fix = match self {
                Self::Toml => format!("write [[{name}]] above the fields of each"),
                Self::Json => "write it as a JSON array of objects".to_owned(),
            };
            problems.push(FieldProblem::new(name, "it is not a list of tables", fix));
        }
        tables
    }

    /// The fields of the table of this name, unread.
    pub(super) fn fields_of(
        self,
        name: &str,
        value: Option<Value>,
        problems: &mut Vec<FieldProblem>,
    ) -> Map<String, Value> {
        let fix = match (value, self) {
            (None, _) => return Map::new(),
            (Some(Value::Object(table)), _) => return table,
            (Some(_), Self::Toml) => format!("write [{name}] above its fields"),
            (Some(_), Self::Json) => "write it as a JSON object".to_owned(),
        };
        problems.push(FieldProblem::new(name, "it is not a table", fix));
        Map::new()
    }
}

/// What the readable fields of a table make. `T` refuses unknown fields (`deny_unknown_fields`), so that they are named.
pub fn fields<T: DeserializeOwned + Default>(
    name: &str,
    table: Map<String, Value>,
    problems: &mut Vec<FieldProblem>,
) -> T {
    fields_beside(&[], name, table, problems)
}

/// The same where somebody else reads the fields `others` of the table: they are known, and left alone.
pub(super) fn fields_beside<T: DeserializeOwned + Default>(
    others: &[&str],
    name: &str,
    table: Map<String, Value>,
    problems: &mut Vec<FieldProblem>,
) -> T {
    let mut readable = Map::new();
    for (field, value) in table.into_iter().filter(|(field, _)| !others.contains(&field.as_str())) {
        let alone = Map::from_iter([(field.clone(), value.clone())]);
        match serde_json::from_value::<T>(Value::Object(alone)) {
            Ok(_) => {
                readable.insert(field, value);
            }
            Err(problem) => problems.push(unreadable(format!("{name}.{field}"), &problem.to_string(), others)),
        }
    }
    serde_json::from_value(Value::Object(readable)).unwrap_or_default()
}

pub fn unknown_table(name: &str, known: &[&str]) -> FieldProblem {
    FieldProblem::new(name, "there is no such table or field", format!("use one of {}", known.join(", ")))
}

const EXAMPLE: &str = "see the commented example";

fn unreadable(field: String, message: &str, others: &[&str]) -> FieldProblem {
    // Messages end with what would have been right; what was found, which may be a secret, stands before it.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    if message.starts_with("unknown field") {
        let others: String = others.iter().map(|other| format!(", `{other}`")).collect();
        let fix = expected.map_or_else(|| EXAMPLE.to_owned(), |known| format!("use {known}{others}"));
        return FieldProblem::new(field, "there is no such field", fix);
    }
    let is_secret = ["secret", "token", "key"].iter().any(|word| field.contains(word));
    let text = if is_secret { "it has the wrong type or form" } else { message };
    let fix = match expected {
        _ if message.contains("duration") => "write it as in \"45s\", \"30m\" or \"6h\"".to_owned(),
        Some(expected) => format!("give {expected}"),
        None => EXAMPLE.to_owned(),
    };
    FieldProblem::new(field, text, fix)
}
