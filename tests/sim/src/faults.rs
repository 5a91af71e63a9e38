//! What can go wrong on the wire, planned call by call.
//!
//! Every fault says whether the call was acted on: a client that treats a lost answer as "nothing
//! happened" is what these faults are there to expose.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

/// One way in which a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with an HTML body, without acting.
    FailBefore(u16),
    /// The connection closes without an answer and without acting.
    DropBefore,
    /// The call is acted on, then the connection closes without an answer.
    LoseAnswer,
    /// The call is acted on, then answered with this status and an HTML body.
    FailAfter(u16),
    /// 429 without acting.
    Throttle(Wait),
    /// The call is acted on at once and answered this much later.
    Slow(Duration),
    /// The call is acted on, then answered with 200 and JSON that breaks off in the middle.
    Malformed,
    /// The call is held back, and acted on when the hold is over. If the client is gone by then, never.
    HoldBefore(Hold),
    /// The call is acted on, and its answer is held back.
    HoldAfter(Hold),
}

/// A call that stands still until a test lets it go on, so that the test can do something at exactly this point. Clones are
/// the same hold.
#[derive(Clone)]
pub struct Hold {
    /// Whether the call is there, and whether it may go on.
    state: Arc<watch::Sender<(bool, bool)>>,
}

impl Hold {
    #[expect(clippy::new_without_default, reason = "a hold that nobody else has holds for ever")]
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new((false, false))) }
    }

    /// Waits until the call is there.
    pub async fn arrived(&self) {
        // The sender lives as long as this.
        let _ = self.state.subscribe().wait_for(|(arrived, _)| *arrived).await;
    }

    /// Lets the call go on.
    pub fn release(&self) {
        self.state.send_modify(|(_, released)| *released = true);
    }

    pub(crate) async fn over(&self) {
        self.state.send_modify(|(arrived, _)| *arrived = true);
        let _ = self.state.subscribe().wait_for(|(_, released)| *released).await;
    }
}

impl PartialEq for Hold {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for Hold {}

impl std::fmt::Debug for Hold {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hold")
    }
}

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `Retry-After` in seconds.
    Seconds(u64),
    /// `Retry-After` as an HTTP date this far ahead.
    Date(Duration),
    /// `x-ms-retry-after-ms`, as some Microsoft services send it.
    Milliseconds(u64),
    /// Not at all.
    Absent,
}

/// Finds the key that tells one request from another, for [`Faults::once_per`].
pub type KeyOf = fn(body: &[u8]) -> Option<String>;

