//! How often SSL.com is called: not while it asked to wait, and not more often than it was seen to take. It publishes no
//! limit, so one is learned from its refusals: a refused order costs look-ups, and its enrollment the quiet time.

use std::collections::VecDeque;

use domain::IntegrationId;
use jiff::{SignedDuration, Timestamp};
use ports::{IntegrationStore, Platform, PlatformError, Vendor};

use crate::Flow;

/// What somebody wants to do at SSL.com.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Purchase,
    /// Of an order that exists: so many calls.
    Order(usize),
}

/// When it may be done, if not now.
pub(crate) async fn wait<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    integration: IntegrationId,
    call: Call,
) -> Result<Option<Timestamp>, PlatformError> {
    let now = flow.now();
    if let Some(until) = paused(flow, rows).await? {
        return Ok(Some(until));
    }
    let mut paces = flow.ca_paces.lock().await;
    Ok(paces.entry(integration).or_default().admit(call, now).err())
}

/// Until when SSL.com asked to wait, if that is still to come.
pub(crate) async fn paused<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
) -> Result<Option<Timestamp>, PlatformError> {
    let now = flow.now();
    Ok(rows.paused_until(Vendor::CertificateAuthority).await?.filter(|until| *until > now))
}

/// SSL.com asked to wait: nobody of this integration calls it before the time that this answers, and less often afterwards.
pub(crate) async fn slow_down<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    integration: IntegrationId,
    retry_after: Option<std::time::Duration>,
) -> Result<Timestamp, PlatformError> {
    let now = flow.now();
    let wait = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
    let until = now.saturating_add(wait.unwrap_or(flow.deployment.retry_after)).unwrap_or(Timestamp::MAX);
    rows.pause(Vendor::CertificateAuthority, until).await?;
    flow.ca_paces.lock().await.entry(integration).or_default().refused(now);
    Ok(until)
}

/// The calls of the last minute, and how many of them there may be. Each process learns for itself.
#[derive(Default)]
pub(crate) struct Pace {
    calls: VecDeque<Timestamp>,
    limit: Option<Limit>,
}

#[derive(Clone, Copy)]
struct Limit {
    calls: usize,
    /// When it was learned, or last raised.
    since: Timestamp,
    /// Until when further refusals are of the same burst.
    burst_ends: Timestamp,
}

/// Fewer calls in a minute prove nothing about a limit of calls; a pause alone is the answer to their refusal.
const FEWEST: usize = 30;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl Pace {
    /// Takes the call in, or says when to ask again.
    fn admit(&mut self, call: Call, now: Timestamp) -> Result<(), Timestamp> {
        self.forget_old(now);
        let limit = self.raised(now);
        let (calls, room) = match call {
            // What is left over is for looks: it is they that find out when the limit is lower, and they cost nothing.
            Call::Purchase => (1, limit.saturating_sub(limit / 8)),
            Call::Order(calls) => (calls, limit),
        };
        if self.calls.len().saturating_add(calls) > room {
            let excess = self.calls.len().saturating_add(calls).saturating_sub(room).min(self.calls.len());
            let leaves = self.calls.get(excess.saturating_sub(1)).copied().unwrap_or(now);
            return Err(leaves.saturating_add(MINUTE).unwrap_or(Timestamp::MAX));
        }
        self.calls.extend(std::iter::repeat_n(now, calls));
        Ok(())
    }

    /// Three quarters of what went out in the minute before are allowed from now on, but never fewer than [`FEWEST`].
    fn refused(&mut self, now: Timestamp) {
        if self.limit.is_some_and(|limit| now < limit.burst_ends) {
            return;
        }
        self.forget_old(now);
        let calls = (self.calls.len() * 3 / 4).max(FEWEST);
        let burst_ends = now.saturating_add(MINUTE).unwrap_or(Timestamp::MAX);
        self.limit = Some(Limit { calls, since: now, burst_ends });
    }

    fn forget_old(&mut self, now: Timestamp) {
        while self.calls.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            self.calls.pop_front();
        }
    }

    /// One call more for each minute without a refusal: the limit may have been of that hour only.
    fn raised(&mut self, now: Timestamp) -> usize {
        let Some(limit) = &mut self.limit else { return usize::MAX };
        let minutes = now.duration_since(limit.since).as_mins().max(0);
        limit.calls = limit.calls.saturating_add(usize::try_from(minutes).unwrap_or(usize::MAX));
        limit.since = limit.since.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MAX);
        limit.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn refused_after(calls: i64) -> Pace {
        let mut pace = Pace::default();
        for second in 0..calls {
            assert_eq!(pace.admit(Call::Order(1), at(second)), Ok(()));
        }
        pace.refused(at(calls));
        pace
    }

    #[test]
    fn nothing_is_held_back_before_the_first_refusal() {
        let mut pace = Pace::default();
        for _ in 0..10_000 {
            assert_eq!(pace.admit(Call::Purchase, at(0)), Ok(()));
        }
    }

    #[test]
    fn after_a_refusal_fewer_calls_go_out_in_a_minute_and_the_next_learns_when_there_is_room() {
        let mut pace = refused_after(40);
        let now = at(61);
        // 38 of the 40 are of the last minute, and 30 are allowed.
        assert_eq!(pace.admit(Call::Order(1), now), Err(at(70)));
        let admitted = (0..100).filter(|_| pace.admit(Call::Order(1), at(200)).is_ok()).count();
        assert_eq!(admitted, 32);
        assert_eq!(pace.admit(Call::Order(2), at(200)), Err(at(260)));
    }

    #[test]
    fn purchases_leave_room_for_looks() {
        let mut pace = refused_after(40);
        let purchases = (0..100).filter(|_| pace.admit(Call::Purchase, at(200)).is_ok()).count();
        assert_eq!(purchases, 28);
        assert_eq!(pace.admit(Call::Order(2), at(200)), Ok(()));
    }

    #[test]
    fn a_burst_of_refusals_counts_once() {
        let mut pace = refused_after(40);
        pace.refused(at(41));
        pace.refused(at(42));
        assert_eq!(pace.raised(at(50)), 30);
    }

    #[test]
    fn a_refusal_while_little_is_done_teaches_no_small_limit() {
        let mut pace = Pace::default();
        pace.refused(at(0));
        let admitted = (0..100).filter(|_| pace.admit(Call::Order(1), at(1)).is_ok()).count();
        assert_eq!(admitted, FEWEST);
    }
}
