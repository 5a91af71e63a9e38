//! Reading enrollments and what lies beside them, creating them, and moving their due time. Every other write is the
//! business of `commit`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{BatchId, Claim, Enrollment, EnrollmentId, IntegrationId, enrollment::StateName, transition::Happened};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use ports::{Attachment, Due, EnrollmentFilter, HookOwner, Page, cursor};
use uuid::Uuid;

use super::{
    body::{self, id, nanoseconds},
    integrations,
    keys::{self, COUNT_SHARDS, DUE_SHARDS, Key, Place, TIMELINE, due_sort},
    span::Span,
    table::{Condition, Outcome, Table, integer, number, string, text},
    transaction::Written,
};

/// Rows of one transaction; with the counts that go with them they stay below DynamoDB's 100.
const CREATED_AT_ONCE: usize = 25;
/// Partitions of the due index that are looked at together.
const SIDE_BY_SIDE: usize = 16;

pub(super) async fn one(table: &Table, scope: IntegrationId, id: EnrollmentId) -> Outcome<Option<Enrollment>> {
    table.get(&Key::enrollment(scope, id)).await?.as_ref().map(body::read_enrollment).transpose()
}

/// Newest first, whatever the filter.
pub(super) async fn page(
    table: &Table,
    scope: IntegrationId,
    filter: &EnrollmentFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Enrollment>> {
    let (list, partition) = match filter {
        EnrollmentFilter::Everything => keys::enrollments(scope),
        EnrollmentFilter::State(state) => keys::enrollments_in_state(scope, *state),
        EnrollmentFilter::Batch(batch) => keys::enrollments_of_batch(scope, *batch),
        EnrollmentFilter::BatchState(batch, state) => keys::enrollments_of_batch_in_state(scope, *batch, *state),
        EnrollmentFilter::Person(person) => keys::enrollments_of_person(scope, *person),
    };
    super::newest_first(table, list, &partition, after, limit, body::read_enrollment).await
}

/// The first of each integration, then the second of each, and so on.
pub(super) async fn due(table: &Table, now: Timestamp, per_integration: usize) -> Outcome<Vec<Due>> {
    let integrations = integrations::ids(table).await?;
    let found = stream::iter(integrations).map(|scope| due_of(table, scope, now, per_integration));
    let found: Vec<Vec<Due>> = found.buffered(SIDE_BY_SIDE).try_collect().await?;
    let mut ranked: Vec<_> = found.into_iter().flat_map(|due| due.into_iter().enumerate()).collect();
    ranked.sort_by_key(|(place, _)| *place);
    Ok(ranked.into_iter().map(|(_, due)| due).collect())
}

/// Oldest first, out of all shards.
async fn due_of(table: &Table, scope: IntegrationId, now: Timestamp, limit: usize) -> Outcome<Vec<Due>> {
    let until = Span::rising_to(due_sort(now, EnrollmentId(Uuid::max())));
    let mut due = Vec::new();
    for shard in 0..DUE_SHARDS {
        let (list, partition) = keys::due(scope, shard);
        for hint in table.hints(list, &partition, &until, limit).await? {
            due.push((text(&hint, list.sort())?, Key::of(&hint)?));
        }
    }
    due.sort_by(|one, other| one.0.cmp(&other.0));
    due.truncate(limit);
    let mut rows = table.get_many(due.iter().map(|(_, key)| key.clone()).collect()).await?;
    let mut found = Vec::with_capacity(due.len());
    for (_, key) in due {
        let Some(row) = rows.remove(&key).as_ref().map(body::read_enrollment).transpose()? else { continue };
        if let Some(due_at) = row.due_at.filter(|due_at| *due_at <= now) {
            found.push(Due { integration: scope, enrollment: row.id, due_at });
        }
    }
    Ok(found)
}

/// The version stays: whoever read the row and works on it does not lose its write because the sweep looked at it.
pub(super) async fn move_due(
    table: &Table,
    scope: IntegrationId,
    id: EnrollmentId,
    from: Timestamp,
    to: Timestamp,
) -> Outcome<bool> {
    if from == to {
        return Ok(false);
    }
    let condition = Condition::new(
        "due_at = :from",
        [(":from", nanoseconds(from)), (":to", nanoseconds(to)), (":sort", string(due_sort(to, id)))],
    );
    table.update_if(&Key::enrollment(scope, id), "SET due_at = :to, sd = :sort", condition).await
}

/// Oldest first.
pub(super) async fn timeline(
    table: &Table,
    scope: IntegrationId,
    id: EnrollmentId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Happened>> {
    let Some(part) = cursor::part(String::new(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = table.rows(&keys::beside(scope, id), &Span::beginning(TIMELINE, &part.after), part.rows).await?;
    let rows = rows.iter().map(|item| Ok((text(item, "sk")?, body::read(item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}

pub(super) async fn attachment(
    table: &Table,
    scope: IntegrationId,
    id: EnrollmentId,
    kind: Attachment,
) -> Outcome<Option<Vec<u8>>> {
    let Some(mut item) = table.get(&Key::attachment(scope, id, kind)).await? else { return Ok(None) };
    match item.remove("content") {
        Some(aws_sdk_dynamodb::types::AttributeValue::B(content)) => Ok(Some(content.into_inner())),
        _ => Err("an attachment has no content".into()),
    }
}

pub(super) async fn claim_holder(table: &Table, scope: IntegrationId, claim: &Claim) -> Outcome<Option<EnrollmentId>> {
    integrations::belongs(scope, claim.integration)?;
    table.get(&Key::claim(scope, claim)).await?.map(|item| id(&item, "holder")).transpose()
}

pub(super) async fn order_owner(table: &Table, scope: IntegrationId, reference: &str) -> Outcome<Option<EnrollmentId>> {
    table.get(&Key::order(scope, reference)).await?.map(|item| id(&item, "holder")).transpose()
}

pub(super) async fn hook_owner(table: &Table, token_hash: &str) -> Outcome<Option<HookOwner>> {
    let found = table.get(&Key::hook(token_hash)).await?;
    let owner = |item| Ok(HookOwner { integration: id(&item, "integration")?, enrollment: id(&item, "holder")? });
    found.map(owner).transpose()
}

/// States without enrollments are left out; the others come in the order of an enrollment's life.
pub(super) async fn counts(
    table: &Table,
    scope: IntegrationId,
    batch: Option<BatchId>,
) -> Outcome<Vec<(StateName, u64)>> {
    let shards = table.rows(&keys::counts(scope, batch), &Span::all(), usize::MAX).await?;
    let mut counts = Vec::new();
    for state in StateName::ALL {
        let name = counted_as(state);
        let mut sum: i64 = 0;
        for shard in shards.iter().filter(|shard| shard.contains_key(&name)) {
            sum += integer::<i64>(shard, &name)?;
        }
        if sum > 0 {
            counts.push((state, u64::try_from(sum)?));
        }
    }
    counts.sort();
    Ok(counts)
}

/// The part of a transaction that counts enrollments into states and out of them. One shard may show less than none of
/// a state: only their sum means something.
pub(super) fn count_part(
    table: &Table,
    scope: IntegrationId,
    batch: Option<BatchId>,
    changes: &BTreeMap<StateName, i64>,
) -> Outcome<TransactWriteItem> {
    const VALUES: [&str; 15] =
        [":0", ":1", ":2", ":3", ":4", ":5", ":6", ":7", ":8", ":9", ":10", ":11", ":12", ":13", ":14"];
    let shard = Uuid::new_v4().as_bytes()[0] % COUNT_SHARDS;
    let named = changes.iter().zip(VALUES);
    let change: Vec<_> = named.clone().map(|((state, _), value)| format!("{} {value}", counted_as(*state))).collect();
    let values = named.map(|((_, by), value)| (value, number(by))).collect();
    let condition = Condition { holds: "", values };
    table.update_part(&Key::counts(scope, batch, shard), format!("ADD {}", change.join(", ")), condition)
}

fn counted_as(state: StateName) -> String {
    format!("in_{}", state.as_str())
}

/// One that exists already stays as it is.
pub(super) async fn create(table: &Table, scope: IntegrationId, enrollments: &[Enrollment]) -> Outcome<()> {
    for row in enrollments {
        integrations::belongs(scope, row.integration)?;
    }
    for chunk in enrollments.chunks(CREATED_AT_ONCE) {
        let mut new: Vec<&Enrollment> = chunk.iter().collect();
        while !new.is_empty() {
            let mut parts = Vec::new();
            let mut counts: BTreeMap<Option<BatchId>, BTreeMap<StateName, i64>> = BTreeMap::new();
            for row in &new {
                let item = body::enrollment(Place::of_enrollment(scope, row), row)?;
                parts.push(table.put_part(item, Condition::is_new())?);
                for batch in [None, Some(row.batch)] {
                    *counts.entry(batch).or_default().entry(row.state.name()).or_default() += 1;
                }
            }
            for (batch, changes) in &counts {
                parts.push(count_part(table, scope, *batch, changes)?);
            }
            match table.transact(parts).await? {
                Written::Done => break,
                Written::Refused(exist) => {
                    let places = new.iter().enumerate().filter(|(place, _)| !exist.contains(place));
                    new = places.map(|(_, row)| *row).collect();
                }
            }
        }
    }
    Ok(())
}
