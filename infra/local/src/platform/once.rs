//! What counts once: the state of an Authorize under way, and the idempotency keys of requests.

use jiff::Timestamp;
use ports::AuthorizeState;
use rusqlite::{Connection, params};

use super::{
    columns::{from_json, nanoseconds, to_json},
    database::Outcome,
    statement::{execute, first},
};

pub(super) fn put_authorize_state(connection: &Connection, state: &AuthorizeState) -> Outcome<()> {
    execute(
        connection,
        "INSERT INTO authorize_states (hash, expires_at, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at, body = excluded.body",
        params![state.hash, nanoseconds(state.expires_at), to_json(state)?],
    )?;
    Ok(())
}

/// Clears away what is over as well: most states that nobody comes back with are never asked for again.
pub(super) fn take_authorize_state(
    connection: &Connection,
    hash: &str,
    now: Timestamp,
) -> Outcome<Option<AuthorizeState>> {
    execute(connection, "DELETE FROM authorize_states WHERE expires_at <= ?1", params![nanoseconds(now)])?;
    first(connection, "DELETE FROM authorize_states WHERE hash = ?1 RETURNING body", params![hash], |row| {
        from_json(row, 0)
    })
}

/// Answers what is known of the key, `None` the first time. The first answer that is given stays.
pub(super) fn idempotent(
    connection: &Connection,
    key: &str,
    body_hash: &str,
    answer: Option<&str>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Outcome<Option<(String, Option<String>)>> {
    execute(connection, "DELETE FROM idempotency WHERE expires_at <= ?1", params![nanoseconds(now)])?;
    let created = execute(
        connection,
        "INSERT INTO idempotency (key, body_hash, answer, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![key, body_hash, answer, nanoseconds(expires_at)],
    )?;
    if created == 1 {
        return Ok(None);
    }
    execute(
        connection,
        "UPDATE idempotency SET answer = ?3 WHERE key = ?1 AND body_hash = ?2 AND answer IS NULL",
        params![key, body_hash, answer],
    )?;
    first(connection, "SELECT body_hash, answer FROM idempotency WHERE key = ?1", params![key], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}
