//! After a restore from a backup, purchases may have happened that the rows do not know. Before anything is bought again,
//! SSL.com's listing is read whole and every enrollment that is not bought as far as the backup knows is compared with it.
//!
//! The key of a purchase that the backup does not know is lost with it. An order that still waits for its request gets a
//! new one; an issued one is Held, because its certificate is for a key that nobody has.

use std::collections::HashMap;

use domain::{
    Batch, Enrollment, EnrollmentId, IntegrationId,
    batch::BatchStatus,
    enrollment::StateName,
    jobs::{Job, PlaceOrder},
    operator::AuditEntry,
    transition::{Actor, Event},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ports::{ClaimChange, EnrollmentFilter, IntegrationStore, Platform, PlatformError, Queue};

use crate::{
    Flow, Outcome, Refusal,
    commit::{Written, event, once},
    connect::{audit, ca_credentials, needed_integration, set_stop_buying},
    look_up::{self, Listed},
    place_order::{Found, bought, paid, write_before_buying},
};

const STEP: &str = "after_restore";

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Planned, Requested and Buying enrollments in the restored rows.
    pub enrollments: u64,
    /// Orders at SSL.com that the restored rows did not know.
    pub found: u64,
    /// Plans that nobody may approve any more: what they would buy may have been bought.
    pub abandoned: u64,
    /// Orders with a number like ours whose enrollment is not in the restored rows. A person looks at each.
    pub unknown: Vec<String>,
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { enrollments, found, abandoned, unknown } = self;
        write!(f, "{enrollments} open enrollments; {found} orders found that the backup did not know; ")?;
        write!(f, "{abandoned} open plans given up; {} orders without an enrollment", unknown.len())?;
        if !unknown.is_empty() {
            write!(f, ": {}", unknown.iter().take(UNKNOWN_NAMED).map(String::as_str).collect::<Vec<_>>().join(", "))?;
        }
        if unknown.len() > UNKNOWN_NAMED {
            write!(f, " and more")?;
        }
        Ok(())
    }
}

/// The audit is read by people; whoever has more of them works from SSL.com's list.
const UNKNOWN_NAMED: usize = 100;

/// Plans live 7 days; orders that were placed since the backup are younger than that and a month.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Stops buying at once and asks for the comparison, which only a worker with the right to buy can do: a new key is made for
/// each order that is found. What came of it stands in the audit.
pub async fn request<P: Platform>(flow: &Flow<P>, id: IntegrationId, by: &Actor) -> Result<(), Refusal> {
    set_stop_buying(flow, id, true, by).await?;
    flow.rows(id).append_audit(&audit(flow, by, "restore.comparison_requested", id.to_string())).await?;
    let job = Job::PlaceOrder(PlaceOrder::AfterRestore { integration: id });
    Ok(flow.platform().queue().send(vec![job], std::time::Duration::ZERO).await?)
}

/// The comparison as a job. What hinders it is written into the audit, and it has to be asked for again.
pub(crate) async fn compare<P: Platform>(flow: &Flow<P>, id: IntegrationId) -> Result<Outcome, PlatformError> {
    let by = Actor::Step { name: STEP.to_owned() };
    let hindered = match after_restore(flow, id, &by).await {
        Ok(_) => return Ok(Outcome::Done),
        Err(Refusal::Platform(error)) => return Err(error),
        // The integration was created after the backup.
        Err(Refusal::NotFound(_)) => return Ok(Outcome::Done),
        Err(hindered) => hindered,
    };
    let line = audit(flow, &by, "restore.not_compared", id.to_string());
    flow.rows(id).append_audit(&AuditEntry { detail: hindered.to_string(), ..line }).await?;
    Ok(Outcome::Done)
}

/// Stops buying for this integration, gives up open plans, then compares. The switch stays on; an operator takes it off.
pub async fn after_restore<P: Platform>(flow: &Flow<P>, id: IntegrationId, by: &Actor) -> Result<Compared, Refusal> {
    set_stop_buying(flow, id, true, by).await?;
    let rows = flow.rows(id);
    let open = open_enrollments(&rows).await?;
    let mut compared = Compared { enrollments: open.len() as u64, ..Compared::default() };
    compared.abandoned = abandon_plans(&rows).await?;
    let Some(credentials) = ca_credentials(flow, id).await? else {
        return Err(Refusal::Conflict("the SSL.com credentials are missing; save the settings again".to_owned()));
    };
    let earliest = open.iter().map(|row| row.created_at).fold(flow.now() - LOOK_BACK, Timestamp::min);
    let Listed { orders, cut_short } =
        look_up::list_since(flow, &credentials, earliest.to_zoned(TimeZone::UTC).date()).await;
    if let Some(problem) = cut_short {
        return Err(Refusal::Vendor(format!("SSL.com's orders cannot be listed: {problem}")));
    }
    for (enrollment, orders) in by_enrollment(&orders) {
        let known = rows.enrollment(enrollment).await?.is_some();
        for (attempt, order) in orders {
            if !known {
                compared.unknown.push(order.order_ref.as_str().to_owned());
            } else if adopt(flow, &rows, enrollment, attempt, order).await? {
                compared.found += 1;
            }
        }
    }
    compared.unknown.sort();
    let line = audit(flow, by, "restore.compared", id.to_string());
    rows.append_audit(&AuditEntry { detail: compared.to_string(), ..line }).await?;
    Ok(compared)
}

