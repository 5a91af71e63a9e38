//! Writes Intune records again, to the connector key and with the PFX profile of today: of one person, of a batch, or of
//! everybody. One wrong letter in the key's name makes every record dead, and Intune does not tell.

use domain::{
    BatchId, Enrollment, IntegrationId,
    enrollment::{KeyFacet, StateName},
    transition::{Actor, Event, Happened},
};
use ports::{EnrollmentFilter, IntegrationStore, Platform};

use crate::{
    Decision, Flow, Refusal,
    approve_batch::needed_batch,
    commit::once,
    connect::{audit, needed_integration},
};

/// Imported → Issued, of one.
pub async fn one<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    decision.go_on(Event::ImportRequestedAgain, "enrollment.import_requested").await
}

/// What one call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    pub requested: u64,
    /// Their key is destroyed; only a new certificate helps.
    pub without_key: u64,
    /// Where the next call goes on. `None`: that was the end.
    pub next: Option<String>,
}

/// Enrollments looked at by one call, so that it ends long before a gateway gives up.
const AT_ONCE: usize = 100;

/// Imported → Issued, of a part of the batch or of the integration. Who was requested is no longer Imported, so beginning
/// again from the start repeats nothing.
pub async fn many<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    batch: Option<BatchId>,
    after: Option<String>,
    by: &Actor,
) -> Result<Requested, Refusal> {
    let rows = flow.rows(id);
    needed_integration(&rows).await?;
    let (filter, subject) = match batch {
        Some(batch) => {
            needed_batch(&rows, batch).await?;
            (EnrollmentFilter::BatchState(batch, StateName::Imported), batch.to_string())
        }
        None => (EnrollmentFilter::State(StateName::Imported), id.to_string()),
    };
    let page = rows.enrollments(&filter, after, AT_ONCE).await?;
    let mut part = Requested { next: page.next, ..Requested::default() };
    for hint in page.items {
        let Some(row) = rows.enrollment(hint.id).await?.filter(|row| row.state.name() == StateName::Imported) else {
            continue;
        };
        let now = flow.now();
        let happened = Happened { at: now, by: by.clone(), what: Event::ImportRequestedAgain, request_ids: Vec::new() };
        if row.key == KeyFacet::Destroyed {
            part.without_key += 1;
        } else if once(&rows, &row, happened, |change| change.enrollment.due_at = Some(now)).await?.row().is_some() {
            part.requested += 1;
        }
    }
    let mut entry = audit(flow, by, "enrollments.import_requested", subject);
    entry.detail = format!("{} requested, {} without a key", part.requested, part.without_key);
    rows.append_audit(&entry).await?;
    Ok(part)
}
