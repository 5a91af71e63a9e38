//! Reads tables field by field, so that one wrong field does not hide the next. No problem's text holds a secret.

use flow::FieldProblem;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

const EXAMPLE: &str = "see the commented example";

/// The table of this name; its default where the file has none, or a wrong one.
pub(super) fn one<T: DeserializeOwned + Default>(
    name: &str,
    value: Option<toml::Value>,
    problems: &mut Vec<FieldProblem>,
) -> T {
    match value {
        None => T::default(),
        Some(toml::Value::Table(table)) => fields(name, table, problems),
        Some(_) => {
            problems.push(FieldProblem::new(name, "it is not a table", format!("write [{name}] above its fields")));
            T::default()
        }
    }
}

/// The rows of a list of tables, each with the name by which a problem calls it.
pub(super) fn many(
    name: &str,
    value: Option<toml::Value>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<(String, toml::Table)> {
    let (rows, mut is_list) = match value {
        None => (Vec::new(), true),
        Some(toml::Value::Array(rows)) => (rows, true),
        Some(_) => (Vec::new(), false),
    };
    let mut tables = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        match row {
            toml::Value::Table(table) => tables.push((format!("{name}[{index}]"), table)),
            _ => is_list = false,
        }
    }
    if !is_list {
        let fix = format!("write [[{name}]] above the fields of each");
        problems.push(FieldProblem::new(name, "it is not a list of tables", fix));
    }
    tables
}

/// What the readable fields of a table make.
pub(super) fn fields<T: DeserializeOwned + Default>(
    name: &str,
    table: toml::Table,
    problems: &mut Vec<FieldProblem>,
) -> T {
    let mut readable = toml::Table::new();
    for (field, value) in table {
        let alone = toml::Table::from_iter([(field.clone(), value.clone())]);
        match alone.try_into::<T>() {
            Ok(_) => {
                readable.insert(field, value);
            }
            Err(problem) => problems.push(unreadable(name, &field, problem.message())),
        }
    }
    readable.try_into().unwrap_or_default()
}

fn unreadable(name: &str, field: &str, message: &str) -> FieldProblem {
    let at = format!("{name}.{field}");
    // Messages end with what would have been right; what was found, which may be a secret, stands before it.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    if message.starts_with("unknown field") {
        let fix = expected.map_or_else(|| EXAMPLE.to_owned(), |known| format!("use {known}"));
        return FieldProblem::new(at, "there is no such field", fix);
    }
    let is_secret = ["secret", "token", "key"].iter().any(|word| at.contains(word));
    let text = if is_secret { "it has the wrong type or form" } else { message };
    let fix = match expected {
        _ if message.contains("duration") => "write it as in \"45s\", \"30m\" or \"6h\"".to_owned(),
        Some(expected) => format!("give {expected}"),
        None => EXAMPLE.to_owned(),
    };
    FieldProblem::new(at, text, fix)
}

/// The same value as the JSON API would get it. Dates are text there.
pub(super) fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::Object(json_fields(table)),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
    }
}

pub(super) fn json_fields(table: toml::Table) -> Map<String, Value> {
    table.into_iter().map(|(field, value)| (field, json(value))).collect()
}
