//! The rows of `people`, as the directory gave them, and where reading the directory stands.

use domain::{IntegrationId, Person, PersonId, person::fold_case};
use ports::{DirectoryCursor, Page, PeopleFilter};
use rusqlite::{Connection, params};

use super::{
    columns::{Text, end_of_prefix, from_json, to_json},
    cursor,
    database::Outcome,
    statement::{all, execute, first},
};

pub(super) fn put(connection: &Connection, scope: IntegrationId, people: &[Person]) -> Outcome<()> {
    for person in people {
        execute(
            connection,
            "INSERT INTO people (integration, id, name, address, folded_primary, folded_mail, generation, gone, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (integration, id) DO UPDATE SET
                 name = excluded.name, address = excluded.address,
                 folded_primary = excluded.folded_primary, folded_mail = excluded.folded_mail,
                 generation = excluded.generation, gone = excluded.gone, body = excluded.body
             WHERE generation <= excluded.generation",
            params![
                Text(scope),
                Text(person.id),
                person.folded_name(),
                person.folded_shown_address(),
                person.folded_primary(),
                person.folded_mail(),
                i64::try_from(person.generation)?,
                person.left,
                to_json(person)?
            ],
        )?;
    }
    Ok(())
}

pub(super) fn mark_left(connection: &Connection, scope: IntegrationId, generation: u64) -> Outcome<u64> {
    let left = execute(
        connection,
        "UPDATE people SET gone = 1, body = json_set(body, '$.left', json('true'))
         WHERE integration = ?1 AND gone = 0 AND generation < ?2",
        params![Text(scope), i64::try_from(generation)?],
    )?;
    Ok(u64::try_from(left)?)
}

pub(super) fn mark_person_left(connection: &Connection, scope: IntegrationId, person: PersonId) -> Outcome<()> {
    execute(
        connection,
        "UPDATE people SET gone = 1, body = json_set(body, '$.left', json('true'))
         WHERE integration = ?1 AND id = ?2",
        params![Text(scope), Text(person)],
    )?;
    Ok(())
}

pub(super) fn one(connection: &Connection, scope: IntegrationId, person: PersonId) -> Outcome<Option<Person>> {
    first(
        connection,
        "SELECT body FROM people WHERE integration = ?1 AND id = ?2",
        params![Text(scope), Text(person)],
        |row| from_json(row, 0),
    )
}

pub(super) fn page(
    connection: &Connection,
    scope: IntegrationId,
    filter: &PeopleFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Person>> {
    let (sql, prefix) = match filter {
        PeopleFilter::Everybody => {
            return cursor::page(String::new(), after, limit, |after, limit| {
                all(
                    connection,
                    "SELECT id, body FROM people WHERE integration = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                    params![Text(scope), after, limit],
                    |row| Ok((row.get(0)?, from_json(row, 1)?)),
                )
            });
        }
        PeopleFilter::Name { prefix } => (
            "SELECT name, id, body FROM people
             WHERE integration = ?1 AND (name, id) > (?2, ?3) AND name < ?4 ORDER BY name, id LIMIT ?5",
            fold_case(prefix),
        ),
        PeopleFilter::Address { prefix } => (
            "SELECT address, id, body FROM people
             WHERE integration = ?1 AND (address, id) > (?2, ?3) AND address < ?4 ORDER BY address, id LIMIT ?5",
            fold_case(prefix),
        ),
    };
    let end = end_of_prefix(&prefix);
    let start = (prefix, String::new());
    cursor::page(start.clone(), after, limit, |after, limit| {
        // A cursor of another prefix must not lead out of this one.
        let (key, id) = after.max(&start);
        all(connection, sql, params![Text(scope), key, id, end, limit], |row| {
            Ok(((row.get(0)?, row.get(1)?), from_json(row, 2)?))
        })
    })
}

/// One person counts once, also when both of their addresses are this one. Without statistics SQLite would take an index
/// that holds everybody.
pub(super) fn with_address(connection: &Connection, scope: IntegrationId, folded: &str) -> Outcome<u32> {
    let people = first(
        connection,
        "SELECT (SELECT count(*) FROM people INDEXED BY people_by_folded_primary
                 WHERE integration = ?1 AND folded_primary = ?2 AND gone = 0)
              + (SELECT count(*) FROM people INDEXED BY people_by_folded_mail
                 WHERE integration = ?1 AND folded_mail = ?2 AND gone = 0 AND folded_primary IS NOT ?2)",
        params![Text(scope), folded],
        |row| Ok(row.get(0)?),
    )?;
    Ok(people.unwrap_or(0))
}

pub(super) fn directory_cursor(connection: &Connection, scope: IntegrationId) -> Outcome<DirectoryCursor> {
    let stored =
        first(connection, "SELECT body FROM directory_cursors WHERE integration = ?1", params![Text(scope)], |row| {
            from_json(row, 0)
        })?;
    Ok(stored.unwrap_or_default())
}

pub(super) fn save_directory_cursor(
    connection: &Connection,
    scope: IntegrationId,
    cursor: &DirectoryCursor,
) -> Outcome<bool> {
    if directory_cursor(connection, scope)?.version != cursor.version {
        return Ok(false);
    }
    let next = DirectoryCursor { version: cursor.version.saturating_add(1), ..cursor.clone() };
    execute(
        connection,
        "INSERT INTO directory_cursors (integration, version, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (integration) DO UPDATE SET version = excluded.version, body = excluded.body",
        params![Text(scope), i64::try_from(next.version)?, to_json(&next)?],
    )?;
    Ok(true)
}
