//! Plans a batch: who is enrolled, who is left out and why, and what it costs. It reads, and touches nothing outside.
//!
//! Planning goes on in chunks from the batch's cursor; doing a chunk twice changes nothing.

use domain::{
    Batch, BatchId, Integration, IntegrationId, Money, PersonId, Purpose,
    batch::{BatchStatus, PlanRow, Selection},
    enrollment::Product,
    jobs::{BatchJob, Job},
    transition::{Actor, LEASE},
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use microsoft::graph::{IntendedPurpose, Start, UserPfxRecord};
use ports::{IntegrationStore, IntuneRecord, PeopleFilter, PlanFilter, Platform, PlatformError, Queue, Vendor};
use uuid::Uuid;

use crate::{
    FieldProblem, Flow, Outcome, Refusal,
    assess_person::{assessed, enrollment},
    connect::{audit, needed_integration},
    graph_access::{Trouble, app_token, forget_token, message_waits, pause_if_told, trouble},
};

/// Whom, what and for which purpose.
#[derive(Clone, Debug)]
pub struct BatchRequest {
    pub people: People,
    pub product: u32,
    pub days: u16,
    pub purpose: Purpose,
}

#[derive(Clone, Debug)]
pub enum People {
    Everybody,
    Listed(Vec<PersonId>),
}

/// What can be bought here.
#[derive(Clone, Debug)]
pub struct OfferedProduct {
    pub code: u32,
    pub label: String,
    /// In days, with the price of each.
    pub durations: Vec<(u16, Money)>,
}

/// The products of this deployment that are enabled.
pub fn offered_products<P: Platform>(flow: &Flow<P>) -> Vec<OfferedProduct> {
    flow.deployment
        .products
        .enabled()
        .filter(|product| is_priced_in_dollars(product))
        .map(|product| OfferedProduct {
            code: product.code.0,
            label: product.label.clone(),
            durations: offers(product).collect(),
        })
        .collect()
}

/// People that may be listed by id in one request; more are selected as everybody.
const MOST_LISTED: usize = 10_000;

/// Checks the request, stores the batch and begins to plan it.
pub async fn request<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    request: BatchRequest,
    by: &Actor,
) -> Result<Batch, Refusal> {
    let rows = flow.rows(id);
    let integration = needed_integration(&rows).await?;
    let price = price(flow, request.product, request.days).map_err(|problem| Refusal::Invalid(vec![problem]))?;
    let (selection, mut people) = match request.people {
        People::Everybody => (Selection::Everybody, Vec::new()),
        People::Listed(people) => (Selection::Listed, people),
    };
    people.sort_unstable();
    people.dedup();
    if selection == Selection::Listed {
        let problem = match people.len() {
            0 => Some(("nobody is listed", "list people's ids, or say everybody")),
            count if count > MOST_LISTED => {
                Some(("more than 10,000 people are listed", "say everybody, or make several batches"))
            }
            _ => None,
        };
        if let Some((problem, fix)) = problem {
            return Err(Refusal::Invalid(vec![FieldProblem::new("people", problem, fix)]));
        }
        if let Some(person) = not_imported(&rows, &people).await? {
            let problem = format!("{person} was not imported");
            let fix = "import the directory first, or correct the id";
            return Err(Refusal::Invalid(vec![FieldProblem::new("people", problem, fix)]));
        }
    }
    let by_name = match by {
        Actor::Step { name } | Actor::Operator { name } => name.clone(),
    };
    let batch = Batch {
        id: BatchId(Uuid::new_v4()),
        integration: id,
        purpose: request.purpose,
        product: Product { code: request.product, days: request.days, price },
        selection,
        status: BatchStatus::Planning,
        ground: integration.ground,
        requested_by: by_name,
        approved_by: None,
        planned: 0,
        left_out: 0,
        total: Money(0),
        cursor: None,
        due_at: lease(flow),
        created_at: flow.now(),
        version: 0,
    };
    rows.create_batch(&batch, &people).await?;
    rows.append_audit(&audit(flow, by, "batch.requested", batch.id.to_string())).await?;
    send(flow, BatchJob::Plan { integration: id, batch: batch.id }).await?;
    rows.batch(batch.id).await?.ok_or(Refusal::NotFound("batch"))
}

/// The first of them whom the directory did not show.
async fn not_imported<S: IntegrationStore>(rows: &S, people: &[PersonId]) -> Result<Option<PersonId>, PlatformError> {
    let looks = stream::iter(people.to_vec()).map(|person| {
        let rows = rows.clone();
        async move { Ok((person, rows.person(person).await?.is_none())) }
    });
    let mut looks = looks.buffered(READ_AT_ONCE);
    while let Some(look) = looks.next().await {
        if let (person, true) = look? {
            return Ok(Some(person));
        }
    }
    Ok(None)
}

