//! One SQLite file: one connection that writes, a few that read, and none of it on the threads of the runtime.
//!
//! Every write is one transaction that begins IMMEDIATE, so that what it read cannot change before it commits.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ports::PlatformError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{DirectoryLock, OpenError};

pub(super) type Fault = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Outcome<T> = Result<T, Fault>;

#[derive(Clone)]
pub(super) struct Database(Arc<Shared>);

struct Shared {
    writer: Arc<tokio::sync::Mutex<Connection>>,
    readers: Mutex<Vec<Connection>>,
    idle_readers: Arc<Semaphore>,
    /// Held while any part of the platform lives. Last, so that the connections are closed before it is given up.
    _directory_lock: DirectoryLock,
}

impl Database {
    /// Takes over the writing connection that [`connect_writer`] made, and opens the readers beside it.
    pub(super) fn new(path: &Path, writer: Connection, directory_lock: DirectoryLock) -> Result<Self, OpenError> {
        let readers = (0..READERS).map(|_| connect_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Shared {
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Mutex::new(readers),
            idle_readers: Arc::new(Semaphore::new(READERS)),
            _directory_lock: directory_lock,
        })))
    }

    /// Runs `work` in one transaction, which is kept when `work` answers `Ok` and undone otherwise.
    ///
    /// A caller that is dropped while it waits for the answer does not undo the work.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        self.write_with(doing, SYNCED, work).await
    }

    /// As [`Database::write`], without waiting for the disk: when the power fails it may not have happened. The order of
    /// commits is kept, and the next [`Database::write`] takes it to the disk as well.
    pub(super) async fn write_unsynced<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        self.write_with(doing, UNSYNCED, work).await
    }

    async fn write_with<T: Send + 'static>(
        &self,
        doing: &'static str,
        synchronous: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let shared = Arc::clone(&self.0);
        let connection = Arc::clone(&shared.writer).lock_owned().await;
        off_the_runtime(doing, move || {
            let _outlives_the_connection = shared;
            let mut connection = connection;
            // Said each time: who wrote before may have panicked.
            connection.pragma_update(None, "synchronous", synchronous)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Runs `work` on a connection that cannot write. It sees everything that was committed before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let shared = Arc::clone(&self.0);
        let permit = Arc::clone(&shared.idle_readers)
            .acquire_owned()
            .await
            .map_err(|closed| PlatformError::new(doing, closed))?;
        off_the_runtime(doing, move || work(Reader::lend(shared, permit)?.connection()?)).await
    }
}

/// A reading connection, given back however the read ends.
struct Reader {
    connection: Option<Connection>,
    home: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    fn lend(home: Arc<Shared>, permit: OwnedSemaphorePermit) -> Outcome<Self> {
        let connection = home.idle().pop();
        Ok(Self { connection, home, _permit: permit })
    }

    fn connection(&self) -> Outcome<&Connection> {
        self.connection.as_ref().ok_or_else(|| "more permits than reading connections".into())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.home.idle().extend(self.connection.take());
    }
}

impl Shared {
    /// The list is whole even after a panic: nothing happens between taking from it and giving back to it.
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn off_the_runtime<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Result<T, PlatformError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|fault| PlatformError::new(doing, fault)),
        Err(panicked) => Err(PlatformError::new(doing, panicked)),
    }
}

/// Opens the file for writing and brings its schema to this release's version.
pub(super) fn connect_writer(path: &Path) -> Result<Connection, OpenError> {
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", SYNCED)?;
    // Removed attachments hold sealed keys; their pages are overwritten, not only unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    configure(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn connect_reader(path: &Path) -> Result<Connection, OpenError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Applies the steps that the file has not seen, each in its own transaction.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut known = 0;
    for step in MIGRATIONS {
        known += 1;
        if known > found {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", known)?;
            transaction.commit()?;
        }
    }
    match found > known {
        true => Err(OpenError::Newer { found, known }),
        false => Ok(()),
    }
}

/// Only ever appended to: a file of every released version must reach the newest.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// The disk has what was committed. The last commit may be what stands between a restart and buying the same
/// certificate again.
const SYNCED: &str = "FULL";

/// In WAL mode the last commits may be lost when the power fails, and nothing else.
const UNSYNCED: &str = "NORMAL";

const READERS: usize = 4;

