//! After a restore from a backup, purchases may have happened that the rows do not know. Before anything is bought again,
//! SSL.com's listing is read whole and every enrollment that is not bought as far as the backup knows is compared with it.
//! An order that may be ours and fits nobody is named, for a person to look at before buying goes on.
//!
//! The key of a purchase that the backup does not know is lost with it. An order that still waits for its request gets a
//! new one; an issued one is Held, because its certificate is for a key that nobody has.

use std::{cmp::Reverse, time::Duration};

use domain::{
    Batch, Enrollment, EnrollmentId, IntegrationId,
    batch::BatchStatus,
    enrollment::{Stage, State, StateName},
    jobs::{Job, PlaceOrder},
    operator::AuditEntry,
    transition::{Actor, Event},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ports::{ClaimChange, IntegrationStore, Platform, PlatformError, Queue};

use crate::{
    Flow, Outcome, Refusal,
    brakes::brake_on_amount,
    commit::{Written, event, once},
    connect::{audit, ca_credentials, needed_integration, set_stop_buying},
    every_enrollment::every_enrollment_in,
    order_list::{Listed, OrderList, Unread},
    place_order::{Found, bought, counted_on, paid, write_before_buying},
};

const STEP: &str = "after_restore";

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Enrollments that are not bought as far as the restored rows know.
    pub enrollments: u64,
    /// Orders at SSL.com that the restored rows did not know.
    pub found: u64,
    /// Plans that nobody may approve any more: what they would buy may have been bought.
    pub abandoned: u64,
    /// Orders that may be ours and belong to no enrollment of the restored rows. A person looks at each.
    pub unknown: Vec<String>,
    /// Orders that are unused as far as the restored rows know, and were used for somebody since. A person looks at each.
    pub used: Vec<String>,
    /// Orders that may be ours and that there was no time to read. The next comparison goes on with them.
    pub unread: Vec<String>,
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { enrollments, found, abandoned, unknown, used, unread } = self;
        write!(f, "{enrollments} open enrollments; {found} orders found that the backup did not know; ")?;
        write!(f, "{abandoned} open plans given up; {} orders without an enrollment", unknown.len())?;
        named(f, unknown)?;
        if !used.is_empty() {
            write!(f, "; {} orders that the backup holds for unused are used", used.len())?;
            named(f, used)?;
        }
        if !unread.is_empty() {
            write!(f, "; {} orders that may be ours were not read in time, so compare again", unread.len())?;
            named(f, unread)?;
        }
        Ok(())
    }
}

fn named(f: &mut std::fmt::Formatter<'_>, orders: &[String]) -> std::fmt::Result {
    if !orders.is_empty() {
        write!(f, ": {}", orders.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", "))?;
    }
    match orders.len() > MOST_NAMED {
        true => write!(f, " and more"),
        false => Ok(()),
    }
}

/// The audit is read by people; whoever has more of them works from SSL.com's list.
const MOST_NAMED: usize = 100;

/// As a job it has eight minutes on AWS.
const WITHIN: Duration = Duration::from_mins(6);

