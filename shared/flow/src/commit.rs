//! How a step writes: what happened is applied by domain, then written under the version that was read.

use domain::{
    Enrollment, EnrollmentId, State,
    transition::{Actor, Event, Happened, apply},
};
use jiff::{SignedDuration, Timestamp};
use ports::{Change, Commit, IntegrationStore, PlatformError};
use uuid::Uuid;

use crate::finish_batch::finish_batch;

/// What became of an attempt to write.
#[derive(Debug)]
pub(crate) enum Written {
    Yes(Box<Enrollment>),
    /// Somebody else was there first, or the event no longer fits the row.
    No,
    /// The write would have broken something that other rows stand on.
    Refused(Commit),
}

impl Written {
    pub(crate) fn row(self) -> Option<Enrollment> {
        match self {
            Self::Yes(row) => Some(*row),
            Self::No | Self::Refused(_) => None,
        }
    }
}

/// Applies an event to the row as it was read and writes it, once. `dress` adds what must be true with it.
pub(crate) async fn once<S: IntegrationStore>(
    rows: &S,
    row: &Enrollment,
    happened: Happened,
    dress: impl FnOnce(&mut Change) + Send,
) -> Result<Written, PlatformError> {
    let Ok(next) = apply(row, &happened) else {
        return Ok(Written::No);
    };
    let mut change = Change::new(row, next, happened.clone(), Uuid::new_v4());
    dress(&mut change);
    Ok(match rows.commit(change).await? {
        Commit::Done(after) => {
            written(rows, row, &after, &happened).await;
            Written::Yes(after)
        }
        Commit::Stale => Written::No,
        refused @ (Commit::ClaimTaken { .. } | Commit::ReferenceTaken { .. } | Commit::LimitReached) => {
            Written::Refused(refused)
        }
    })
}

/// Writes a fact that the outside world has already made true. It must not be dropped because another writer was
/// quicker, so the row is read again until it fits or the event is refused by the row's new state.
pub(crate) async fn fact<S: IntegrationStore>(
    rows: &S,
    mut row: Enrollment,
    happened: Happened,
    dress: impl Fn(&mut Change) + Send + Sync,
) -> Result<Written, PlatformError> {
    for _ in 0..FACT_TRIES {
        let Ok(next) = apply(&row, &happened) else {
            return Ok(Written::No);
        };
        let mut change = Change::new(&row, next, happened.clone(), Uuid::new_v4());
        dress(&mut change);
        if says_nothing_new(&row, &change.enrollment) {
            return Ok(Written::Yes(Box::new(row)));
        }
        match rows.commit(change).await? {
            Commit::Done(after) => {
                written(rows, &row, &after, &happened).await;
                return Ok(Written::Yes(after));
            }
            Commit::Stale => match rows.enrollment(row.id).await? {
                Some(newer) => row = newer,
                None => return Ok(Written::No),
            },
            refused => return Ok(Written::Refused(refused)),
        }
    }
    Err(PlatformError::new("write a fact", "the row never stopped changing"))
}

/// Two runs may learn the same, such as two looks that find one order. Written again it would make the write of a step stale that
/// goes on from the first, and cost that step a lease.
fn says_nothing_new(row: &Enrollment, next: &Enrollment) -> bool {
    *row == Enrollment { changed_at: row.changed_at, ..next.clone() }
}

/// What follows from a change that is stored. It cannot undo the change, so nothing here is an error of it.
async fn written<S: IntegrationStore>(rows: &S, before: &Enrollment, after: &Enrollment, happened: &Happened) {
    tell(before, after, happened);
    if after.state.name().is_over()
        && !before.state.name().is_over()
        && let Err(problem) = finish_batch(rows, after.batch).await
    {
        let batch = after.batch;
        tracing::warn!(%batch, %problem, event = "batch.unfinished", "whether batch {batch} is done was not seen");
    }
}