/// More than there are statements, so that none is prepared twice.
const STATEMENTS: usize = 128;

/// Nobody else has the file open, but a backup tool may hold it for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
impl Database {
    /// Collects the text of every statement that runs from now on.
    pub(super) fn trace(&self, seen: &Arc<Mutex<std::collections::BTreeSet<String>>>) {
        use rusqlite::trace::{TraceEvent, TraceEventCodes};

        let collect = |connection: &mut Connection| {
            let seen = Arc::clone(seen);
            let note = move |event: TraceEvent<'_>| {
                if let TraceEvent::Stmt(statement, _) = event {
                    let mut seen = seen.lock().expect("no collector panics");
                    seen.insert(statement.sql().into_owned());
                }
            };
            connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).expect("the bundled SQLite can trace");
        };
        collect(&mut self.0.writer.try_lock().expect("nobody writes yet"));
        self.0.idle().iter_mut().for_each(collect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> tempfile::NamedTempFile {
        tempfile::NamedTempFile::new().expect("a temporary file")
    }

    #[test]
    fn a_new_file_gets_the_newest_schema_and_an_old_one_is_left_alone() {
        let file = file();
        drop(connect_writer(file.path()).expect("a new database"));
        let again = connect_writer(file.path()).expect("the same database");
        let version: usize = again
            .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
            .map(|version| version as usize)
            .expect("a version");
        assert_eq!(version, MIGRATIONS.len());
    }

    #[test]
    fn a_file_of_a_newer_release_is_refused() {
        let file = file();
        let connection = connect_writer(file.path()).expect("a new database");
        connection.pragma_update(None, "user_version", 99).expect("writable");
        drop(connection);
        assert!(matches!(connect_writer(file.path()), Err(OpenError::Newer { found: 99, .. })));
    }

    #[tokio::test]
    async fn every_write_says_itself_whether_it_waits_for_the_disk() {
        let file = file();
        let lock = DirectoryLock(std::fs::File::open(file.path()).expect("readable"));
        let writer = connect_writer(file.path()).expect("a new database");
        let database = Database::new(file.path(), writer, lock).expect("readers");
        let level = |db: &Transaction<'_>| Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, u32>(0))?);
        let panicked: Result<(), _> = database.write_unsynced("panic", |_| panic!("on purpose")).await;
        assert!(panicked.is_err());
        assert_eq!(database.write("look", level).await.expect("a level"), 2, "FULL");
        assert_eq!(database.write_unsynced("look", level).await.expect("a level"), 1, "NORMAL");
    }

    #[test]
    fn what_is_committed_survives_a_power_failure() {
        let file = file();
        let connection = connect_writer(file.path()).expect("a new database");
        let pragma = |name| -> String {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .map(|value| format!("{value:?}"))
                .expect("a pragma")
        };
        assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
        // 2 is FULL.
        assert_eq!(pragma("synchronous"), "Integer(2)");
        assert_eq!(pragma("foreign_keys"), "Integer(1)");
    }

    #[tokio::test]
    async fn a_write_that_fails_or_panics_leaves_nothing_and_the_next_one_works() {
        let file = file();
        let lock = DirectoryLock(std::fs::File::open(file.path()).expect("readable"));
        let writer = connect_writer(file.path()).expect("a new database");
        let database = Database::new(file.path(), writer, lock).expect("readers");
        let insert = "INSERT INTO idempotency (key, body_hash, expires_at) VALUES ('k', 'h', 1)";
        let failed: Result<(), _> = database
            .write("fail", move |db| {
                db.execute(insert, [])?;
                Err("on purpose".into())
            })
            .await;
        assert!(failed.is_err());
        let panicked: Result<(), _> = database
            .write("panic", move |db| {
                db.execute(insert, [])?;
                panic!("on purpose")
            })
            .await;
        assert!(panicked.is_err());
        for _ in 0..2 * READERS {
            let panicked: Result<(), _> = database.read("panic", |_| panic!("on purpose")).await;
            assert!(panicked.is_err());
        }
        let written = database.write("insert", move |db| Ok(db.execute(insert, [])?)).await;
        assert_eq!(written.expect("nothing is in the way"), 1);
        let refused = database.read("insert", move |db| Ok(db.execute(insert, [])?)).await;
        assert!(refused.is_err(), "a reader does not write");
    }
}
