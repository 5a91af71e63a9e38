//! The local platform put through the contract, and what it promises beside it: the semantics of SQS on a clock that
//! a test turns, one process at a time, and nothing lost or in clear on the disk.

mod disk;
mod messages;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use contract::{Stand, samples::at};
use jiff::{SignedDuration, Timestamp};
use local::platform::LocalPlatform;
use ports::Clock;
use tempfile::TempDir;

contract::suite!(crate::local_platform::LocalStand);

/// A platform in a directory that goes with it.
struct LocalStand {
    platform: LocalPlatform,
    now: Arc<Mutex<Timestamp>>,
    directory: TempDir,
}

impl Stand for LocalStand {
    type Platform = LocalPlatform;

    async fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let now = Arc::new(Mutex::new(at(0)));
        let platform = LocalPlatform::open(directory.path(), clock(&now))?;
        Ok(Self { platform, now, directory })
    }

    fn platform(&self) -> &LocalPlatform {
        &self.platform
    }
}

impl LocalStand {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn pass(&self, time: SignedDuration) {
        *self.now.lock().expect("nobody panics with it") += time;
    }

    /// The process ends and another begins.
    fn restart(self) -> anyhow::Result<Self> {
        let Self { platform, now, directory } = self;
        drop(platform);
        let platform = LocalPlatform::open(directory.path(), clock(&now))?;
        Ok(Self { platform, now, directory })
    }
}

fn clock(now: &Arc<Mutex<Timestamp>>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || *now.lock().expect("nobody panics with it"))
}
