//! The `timing` table: how long every step waits, and how often it tries. How many steps run at once is not the steps'
//! business but that of whoever runs them.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;

use super::{
    WrittenDuration,
    tables::{Notation, fields_beside},
    values::{count, schedule, wait},
};
use crate::{Deployment, FieldProblem};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TimingSection {
    purchase_window: Option<WrittenDuration>,
    quiet_time: Option<WrittenDuration>,
    look_up_after: Option<Vec<WrittenDuration>>,
    poll_after: Option<Vec<WrittenDuration>>,
    read_back_after: Option<Vec<WrittenDuration>>,
    retry_after: Option<WrittenDuration>,
    failures_allowed: Option<u32>,
    released_per_sweep: Option<usize>,
    clicks_accepted: Option<bool>,
}

impl TimingSection {
    /// The fields `of_caller` are left to the caller.
    pub(super) fn read(
        value: Option<Value>,
        notation: Notation,
        of_caller: &[&str],
        problems: &mut Vec<FieldProblem>,
    ) -> Self {
        let table = notation.fields_of("timing", value, problems);
        fields_beside(of_caller, "timing", table, problems)
    }

    /// `create_timeout` is how long the answer to a purchase is waited for.
    pub(super) fn deployment(self, create_timeout: Duration, problems: &mut Vec<FieldProblem>) -> Deployment {
        let default = Deployment::default();
        let purchase_window = self.purchase_window.map_or(default.purchase_window, |given| given.0);
        if purchase_window > SignedDuration::from_secs(60) || purchase_window < SignedDuration::from_secs(1) {
            let problem = "a purchase may start between 1 and 60 seconds after it was written down";
            problems.push(FieldProblem::new("timing.purchase_window", problem, "use 60s"));
        }
        let quiet_time = self.quiet_time.map_or(default.quiet_time, |given| given.0);
        let create_timeout = SignedDuration::try_from(create_timeout).unwrap_or(SignedDuration::MAX);
        let least = purchase_window.saturating_add(create_timeout);
        if quiet_time <= least {
            let problem = format!(
                "a purchase may still be answered {least:#} after it was written down, so {quiet_time:#} is too short"
            );
            let fix =
                "make it longer than timing.purchase_window and sslcom.create_timeout together; 30m is the default";
            problems.push(FieldProblem::new("timing.quiet_time", problem, fix));
        }
        Deployment {
            purchase_window,
            quiet_time,
            look_up_after: schedule("timing.look_up_after", self.look_up_after, default.look_up_after, problems),
            poll_after: schedule("timing.poll_after", self.poll_after, default.poll_after, problems),
            read_back_after: schedule(
                "timing.read_back_after",
                self.read_back_after,
                default.read_back_after,
                problems,
            ),
            retry_after: wait("timing.retry_after", self.retry_after, default.retry_after, problems),
            failures_allowed: count(
                "timing.failures_allowed",
                self.failures_allowed,
                default.failures_allowed,
                problems,
            ),
            released_per_sweep: count(
                "timing.released_per_sweep",
                self.released_per_sweep,
                default.released_per_sweep,
                problems,
            ),
            clicks_accepted: self.clicks_accepted.unwrap_or(default.clicks_accepted),
            ..Deployment::default()
        }
    }
}
