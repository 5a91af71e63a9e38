//! Approves a plan: each enrollment takes its claim and becomes Requested. Chunked and resumable; nobody is bought for
//! whose ground changed since the plan was made.

use domain::{
    Batch, BatchId, IntegrationId,
    batch::{BatchStatus, PlanRow},
    enrollment::{State, StateName},
    jobs::BatchJob,
    transition::{Actor, Event, Happened},
};
use ports::{ClaimChange, Commit, IntegrationStore, PlanFilter, Platform, PlatformError};

use crate::{
    Flow, Outcome, Refusal,
    assess_person::assessed,
    commit::{Written, event, once},
    connect::{audit, changed_meanwhile, needed_integration},
    finish_batch::{all_have_ended, finish_batch},
    plan_batch::{lease, price, send},
};

const STEP: &str = "approve_batch";

/// Approves the plan, if it still stands on the same ground.
pub async fn approve<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    batch: BatchId,
    by: &Actor,
) -> Result<Batch, Refusal> {
    let rows = flow.rows(id);
    let integration = needed_integration(&rows).await?;
    let plan = needed_batch(&rows, batch).await?;
    plan.approvable(integration.ground, integration.settings.limits.per_batch, flow.now())
        .map_err(|problem| Refusal::Conflict(problem.to_string()))?;
    if price(flow, plan.product.code, plan.product.days).ok() != Some(plan.product.price) {
        return Err(Refusal::Conflict(domain::batch::NotApprovable::GroundChanged.to_string()));
    }
    let approved_by = Some(name(by));
    let approved = Batch { status: BatchStatus::Approving, approved_by, cursor: None, due_at: lease(flow), ..plan };
    if !rows.save_batch(&approved).await? {
        return Err(changed_meanwhile());
    }
    rows.append_audit(&audit(flow, by, "batch.approved", batch.to_string())).await?;
    send(flow, BatchJob::Approve { integration: id, batch }).await?;
    needed_batch(&rows, batch).await
}

/// Lets a batch go on that was stopped, that stands still, or of which something is blocked: what is blocked is requested
/// again.
pub async fn resume<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    batch: BatchId,
    by: &Actor,
) -> Result<Batch, Refusal> {
    let rows = flow.rows(id);
    let stopped = needed_batch(&rows, batch).await?;
    match stopped.status {
        BatchStatus::Stopped { .. } if stopped.approved_by.is_none() => {
            let sentence = "the batch was stopped before its plan was done, and nobody approved it; abandon it, and make a new one";
            return Err(Refusal::Conflict(sentence.to_owned()));
        }
        BatchStatus::Stopped { .. } => {}
        // Its message was lost, and it is too old for the sweep to see.
        BatchStatus::Approving if stopped.due_at.is_none_or(|due| due <= flow.now()) => {}
        BatchStatus::Running if may_go_on(&rows.counts(Some(batch)).await?) => {}
        other => {
            let sentence = format!("the batch is {}, not stopped, and nothing of it is blocked", other.as_str());
            return Err(Refusal::Conflict(sentence));
        }
    }
    // Approving again is safe: who is past Planned is left alone, but for what is blocked. It also finishes an approval
    // that was stopped half-way.
    let running = Batch { status: BatchStatus::Approving, cursor: None, due_at: lease(flow), ..stopped };
    if !rows.save_batch(&running).await? {
        return Err(changed_meanwhile());
    }
    rows.append_audit(&audit(flow, by, "batch.resumed", batch.to_string())).await?;
    send(flow, BatchJob::Approve { integration: id, batch }).await?;
    needed_batch(&rows, batch).await
}

/// Somebody is blocked; or all have ended, and who ended the last was cut off before the batch was.
fn may_go_on(counts: &[(StateName, u64)]) -> bool {
    all_have_ended(counts) || counts.iter().any(|(state, count)| *state == StateName::Blocked && *count > 0)
}