/// Plans live 7 days; orders that were placed since the backup are younger than that and a month.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Stops buying at once and asks for the comparison, which only a worker with the right to buy can do: a new key is made for
/// each order that is found. What came of it stands in the audit.
pub async fn request<P: Platform>(flow: &Flow<P>, id: IntegrationId, by: &Actor) -> Result<(), Refusal> {
    set_stop_buying(flow, id, true, by).await?;
    flow.rows(id).append_audit(&audit(flow, by, "restore.comparison_requested", id.to_string())).await?;
    let job = Job::PlaceOrder(PlaceOrder::AfterRestore { integration: id });
    Ok(flow.platform().queue().send(vec![job], Duration::ZERO).await?)
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
    let open = every_enrollment_in(&rows, &NOT_BOUGHT).await?;
    let mut compared = Compared { enrollments: open.len() as u64, ..Compared::default() };
    compared.abandoned = abandon_plans(&rows).await?;
    let Some(credentials) = ca_credentials(flow, id).await? else {
        return Err(Refusal::Conflict("the SSL.com credentials are missing; save the settings again".to_owned()));
    };
    let earliest = open.iter().map(|row| row.created_at).fold(flow.now() - LOOK_BACK, Timestamp::min);
    let mut sslcom = OrderList::new(flow, id, &credentials, WITHIN);
    let Listed { orders, cut_short } = sslcom.since(earliest.to_zoned(TimeZone::UTC).date()).await?;
    if let Some(problem) = cut_short {
        return Err(Refusal::Vendor(format!("SSL.com's orders cannot be listed: {problem}")));
    }
    let mut numbered = Vec::new();
    for mut order in orders {
        let reference = order.order_ref.as_str().to_owned();
        if let Some(owner) = rows.order_owner(&reference).await? {
            if let Some(owner) = rows.enrollment(owner).await?
                && is_used_since(&owner, &order)
            {
                compared.used.push(reference);
            }
            continue;
        }
        if order.external_order_number.is_none() {
            // Lists may leave the number out; by itself an order shows it.
            match sslcom.order(&order.order_ref).await? {
                Ok(read) => order.external_order_number = read.external_order_number,
                Err(Unread::NoTime | Unread::Answer(sslcom::Error::Throttled { .. })) => {
                    compared.unread.push(reference);
                    continue;
                }
                Err(problem) => {
                    return Err(Refusal::Vendor(format!(
                        "order {reference}, which may be ours, cannot be read: {problem}"
                    )));
                }
            }
        }
        match order.external_order_number.as_deref() {
            None => compared.unknown.push(reference),
            // Somebody else placed it.
            Some(number) => numbered.extend(ours(number).map(|(enrollment, attempt)| (enrollment, attempt, order))),
        }
    }
    // The last attempt is the one that a row goes on with; what earlier ones bought is surplus beside it.
    numbered.sort_by_key(|(enrollment, attempt, _)| (*enrollment, Reverse(*attempt)));
    for (enrollment, attempt, order) in &numbered {
        match adopt(flow, &rows, *enrollment, *attempt, order).await? {
            Some(row) => {
                compared.found += 1;
                // It was freed before the backup, and given to somebody after it.
                if is_used_since(&row, order) {
                    compared.used.push(order.order_ref.as_str().to_owned());
                }
            }
            None => compared.unknown.push(order.order_ref.as_str().to_owned()),
        }
    }
    for orders in [&mut compared.unknown, &mut compared.used, &mut compared.unread] {
        orders.sort();
    }
    let line = audit(flow, by, "restore.compared", id.to_string());
    rows.append_audit(&AuditEntry { detail: compared.to_string(), ..line }).await?;
    Ok(compared)
}

/// Our numbers are the enrollment's id and the attempt: see [`Enrollment::order_number`].
fn ours(number: &str) -> Option<(EnrollmentId, u32)> {
    let (enrollment, attempt) = number.rsplit_once('-')?;
    Some((enrollment.parse().ok()?, attempt.parse().ok()?))
}

