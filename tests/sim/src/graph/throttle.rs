//! Counts calls per application and tenant, as Intune's device configuration bucket does.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::behaviour::Limits;

#[derive(Default)]
pub(crate) struct Throttle {
    windows: Mutex<HashMap<(Uuid, String), Window>>,
}

struct Window {
    began: Instant,
    writes: u32,
    calls: u32,
}

impl Throttle {
    /// Counts a call, and says how long to wait when it is one too many. Such a call counts too
    /// (Graph docs, throttling: unsuccessful calls still accrue).
    pub(super) fn count(
        &self,
        tenant: Uuid,
        app: &str,
        is_write: bool,
        limits: Limits,
        now: Instant,
    ) -> Option<Duration> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window =
            windows.entry((tenant, app.to_owned())).or_insert_with(|| Window { began: now, writes: 0, calls: 0 });
        if now.duration_since(window.began) >= limits.window {
            *window = Window { began: now, writes: 0, calls: 0 };
        }
        window.calls += 1;
        window.writes += u32::from(is_write);
        let too_many = window.calls > limits.calls || window.writes > limits.writes;
        too_many.then(|| limits.window - now.duration_since(window.began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_twenty_seconds_takes_a_hundred_writes_of_each_app() {
        let throttle = Throttle::default();
        let begin = Instant::now();
        let later = |seconds| begin + Duration::from_secs(seconds);
        let write = |app, now| throttle.count(Uuid::nil(), app, true, Limits::DOCUMENTED, now);
        for _ in 0..100 {
            assert_eq!(write("a", begin), None);
        }
        assert_eq!(write("a", later(5)), Some(Duration::from_secs(15)));
        assert_eq!(write("b", later(5)), None);
        assert_eq!(write("a", later(20)), None);
    }
}
