//! The time as a number that only the schedule moves.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;

/// Clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).expect("it was set from a time")
    }

    /// Whole seconds; the rest of the time is dropped.
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_second(), Ordering::Relaxed);
    }

    pub(crate) fn as_clock(&self) -> ports::Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
