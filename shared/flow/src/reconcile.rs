//! The sweep: whatever is due is released into its queue. Runs every minute; a lost message costs that minute.

use std::collections::{HashMap, HashSet};

use domain::{
    Batch, Integration, IntegrationId,
    batch::BatchStatus,
    enrollment::{Stage, StateName},
    jobs::{BatchJob, ImportPeople, Job, QueueName},
    step::{self, Step, job_for},
    transition::{Event, LEASE},
};
use jiff::{SignedDuration, Timestamp};
use ports::{Due, IntegrationStore, Platform, PlatformError, Queue, Store};

use crate::{
    Flow,
    commit::{self, event, once, postpone, wait_out},
    finish_batch::finish_batch,
    plan_batch::lease,
    preflight::SECRET_ENDS_SOON,
};

/// Releases what is due and answers how many jobs were sent.
///
/// The backlog stays in the store: one sweep releases so many per integration, taking turns between integrations, so
/// that queues stay short and a small integration is not starved by a large one.
pub async fn reconcile<P: Platform>(flow: &Flow<P>) -> Result<usize, PlatformError> {
    let Released { due, oldest_seconds, mut count } = release_due(flow).await?;
    let mut jobs = Vec::new();
    let mut unsure = 0;
    let mut after = None;
    loop {
        let page = flow.platform.store().integrations(after, 100).await?;
        for integration in page.items {
            warn_of_ending_secret(&integration, flow.now());
            let counts = flow.rows(integration.id).counts(None).await?;
            unsure +=
                counts.iter().filter(|(state, _)| *state == StateName::Unsure).map(|(_, count)| count).sum::<u64>();
            jobs.extend(lost_messages(flow, integration.id).await?);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    count += jobs.len();
    send(flow, &mut jobs).await?;
    // Said by every sweep, so that an alarm stays until a person has decided.
    tracing::info!(event = "sweep.done", due, oldest_seconds, unsure, "{due} enrollments are due, {unsure} are unsure");
    Ok(count)
}

/// What one sweep found due, and sent.
struct Released {
    due: usize,
    /// How long the oldest has waited for a sweep.
    oldest_seconds: i64,
    count: usize,
}

/// Jobs sent at once; more would only lengthen the moment between moving a due time and sending its job, in which a
/// crash costs a lease. SQS takes 10 too.
const SENT_AT_ONCE: usize = 10;

async fn send<P: Platform>(flow: &Flow<P>, jobs: &mut Vec<Job>) -> Result<(), PlatformError> {
    match jobs.is_empty() {
        true => Ok(()),
        false => flow.platform.queue().send(std::mem::take(jobs), std::time::Duration::ZERO).await,
    }
}

async fn release_due<P: Platform>(flow: &Flow<P>) -> Result<Released, PlatformError> {
    let now = flow.now();
    let due = flow.platform.store().due(now, flow.deployment.released_per_sweep).await?;
    let oldest_seconds = due.iter().map(|due| now.duration_since(due.due_at).as_secs()).max().unwrap_or(0);
    let found = due.len();
    let mut looked_up = HashSet::new();
    let mut count = 0;
    let mut jobs = Vec::new();
    for due in taking_turns(due) {
        let rows = flow.rows(due.integration);
        // The list is a hint; the row decides, and moving its due time is the right to release it.
        let Some(row) = rows.enrollment(due.enrollment).await? else { continue };
        if row.due_at != Some(due.due_at) {
            continue;
        }
        let step = step::plan(&row, now);
        let again = match step {
            Step::WaitUntil(until) => until,
            _ => now.saturating_add(LEASE).unwrap_or(Timestamp::MAX),
        };
        if step == Step::Rest {
            // Nothing is to be done; it would otherwise be found due by every sweep.
            wait_out(&rows, &row, Timestamp::MAX).await?;
            continue;
        }
        if !rows.move_due(row.id, due.due_at, again).await? {
            continue;
        }
        if step == Step::LookUp && !looked_up.insert(due.integration) {
            continue;
        }
        if let Some(job) = job_for(step, due.integration, due.enrollment) {
            jobs.push(job);
            count += 1;
        }
        if jobs.len() == SENT_AT_ONCE {
            send(flow, &mut jobs).await?;
        }
    }
    send(flow, &mut jobs).await?;
    Ok(Released { due: found, oldest_seconds, count })
}

/// Said by every sweep, so that an alarm stays until the secret was replaced.
fn warn_of_ending_secret(integration: &Integration, now: Timestamp) {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    if let Some(days) = integration.settings.client_secret_days(today).filter(|days| *days <= SECRET_ENDS_SOON) {
        tracing::warn!(event = "secret.expires", integration = %integration.id, days, "a client secret ends in {days} days");
    }
}

/// Imports, plans and approvals of which nothing was heard for a lease: their message was lost.
async fn lost_messages<P: Platform>(flow: &Flow<P>, integration: IntegrationId) -> Result<Vec<Job>, PlatformError> {
    let now = flow.now();
    let rows = flow.rows(integration);
    let is_due = |due_at: Option<Timestamp>| due_at.is_none_or(|due| due <= now);
    let mut jobs = Vec::new();
    let mut cursor = rows.directory_cursor().await?;
    if cursor.running && is_due(cursor.due_at) {
        cursor.due_at = lease(flow);
        if rows.save_directory_cursor(&cursor).await? {
            jobs.push(Job::ImportPeople(ImportPeople { integration }));
        }
    }
    for batch in rows.batches(None, NEWEST_BATCHES).await?.items {
        if batch.status == BatchStatus::Running && is_due(batch.due_at) {
            // Seldom found: who ended the last enrollment finishes the batch, unless it was cut off.
            let due_at = Some(now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX));
            let id = batch.id;
            if rows.save_batch(&Batch { due_at, ..batch }).await? {
                finish_batch(&rows, id).await?;
            }
            continue;
        }
        let job = match batch.status {
            BatchStatus::Planning => BatchJob::Plan { integration, batch: batch.id },
            BatchStatus::Approving => BatchJob::Approve { integration, batch: batch.id },
            _ => continue,
        };
        if is_due(batch.due_at) && rows.save_batch(&Batch { due_at: lease(flow), ..batch }).await? {
            jobs.push(Job::Batch(job));
        }
    }
    Ok(jobs)
}

/// From one look at a running batch to the next.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Batches are planned and approved within minutes, so an unfinished one is among the newest. An older one that was approved or
/// resumed late goes on when an operator resumes it.
const NEWEST_BATCHES: usize = 50;

/// One of each integration, then the next of each.
fn taking_turns(due: Vec<Due>) -> Vec<Due> {
    let mut turns: HashMap<IntegrationId, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Due)> = due
        .into_iter()
        .map(|due| {
            let turn = turns.entry(due.integration).or_default();
            *turn += 1;
            (*turn, due)
        })
        .collect();
    ranked.sort_by_key(|(turn, due)| (*turn, due.due_at));
    ranked.into_iter().map(|(_, due)| due).collect()
}

