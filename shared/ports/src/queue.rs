//! Where work waits until a worker takes it.

use std::time::Duration;

use domain::jobs::Job;

use crate::PlatformError;

/// At-least-once delivery, no order. A lost message costs time and nothing else: the sweep finds the row again.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Puts the jobs into their queues, to be taken after `delay` (at most 15 minutes, SQS's limit; longer waits
    /// are due times in the store).
    fn send(&self, jobs: Vec<Job>, delay: Duration) -> impl Future<Output = Result<(), PlatformError>> + Send;
}
