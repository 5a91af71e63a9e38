//! A queue as the worst that SQS may be: at least once, in any order, hidden while somebody has a message.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::jobs::Job;
use jiff::{SignedDuration, Timestamp};
use ports::PlatformError;

use crate::clock::VirtualClock;

/// How long a message stays hidden that somebody took and neither handled nor gave back; about what template.yaml says.
pub(crate) const VISIBILITY: SignedDuration = SignedDuration::from_mins(30);

/// Taken this often and not handled: a dead letter.
const MOST_DELIVERIES: u32 = 5;

#[derive(Clone)]
pub(crate) struct Messages {
    clock: VirtualClock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Message>,
    sent: u64,
}

#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) job: Job,
    visible_at: Timestamp,
    deliveries: u32,
}

impl Message {
    pub(crate) fn is_dead(&self) -> bool {
        self.deliveries >= MOST_DELIVERIES
    }
}

impl Messages {
    pub(crate) fn new(clock: VirtualClock) -> Self {
        Self { clock, state: Arc::default() }
    }

    pub(crate) fn clear(&self) {
        *self.state() = State::default();
    }

    pub(crate) fn send(&self, jobs: Vec<Job>, delay: Duration) -> Result<(), PlatformError> {
        let doing = "send messages";
        let delay = SignedDuration::try_from(delay).map_err(|e| PlatformError::new(doing, e))?;
        if delay > SignedDuration::from_mins(15) {
            return Err(PlatformError::new(doing, "a message waits 15 minutes at most"));
        }
        let visible_at = self.clock.now() + delay;
        let mut state = self.state();
        for job in jobs {
            state.sent += 1;
            let id = state.sent;
            state.waiting.push(Message { id, job, visible_at, deliveries: 0 });
        }
        Ok(())
    }

    /// What can be taken now, dead letters among it.
    pub(crate) fn visible(&self) -> Vec<Message> {
        let now = self.clock.now();
        self.state().waiting.iter().filter(|message| message.visible_at <= now).cloned().collect()
    }

    pub(crate) fn next_visible_at(&self) -> Option<Timestamp> {
        self.state().waiting.iter().map(|message| message.visible_at).min()
    }

    /// Somebody has it now.
    pub(crate) fn take(&self, id: u64) {
        let until = self.clock.now() + VISIBILITY;
        self.edit(id, |message| {
            message.visible_at = until;
            message.deliveries += 1;
        });
    }

    /// It was handled.
    pub(crate) fn delete(&self, id: u64) {
        self.state().waiting.retain(|message| message.id != id);
    }

    /// It was not handled.
    pub(crate) fn give_back(&self, id: u64, after: SignedDuration) {
        let at = self.clock.now() + after;
        self.edit(id, |message| message.visible_at = at);
    }

    /// Somebody may have it and everybody can take it.
    pub(crate) fn deliver_again(&self, id: u64) {
        self.give_back(id, SignedDuration::ZERO);
    }

    /// All of them, also those that somebody has.
    pub(crate) fn all(&self) -> Vec<Message> {
        self.state().waiting.clone()
    }

    fn edit(&self, id: u64, change: impl FnOnce(&mut Message)) {
        if let Some(message) = self.state().waiting.iter_mut().find(|message| message.id == id) {
            change(message);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