/// A plan of the backup may have been approved after it.
async fn abandon_plans<S: IntegrationStore>(rows: &S) -> Result<u64, PlatformError> {
    let mut abandoned = 0;
    let mut after = None;
    loop {
        let page = rows.batches(after, 100).await?;
        for batch in page.items {
            let open = matches!(batch.status, BatchStatus::Planning | BatchStatus::Ready | BatchStatus::Approving);
            if open && rows.save_batch(&Batch { status: BatchStatus::Abandoned, ..batch }).await? {
                abandoned += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(abandoned),
        }
    }
}

async fn open_enrollments<S: IntegrationStore>(rows: &S) -> Result<Vec<Enrollment>, PlatformError> {
    let mut open = Vec::new();
    for state in [StateName::Planned, StateName::Requested, StateName::Buying] {
        let mut after = None;
        loop {
            let page = rows.enrollments(&EnrollmentFilter::State(state), after, 200).await?;
            open.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(open)
}

/// Our numbers are the enrollment's id and the attempt: see [`Enrollment::order_number`].
fn by_enrollment(orders: &[sslcom::OrderSummary]) -> HashMap<EnrollmentId, Vec<(u32, &sslcom::OrderSummary)>> {
    let mut by_enrollment: HashMap<_, Vec<_>> = HashMap::new();
    for order in orders {
        let number = order.external_order_number.as_deref().and_then(|number| number.rsplit_once('-'));
        if let Some((enrollment, attempt)) = number
            && let (Ok(enrollment), Ok(attempt)) = (enrollment.parse(), attempt.parse())
        {
            by_enrollment.entry(enrollment).or_default().push((attempt, order));
        }
    }
    by_enrollment
}

/// Writes an order that the backup does not know into its row. What is passed over here would be bought again.
async fn adopt<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
    attempt: u32,
    order: &sslcom::OrderSummary,
) -> Result<bool, Refusal> {
    for _ in 0..TRIES {
        if let Some(adopted) = try_to_adopt(flow, rows, enrollment, attempt, order).await? {
            return Ok(adopted);
        }
    }
    Err(Refusal::Conflict(format!("enrollment {enrollment} does not stop changing; stop the application, then repeat")))
}

/// Steps of an application that runs beside this write a row a few times.
const TRIES: usize = 16;

/// `None`: somebody else wrote the row meanwhile.
async fn try_to_adopt<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
    attempt: u32,
    order: &sslcom::OrderSummary,
) -> Result<Option<bool>, Refusal> {
    let mut integration = needed_integration(rows).await?;
    // The order was paid on its day, under that day's limit.
    integration.settings.limits.per_day = u32::MAX;
    let Some(mut row) = rows.enrollment(enrollment).await? else { return Ok(Some(false)) };
    let reference = order.order_ref.as_str().to_owned();
    if rows.order_owner(&reference).await?.is_some() {
        return Ok(Some(false));
    }
    if row.state.name() == StateName::Planned {
        let approved = event(STEP, flow.now(), Event::Approved);
        let claimed = once(rows, &row, approved, |change| {
            change.claim = Some(ClaimChange::Take { claim: row.claim(), from: row.replaces });
        });
        row = match claimed.await? {
            Written::Yes(next) => *next,
            Written::No => return Ok(None),
            Written::Refused(_) => return Ok(Some(false)),
        };
    }
    while row.state.name() == StateName::Requested && row.attempt < attempt {
        let Some((begun, _)) = write_before_buying(flow, rows, &row, &integration).await? else { return Ok(None) };
        row = begun;
        if row.attempt < attempt {
            let skipped = event(STEP, flow.now(), Event::NeverSent);
            let Some(back) = once(rows, &row, skipped, |_| {}).await?.row() else { return Ok(None) };
            row = back;
        }
    }
    let paid = paid(order.amount.as_ref());
    let found = Found { attempt, reference, paid, due_at: flow.now() };
    let written = bought(flow, rows, row, STEP, found).await?;
    Ok(Some(written.row().is_some()))
}