/// An operator waits for 10,000 reads, which in turn would take a minute on DynamoDB.
const READ_AT_ONCE: usize = 32;

/// The price of a product for a duration, today.
pub(crate) fn price<P: Platform>(flow: &Flow<P>, code: u32, days: u16) -> Result<Money, FieldProblem> {
    let product = flow.deployment.products.find(sslcom::ProductCode(code));
    let product = product.filter(|product| product.enabled && is_priced_in_dollars(product));
    let Some(product) = product else {
        let offered: Vec<_> =
            offered_products(flow).iter().map(|product| format!("{} ({})", product.code, product.label)).collect();
        let fix = format!("use one of {}", offered.join(", "));
        return Err(FieldProblem::new("product", format!("product {code} is not offered here"), fix));
    };
    offers(product).find(|(offered, _)| *offered == days).map(|(_, price)| price).ok_or_else(|| {
        let offered: Vec<_> = offers(product).map(|(days, _)| days.to_string()).collect();
        let fix = format!("use one of {}", offered.join(", "));
        FieldProblem::new("days", format!("{} is not offered for {days} days", product.label), fix)
    })
}

/// [`Money`] is in US cents, and an amount in another currency could not be compared with a plan.
fn is_priced_in_dollars(product: &sslcom::Product) -> bool {
    product.currency == "USD"
}

fn offers(product: &sslcom::Product) -> impl Iterator<Item = (u16, Money)> {
    product.offers.iter().filter_map(|offer| Some((u16::try_from(offer.days).ok()?, Money(offer.price_cents))))
}

/// Rows planned by one job.
const CHUNK: usize = 100;
const CHUNKS_PER_JOB: usize = 20;
/// Marks the part of the planning in which Intune's records are listed.
const RECORDS: &str = "records:";
const PEOPLE: &str = "people:";

/// Plans some chunks and continues itself.
pub async fn plan<P: Platform>(flow: &Flow<P>, id: IntegrationId, batch: BatchId) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(id);
    let Some(integration) = rows.integration().await? else { return Ok(Outcome::Done) };
    for _ in 0..CHUNKS_PER_JOB {
        let Some(mut batch) = rows.batch(batch).await? else { return Ok(Outcome::Done) };
        if batch.status != BatchStatus::Planning {
            return Ok(Outcome::Done);
        }
        let people = batch.cursor.as_deref().and_then(|cursor| cursor.strip_prefix(PEOPLE)).map(str::to_owned);
        match people {
            None => match list_records(flow, &rows, &integration, &mut batch).await? {
                Ok(()) => {}
                // A person has to change something, and then plans anew: waiting would only hide the reason.
                Err(Trouble::Refused { sentence, .. }) => {
                    tracing::warn!(batch = %batch.id, event = "plan.refused", "batch {} cannot be planned: {sentence}", batch.id);
                    batch.status = BatchStatus::Stopped { reason: sentence };
                    batch.cursor = None;
                }
                Err(trouble) => return try_again(flow, &rows, batch, &trouble).await,
            },
            Some(after) => plan_chunk(flow, &rows, &integration, &mut batch, after).await?,
        }
        batch.due_at = lease(flow);
        if !rows.save_batch(&batch).await? {
            // Another delivery of this job did the same chunk.
            return Ok(Outcome::Done);
        }
    }
    send(flow, BatchJob::Plan { integration: id, batch }).await?;
    Ok(Outcome::Later)
}

/// The message waits instead of a row, and the sweep is not quicker than it.
async fn try_again<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    mut batch: Batch,
    trouble: &Trouble,
) -> Result<Outcome, PlatformError> {
    let (id, integration) = (batch.id, batch.integration);
    tracing::warn!(batch = %id, event = "plan.waits", "batch {id} waits: {}", trouble.sentence());
    pause_if_told(rows, Vendor::Intune, trouble, flow.now()).await?;
    let wait = message_waits(flow, trouble);
    batch.due_at = lease(flow).and_then(|lease| lease.checked_add(wait).ok());
    if rows.save_batch(&batch).await? {
        let job = Job::Batch(BatchJob::Plan { integration, batch: id });
        flow.platform.queue().send(vec![job], wait.unsigned_abs()).await?;
    }
    Ok(Outcome::Later)
}

