//! The `[timing]` table: how long everything waits, and how much is done at once.

use std::time::Duration;

use flow::{Deployment, FieldProblem};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::runner::Pace;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TimingSection {
    purchase_window: Option<SignedDuration>,
    quiet_time: Option<SignedDuration>,
    look_up_after: Option<Vec<SignedDuration>>,
    poll_after: Option<Vec<SignedDuration>>,
    read_back_after: Option<Vec<SignedDuration>>,
    retry_after: Option<SignedDuration>,
    failures_allowed: Option<u32>,
    released_per_sweep: Option<usize>,
    sweep_every: Option<SignedDuration>,
    purchases_at_once: Option<usize>,
    jobs_at_once: Option<usize>,
    clicks_accepted: Option<bool>,
}

impl TimingSection {
    /// `create_timeout` is how long the answer to a purchase is waited for.
    pub(super) fn deployment(&self, create_timeout: Duration, problems: &mut Vec<FieldProblem>) -> Deployment {
        let default = Deployment::default();
        let purchase_window = self.purchase_window.unwrap_or(default.purchase_window);
        if purchase_window > SignedDuration::from_secs(60) || purchase_window < SignedDuration::from_secs(1) {
            let problem = "a purchase may start between 1 and 60 seconds after it was written down";
            problems.push(FieldProblem::new("timing.purchase_window", problem, "use 60s"));
        }
        let quiet_time = self.quiet_time.unwrap_or(default.quiet_time);
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
            look_up_after: schedule("look_up_after", &self.look_up_after, default.look_up_after, problems),
            poll_after: schedule("poll_after", &self.poll_after, default.poll_after, problems),
            read_back_after: schedule("read_back_after", &self.read_back_after, default.read_back_after, problems),
            retry_after: wait("retry_after", self.retry_after, default.retry_after, problems),
            failures_allowed: count("failures_allowed", self.failures_allowed, default.failures_allowed, problems),
            released_per_sweep: count(
                "released_per_sweep",
                self.released_per_sweep,
                default.released_per_sweep,
                problems,
            ),
            clicks_accepted: self.clicks_accepted.unwrap_or(default.clicks_accepted),
            ..Deployment::default()
        }
    }

    pub(super) fn pace(&self, problems: &mut Vec<FieldProblem>) -> Pace {
        let default = Pace::default();
        let unchanged = SignedDuration::try_from(default.sweep_every).unwrap_or(SignedDuration::MAX);
        let sweep_every = wait("sweep_every", self.sweep_every, unchanged, problems);
        Pace {
            sweep_every: Duration::try_from(sweep_every).unwrap_or(default.sweep_every),
            purchases_at_once: count("purchases_at_once", self.purchases_at_once, default.purchases_at_once, problems),
            jobs_at_once: count("jobs_at_once", self.jobs_at_once, default.jobs_at_once, problems),
        }
    }
}

fn schedule(
    name: &str,
    given: &Option<Vec<SignedDuration>>,
    default: Vec<SignedDuration>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<SignedDuration> {
    let schedule = given.clone().unwrap_or(default);
    // The last time repeats.
    let again = schedule.last().copied().unwrap_or_default();
    if schedule.iter().any(SignedDuration::is_negative) || !again.is_positive() {
        let problem = "it is empty, holds a negative time, or ends with no time at all";
        let fix = "write it as in [\"1m\", \"2m\", \"5m\"]";
        problems.push(FieldProblem::new(format!("timing.{name}"), problem, fix));
    }
    schedule
}

fn wait(
    name: &str,
    given: Option<SignedDuration>,
    default: SignedDuration,
    problems: &mut Vec<FieldProblem>,
) -> SignedDuration {
    let wait = given.unwrap_or(default);
    if !wait.is_positive() || wait > SignedDuration::from_hours(1) {
        let fix = "write it as in \"2s\" or \"1m\"";
        problems.push(FieldProblem::new(format!("timing.{name}"), "it is not between 0 and an hour", fix));
    }
    wait
}

fn count<T: Copy + Default + PartialEq>(
    name: &str,
    given: Option<T>,
    default: T,
    problems: &mut Vec<FieldProblem>,
) -> T {
    let count = given.unwrap_or(default);
    if count == T::default() {
        let problem = "with 0 nothing would ever be done";
        problems.push(FieldProblem::new(format!("timing.{name}"), problem, "use 1 or more, or leave it out"));
    }
    count
}
