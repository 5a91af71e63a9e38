//! What holds an order back before it is placed, and what stops the orders after it.

use domain::{
    Batch, BatchId, Enrollment, EnrollmentId, Integration, Money,
    batch::BatchStatus,
    enrollment::{Blocked, StateName},
    transition::Event,
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use ports::{IntegrationStore, Platform, PlatformError};

use crate::{
    Flow,
    ca_pace::{self, Call},
    commit::{back_off, event, once, postpone, wait_out},
    place_order::{STEP, paid},
};

/// Reads every brake before an order: the switches, the batch, the pause that the CA asked for. The integration, if none
/// holds.
pub(crate) async fn released<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
) -> Result<Option<Integration>, PlatformError> {
    let now = flow.now();
    let (Some(integration), Some(batch)) = (rows.integration().await?, rows.batch(row.batch).await?) else {
        return Ok(None);
    };
    if flow.deployment.stop_buying || integration.settings.stop_buying {
        wait_for_operator(flow, rows, row, "buying is stopped").await?;
        return Ok(None);
    }
    if !batch.status.may_buy() {
        let detail = match &batch.status {
            BatchStatus::Stopped { reason } => reason.clone(),
            other => format!("the batch is {}", other.as_str()),
        };
        let cause = Blocked::BatchStopped { detail };
        once(rows, row, event(STEP, now, Event::PurchaseRefused { cause }), |_| {}).await?;
        return Ok(None);
    }
    if let Some(until) = ca_pace::wait(flow, rows, row.integration, Call::Purchase).await? {
        // Soon, and no later for a crowd: it ends by itself, and whoever is paid waits for one round of them at most, because a
        // sweep takes first what has been due for longest.
        wait_out(rows, row, until).await?;
        return Ok(None);
    }
    let counts = rows.counts(Some(row.batch)).await?;
    let unanswered = counts.iter().filter(|(state, _)| matches!(state, StateName::Buying | StateName::Unsure));
    if unanswered.map(|(_, count)| count).sum::<u64>() >= flow.deployment.unanswered_allowed {
        let note = "too many purchases of this batch have no answer; they are looked up, or resolved, first";
        stand_back(flow, rows, row, back_off(row, flow.deployment.retry_after, now), note).await?;
        return Ok(None);
    }
    Ok(Some(integration))
}

/// How long something that an operator has to change is left alone.
const WAIT_FOR_OPERATOR: SignedDuration = SignedDuration::from_mins(5);

/// Nothing is bought before an operator changes something.
pub(crate) async fn wait_for_operator<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    note: &str,
) -> Result<(), PlatformError> {
    let until = flow.now().saturating_add(WAIT_FOR_OPERATOR).unwrap_or(Timestamp::MAX);
    stand_back(flow, rows, row, until, note).await
}

/// The day's orders are placed. Tomorrow's do not all come at midnight.
pub(crate) async fn wait_for_tomorrow<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    today: Date,
    limit: u32,
) -> Result<(), PlatformError> {
    let midnight = today.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC));
    let midnight = midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp());
    let place = place_in_crowd(row.id, crowd(flow, rows).await?);
    let until = midnight.saturating_add(place).unwrap_or(Timestamp::MAX);
    let note = format!("the limit of {limit} orders a day is reached");
    postpone(rows, row, STEP, flow.now(), until, note).await
}

/// Thousands may wait for the same, and each that looks takes the place of one that is paid in a sweep. The row says once
/// what it waits for.
async fn stand_back<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    soonest: Timestamp,
    note: &str,
) -> Result<(), PlatformError> {
    let now = flow.now();
    let until = soonest.max(now.saturating_add(crowd(flow, rows).await?).unwrap_or(Timestamp::MAX));
    match row.note.as_deref() == Some(note) {
        true => wait_out(rows, row, until).await,
        false => postpone(rows, row, STEP, now, until, note).await,
    }
}

/// How long everybody who waits for a purchase has to wait, so that they are no more than half of what a sweep releases.
async fn crowd<P: Platform, S: IntegrationStore>(flow: &Flow<P>, rows: &S) -> Result<SignedDuration, PlatformError> {
    let counts = rows.counts(None).await?;
    let waiting = counts.iter().find(|(state, _)| *state == StateName::Requested).map_or(0, |(_, count)| *count);
    let a_sweep = u64::try_from(flow.deployment.released_per_sweep / 2).unwrap_or(u64::MAX).max(1);
    Ok(SignedDuration::from_mins(i64::try_from(waiting / a_sweep).unwrap_or(i64::MAX).min(LONGEST_CROWD)))
}

/// A day, in minutes.
const LONGEST_CROWD: i64 = 24 * 60;

/// Where in a crowd this one is: any of them at any time, but each always at the same.
fn place_in_crowd(enrollment: EnrollmentId, crowd: SignedDuration) -> SignedDuration {
    let place = i64::from(enrollment.0.as_u128() as u16);
    SignedDuration::from_secs(crowd.as_secs().saturating_mul(place) / i64::from(u16::MAX))
}

/// An amount that is not the price stops the batch after that order, in whatever way the order was heard of.
pub(crate) async fn brake_on_amount<S: IntegrationStore>(
    rows: &S,
    batch: BatchId,
    price: Money,
    amount: Option<&sslcom::Amount>,
) -> Result<(), PlatformError> {
    match amount.filter(|amount| !is_as_planned(amount, price)) {
        Some(amount) => {
            stop_batch(rows, batch, format!("SSL.com took {} for an order planned at {price}", amount.text)).await
        }
        None => Ok(()),
    }
}

/// An amount that cannot be read proves nothing; one that can must be the price.
fn is_as_planned(amount: &sslcom::Amount, price: Money) -> bool {
    amount.cents.is_none() || paid(Some(amount)) == Some(price)
}

/// No further order of the batch is placed. What is paid is finished.
pub(crate) async fn stop_batch<S: IntegrationStore>(
    rows: &S,
    batch: BatchId,
    reason: String,
) -> Result<(), PlatformError> {
    tracing::warn!(batch = %batch, event = "batch.stopped", "batch {batch} was stopped: {reason}");
    for _ in 0..8 {
        let Some(row) = rows.batch(batch).await? else { return Ok(()) };
        if !row.status.may_buy() {
            return Ok(());
        }
        let stopped = Batch { status: BatchStatus::Stopped { reason: reason.clone() }, ..row };
        if rows.save_batch(&stopped).await? {
            return Ok(());
        }
    }
    Err(PlatformError::new("stop a batch", "the batch never stopped changing"))
}