/// People who come from another tool have records that are not ours; the plan leaves them out. One page a call.
async fn list_records<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    integration: &Integration,
    batch: &mut Batch,
) -> Result<Result<(), Trouble>, PlatformError> {
    if let Some(until) = rows.paused_until(Vendor::Intune).await?
        && until > flow.now()
    {
        return Ok(Err(Trouble::Wait { until, note: "Intune asked us to wait".to_owned() }));
    }
    let access = match app_token(flow, integration).await? {
        Ok(token) => token.access,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let start = match batch.cursor.as_deref().and_then(|cursor| cursor.strip_prefix(RECORDS)) {
        None => Start::First { top: 999 },
        Some(link) => {
            Start::Next(serde_json::from_str(link).map_err(|problem| PlatformError::new("read a kept link", problem))?)
        }
    };
    let page = match flow.microsoft(integration.settings.cloud).graph.pfx_page(&access, Uuid::new_v4(), start).await {
        Ok(page) => page,
        Err(error) => {
            if let microsoft::Error::Unauthorized { .. } = &error {
                forget_token(flow, integration).await;
            }
            return Ok(Err(trouble(flow, error)));
        }
    };
    if !page.skipped.is_empty() {
        let count = page.skipped.len();
        tracing::warn!(batch = %batch.id, event = "plan.records_unreadable", "{count} Intune records cannot be read; people they belong to may be planned again");
    }
    let now = flow.now();
    let records: Vec<_> = page.records.iter().filter_map(|record| known_record(record, now)).collect();
    rows.put_intune_records(&records).await?;
    batch.cursor = Some(match page.next {
        Some(next) => {
            let link = serde_json::to_string(&next).map_err(|problem| PlatformError::new("keep a link", problem))?;
            format!("{RECORDS}{link}")
        }
        None => PEOPLE.to_owned(),
    });
    Ok(Ok(()))
}

fn known_record(record: &UserPfxRecord, seen_at: Timestamp) -> Option<IntuneRecord> {
    let id = record.record_id()?;
    let purpose = match record.intended_purpose? {
        IntendedPurpose::Unassigned => Purpose::General,
        IntendedPurpose::SmimeEncryption => Purpose::Encryption,
        IntendedPurpose::SmimeSigning => Purpose::Signing,
    };
    Some(IntuneRecord {
        id: record.id.clone(),
        person: PersonId(id.user_object_id()),
        purpose,
        // Without an end it has to be taken for valid: the other way money would be spent twice.
        not_after: record.expiration.unwrap_or(Timestamp::MAX),
        thumbprint: id.thumbprint().to_owned(),
        seen_at,
    })
}

async fn plan_chunk<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    integration: &Integration,
    batch: &mut Batch,
    after: String,
) -> Result<(), PlatformError> {
    let after = Some(after).filter(|after| !after.is_empty());
    let (people, next) = match batch.selection {
        Selection::Everybody => {
            let page = rows.people(&PeopleFilter::Everybody, after, CHUNK).await?;
            (page.items, page.next)
        }
        Selection::Listed => {
            let page = rows.plan_rows(batch.id, &PlanFilter::Everybody, after, CHUNK).await?;
            let mut people = Vec::with_capacity(page.items.len());
            for row in &page.items {
                people.extend(rows.person(row.person).await?);
            }
            (people, page.next)
        }
    };
    let mut plan = Vec::with_capacity(people.len());
    let mut enrollments = Vec::new();
    for person in people.iter().filter(|person| !(person.left && batch.selection == Selection::Everybody)) {
        let (assessment, ground) = assessed(flow, rows, integration, batch, person).await?;
        let enrollment = match (&ground, assessment.is_enrolled()) {
            (Some(ground), true) => Some(enrollment(flow, integration, batch, person, ground, &assessment)),
            _ => None,
        };
        if assessment.is_enrolled() {
            batch.planned += 1;
            batch.total = batch.total.plus(batch.product.price);
        } else {
            batch.left_out += 1;
        }
        plan.push(PlanRow {
            batch: batch.id,
            person: person.id,
            assessment: Some(assessment),
            enrollment: enrollment.as_ref().map(|row| row.id),
            ground,
        });
        enrollments.extend(enrollment);
    }
    rows.create_enrollments(&enrollments).await?;
    rows.put_plan_rows(&plan).await?;
    match next {
        Some(next) => batch.cursor = Some(format!("{PEOPLE}{next}")),
        None => {
            batch.cursor = None;
            batch.status = BatchStatus::Ready;
        }
    }
    Ok(())
}

/// When the sweep takes a lost message for lost.
pub(crate) fn lease<P: Platform>(flow: &Flow<P>) -> Option<Timestamp> {
    Some(flow.now().saturating_add(LEASE).unwrap_or(Timestamp::MAX))
}

pub(crate) async fn send<P: Platform>(flow: &Flow<P>, job: BatchJob) -> Result<(), PlatformError> {
    flow.platform.queue().send(vec![Job::Batch(job)], std::time::Duration::ZERO).await
}