/// Gives a plan up before it is approved.
pub async fn abandon<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    batch: BatchId,
    by: &Actor,
) -> Result<Batch, Refusal> {
    let rows = flow.rows(id);
    let plan = needed_batch(&rows, batch).await?;
    let stopped = matches!(plan.status, BatchStatus::Stopped { .. }) && plan.approved_by.is_none();
    if !stopped && !matches!(plan.status, BatchStatus::Planning | BatchStatus::Ready) {
        return Err(Refusal::Conflict(format!(
            "the batch is {}; cancel its enrollments one by one",
            plan.status.as_str()
        )));
    }
    let abandoned = Batch { status: BatchStatus::Abandoned, ..plan };
    if !rows.save_batch(&abandoned).await? {
        return Err(changed_meanwhile());
    }
    rows.append_audit(&audit(flow, by, "batch.abandoned", batch.to_string())).await?;
    needed_batch(&rows, batch).await
}

/// Rows approved by one chunk, and chunks by one job.
const CHUNK: usize = 100;
const CHUNKS_PER_JOB: usize = 10;

/// Approves some chunks and continues itself; the last one flips the batch to Running.
pub async fn approve_chunk<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    batch: BatchId,
) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(id);
    for _ in 0..CHUNKS_PER_JOB {
        let Some(mut batch) = rows.batch(batch).await? else { return Ok(Outcome::Done) };
        if batch.status != BatchStatus::Approving {
            // Everybody may have dropped out, or been bought for before the batch was stopped.
            finish_batch(&rows, batch.id).await?;
            return Ok(Outcome::Done);
        }
        let page = rows.plan_rows(batch.id, &PlanFilter::Everybody, batch.cursor.take(), CHUNK).await?;
        for planned in &page.items {
            approve_one(flow, &rows, &batch, planned).await?;
        }
        match page.next {
            Some(next) => batch.cursor = Some(next),
            None => batch.status = BatchStatus::Running,
        }
        batch.due_at = lease(flow);
        if !rows.save_batch(&batch).await? {
            // Somebody stopped the batch, or another delivery did the same chunk.
            continue;
        }
    }
    send(flow, BatchJob::Approve { integration: id, batch }).await?;
    Ok(Outcome::Later)
}

async fn approve_one<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    batch: &Batch,
    planned: &PlanRow,
) -> Result<(), PlatformError> {
    let Some(id) = planned.enrollment else { return Ok(()) };
    let (Some(row), Some(integration)) = (rows.enrollment(id).await?, rows.integration().await?) else {
        return Ok(());
    };
    let now = flow.now();
    if let State::Blocked { .. } = row.state {
        // The batch was resumed: an operator says that what blocked it is mended.
        once(rows, &row, event(STEP, now, Event::Unblocked), |change| change.enrollment.due_at = Some(now)).await?;
    }
    if row.state != State::Planned {
        return Ok(());
    }
    let still = match rows.person(row.person).await? {
        Some(person) => assessed(flow, rows, &integration, batch, &person).await?,
        None => return Ok(()),
    };
    let unchanged = still.0.is_enrolled() && still.1 == planned.ground;
    if !unchanged {
        let reason = "the person, or what covers them, changed since the plan was made".to_owned();
        once(rows, &row, event(STEP, now, Event::Cancelled { reason }), |_| {}).await?;
        return Ok(());
    }
    let approved = Happened {
        by: Actor::Operator { name: batch.approved_by.clone().unwrap_or_default() },
        ..event(STEP, now, Event::Approved)
    };
    // The sweep releases it; nothing is sent from here, so that queues stay short.
    let written = once(rows, &row, approved, |change| {
        change.claim = Some(ClaimChange::Take { claim: row.claim(), from: row.replaces });
        change.enrollment.due_at = Some(now);
    })
    .await?;
    if let Written::Refused(Commit::ClaimTaken { by }) = written {
        let reason = format!("enrollment {by} has the claim for this person, address and purpose");
        once(rows, &row, event(STEP, now, Event::Cancelled { reason }), |_| {}).await?;
    }
    Ok(())
}

pub(crate) async fn needed_batch<S: IntegrationStore>(rows: &S, batch: BatchId) -> Result<Batch, Refusal> {
    rows.batch(batch).await?.ok_or(Refusal::NotFound("batch"))
}

fn name(by: &Actor) -> String {
    match by {
        Actor::Step { name } | Actor::Operator { name } => name.clone(),
    }
}
