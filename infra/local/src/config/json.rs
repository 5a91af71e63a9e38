//! A TOML file's tables as JSON values, which is what everybody reads: the same choices come as JSON on AWS, and an
//! integration's fields by the API.

use serde_json::{Map, Value};

/// Dates become text.
pub(super) fn json_fields(table: toml::Table) -> Map<String, Value> {
    table.into_iter().map(|(field, value)| (field, json(value))).collect()
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::Object(json_fields(table)),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        // JSON has no infinity, and null would say that the field was left out.
        toml::Value::Float(number) if !number.is_finite() => Value::String(number.to_string()),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_is_carried_over_and_none_becomes_null() {
        let text = "text = 'a'\nwhole = -3\npart = 0.5\nyes = true\nday = 2026-05-04\ntime = 07:32:00\nno = nan\nmost = inf\n\
                    [[row]]\nlist = [[1], []]\n";
        let expected = json!({
            "text": "a", "whole": -3, "part": 0.5, "yes": true, "day": "2026-05-04", "time": "07:32:00",
            "no": "NaN", "most": "inf", "row": [{ "list": [[1], []] }],
        });
        assert_eq!(Value::Object(json_fields(text.parse().unwrap())), expected);
    }
}
