//! Takes messages out of one queue and hands them to a function. It knows nothing of what the messages mean.
//!
//! A handler that panics or takes too long costs its own message one of its lives, and nothing else.

use std::{sync::Arc, time::Duration};

use domain::jobs::QueueName;
use jiff::SignedDuration;
use ports::{Clock, PlatformError};
use tokio::{sync::watch, task::JoinSet};

use super::queue::{DeadLetter, LocalQueue, Received, VISIBILITY};

/// What a handler says about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    Done,
    /// Hand it out again later, unless it was handed out too often.
    Failed,
}

/// Works on one queue.
pub struct Worker {
    queue: LocalQueue,
    name: QueueName,
    /// How many messages are handled at once.
    concurrency: usize,
    clock: Clock,
    time_out: Duration,
}

impl Worker {
    /// Works on at least one message at once. A handler may take [`Worker::TIME_OUT`].
    pub fn new(queue: LocalQueue, name: QueueName, concurrency: usize, clock: Clock) -> Self {
        Self {
            queue,
            name,
            concurrency: concurrency.max(1),
            clock,
            time_out: Self::TIME_OUT,
        }
    }

    /// A sixth of the time for which a message is hidden, so that nobody else has it while a handler still works.
    pub const TIME_OUT: Duration = Duration::from_secs(VISIBILITY.as_secs().unsigned_abs() / 6);

    /// Shortens what a handler may take; a longer time than [`Worker::TIME_OUT`] is not granted.
    #[must_use]
    pub fn with_time_out(self, time_out: Duration) -> Self {
        Self {
            time_out: time_out.min(Self::TIME_OUT),
            ..self
        }
    }

    /// Works until `stop` turns true or its sender is dropped; then takes no more messages, waits for those under
    /// way, and answers.
    ///
    /// `handle` gets each body. `bury` gets each dead letter at least once, also those of an earlier process, and
    /// again when it fails.
    ///
    /// # Errors
    ///
    /// When the queue itself fails. Handlers that were under way have ended by then.
    pub async fn run<H, Handling, B, Burying>(
        self,
        handle: H,
        bury: B,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), PlatformError>
    where
        H: Fn(String) -> Handling + Send + Sync + 'static,
        Handling: Future<Output = Handled> + Send + 'static,
        B: Fn(DeadLetter) -> Burying + Send + Sync,
        Burying: Future<Output = Handled> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let mut under_way = JoinSet::new();
        let worked = self
            .work(&handle, &bury, &mut stop, &mut under_way)
            .await;
        let mut drained = Ok(());
        while let Some(ended) = under_way.join_next().await {
            drained = drained.and(settled(ended));
        }
        worked.and(drained)
    }

    async fn work<H, Handling, B, Burying>(
        &self,
        handle: &Arc<H>,
        bury: &B,
        stop: &mut watch::Receiver<bool>,
        under_way: &mut JoinSet<Result<(), PlatformError>>,
    ) -> Result<(), PlatformError>
    where
        H: Fn(String) -> Handling + Send + Sync + 'static,
        Handling: Future<Output = Handled> + Send + 'static,
        B: Fn(DeadLetter) -> Burying,
        Burying: Future<Output = Handled> + Send + 'static,
    {
        let mut changed = self.queue.notified(self.name);
        loop {
            // Before the queue is looked at, so that what comes in meanwhile is not slept through.
            changed.mark_unchanged();
            let free = self.concurrency - under_way.len();
            for received in self.queue.receive(self.name, free).await? {
                under_way.spawn(one(
                    self.queue.clone(),
                    self.name,
                    self.time_out,
                    Arc::clone(handle),
                    received,
                ));
            }
            self.bury_the_dead(bury).await?;
            let has_room = under_way.len() < self.concurrency;
            let pause = match has_room {
                true => self.until_next().await?,
                false => LONGEST_PAUSE,
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(ended) = under_way.join_next() => settled(ended)?,
                _ = changed.changed(), if has_room => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// How long until a message of the queue can be received.
    async fn until_next(&self) -> Result<Duration, PlatformError> {
        let next = self.queue.next_visible_at(self.name).await?;
        let pause = next.map(|next| next.duration_since((self.clock)()));
        Ok(pause.map_or(LONGEST_PAUSE, |pause| {
            Duration::try_from(pause).map_or(Duration::ZERO, |pause| pause.min(LONGEST_PAUSE))
        }))
    }

    async fn bury_the_dead<B, Burying>(&self, bury: &B) -> Result<(), PlatformError>
    where
        B: Fn(DeadLetter) -> Burying,
        Burying: Future<Output = Handled> + Send + 'static,
    {
        for letter in self.queue.unsettled(self.name).await? {
            let id = letter.id;
            tracing::error!(
                queue = self.name.as_str(),
                message = id,
                event = "queue.dead_letter",
                "message {id} of {} was given up after {} deliveries",
                self.name.as_str(),
                letter.deliveries,
            );
            if isolated(self.time_out, bury(letter)).await == Ok(Handled::Done) {
                self.queue.settle(id).await?;
            }
        }
        Ok(())
    }
}

/// Handles one message and says what became of it to the queue.
async fn one<H, Handling>(
    queue: LocalQueue,
    name: QueueName,
    time_out: Duration,
    handle: Arc<H>,
    received: Received,
) -> Result<(), PlatformError>
where
    H: Fn(String) -> Handling + Send + Sync + 'static,
    Handling: Future<Output = Handled> + Send + 'static,
{
    let id = received.id;
    let handling = async move { handle(received.body).await };
    match isolated(time_out, handling).await {
        Ok(Handled::Done) => {
            queue.delete(&received.receipt).await?;
            return Ok(());
        }
        Ok(Handled::Failed) => {}
        Err(ended) => tracing::error!(
            queue = name.as_str(),
            message = id,
            event = "queue.handler_ended",
            "the handler of message {id} of {} {}",
            name.as_str(),
            ended.as_str(),
        ),
    }
    let delay = retry_delay(received.deliveries);
    queue.release(&received.receipt, delay).await?;
    Ok(())
}

/// How a handler ended that did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Panicked,
    TimedOut,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Self::Panicked => "panicked",
            Self::TimedOut => "took too long and was stopped",
        }
    }
}

/// Runs it as a task of its own, so that a panic ends there. After a time-out it has ended when this answers.
async fn isolated(
    time_out: Duration,
    handling: impl Future<Output = Handled> + Send + 'static,
) -> Result<Handled, Ended> {
    let mut task = tokio::spawn(handling);
    match tokio::time::timeout(time_out, &mut task).await {
        Ok(Ok(handled)) => Ok(handled),
        Ok(Err(_)) => Err(Ended::Panicked),
        Err(_) => {
            task.abort();
            match task.await {
                Ok(handled) => Ok(handled),
                Err(ended) if ended.is_panic() => Err(Ended::Panicked),
                Err(_) => Err(Ended::TimedOut),
            }
        }
    }
}

fn settled(
    ended: Result<Result<(), PlatformError>, tokio::task::JoinError>,
) -> Result<(), PlatformError> {
    ended.unwrap_or_else(|panicked| Err(PlatformError::new("handle a message", panicked)))
}

/// 30 s, 1, 2, 4 minutes: a fault of our own platform has time to pass before the message is given up.
fn retry_delay(deliveries: u32) -> SignedDuration {
    let doublings = deliveries.saturating_sub(1).min(4);
    SignedDuration::from_secs(30 << doublings)
}

/// A laptop that slept does not notice how late it is: the runtime's clock stood still. So nobody waits longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
