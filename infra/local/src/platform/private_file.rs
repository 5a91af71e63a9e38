//! Files that only their owner may read: the key of the vault, and the database with people's names in it.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Write},
    path::Path,
};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

/// Creates the directory and those above it, where they are missing.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let mut directory = DirBuilder::new();
    directory.recursive(true);
    #[cfg(unix)]
    directory.mode(0o700);
    directory.create(path)
}

/// Creates the file with this content, on disk when it answers. It fails if there is a file already.
pub(super) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    // The name of a new file is in its directory, which has to reach the disk too.
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Opens, or creates empty, a file to take a lock on.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

/// Whether other users of the machine may read the file. Windows has no such bits: there, a user's own folders are
/// closed to others.
#[cfg_attr(not(unix), expect(unused_variables, reason = "nothing to look at without mode bits"))]
pub(super) fn is_exposed(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    let exposed = metadata.permissions().mode() & 0o077 != 0;
    #[cfg(not(unix))]
    let exposed = false;
    exposed
}
