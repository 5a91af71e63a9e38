//! After a restore from a backup, purchases may have happened that the rows do not know. Before anything is bought again,
//! SSL.com's listing is read whole and every Requested and Buying enrollment is compared with it.
//!
//! The key of a purchase that the backup does not know is lost with it. An order that still waits for its request gets a
//! new one; an issued one is Held, because its certificate is for a key that nobody has.

use std::collections::HashMap;

use domain::{
    Enrollment, IntegrationId,
    enrollment::StateName,
    transition::{Actor, Event},
};
use ports::{EnrollmentFilter, IntegrationStore, Platform, PlatformError};

use crate::{
    Flow, Refusal,
    commit::{event, once},
    connect::{audit, ca_credentials, needed_integration, set_stop_buying},
    look_up,
    place_order::{bought, paid, write_before_buying},
};

const STEP: &str = "after_restore";

/// What was found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Requested and Buying enrollments in the restored rows.
    pub enrollments: u64,
    /// Orders at SSL.com that the restored rows did not know.
    pub found: u64,
}

/// Stops buying for this integration, then compares. The switch stays on; an operator takes it off.
pub async fn after_restore<P: Platform>(flow: &Flow<P>, id: IntegrationId, by: &Actor) -> Result<Compared, Refusal> {
    set_stop_buying(flow, id, true, by).await?;
    let rows = flow.rows(id);
    let open = open_enrollments(&rows).await?;
    let mut compared = Compared { enrollments: open.len() as u64, found: 0 };
    let Some(earliest) = open.iter().map(|row| row.created_at).min() else { return Ok(compared) };
    let Some(credentials) = ca_credentials(flow, id).await? else {
        return Err(Refusal::Conflict("the SSL.com credentials are missing; save the settings again".to_owned()));
    };
    let day = earliest.to_zoned(jiff::tz::TimeZone::UTC).date();
    let orders = look_up::list_since(flow, &credentials, day.yesterday().unwrap_or(day))
        .await
        .map_err(|problem| Refusal::Vendor(format!("SSL.com's orders cannot be listed: {problem}")))?;
    let by_enrollment = by_enrollment(&orders);
    for row in open {
        for (attempt, order) in by_enrollment.get(&row.id.to_string()).into_iter().flatten() {
            if adopt(flow, &rows, row.id, *attempt, order).await? {
                compared.found += 1;
            }
        }
    }
    rows.append_audit(&audit(flow, by, "restore.compared", id.to_string())).await?;
    Ok(compared)
}

async fn open_enrollments<S: IntegrationStore>(rows: &S) -> Result<Vec<Enrollment>, PlatformError> {
    let mut open = Vec::new();
    for state in [StateName::Requested, StateName::Buying] {
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
fn by_enrollment(orders: &[sslcom::OrderSummary]) -> HashMap<String, Vec<(u32, &sslcom::OrderSummary)>> {
    let mut by_enrollment: HashMap<String, Vec<_>> = HashMap::new();
    for order in orders {
        let number = order.external_order_number.as_deref().and_then(|number| number.rsplit_once('-'));
        if let Some((enrollment, attempt)) = number
            && let Ok(attempt) = attempt.parse()
        {
            by_enrollment.entry(enrollment.to_owned()).or_default().push((attempt, order));
        }
    }
    by_enrollment
}

/// Writes an order that the backup does not know into its row.
async fn adopt<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: domain::EnrollmentId,
    attempt: u32,
    order: &sslcom::OrderSummary,
) -> Result<bool, Refusal> {
    let integration = needed_integration(rows).await?;
    let Some(mut row) = rows.enrollment(enrollment).await? else { return Ok(false) };
    while row.state.name() == StateName::Requested && row.attempt < attempt {
        let Some((begun, _)) = write_before_buying(flow, rows, &row, &integration).await? else { return Ok(false) };
        row = begun;
        if row.attempt < attempt {
            let skipped = event(STEP, flow.now(), Event::NeverSent);
            let Some(back) = once(rows, &row, skipped, |_| {}).await?.row() else { return Ok(false) };
            row = back;
        }
    }
    let reference = order.order_ref.as_str().to_owned();
    let written = bought(rows, row, flow.now(), STEP, attempt, reference, paid(order.amount.as_ref())).await?;
    Ok(written.row().is_some())
}