/// The faults that are planned for a server. Clones share one plan.
///
/// For one request the first of these that applies is used up: [`next`](Self::next) and
/// [`times`](Self::times) in order, [`for_key`](Self::for_key), [`once_per`](Self::once_per),
/// [`every`](Self::every), [`always`](Self::always).
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    /// The next request of this call fails.
    pub fn next(&self, call: &str, fault: Fault) {
        self.times(call, 1, fault);
    }

    /// The next `count` requests of this call fail.
    pub fn times(&self, call: &str, count: usize, fault: Fault) {
        self.edit(call, |planned| planned.queue.extend(std::iter::repeat_n(fault, count)));
    }

    /// The first request of this call whose path, query or body holds `key` fails.
    pub fn for_key(&self, call: &str, key: &str, fault: Fault) {
        self.edit(call, |planned| planned.keyed.push((key.to_owned(), fault)));
    }

    /// The first request of this call fails for each distinct key, e.g. for each order number.
    pub fn once_per(&self, call: &str, key_of: KeyOf, fault: Fault) {
        self.edit(call, |planned| {
            planned.per_key.push(PerKey { key_of, fault, seen: HashSet::new() });
        });
    }

    /// Every `n`th request of this call fails, beginning with the `n`th. Zero means none.
    pub fn every(&self, call: &str, n: u64, fault: Fault) {
        self.edit(call, |planned| planned.every = Some(Every { n, arrived: 0, fault }));
    }

    /// Every request of this call fails until [`clear`](Self::clear).
    pub fn always(&self, call: &str, fault: Fault) {
        self.edit(call, |planned| planned.always = Some(fault));
    }

    /// Nothing more goes wrong with this call.
    pub fn clear(&self, call: &str) {
        self.lock().calls.remove(call);
    }

    /// Nothing more goes wrong at all.
    pub fn clear_all(&self) {
        self.lock().calls.clear();
    }

    /// The faults that took place, in order: call and fault.
    pub fn consumed(&self) -> Vec<(String, Fault)> {
        self.lock().consumed.clone()
    }

    /// The fault for this request, if one is planned. It counts as having taken place.
    pub(crate) fn take(&self, call: &str, path_and_query: &str, body: &[u8]) -> Option<Fault> {
        let mut plan = self.lock();
        let fault = plan.calls.get_mut(call)?.take(path_and_query, body)?;
        plan.consumed.push((call.to_owned(), fault.clone()));
        Some(fault)
    }

    fn edit(&self, call: &str, change: impl FnOnce(&mut Planned)) {
        change(self.lock().calls.entry(call.to_owned()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Plan {
    calls: HashMap<String, Planned>,
    consumed: Vec<(String, Fault)>,
}

#[derive(Default)]
struct Planned {
    queue: VecDeque<Fault>,
    keyed: Vec<(String, Fault)>,
    per_key: Vec<PerKey>,
    every: Option<Every>,
    always: Option<Fault>,
}

struct PerKey {
    key_of: KeyOf,
    fault: Fault,
    seen: HashSet<String>,
}

struct Every {
    n: u64,
    arrived: u64,
    fault: Fault,
}

impl Planned {
    fn take(&mut self, path_and_query: &str, body: &[u8]) -> Option<Fault> {
        if let Some(fault) = self.queue.pop_front() {
            return Some(fault);
        }
        if let Some(found) = self
            .keyed
            .iter()
            .position(|(key, _)| path_and_query.contains(key.as_str()) || contains(body, key.as_bytes()))
        {
            return Some(self.keyed.remove(found).1);
        }
        for rule in &mut self.per_key {
            if (rule.key_of)(body).is_some_and(|key| rule.seen.insert(key)) {
                return Some(rule.fault.clone());
            }
        }
        if let Some(every) = &mut self.every {
            every.arrived += 1;
            if every.n != 0 && every.arrived.is_multiple_of(every.n) {
                return Some(every.fault.clone());
            }
        }
        self.always.clone()
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_faults_are_used_up_in_order_and_remembered() {
        let faults = Faults::default();
        faults.next("create", Fault::DropBefore);
        faults.times("create", 2, Fault::LoseAnswer);
        assert_eq!(faults.take("list", "/", b""), None);
        assert_eq!(faults.take("create", "/", b""), Some(Fault::DropBefore));
        assert_eq!(faults.take("create", "/", b""), Some(Fault::LoseAnswer));
        assert_eq!(faults.take("create", "/", b""), Some(Fault::LoseAnswer));
        assert_eq!(faults.take("create", "/", b""), None);
        assert_eq!(faults.consumed().len(), 3);
        assert_eq!(faults.consumed()[0], ("create".to_owned(), Fault::DropBefore));
    }

    #[test]
    fn a_keyed_fault_meets_only_the_request_with_its_key_and_only_once() {
        let faults = Faults::default();
        faults.for_key("create", "anna", Fault::Malformed);
        assert_eq!(faults.take("create", "/", b"bertil"), None);
        assert_eq!(faults.take("create", "/", b"to anna"), Some(Fault::Malformed));
        assert_eq!(faults.take("create", "/anna", b""), None);
    }

    #[test]
    fn once_per_key_fails_each_key_exactly_once() {
        let faults = Faults::default();
        faults.once_per("create", |body| String::from_utf8(body.to_vec()).ok(), Fault::FailAfter(500));
        let failed = |body: &[u8]| faults.take("create", "/", body).is_some();
        assert!(failed(b"a"));
        assert!(failed(b"b"));
        assert!(!failed(b"a"));
        assert!(!failed(b"b"));
        assert!(!failed(&[0xff]), "a request without a key is let through");
    }

    #[test]
    fn every_nth_and_always_last_until_cleared() {
        let faults = Faults::default();
        faults.every("list", 3, Fault::FailBefore(500));
        let hits: Vec<bool> = (0..6).map(|_| faults.take("list", "/", b"").is_some()).collect();
        assert_eq!(hits, [false, false, true, false, false, true]);
        faults.always("list", Fault::Throttle(Wait::Absent));
        assert!(faults.take("list", "/", b"").is_some());
        faults.clear("list");
        assert!(faults.take("list", "/", b"").is_none());
    }
}
