//! The `[[integration]]` rows: the fields of the JSON API, any of which may name a variable of the environment instead.

use std::collections::HashSet;

use flow::{FieldProblem, settings_input::SettingsInput};
use serde_json::{Map, Value};

/// What a text begins with that stands in the environment.
const FROM_ENVIRONMENT: &str = "env:";

/// The rows as the API would get them, secrets filled in.
pub(super) fn integrations(
    rows: Vec<(String, Map<String, Value>)>,
    environment: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<Map<String, Value>> {
    let mut tenants = HashSet::new();
    let read = rows.into_iter().map(|(name, row)| {
        let input = integration(&name, row, environment, problems);
        let tenant = input.get("tenant_id").and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
        if !tenant.is_empty() && !tenants.insert(tenant) {
            let problem = "an earlier integration has the same tenant";
            problems.push(FieldProblem::new(format!("{name}.tenant_id"), problem, "keep one integration per tenant"));
        }
        input
    });
    read.collect()
}

fn integration(
    name: &str,
    mut input: Map<String, Value>,
    environment: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Map<String, Value> {
    for (field, value) in &mut input {
        let Some(variable) = value.as_str().and_then(|text| text.strip_prefix(FROM_ENVIRONMENT)) else { continue };
        match environment(variable) {
            Some(found) => *value = Value::String(found),
            None => {
                let problem = format!("the environment has no variable {variable}");
                problems.push(FieldProblem::new(format!("{name}.{field}"), problem, "set it, or correct its name"));
            }
        }
    }
    let (settings, unreadable) = SettingsInput::from_fields(input.clone());
    let bad = settings.parse(true).err().unwrap_or_default();
    let of_row = |problem: FieldProblem| FieldProblem { field: format!("{name}.{}", problem.field), ..problem };
    problems.extend(unreadable.into_iter().chain(bad).map(of_row));
    input
}
