//! What a function is told by its environment. The one place outside of a `main` where the environment is read.
//!
//! Everything that is missing or wrong is named at once, and nothing starts.

use std::{collections::BTreeMap, fmt};

use domain::jobs::QueueName;

use crate::Resources;

/// Everything that is wrong with the environment of a function.
#[derive(Debug)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} problem{} of the environment: ", if count == 1 { "" } else { "s" })?;
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Problems {}

/// The value of an environment variable. An empty one counts as missing.
#[expect(clippy::disallowed_methods, reason = "this is where configuration enters")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The names of what the template made.
pub(crate) fn resources(lookup: &impl Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> Resources {
    let mut needed = |name: &str| needed(lookup, name, problems);
    let (stage, table, data_key) = (needed("STAGE"), needed("TABLE_NAME"), needed("DATA_KEY_ARN"));
    if !data_key.is_empty() && !data_key.starts_with("arn:") {
        problems.push("DATA_KEY_ARN is not the ARN of a key: take it from the stack's output DataKeyArn".to_owned());
    }
    let queues = queue_addresses("QUEUE_URL", lookup, problems);
    Resources { stage, table, data_key, queues }
}

/// The addresses of one queue for each kind of job, out of `PREFIX_USER_IMPORT` and so on.
pub(crate) fn queue_addresses(
    prefix: &str,
    lookup: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<String>,
) -> BTreeMap<QueueName, String> {
    let address = |queue: QueueName| {
        let name = format!("{prefix}_{}", queue.as_str().replace('-', "_").to_uppercase());
        let address = needed(lookup, &name, problems);
        if !address.is_empty() && !address.starts_with("https://") && !address.starts_with("http://") {
            problems.push(format!("{name} is not the address of a queue: it begins with https://"));
        }
        (queue, address)
    };
    QueueName::ALL.map(address).into()
}

fn needed(lookup: &impl Fn(&str) -> Option<String>, name: &str, problems: &mut Vec<String>) -> String {
    lookup(name).unwrap_or_else(|| {
        problems.push(format!("{name} is missing: deploy the function with template.yaml, which sets it"));
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> Option<String> {
        let value = match name {
            "STAGE" => "test",
            "TABLE_NAME" => "table",
            "DATA_KEY_ARN" => "arn:aws:kms:eu-central-1:111122223333:key/1",
            name if name.starts_with("QUEUE_URL_") => "https://sqs.example/1/q",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn an_environment_as_the_template_sets_it_is_read() {
        let mut problems = Vec::new();
        let resources = resources(&told, &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((resources.stage.as_str(), resources.queues.len()), ("test", 5));
    }

    #[test]
    fn everything_that_is_missing_or_wrong_is_named_at_once() {
        let lookup = |name: &str| match name {
            "TABLE_NAME" | "QUEUE_URL_PFX_IMPORT" => None,
            "DATA_KEY_ARN" => Some("alias/key".to_owned()),
            "QUEUE_URL_ORDER_CHECK" => Some("order-check".to_owned()),
            name => told(name),
        };
        let mut problems = Vec::new();
        resources(&lookup, &mut problems);
        let names: Vec<_> = problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
        assert_eq!(names, ["TABLE_NAME", "DATA_KEY_ARN", "QUEUE_URL_ORDER_CHECK", "QUEUE_URL_PFX_IMPORT"]);
        assert!(Problems(problems).to_string().starts_with("4 problems of the environment: TABLE_NAME is missing"));
    }
}
