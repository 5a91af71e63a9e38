//! Running one statement. Each is prepared once on a connection and kept.

use rusqlite::{Connection, Row, ToSql};

use super::database::Outcome;

/// Every row of the answer.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of the answer.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnOnce(&Row<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(read).transpose()
}

/// Changes rows; answers how many.
pub(super) fn execute(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Outcome<usize> {
    Ok(connection.prepare_cached(sql)?.execute(values)?)
}
