//! How the simulated Microsoft behaves where the documentation leaves room, or where it is known to
//! behave otherwise on a bad day.

use std::time::Duration;

use crate::faults::Wait;

/// The defaults are the likely truth. It may be changed while the world runs.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Access tokens live this long. Entra: 60 to 90 minutes.
    pub access_token_lifetime: Duration,
    /// Authorization codes live this long. Entra: about ten minutes.
    pub code_lifetime: Duration,
    /// Graph counts calls to device management and answers 429 above these numbers.
    pub limits: Option<Limits>,
    /// How that 429 says when to come back.
    pub retry_after: RetryAfter,
    /// So many seconds of those windows and waits pass in one: what takes hours is then watched in minutes.
    pub speed: u32,
    /// This many GETs of a new record are answered with 404, and lists leave it out as long.
    pub get_lags_behind_post: u32,
    /// A deleted record is in this many more lists.
    pub delete_still_lists: u32,
    /// The answer to a POST of a record that exists; 400 is opaque like every other 400.
    pub duplicate_status: u16,
    /// Intune has not seen the licences that the directory shows: every new record gets the opaque 400.
    pub licences_unseen: bool,
    /// No page is longer, whatever `$top` says.
    pub page_size: usize,
    /// An empty page comes before every page but the first.
    pub empty_pages: bool,
    /// The first object of each delta page comes twice.
    pub delta_replays: bool,
    /// The answer to a delta token that is too old: 410, or another status with the code alone.
    pub expired_delta_status: u16,
    /// Every `@odata.nextLink` leads to a stranger, to whom the token must not be sent.
    pub next_link_on_another_host: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            access_token_lifetime: Duration::from_secs(3_600),
            code_lifetime: Duration::from_secs(600),
            limits: None,
            retry_after: RetryAfter::Seconds,
            speed: 1,
            get_lags_behind_post: 0,
            delete_still_lists: 0,
            duplicate_status: 400,
            licences_unseen: false,
            page_size: 999,
            empty_pages: false,
            delta_replays: false,
            expired_delta_status: 410,
            next_link_on_another_host: false,
        }
    }
}

/// Calls per application and tenant within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub writes: u32,
    pub calls: u32,
    pub window: Duration,
}

impl Limits {
    /// Intune's device configuration bucket (Graph docs, throttling limits): 100 writes and 1000
    /// calls in 20 seconds.
    pub const DOCUMENTED: Self = Self { writes: 100, calls: 1_000, window: Duration::from_secs(20) };
}

/// The notation of a wait; each was seen from some Microsoft service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    Seconds,
    Date,
    Milliseconds,
    Absent,
}

impl RetryAfter {
    pub(super) fn after(self, wait: Duration) -> Wait {
        match self {
            Self::Seconds => Wait::Seconds(wait.as_secs() + 1),
            Self::Date => Wait::Date(wait + Duration::from_secs(1)),
            Self::Milliseconds => Wait::Milliseconds(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            Self::Absent => Wait::Absent,
        }
    }
}
