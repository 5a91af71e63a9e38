//! Smaller rows of an integration: what Intune was seen to hold, which vendor is paused, the day's purchases, the audit.

use domain::{IntegrationId, PersonId, operator::AuditEntry};
use jiff::{Timestamp, civil::Date};
use ports::{IntuneRecord, Page, Vendor};
use rusqlite::{Connection, params};

use super::{
    columns::{Text, from_json, nanoseconds, time, to_json, word},
    cursor,
    database::Outcome,
    statement::{all, execute, first},
};

pub(super) fn put_intune(connection: &Connection, scope: IntegrationId, records: &[IntuneRecord]) -> Outcome<()> {
    for record in records {
        execute(
            connection,
            "INSERT INTO intune_records (integration, id, person, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (integration, id) DO UPDATE SET person = excluded.person, body = excluded.body",
            params![Text(scope), record.id, Text(record.person), to_json(record)?],
        )?;
    }
    Ok(())
}

pub(super) fn intune(connection: &Connection, scope: IntegrationId, person: PersonId) -> Outcome<Vec<IntuneRecord>> {
    all(
        connection,
        "SELECT body FROM intune_records WHERE integration = ?1 AND person = ?2 ORDER BY id",
        params![Text(scope), Text(person)],
        |row| from_json(row, 0),
    )
}

pub(super) fn pause(connection: &Connection, scope: IntegrationId, vendor: Vendor, until: Timestamp) -> Outcome<()> {
    execute(
        connection,
        "INSERT INTO pauses (integration, vendor, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (integration, vendor) DO UPDATE SET until = max(until, excluded.until)",
        params![Text(scope), word(&vendor)?, nanoseconds(until)],
    )?;
    Ok(())
}

pub(super) fn paused_until(
    connection: &Connection,
    scope: IntegrationId,
    vendor: Vendor,
) -> Outcome<Option<Timestamp>> {
    first(
        connection,
        "SELECT until FROM pauses WHERE integration = ?1 AND vendor = ?2",
        params![Text(scope), word(&vendor)?],
        |row| time(row.get(0)?),
    )
}

pub(super) fn purchases(connection: &Connection, scope: IntegrationId, day: Date) -> Outcome<u32> {
    let begun = first(
        connection,
        "SELECT begun FROM purchases WHERE integration = ?1 AND day = ?2",
        params![Text(scope), Text(day)],
        |row| Ok(row.get(0)?),
    )?;
    Ok(begun.unwrap_or(0))
}

pub(super) fn count_purchase(connection: &Connection, scope: IntegrationId, day: Date) -> Outcome<()> {
    execute(
        connection,
        "INSERT INTO purchases (integration, day, begun) VALUES (?1, ?2, 1)
         ON CONFLICT (integration, day) DO UPDATE SET begun = begun + 1",
        params![Text(scope), Text(day)],
    )?;
    Ok(())
}

pub(super) fn uncount_purchase(connection: &Connection, scope: IntegrationId, day: Date) -> Outcome<()> {
    execute(
        connection,
        "UPDATE purchases SET begun = begun - 1 WHERE integration = ?1 AND day = ?2 AND begun > 0",
        params![Text(scope), Text(day)],
    )?;
    Ok(())
}

pub(super) fn append_audit(connection: &Connection, scope: IntegrationId, entry: &AuditEntry) -> Outcome<()> {
    execute(
        connection,
        "INSERT INTO audit (integration, at, body) VALUES (?1, ?2, ?3)",
        params![Text(scope), nanoseconds(entry.at), to_json(entry)?],
    )?;
    Ok(())
}

/// Newest first; of the same moment, the one that was appended last.
pub(super) fn audit(
    connection: &Connection,
    scope: IntegrationId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<AuditEntry>> {
    cursor::page((i64::MAX, i64::MAX), after, limit, |(at, position), limit| {
        all(
            connection,
            "SELECT at, position, body FROM audit WHERE integration = ?1 AND (at, position) < (?2, ?3)
             ORDER BY at DESC, position DESC LIMIT ?4",
            params![Text(scope), at, position, limit],
            |row| Ok(((row.get(0)?, row.get(1)?), from_json(row, 2)?)),
        )
    })
}
