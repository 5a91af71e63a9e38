//! Finds purchases whose answer was lost. SSL.com documents no idempotency key, so the order is looked for by our own
//! number; one listing answers for every open purchase of an integration.

use std::{collections::HashMap, time::Duration};

use domain::{
    Enrollment, IntegrationId,
    enrollment::{State, StateName},
    step::{self, Step},
    transition::Event,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ports::{IntegrationStore, Platform, PlatformError};

use crate::{
    Flow, Outcome,
    brakes::brake_on_amount,
    ca_pace,
    commit::{event, once, postpone, scheduled, wait_out},
    connect::ca_credentials,
    every_enrollment::every_enrollment_in,
    order_list::{Listed, OrderList, strays},
    place_order::{Found, bought, paid},
};

const STEP: &str = "look_up";

/// Looks up every purchase of the integration that was begun and has no answer.
pub async fn look_up<P: Platform>(flow: &Flow<P>, integration: IntegrationId) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(integration);
    let open = open_purchases(flow, &rows).await?;
    if open.is_empty() {
        return Ok(Outcome::Done);
    }
    let Some(credentials) = ca_credentials(flow, integration).await? else {
        return unfound(flow, &rows, &open, &[], "the SSL.com credentials are missing").await;
    };
    if let Some(until) = ca_pace::paused(flow, &rows).await? {
        return not_looked_for(&rows, &open, until).await;
    }
    let mut sslcom = OrderList::new(flow, integration, &credentials, WITHIN);
    let Listed { orders: listing, cut_short } = sslcom.since(first_day(&open)).await?;
    let mut by_number: HashMap<&str, Vec<&sslcom::OrderSummary>> = HashMap::new();
    for order in &listing {
        if let Some(number) = order.external_order_number.as_deref() {
            by_number.entry(number).or_default().push(order);
        }
    }
    let mut missing = Vec::new();
    for row in open {
        let number = row.order_number();
        match by_number.get(number.as_str()) {
            Some(orders) => {
                for order in orders {
                    found(flow, &rows, &row, order.order_ref.as_str().to_owned(), order.amount.as_ref()).await?;
                }
            }
            None => missing.push(row),
        }
    }
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    // The listing may not show our numbers. Each order that nobody owns is then asked for by itself.
    let mut candidates = Vec::new();
    for stray in strays(&rows, &listing).await? {
        match sslcom.order(&stray.order_ref).await? {
            Ok(order) => {
                let owner = order
                    .external_order_number
                    .as_deref()
                    .and_then(|number| missing.iter().position(|row| row.order_number() == number));
                match owner {
                    Some(index) => {
                        let row = missing.swap_remove(index);
                        let reference = stray.order_ref.as_str().to_owned();
                        found(flow, &rows, &row, reference, order.amount.as_ref()).await?;
                    }
                    // It has a number and it is nobody's here: an order that somebody else placed.
                    None if order.external_order_number.is_some() => {}
                    None => candidates.push(stray),
                }
            }
            Err(_) => candidates.push(stray),
        }
    }
    if cut_short.is_some()
        && let Some(until) = ca_pace::paused(flow, &rows).await?
    {
        return not_looked_for(&rows, &missing, until).await;
    }
    let note = cut_short.as_deref().unwrap_or("the order was not found yet");
    unfound(flow, &rows, &missing, &candidates, note).await
}

/// Purchases begun by a run that is over. Those of a run that may still be buying are left alone.
async fn open_purchases<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
) -> Result<Vec<Enrollment>, PlatformError> {
    let now = flow.now();
    let mut open = Vec::new();
    for hint in every_enrollment_in(rows, &[StateName::Buying]).await? {
        if let Some(row) = rows.enrollment(hint.id).await?
            && step::plan(&row, now) == Step::LookUp
        {
            open.push(row);
        }
    }
    Ok(open)
}

/// A job has five minutes on AWS, and writes down what it found in the last of them.
const WITHIN: Duration = Duration::from_mins(4);

/// The day before the earliest purchase: the CA's clock and time zone are its own.
fn first_day(open: &[Enrollment]) -> Date {
    let earliest = open.iter().filter_map(|row| match row.state {
        State::Buying { since, .. } => Some(since),
        _ => None,
    });
    let earliest = earliest.min().unwrap_or(Timestamp::UNIX_EPOCH);
    let day = earliest.to_zoned(TimeZone::UTC).date();
    day.yesterday().unwrap_or(day)
}

async fn found<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    reference: String,
    amount: Option<&sslcom::Amount>,
) -> Result<(), PlatformError> {
    let id = row.id;
    let found = Found { attempt: row.attempt, reference, paid: paid(amount), due_at: flow.now() };
    if bought(flow, rows, row.clone(), STEP, found).await?.row().is_some() {
        tracing::info!(enrollment = %id, event = "order.found", "the order of enrollment {id} was found by looking it up");
        brake_on_amount(rows, row.batch, row.product.price, amount).await?;
    }
    Ok(())
}

/// SSL.com asked to wait. Whom nobody could look for is not missing, however long ago the purchase was begun.
async fn not_looked_for<S: IntegrationStore>(
    rows: &S,
    open: &[Enrollment],
    until: Timestamp,
) -> Result<Outcome, PlatformError> {
    for row in open {
        wait_out(rows, row, until).await?;
    }
    Ok(Outcome::Later)
}

/// Each row waits for the next look-up, or becomes Unsure when the quiet time is over.
async fn unfound<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    missing: &[Enrollment],
    candidates: &[sslcom::OrderSummary],
    note: &str,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    let candidates: Vec<String> = candidates.iter().map(|order| order.order_ref.as_str().to_owned()).collect();
    for row in missing {
        let State::Buying { since, .. } = row.state else { continue };
        let quiet_until = since.saturating_add(flow.deployment.quiet_time).unwrap_or(Timestamp::MAX);
        if now >= quiet_until {
            let what = Event::PurchaseMissing { candidates: candidates.clone() };
            let note = note.to_owned();
            let written = once(rows, row, event(STEP, now, what), |change| change.enrollment.note = Some(note)).await?;
            if let Some(row) = written.row() {
                let (enrollment, integration) = (row.id, row.integration);
                tracing::error!(
                    %enrollment, %integration, event = "order.unsure",
                    "nobody knows whether enrollment {enrollment} was bought"
                );
            }
        } else {
            let wait = scheduled(&flow.deployment.look_up_after, row.failures + 1);
            let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX).min(quiet_until);
            postpone(rows, row, STEP, now, until, note).await?;
        }
    }
    Ok(Outcome::Later)
}
