//! A clock that can run faster than the machine's, so that hours of waiting are watched in minutes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use ports::Clock;

/// Clones are one clock.
#[derive(Clone)]
pub(crate) struct FastClock(Arc<Mutex<Since>>);

/// From here on it goes at this speed.
#[derive(Clone, Copy)]
struct Since {
    shown: Timestamp,
    at: Instant,
    speed: u32,
}

impl FastClock {
    /// As the machine's, until its speed is set.
    pub(crate) fn of_this_machine() -> Self {
        Self(Arc::new(Mutex::new(Since { shown: Timestamp::now(), at: Instant::now(), speed: 1 })))
    }

    pub(crate) fn set_speed(&self, speed: u32) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *since = Since { shown: since.now(), at: Instant::now(), speed };
    }

    pub(crate) fn as_clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.0.lock().unwrap_or_else(PoisonError::into_inner).now())
    }
}

impl Since {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.at.elapsed() * self.speed).unwrap_or(SignedDuration::MAX);
        self.shown.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}
