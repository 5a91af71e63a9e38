//! The runner's fields of the `[timing]` table: how often it sweeps, and how much it does at once. The steps' fields are
//! read with the deployment's other choices.

use std::time::Duration;

use flow::{
    FieldProblem,
    deployment_input::{
        WrittenDuration,
        tables::fields,
        values::{count, wait},
    },
};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::runner::Pace;

pub(super) const FIELDS: [&str; 3] = ["sweep_every", "purchases_at_once", "jobs_at_once"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PaceFields {
    sweep_every: Option<WrittenDuration>,
    purchases_at_once: Option<usize>,
    jobs_at_once: Option<usize>,
}

/// What [`FIELDS`] of the table say. All else of it is the business of whoever reads the rest.
pub(super) fn pace(timing: Option<&Value>, problems: &mut Vec<FieldProblem>) -> Pace {
    let of_table = timing.and_then(Value::as_object).into_iter().flatten();
    let own = of_table.filter(|(field, _)| FIELDS.contains(&field.as_str()));
    let own: Map<_, _> = own.map(|(field, value)| (field.clone(), value.clone())).collect();
    let PaceFields { sweep_every, purchases_at_once, jobs_at_once } = fields("timing", own, problems);

    let default = Pace::default();
    let unchanged = SignedDuration::try_from(default.sweep_every).unwrap_or(SignedDuration::MAX);
    let sweep_every = wait("timing.sweep_every", sweep_every, unchanged, problems);
    Pace {
        sweep_every: Duration::try_from(sweep_every).unwrap_or(default.sweep_every),
        purchases_at_once: count("timing.purchases_at_once", purchases_at_once, default.purchases_at_once, problems),
        jobs_at_once: count("timing.jobs_at_once", jobs_at_once, default.jobs_at_once, problems),
    }
}
