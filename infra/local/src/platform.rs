//! The local platform: [`LocalStore`], [`LocalQueue`] and [`LocalVault`] over one directory with one SQLite file and
//! one key file. One process has the directory at a time.

mod batches;
mod columns;
mod commit;
mod cursor;
mod database;
mod enrollments;
mod integrations;
mod once;
mod people;
mod private_file;
#[cfg(test)]
mod query_plans;
pub mod queue;
mod records;
mod statement;
mod store;
mod vault;
pub mod worker;

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use ports::{Clock, Platform};

use self::{database::Database, vault::VaultKey};
pub use self::{
    queue::LocalQueue,
    store::{LocalIntegrationStore, LocalStore},
    vault::LocalVault,
    worker::{Handled, Worker},
};

#[derive(Clone)]
pub struct LocalPlatform {
    store: LocalStore,
    queue: LocalQueue,
    vault: LocalVault,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process of this program; stop that one first", directory.display())]
    InUse { directory: PathBuf },
    #[error("{} can be read by other users of this machine; take that right away (chmod 600)", path.display())]
    KeyExposed { path: PathBuf },
    #[error("{} does not hold a key of 32 bytes; put the original back from a backup", path.display())]
    KeyDamaged { path: PathBuf },
    #[error("{} is missing and the database was sealed with it; put it back from a backup", path.display())]
    KeyMissing { path: PathBuf },
    #[error("{} is not the key that the database was sealed with; put the right one back", path.display())]
    KeyOfAnother { path: PathBuf },
    #[error("the database has version {found} and this release knows {known}; use a newer release")]
    Newer { found: u32, known: u32 },
    #[error("cannot {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot open the database")]
    Database(#[from] rusqlite::Error),
    #[error("cannot read the database")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the random number generator of this machine failed")]
    NoRandomness,
}

impl LocalPlatform {
    /// Opens the directory, or makes a new one there. It is free for others when the last clone of every part is
    /// dropped. Messages that were in flight when the last process ended are visible again, and its leases are over.
    ///
    /// Reads and writes files, so it is called before there is anything else to do.
    pub fn open(directory: &Path, clock: Clock) -> Result<Self, OpenError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::File { doing, path, source }
        };
        private_file::create_directory(directory).map_err(failed("create", directory))?;
        let lock = lock(directory)?;
        let path = directory.join("intune-smime.db");
        match private_file::create(&path, b"") {
            Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
            created => created.map_err(failed("create", &path))?,
        }
        let writer = database::connect_writer(&path)?;
        let key = VaultKey::open(&directory.join("vault.key"), &writer)?;
        queue::release_in_flight(&writer, clock()).map_err(OpenError::Damaged)?;
        enrollments::end_leases(&writer, clock()).map_err(OpenError::Damaged)?;
        let database = Database::new(&path, writer, lock)?;
        Ok(Self {
            store: LocalStore::new(database.clone()),
            queue: LocalQueue::new(database.clone(), clock.clone()),
            vault: LocalVault::new(database, key, clock),
        })
    }
}

impl Platform for LocalPlatform {
    type Store = LocalStore;
    type Queue = LocalQueue;
    type Vault = LocalVault;

    fn store(&self) -> &LocalStore {
        &self.store
    }

    fn queue(&self) -> &LocalQueue {
        &self.queue
    }

    fn vault(&self) -> &LocalVault {
        &self.vault
    }
}

/// The right to a directory. It goes with the file handle, so it does not outlive a process that was killed.
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started has the handle, too, until it is another program.
        let _ = self.0.unlock();
    }
}

fn lock(directory: &Path) -> Result<DirectoryLock, OpenError> {
    let path = directory.join("intune-smime.lock");
    let failed = |source| OpenError::File { doing: "lock", path: path.clone(), source };
    let file = private_file::open_lock(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