/// A message about an enrollment was given up by its queue: its body panicked, or took too long, every time. A paid
/// enrollment becomes Failed, for a person to see; before the purchase the sweep goes on looking after it.
pub async fn mark_dead_letter<P: Platform>(flow: &Flow<P>, job: &Job) -> Result<(), PlatformError> {
    let Some(enrollment) = job.enrollment() else { return Ok(()) };
    let rows = flow.rows(job.integration());
    let Some(row) = rows.enrollment(enrollment).await? else { return Ok(()) };
    let now = flow.now();
    let cause = format!("its message in the queue {} was given up; see the log", job.queue().as_str());
    let stage = match (job.queue(), row.state.name()) {
        (QueueName::OrderCheck, StateName::Bought) => Stage::Request,
        (QueueName::OrderCheck, StateName::Validating) => Stage::Validation,
        (QueueName::PfxImport, StateName::Issued | StateName::Importing) => Stage::Import,
        (QueueName::OrderPlacement | QueueName::OrderCheck, StateName::Requested | StateName::Buying) => {
            let until = commit::back_off(&row, LEASE, now);
            return postpone(&rows, &row, "dead_letter", now, until, cause).await;
        }
        // The enrollment went on without this message, which says nothing about where it is now.
        _ => return Ok(()),
    };
    once(&rows, &row, event("dead_letter", now, Event::StageFailed { stage, cause }), |_| {}).await.map(drop)
}