/// The row could give the order to somebody else, and SSL.com says that somebody handed a request in. Where the row itself
/// did, or nothing can come of the order any more, that says nothing.
fn is_used_since(owner: &Enrollment, order: &sslcom::OrderSummary) -> bool {
    use sslcom::Stage as AtCa;
    let reference = order.order_ref.as_str();
    let handed_in = matches!(owner.state, State::Failed { stage: Stage::Validation, .. });
    let seems_unused = owner.surplus.iter().any(|known| known == reference);
    let seems_unused = seems_unused || (owner.could_release(reference) && !handed_in);
    let is_over = matches!(order.status.stage, AtCa::Rejected | AtCa::Cancelled | AtCa::Revoked | AtCa::Expired);
    seems_unused && !is_over && order.status.stage != AtCa::AwaitingCsr
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

/// What the backup does not know to be bought, and may have been bought after it.
const NOT_BOUGHT: [StateName; 5] =
    [StateName::Planned, StateName::Requested, StateName::Buying, StateName::Unsure, StateName::Blocked];

/// Writes an order that the backup does not know into its row, if that can have bought it. What is passed over here would be
/// bought again.
async fn adopt<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
    attempt: u32,
    order: &sslcom::OrderSummary,
) -> Result<Option<Enrollment>, Refusal> {
    for _ in 0..attempt.saturating_mul(4).saturating_add(TRIES).min(MOST_TRIES) {
        match try_to_adopt(flow, rows, enrollment, attempt, order).await? {
            Adopted::Yes(row) => return Ok(Some(*row)),
            Adopted::Impossible => return Ok(None),
            Adopted::NotYet => {}
        }
    }
    Err(Refusal::Conflict(format!("enrollment {enrollment} does not stop changing; stop the application, then repeat")))
}

/// Steps of an application that runs beside this write a row a few times. An attempt is four steps at most.
const TRIES: u32 = 16;
const MOST_TRIES: u32 = 1_000;

enum Adopted {
    Yes(Box<Enrollment>),
    /// There is no such row, or it cannot have bought this.
    Impossible,
    /// The row is one step nearer, or somebody else wrote it meanwhile.
    NotYet,
}

async fn try_to_adopt<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
    attempt: u32,
    order: &sslcom::OrderSummary,
) -> Result<Adopted, Refusal> {
    let Some(row) = rows.enrollment(enrollment).await? else { return Ok(Adopted::Impossible) };
    let row = match row.attempt < attempt {
        true => match one_step_nearer(flow, rows, &row).await? {
            Some(Written::Yes(_) | Written::No) => return Ok(Adopted::NotYet),
            Some(Written::Refused(_)) | None => return Ok(Adopted::Impossible),
        },
        false => row,
    };
    let (batch, price) = (row.batch, row.product.price);
    let paid = paid(order.amount.as_ref());
    let found = Found { attempt, reference: order.order_ref.as_str().to_owned(), paid, due_at: flow.now() };
    let Some(row) = bought(flow, rows, row, STEP, found).await?.row() else { return Ok(Adopted::Impossible) };
    brake_on_amount(rows, batch, price, order.amount.as_ref()).await?;
    Ok(Adopted::Yes(Box::new(row)))
}

/// The backup is of an earlier attempt: what the row went through after it is gone through again, without buying.
/// `None`: from where it is it cannot have bought anything.
async fn one_step_nearer<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
) -> Result<Option<Written>, Refusal> {
    let happened = |what| event(STEP, flow.now(), what);
    Ok(match row.state.name() {
        StateName::Planned => {
            let claimed = once(rows, row, happened(Event::Approved), |change| {
                change.claim = Some(ClaimChange::Take { claim: row.claim(), from: row.replaces });
            });
            Some(claimed.await?)
        }
        StateName::Blocked => Some(once(rows, row, happened(Event::Unblocked), |_| {}).await?),
        StateName::Unsure => Some(once(rows, row, happened(Event::PurchaseRuledOut), |_| {}).await?),
        StateName::Buying => {
            let counted = counted_on(row);
            Some(once(rows, row, happened(Event::NeverSent), |change| change.uncount = counted).await?)
        }
        StateName::Requested if row.voucher.is_none() => {
            let mut integration = needed_integration(rows).await?;
            // The order was paid on its day, under that day's limit.
            integration.settings.limits.per_day = u32::MAX;
            let begun = write_before_buying(flow, rows, row, &integration).await?;
            Some(begun.map_or(Written::No, |(row, _)| Written::Yes(Box::new(row))))
        }
        _ => None,
    })
}
