//! Reading enrollments and what lies beside them. Writing them is the business of `commit`.

use domain::transition::Happened;
use domain::{BatchId, Claim, Enrollment, EnrollmentId, IntegrationId, enrollment::StateName, transition::LEASE};
use jiff::Timestamp;
use ports::{Attachment, Due, EnrollmentFilter, HookOwner, Page};
use rusqlite::{Connection, ToSql, params};

use super::{
    columns::{Text, from_json, nanoseconds, time, to_json},
    cursor,
    database::Outcome,
    integrations,
    statement::{all, execute, first},
};

pub(super) fn one(connection: &Connection, scope: IntegrationId, id: EnrollmentId) -> Outcome<Option<Enrollment>> {
    first(
        connection,
        "SELECT body FROM enrollments WHERE integration = ?1 AND id = ?2",
        params![Text(scope), Text(id)],
        |row| from_json(row, 0),
    )
}

/// Newest first, whatever the filter.
pub(super) fn page(
    connection: &Connection,
    scope: IntegrationId,
    filter: &EnrollmentFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Enrollment>> {
    macro_rules! newest_first {
        ($condition:literal) => {
            concat!(
                "SELECT created_at, id, body FROM enrollments ",
                "WHERE integration = ?1 AND (created_at, id) < (?2, ?3)",
                $condition,
                " ORDER BY created_at DESC, id DESC LIMIT ?4"
            )
        };
    }
    let (sql, wanted) = match filter {
        EnrollmentFilter::Everything => (newest_first!(""), vec![]),
        EnrollmentFilter::State(state) => (newest_first!(" AND state = ?5"), vec![state.as_str().to_owned()]),
        EnrollmentFilter::Batch(batch) => (newest_first!(" AND batch = ?5"), vec![batch.to_string()]),
        EnrollmentFilter::BatchState(batch, state) => {
            (newest_first!(" AND batch = ?5 AND state = ?6"), vec![batch.to_string(), state.as_str().to_owned()])
        }
        EnrollmentFilter::Person(person) => (newest_first!(" AND person = ?5"), vec![person.to_string()]),
    };
    cursor::page(AFTER_THE_NEWEST, after, limit, |(at, id), limit| {
        let scope = Text(scope);
        let mut values: Vec<&dyn ToSql> = vec![&scope, at, id, &limit];
        values.extend(wanted.iter().map(|column| column as &dyn ToSql));
        all(connection, sql, &values, |row| Ok(((row.get(0)?, row.get(1)?), from_json(row, 2)?)))
    })
}

/// Where a list that begins with the newest row begins. An empty id sorts before every other, so a row of the very
/// last moment would be left out; there is none in the range of the clock.
pub(super) const AFTER_THE_NEWEST: (i64, String) = (i64::MAX, String::new());

/// The first of each integration, then the second of each, and so on.
pub(super) fn due(connection: &Connection, now: Timestamp, per_integration: usize) -> Outcome<Vec<Due>> {
    let limit = i64::try_from(per_integration)?;
    let mut due = Vec::new();
    for integration in integrations::ids(connection)? {
        let oldest_first = all(
            connection,
            "SELECT id, due_at FROM enrollments WHERE integration = ?1 AND due_at <= ?2
             ORDER BY due_at, id LIMIT ?3",
            params![Text(integration), nanoseconds(now), limit],
            |row| Ok(Due { integration, enrollment: row.get_ref(0)?.as_str()?.parse()?, due_at: time(row.get(1)?)? }),
        )?;
        due.extend(oldest_first.into_iter().enumerate());
    }
    due.sort_by_key(|(place, _)| *place);
    Ok(due.into_iter().map(|(_, due)| due).collect())
}

/// The version stays: whoever read the row and works on it does not lose its write because the sweep looked at it.
pub(super) fn move_due(
    connection: &Connection,
    scope: IntegrationId,
    id: EnrollmentId,
    from: Timestamp,
    to: Timestamp,
) -> Outcome<bool> {
    if from == to {
        return Ok(false);
    }
    let moved = execute(
        connection,
        "UPDATE enrollments SET due_at = ?4, body = json_set(body, '$.due_at', ?5)
         WHERE integration = ?1 AND id = ?2 AND due_at = ?3",
        params![Text(scope), Text(id), nanoseconds(from), nanoseconds(to), Text(to)],
    )?;
    Ok(moved == 1)
}

/// The leases of a process that died are over: what it was to look after within one is due now. A step that is done twice
/// changes nothing, so it does no harm that its message may be there as well. Only the one process that holds the
/// directory may say so.
pub(super) fn end_leases(connection: &Connection, now: Timestamp) -> Outcome<usize> {
    let end = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    execute(
        connection,
        "UPDATE enrollments SET due_at = ?1, body = json_set(body, '$.due_at', ?2)
         WHERE due_at > ?1 AND due_at <= ?3",
        params![nanoseconds(now), Text(now), nanoseconds(end)],
    )
}

/// Oldest first.
pub(super) fn timeline(
    connection: &Connection,
    scope: IntegrationId,
    id: EnrollmentId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Happened>> {
    cursor::page(0_i64, after, limit, |after, limit| {
        all(
            connection,
            "SELECT position, body FROM timeline WHERE integration = ?1 AND enrollment = ?2 AND position > ?3
             ORDER BY position LIMIT ?4",
            params![Text(scope), Text(id), after, limit],
            |row| Ok((row.get(0)?, from_json(row, 1)?)),
        )
    })
}

pub(super) fn attachment(
    connection: &Connection,
    scope: IntegrationId,
    id: EnrollmentId,
    kind: Attachment,
) -> Outcome<Option<Vec<u8>>> {
    first(
        connection,
        "SELECT content FROM attachments WHERE integration = ?1 AND enrollment = ?2 AND kind = ?3",
        params![Text(scope), Text(id), kind.as_str()],
        |row| Ok(row.get(0)?),
    )
}

pub(super) fn claim_holder(
    connection: &Connection,
    scope: IntegrationId,
    claim: &Claim,
) -> Outcome<Option<EnrollmentId>> {
    integrations::belongs(scope, claim.integration)?;
    first(
        connection,
        "SELECT enrollment FROM claims WHERE integration = ?1 AND claim = ?2",
        params![Text(scope), Text(claim)],
        |row| Ok(row.get_ref(0)?.as_str()?.parse()?),
    )
}

pub(super) fn order_owner(
    connection: &Connection,
    scope: IntegrationId,
    reference: &str,
) -> Outcome<Option<EnrollmentId>> {
    first(
        connection,
        "SELECT enrollment FROM orders WHERE integration = ?1 AND reference = ?2",
        params![Text(scope), reference],
        |row| Ok(row.get_ref(0)?.as_str()?.parse()?),
    )
}

pub(super) fn hook_owner(connection: &Connection, token_hash: &str) -> Outcome<Option<HookOwner>> {
    first(connection, "SELECT integration, enrollment FROM hooks WHERE token_hash = ?1", params![token_hash], |row| {
        Ok(HookOwner {
            integration: row.get_ref(0)?.as_str()?.parse()?,
            enrollment: row.get_ref(1)?.as_str()?.parse()?,
        })
    })
}

/// States without enrollments are left out; the others come in the order of an enrollment's life.
pub(super) fn counts(
    connection: &Connection,
    scope: IntegrationId,
    batch: Option<BatchId>,
) -> Outcome<Vec<(StateName, u64)>> {
    let mut counts = all(
        connection,
        "SELECT state, enrollments FROM enrollment_counts WHERE integration = ?1 AND batch = ?2 AND enrollments > 0",
        params![Text(scope), count_key(batch)],
        |row| {
            let state: StateName = row.get_ref(0)?.as_str()?.parse()?;
            Ok((state, u64::try_from(row.get::<_, i64>(1)?)?))
        },
    )?;
    counts.sort();
    Ok(counts)
}

/// Counts an enrollment that came into a state, for its batch and for the integration.
pub(super) fn count_in(connection: &Connection, scope: IntegrationId, batch: BatchId, state: StateName) -> Outcome<()> {
    for key in [count_key(None), count_key(Some(batch))] {
        execute(
            connection,
            "INSERT INTO enrollment_counts (integration, batch, state, enrollments) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (integration, batch, state) DO UPDATE SET enrollments = enrollments + 1",
            params![Text(scope), key, state.as_str()],
        )?;
    }
    Ok(())
}

/// The reverse of [`count_in`].
pub(super) fn count_out(
    connection: &Connection,
    scope: IntegrationId,
    batch: BatchId,
    state: StateName,
) -> Outcome<()> {
    for key in [count_key(None), count_key(Some(batch))] {
        execute(
            connection,
            "UPDATE enrollment_counts SET enrollments = enrollments - 1
             WHERE integration = ?1 AND batch = ?2 AND state = ?3",
            params![Text(scope), key, state.as_str()],
        )?;
    }
    Ok(())
}

fn count_key(batch: Option<BatchId>) -> String {
    batch.map_or_else(String::new, |batch| batch.to_string())
}

pub(super) fn create(connection: &Connection, scope: IntegrationId, enrollments: &[Enrollment]) -> Outcome<()> {
    for enrollment in enrollments {
        integrations::belongs(scope, enrollment.integration)?;
        let state = enrollment.state.name();
        let created = execute(
            connection,
            "INSERT INTO enrollments
                 (integration, id, batch, person, state, due_at, created_at, version, written_by, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (integration, id) DO NOTHING",
            params![
                Text(scope),
                Text(enrollment.id),
                Text(enrollment.batch),
                Text(enrollment.person),
                state.as_str(),
                enrollment.due_at.map(nanoseconds),
                nanoseconds(enrollment.created_at),
                i64::try_from(enrollment.version)?,
                enrollment.written_by.map(Text),
                to_json(enrollment)?
            ],
        )?;
        if created == 1 {
            count_in(connection, scope, enrollment.batch, state)?;
        }
    }
    Ok(())
}
