//! Finds purchases whose answer was lost. SSL.com documents no idempotency key, so the order is looked for by our own
//! number; one listing answers for every open purchase of an integration.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    Enrollment, IntegrationId,
    enrollment::{State, StateName},
    step::{self, Step},
    transition::Event,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ports::{EnrollmentFilter, IntegrationStore, Platform, PlatformError, Vendor};

use crate::{
    Flow, Outcome,
    commit::{event, once, postpone, scheduled},
    connect::ca_credentials,
    place_order::{Found, bought, brake_on_amount, paid},
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
    if let Some(until) = rows.paused_until(Vendor::CertificateAuthority).await?
        && until > flow.now()
    {
        return unfound(flow, &rows, &open, &[], "SSL.com asked us to wait").await;
    }
    let Listed { orders: listing, cut_short } = list_since(flow, &credentials, first_day(&open)).await;
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
    let strays = strays(&rows, &listing).await?;
    let mut candidates = Vec::new();
    for stray in strays {
        match flow.ca.retrieve(&credentials, &stray.order_ref).await {
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
    let mut after = None;
    loop {
        let page = rows.enrollments(&EnrollmentFilter::State(StateName::Buying), after, PAGE).await?;
        for hint in page.items {
            if let Some(row) = rows.enrollment(hint.id).await?
                && step::plan(&row, now) == Step::LookUp
            {
                open.push(row);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(open),
        }
    }
}

const PAGE: usize = 200;

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

/// The orders that could be read. An order is found in any part of a listing; that there is none shows only the whole.
pub(crate) struct Listed {
    pub(crate) orders: Vec<sslcom::OrderSummary>,
    /// Why the rest could not be read.
    pub(crate) cut_short: Option<String>,
}

/// Every order since that day: used ones and, by the filter that SSL.com has for them, paid ones that wait for their
/// request. A purchase whose answer was lost is one of the latter, and whether the plain listing shows those is not
/// documented.
pub(crate) async fn list_since<P: Platform>(flow: &Flow<P>, credentials: &sslcom::Credentials, start: Date) -> Listed {
    let mut orders = BTreeMap::new();
    let mut cut_short = None;
    for vouchers_only in [false, true] {
        let listed = list_pages(flow, credentials, Some(start), vouchers_only).await;
        cut_short = cut_short.or(listed.cut_short);
        for order in listed.orders {
            let known: &mut sslcom::OrderSummary =
                orders.entry(order.order_ref.clone()).or_insert_with(|| order.clone());
            // Either listing may show what the other leaves out.
            known.external_order_number = known.external_order_number.take().or(order.external_order_number);
        }
    }
    Listed { orders: orders.into_values().collect(), cut_short }
}

/// All pages of one listing: until one is empty or shows nothing new. Where pages are said to count from 0 the server
/// may still count from 1, so the end is not told by a short page, and a refusal of page 0 is no end.
pub(crate) async fn list_pages<P: Platform>(
    flow: &Flow<P>,
    credentials: &sslcom::Credentials,
    start: Option<Date>,
    vouchers_only: bool,
) -> Listed {
    let mut seen = HashSet::new();
    let mut orders = Vec::new();
    for page in 0..MOST_PAGES {
        let query = sslcom::ListQuery { page, per_page: PER_PAGE, start, end: None, search: None, vouchers_only };
        let listing = match flow.ca.list(credentials, &query).await {
            Ok(listing) if listing.unreadable == 0 => listing,
            Ok(listing) => {
                orders.extend(listing.orders);
                return cut_short(orders, format!("{} rows of the listing cannot be read", listing.unreadable));
            }
            Err(sslcom::Error::Refused { cause, .. })
                if page == 0 && flow.ca.first_page() == 0 && cause != sslcom::RefusalCause::Credentials =>
            {
                continue;
            }
            Err(error) => return cut_short(orders, error.to_string()),
        };
        let fresh: Vec<_> = listing.orders.into_iter().filter(|order| seen.insert(order.order_ref.clone())).collect();
        if fresh.is_empty() && page > 1 {
            return Listed { orders, cut_short: None };
        }
        orders.extend(fresh);
    }
    cut_short(orders, format!("the listing has more than {MOST_PAGES} pages"))
}

fn cut_short(orders: Vec<sslcom::OrderSummary>, problem: String) -> Listed {
    Listed { orders, cut_short: Some(problem) }
}

const PER_PAGE: u32 = 100;
const MOST_PAGES: u32 = 1_000;

/// Orders that show no number of their caller and belong to no enrollment.
pub(crate) async fn strays<S: IntegrationStore>(
    rows: &S,
    listing: &[sslcom::OrderSummary],
) -> Result<Vec<sslcom::OrderSummary>, PlatformError> {
    let mut strays = Vec::new();
    for order in listing.iter().filter(|order| order.external_order_number.is_none()) {
        if rows.order_owner(order.order_ref.as_str()).await?.is_none() {
            strays.push(order.clone());
        }
        if strays.len() == MOST_STRAYS {
            break;
        }
    }
    Ok(strays)
}

/// More than this many unattached orders are not asked for one by one in a single look-up.
const MOST_STRAYS: usize = 200;

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
