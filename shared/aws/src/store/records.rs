//! Smaller rows of an integration: what Intune was seen to hold, which vendor is paused, the day's purchases, the audit.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{IntegrationId, PersonId, operator::AuditEntry};
use jiff::{Timestamp, civil::Date};
use ports::{IntuneRecord, Page, Vendor, cursor};

use super::{
    body::{self, nanoseconds, time},
    keys::{self, Key},
    span::Span,
    table::{Condition, Outcome, Table, integer, text},
};

pub(super) async fn put_intune(table: &Table, scope: IntegrationId, records: &[IntuneRecord]) -> Outcome<()> {
    // DynamoDB refuses two writes of one row in one request; the later one of two is what is known.
    let rows = records.iter().map(|record| {
        let key = Key::intune_record(scope, record.person, &record.id);
        Ok((key.clone(), body::row(key, record, [])?))
    });
    let rows: std::collections::HashMap<_, _> = rows.collect::<Outcome<_>>()?;
    table.put_many(rows.into_values().collect()).await
}

pub(super) async fn intune(table: &Table, scope: IntegrationId, person: PersonId) -> Outcome<Vec<IntuneRecord>> {
    let rows = table.rows(&keys::intune_records(scope, person), &Span::all(), usize::MAX).await?;
    rows.iter().map(body::read).collect()
}

/// A pause is only ever prolonged.
pub(super) async fn pause(table: &Table, scope: IntegrationId, vendor: Vendor, until: Timestamp) -> Outcome<()> {
    let later = "attribute_not_exists(pk) OR paused_until < :until";
    let condition = Condition::new(later, [(":until", nanoseconds(until))]);
    table.update_if(&Key::pause(scope, vendor), "SET paused_until = :until", condition).await.map(drop)
}

pub(super) async fn paused_until(table: &Table, scope: IntegrationId, vendor: Vendor) -> Outcome<Option<Timestamp>> {
    table.get(&Key::pause(scope, vendor)).await?.map(|item| time(&item, "paused_until")).transpose()
}

pub(super) async fn purchases(table: &Table, scope: IntegrationId, day: Date) -> Outcome<u32> {
    let begun = table.get(&Key::purchases(scope, day)).await?.map(|item| integer::<i64>(&item, "begun")).transpose()?;
    Ok(u32::try_from(begun.unwrap_or(0).max(0))?)
}

/// Entries of one moment keep the order in which this process appended them.
static APPENDED: AtomicU64 = AtomicU64::new(0);

pub(super) async fn append_audit(
    table: &Table,
    scope: IntegrationId,
    entry: &AuditEntry,
    now: Timestamp,
) -> Outcome<()> {
    let key = Key::audit(scope, entry.at, now, APPENDED.fetch_add(1, Ordering::Relaxed));
    // Never over another entry, also not over that of another process at the same nanosecond.
    match table.put_if(body::row(key, entry, [])?, Condition::is_new()).await? {
        true => Ok(()),
        false => Err("two entries of the audit met in one nanosecond".into()),
    }
}

/// Newest first; of the same moment, the one that was appended last.
pub(super) async fn audit(
    table: &Table,
    scope: IntegrationId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<AuditEntry>> {
    let Some(part) = cursor::part(super::AFTER_THE_NEWEST.to_owned(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = table.rows(&keys::audit(scope), &Span::FallingFrom(part.after.clone()), part.rows).await?;
    let rows = rows.iter().map(|item| Ok((text(item, "sk")?, body::read(item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}
