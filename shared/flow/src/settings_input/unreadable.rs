//! Finds which part of a field has the wrong type or name, however deep it lies, and leaves the rest to be read.

use serde_json::{Map, Value};

use super::SettingsInput;
use crate::FieldProblem;

/// What of this field can be read. Every part that cannot is named; in a list, one bad row makes the whole list unreadable,
/// so that the others keep their numbers.
pub(super) fn readable(field: &str, value: Value, problems: &mut Vec<FieldProblem>) -> Option<Value> {
    let top = field.to_owned();
    part(field, value, &move |value| Map::from_iter([(top.clone(), value)]), problems)
}

/// `within` puts a value where it stands in the input, alone.
fn part(
    path: &str,
    value: Value,
    within: &dyn Fn(Value) -> Map<String, Value>,
    problems: &mut Vec<FieldProblem>,
) -> Option<Value> {
    let read = |value| serde_json::from_value::<SettingsInput>(Value::Object(within(value)));
    let Err(reason) = read(value.clone()) else { return Some(value) };
    let known = problems.len();
    let rest = match value {
        // An empty one can be read, so it is something in this one that cannot.
        Value::Object(members) if read(Value::Object(Map::new())).is_ok() => {
            let mut rest = Map::new();
            for (name, member) in members {
                let alone = |value| within(Value::Object(Map::from_iter([(name.clone(), value)])));
                if let Some(member) = part(&format!("{path}.{name}"), member, &alone, problems) {
                    rest.insert(name, member);
                }
            }
            Some(Value::Object(rest))
        }
        Value::Array(rows) if read(Value::Array(Vec::new())).is_ok() => {
            for (row, value) in rows.into_iter().enumerate() {
                part(&format!("{path}[{row}]"), value, &|value| within(Value::Array(vec![value])), problems);
            }
            None
        }
        _ => None,
    };
    if problems.len() > known {
        return rest;
    }
    problems.push(FieldProblem::new(path, without_secret(path, &reason.to_string()), fix(&reason.to_string())));
    None
}

/// serde_json quotes what it found, and what it found may be a secret.
fn without_secret(path: &str, reason: &str) -> String {
    let is_secret = path.contains("secret") || path.contains("account_key");
    if is_secret { "it has the wrong type".to_owned() } else { reason.to_owned() }
}

fn fix(reason: &str) -> &'static str {
    match reason {
        reason if reason.starts_with("unknown field") => "remove it, or correct its name",
        _ => "see the API's description of this field",
    }
}
