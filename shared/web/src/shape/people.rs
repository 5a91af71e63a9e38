//! The directory as imported.

use jiff::Timestamp;
use ports::DirectoryCursor;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
pub(crate) struct Person {
    /// The object ID in Entra.
    id: Uuid,
    name: String,
    given_name: Option<String>,
    surname: Option<String>,
    user_principal_name: String,
    /// The address that a certificate would be for, as the directory has it.
    address: Option<String>,
    aliases: Vec<String>,
    enabled: bool,
    guest: bool,
    /// Not seen by the last full import.
    left: bool,
}

/// Where the import of the directory stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportProgress {
    running: bool,
    /// People seen by the run under way, or by the last one.
    seen: u64,
    /// People whom that run found to have left.
    left: u64,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Why the last run stopped.
    problem: Option<String>,
}

impl From<domain::Person> for Person {
    fn from(person: domain::Person) -> Self {
        Self {
            id: person.id.0,
            name: person.shown_name(),
            address: person.primary_smtp.or(person.mail),
            given_name: person.given_name,
            surname: person.surname,
            user_principal_name: person.user_principal_name,
            aliases: person.aliases,
            enabled: person.enabled,
            guest: person.guest,
            left: person.left,
        }
    }
}

impl From<DirectoryCursor> for ImportProgress {
    fn from(cursor: DirectoryCursor) -> Self {
        Self {
            running: cursor.running,
            seen: cursor.seen,
            left: cursor.left,
            started_at: cursor.started_at,
            finished_at: cursor.finished_at,
            problem: cursor.problem,
        }
    }
}