/// One line of the log for each change, with the vendors' ids of the requests that led to it. `entered` is there when
/// the change led into another state; the metrics are made of it.
fn tell(before: &Enrollment, after: &Enrollment, happened: &Happened) {
    let state = after.state.name();
    let entered = (state != before.state.name()).then(|| state.as_str());
    let stage = match after.state {
        State::Failed { stage, .. } => Some(tracing::field::debug(stage)),
        _ => None,
    };
    tracing::info!(
        event = "enrollment.changed",
        enrollment = %after.id,
        integration = %after.integration,
        what = happened.what.name(),
        entered,
        cause = stage,
        request_ids = happened.request_ids.join(" "),
        "enrollment {}: {}",
        after.id,
        happened.what.name(),
    );
}

/// Writers of one row are few; whoever loses this often meets a fault, not competition.
const FACT_TRIES: usize = 16;

/// Nothing could be done; the row says why and when to try again.
pub(crate) async fn postpone<S: IntegrationStore>(
    rows: &S,
    row: &Enrollment,
    step: &'static str,
    now: Timestamp,
    until: Timestamp,
    note: impl Into<String>,
) -> Result<(), PlatformError> {
    let note = note.into();
    let (enrollment, integration) = (row.id, row.integration);
    tracing::info!(
        %enrollment, %integration, event = "step.postponed",
        "enrollment {enrollment} waits until {until}: {note}"
    );
    let what = Event::Postponed { until, note };
    once(rows, row, event(step, now, what), |_| {}).await.map(drop)
}

/// The vendor asked us to wait: the row waits with it, and nothing is written to its timeline.
pub(crate) async fn wait_out<S: IntegrationStore>(
    rows: &S,
    row: &Enrollment,
    until: Timestamp,
) -> Result<(), PlatformError> {
    if let Some(due) = row.due_at {
        rows.move_due(row.id, due, until).await?;
    }
    Ok(())
}

/// As a step of this name, at this time.
pub(crate) fn event(step: &'static str, at: Timestamp, what: Event) -> Happened {
    Happened { at, by: Actor::step(step), what, request_ids: Vec::new() }
}

/// When to try again after `failures` failures in a row: doubling from `first` up to an hour, and spread by the
/// row's id, so that many rows that failed together do not come back together.
pub(crate) fn back_off(row: &Enrollment, first: SignedDuration, now: Timestamp) -> Timestamp {
    now.saturating_add(patience(row.id, row.failures, first)).unwrap_or(Timestamp::MAX)
}

fn patience(enrollment: EnrollmentId, failures: u32, first: SignedDuration) -> SignedDuration {
    let doubled = first.checked_mul(1 << failures.min(10)).unwrap_or(HOUR).min(HOUR);
    let spread = doubled.as_millis() * i128::from(enrollment.0.as_u128() as u8) / (5 * 255);
    doubled + SignedDuration::from_millis(i64::try_from(spread).unwrap_or(0))
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The schedule's wait after this many tries; the last one repeats.
pub(crate) fn scheduled(schedule: &[SignedDuration], tries: u32) -> SignedDuration {
    let index = usize::try_from(tries).unwrap_or(usize::MAX).min(schedule.len().saturating_sub(1));
    schedule.get(index).copied().unwrap_or(HOUR)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FIRST: SignedDuration = SignedDuration::from_secs(60);

    #[test]
    fn waits_double_up_to_an_hour_and_a_fifth() {
        let id = EnrollmentId(Uuid::nil());
        let minutes: Vec<_> = (0..9).map(|failures| patience(id, failures, FIRST).as_mins()).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let latest = EnrollmentId(Uuid::max());
        assert_eq!(patience(latest, u32::MAX, FIRST), SignedDuration::from_mins(72));
        assert_eq!(patience(latest, 0, SignedDuration::MAX), SignedDuration::from_mins(72));
    }

    #[test]
    fn many_that_failed_together_do_not_come_back_together() {
        let waits = (0..500_u128)
            .map(|number| patience(EnrollmentId(Uuid::new_v5(&Uuid::nil(), &number.to_be_bytes())), 0, FIRST));
        let at: BTreeSet<_> = waits.collect();
        assert!(at.len() > 200, "{} moments for 500", at.len());
        assert!(at.iter().all(|wait| (FIRST..=FIRST * 6 / 5).contains(wait)));
    }
}
