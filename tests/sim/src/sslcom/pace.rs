//! How quickly SSL.com answers, and how many calls it takes. It publishes neither; [`Behaviour`](super::Behaviour) says.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use super::{behaviour::Limits, world::World};
use crate::{faults::Wait, server::throttled};

/// The calls since its beginning.
pub(super) struct Window {
    began: Instant,
    calls: u32,
}

impl Window {
    pub(super) fn beginning_now() -> Self {
        Self { began: Instant::now(), calls: 0 }
    }

    /// Counts a call, and says how long to wait when it is one too many.
    fn count(&mut self, limits: Limits, speed: u32, now: Instant) -> Option<Duration> {
        if now.duration_since(self.began) * speed >= limits.window {
            *self = Self { began: now, calls: 0 };
        }
        self.calls += 1;
        (self.calls > limits.calls).then(|| limits.window - now.duration_since(self.began) * speed)
    }
}

pub(super) async fn at_its_pace(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let (answers_after, limits, speed) = {
        let behaviour = world.behaviour();
        (behaviour.answers_after, behaviour.limits, behaviour.speed.max(1))
    };
    let wait = limits.and_then(|limits| {
        let mut window = world.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.count(limits, speed, Instant::now())
    });
    if let Some(wait) = wait {
        return throttled(Wait::Seconds(wait.as_secs() + 1));
    }
    let answer = next.run(request).await;
    if !answers_after.is_zero() {
        #[expect(clippy::disallowed_methods, reason = "the wait is what is simulated")]
        tokio::time::sleep(answers_after / speed).await;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_its_calls_and_says_how_long_to_wait_for_the_next() {
        let limits = Limits { calls: 2, window: Duration::from_secs(60) };
        let begin = Instant::now();
        let mut window = Window { began: begin, calls: 0 };
        let later = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(window.count(limits, 1, begin), None);
        assert_eq!(window.count(limits, 1, begin), None);
        assert_eq!(window.count(limits, 1, later(20)), Some(Duration::from_secs(40)));
        assert_eq!(window.count(limits, 1, later(60)), None);
    }

    #[test]
    fn a_faster_world_has_shorter_windows_and_says_the_wait_in_its_own_time() {
        let limits = Limits { calls: 1, window: Duration::from_secs(60) };
        let begin = Instant::now();
        let mut window = Window { began: begin, calls: 0 };
        assert_eq!(window.count(limits, 30, begin), None);
        assert_eq!(window.count(limits, 30, begin + Duration::from_secs(1)), Some(Duration::from_secs(30)));
        assert_eq!(window.count(limits, 30, begin + Duration::from_secs(2)), None);
    }
}
