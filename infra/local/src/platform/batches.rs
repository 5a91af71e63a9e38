//! The rows of `batches` and of their plans.

use domain::{Batch, BatchId, IntegrationId, PersonId, batch::PlanRow};
use ports::{Page, PlanFilter};
use rusqlite::{Connection, ToSql, params};

use super::{
    columns::{Text, from_json, nanoseconds, to_json},
    cursor,
    database::Outcome,
    enrollments::AFTER_THE_NEWEST,
    integrations::belongs,
    statement::{all, execute, first},
};

/// A batch that exists already stays as it is, so that a repeated request does no harm.
pub(super) fn create(connection: &Connection, scope: IntegrationId, batch: &Batch, people: &[PersonId]) -> Outcome<()> {
    belongs(scope, batch.integration)?;
    let created = execute(
        connection,
        "INSERT INTO batches (integration, id, created_at, version, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (integration, id) DO NOTHING",
        params![
            Text(scope),
            Text(batch.id),
            nanoseconds(batch.created_at),
            i64::try_from(batch.version)?,
            to_json(batch)?
        ],
    )?;
    if created == 0 {
        return Ok(());
    }
    let unplanned = |person: &PersonId| PlanRow {
        batch: batch.id,
        person: *person,
        assessment: None,
        enrollment: None,
        ground: None,
    };
    let rows: Vec<_> = people.iter().map(unplanned).collect();
    put_plan_rows(connection, scope, &rows)
}

pub(super) fn one(connection: &Connection, scope: IntegrationId, batch: BatchId) -> Outcome<Option<Batch>> {
    first(
        connection,
        "SELECT body FROM batches WHERE integration = ?1 AND id = ?2",
        params![Text(scope), Text(batch)],
        |row| from_json(row, 0),
    )
}

/// Newest first.
pub(super) fn page(
    connection: &Connection,
    scope: IntegrationId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Batch>> {
    cursor::page(AFTER_THE_NEWEST, after, limit, |(at, id), limit| {
        all(
            connection,
            "SELECT created_at, id, body FROM batches WHERE integration = ?1 AND (created_at, id) < (?2, ?3)
             ORDER BY created_at DESC, id DESC LIMIT ?4",
            params![Text(scope), at, id, limit],
            |row| Ok(((row.get(0)?, row.get(1)?), from_json(row, 2)?)),
        )
    })
}

pub(super) fn save(connection: &Connection, scope: IntegrationId, batch: &Batch) -> Outcome<bool> {
    belongs(scope, batch.integration)?;
    let next = Batch { version: batch.version.saturating_add(1), ..batch.clone() };
    let saved = execute(
        connection,
        "UPDATE batches SET created_at = ?4, version = ?5, body = ?6
         WHERE integration = ?1 AND id = ?2 AND version = ?3",
        params![
            Text(scope),
            Text(batch.id),
            i64::try_from(batch.version)?,
            nanoseconds(next.created_at),
            i64::try_from(next.version)?,
            to_json(&next)?
        ],
    )?;
    Ok(saved == 1)
}

pub(super) fn put_plan_rows(connection: &Connection, scope: IntegrationId, rows: &[PlanRow]) -> Outcome<()> {
    for row in rows {
        execute(
            connection,
            "INSERT INTO plan_rows (integration, batch, person, assessment, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (integration, batch, person) DO UPDATE SET
                 assessment = excluded.assessment, body = excluded.body",
            params![
                Text(scope),
                Text(row.batch),
                Text(row.person),
                row.assessment.as_ref().map(|assessment| assessment.as_str()),
                to_json(row)?
            ],
        )?;
    }
    Ok(())
}

pub(super) fn plan_rows(
    connection: &Connection,
    scope: IntegrationId,
    batch: BatchId,
    filter: &PlanFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<PlanRow>> {
    macro_rules! by_person {
        ($condition:literal) => {
            concat!(
                "SELECT person, body FROM plan_rows WHERE integration = ?1 AND batch = ?2 AND person > ?3",
                $condition,
                " ORDER BY person LIMIT ?4"
            )
        };
    }
    let (sql, assessment) = match filter {
        PlanFilter::Everybody => (by_person!(""), None),
        PlanFilter::Unplanned => (by_person!(" AND assessment IS NULL"), None),
        PlanFilter::Assessment(assessment) => (by_person!(" AND assessment = ?5"), Some(assessment)),
    };
    cursor::page(String::new(), after, limit, |after, limit| {
        let (scope, batch) = (Text(scope), Text(batch));
        let mut values: Vec<&dyn ToSql> = vec![&scope, &batch, after, &limit];
        values.extend(assessment.map(|assessment| assessment as &dyn ToSql));
        all(connection, sql, &values, |row| Ok((row.get(0)?, from_json(row, 1)?)))
    })
}
