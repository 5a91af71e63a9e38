//! The rows of `integrations`: one per (cloud, tenant id).

use domain::{Integration, IntegrationId};
use ports::Page;
use rusqlite::{Connection, params};

use super::{
    columns::{Text, from_json, to_json, word},
    cursor,
    database::{Fault, Outcome},
    statement::{all, execute, first},
};

pub(super) fn create(connection: &Connection, integration: &Integration) -> Outcome<bool> {
    let settings = &integration.settings;
    let created = execute(
        connection,
        "INSERT INTO integrations (id, cloud, tenant, version, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![
            Text(integration.id),
            word(&settings.cloud)?,
            Text(settings.tenant_id),
            i64::try_from(integration.version)?,
            to_json(integration)?
        ],
    )?;
    Ok(created == 1)
}

pub(super) fn one(connection: &Connection, id: IntegrationId) -> Outcome<Option<Integration>> {
    first(connection, "SELECT body FROM integrations WHERE id = ?1", params![Text(id)], |row| from_json(row, 0))
}

pub(super) fn page(connection: &Connection, after: Option<&str>, limit: usize) -> Outcome<Page<Integration>> {
    cursor::page(String::new(), after, limit, |after, limit| {
        all(
            connection,
            "SELECT id, body FROM integrations WHERE id > ?1 ORDER BY id LIMIT ?2",
            params![after, limit],
            |row| Ok((row.get(0)?, from_json(row, 1)?)),
        )
    })
}

pub(super) fn ids(connection: &Connection) -> Outcome<Vec<IntegrationId>> {
    all(connection, "SELECT id FROM integrations ORDER BY id", &[], |row| Ok(row.get_ref(0)?.as_str()?.parse()?))
}

/// False as well when another integration has the cloud and tenant that the row now names.
pub(super) fn save(connection: &Connection, scope: IntegrationId, integration: &Integration) -> Outcome<bool> {
    belongs(scope, integration.id)?;
    let next = Integration { version: integration.version.saturating_add(1), ..integration.clone() };
    let saved = execute(
        connection,
        "UPDATE OR IGNORE integrations SET cloud = ?3, tenant = ?4, version = ?5, body = ?6
         WHERE id = ?1 AND version = ?2",
        params![
            Text(scope),
            i64::try_from(integration.version)?,
            word(&next.settings.cloud)?,
            Text(next.settings.tenant_id),
            i64::try_from(next.version)?,
            to_json(&next)?
        ],
    )?;
    Ok(saved == 1)
}

/// A handle writes rows of its own integration and of no other.
pub(super) fn belongs(scope: IntegrationId, integration: IntegrationId) -> Outcome<()> {
    match integration == scope {
        true => Ok(()),
        false => Err(Fault::from("the row belongs to another integration")),
    }
}
