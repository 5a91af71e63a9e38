//! Takes messages out of one queue and hands them to a function. It knows nothing of what the messages mean.
//!
//! A handler that panics or takes too long costs its own message one of its lives, and nothing else.

use std::{sync::Arc, time::Duration};

use domain::jobs::QueueName;
use jiff::SignedDuration;
use ports::{Clock, PlatformError};
use tokio::{sync::watch, task::JoinSet, time::Instant};

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
        Self { queue, name, concurrency: concurrency.max(1), clock, time_out: Self::TIME_OUT }
    }

    /// A sixth of the time for which a message is hidden, so that nobody else has it while a handler still works.
    pub const TIME_OUT: Duration = Duration::from_secs(VISIBILITY.as_secs().unsigned_abs() / 6);

    /// Shortens what a handler may take; a longer time than [`Worker::TIME_OUT`] is not granted.
    #[must_use]
    pub fn with_time_out(self, time_out: Duration) -> Self {
        Self { time_out: time_out.min(Self::TIME_OUT), ..self }
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
        let worked = self.work(&handle, &bury, &mut stop, &mut under_way).await;
        let mut drained = Ok(());
        while let Some(ended) = under_way.join_next().await {
            let ended = settled(ended);
            drained = drained.and(ended);
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
        let mut next_burial = Instant::now();
        loop {
            // Before the queue is looked at, so that what comes in meanwhile is not slept through.
            changed.mark_unchanged();
            let free = self.concurrency - under_way.len();
            for received in self.queue.receive(self.name, free).await? {
                under_way.spawn(one(self.queue.clone(), self.name, self.time_out, Arc::clone(handle), received));
            }
            if Instant::now() >= next_burial && !self.bury_the_dead(bury).await? {
                next_burial = Instant::now() + LONGEST_PAUSE;
            }
            let has_room = under_way.len() < self.concurrency;
            let pause = match has_room {
                true => self.until_next().await?,
                false => LONGEST_PAUSE,
            };
            #[expect(clippy::disallowed_methods, reason = "what comes in meanwhile wakes it up")]
            let paused = tokio::time::sleep(pause);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(ended) = under_way.join_next() => settled(ended)?,
                _ = changed.changed(), if has_room => {}
                () = paused => {}
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

    /// False when one of them has to be tried again.
    async fn bury_the_dead<B, Burying>(&self, bury: &B) -> Result<bool, PlatformError>
    where
        B: Fn(DeadLetter) -> Burying,
        Burying: Future<Output = Handled> + Send + 'static,
    {
        let mut all = true;
        for letter in self.queue.unsettled(self.name).await? {
            let id = letter.id;
            tracing::error!(
                queue = self.name.as_str(),
                message_id = id,
                event = "queue.dead_letter",
                "message {id} of {} was given up after {} deliveries",
                self.name.as_str(),
                letter.deliveries,
            );
            match isolated(self.time_out, bury(letter)).await {
                Ok(Handled::Done) => self.queue.settle(id).await?,
                Ok(Handled::Failed) | Err(_) => all = false,
            }
        }
        Ok(all)
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
            message_id = id,
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
    let mut task = JoinSet::new();
    task.spawn(handling);
    let ended = match tokio::time::timeout(time_out, task.join_next()).await {
        Ok(ended) => ended,
        Err(_) => {
            task.abort_all();
            task.join_next().await
        }
    };
    match ended {
        Some(Ok(handled)) => Ok(handled),
        Some(Err(ended)) if ended.is_panic() => Err(Ended::Panicked),
        Some(Err(_)) | None => Err(Ended::TimedOut),
    }
}

fn settled(ended: Result<Result<(), PlatformError>, tokio::task::JoinError>) -> Result<(), PlatformError> {
    ended.unwrap_or_else(|panicked| Err(PlatformError::new("handle a message", panicked)))
}

/// 30 s, 1, 2, 4 minutes: a fault of our own platform has time to pass before the message is given up.
fn retry_delay(deliveries: u32) -> SignedDuration {
    let doublings = deliveries.saturating_sub(1).min(4);
    SignedDuration::from_secs(30 << doublings)
}

/// A laptop that slept does not notice how late it is: the runtime's clock stood still. So nobody waits longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::sync::Mutex;

    use domain::{
        IntegrationId,
        jobs::{CheckOrder, Job},
    };
    use jiff::Timestamp;
    use ports::{Platform, Queue};
    use tempfile::TempDir;
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::platform::{LocalPlatform, queue::LONGEST_LIFE};

    const NAME: QueueName = QueueName::OrderCheck;

    /// A queue whose time is the runtime's, which a test lets run on while everybody waits.
    struct Stand {
        queue: LocalQueue,
        clock: Clock,
        stop: watch::Sender<bool>,
        _directory: TempDir,
    }

    impl Stand {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let begin = Instant::now();
            let clock: Clock =
                Arc::new(move || Timestamp::UNIX_EPOCH + SignedDuration::try_from(begin.elapsed()).unwrap());
            let platform = LocalPlatform::open(directory.path(), clock.clone()).unwrap();
            Self { queue: platform.queue().clone(), clock, stop: watch::Sender::new(false), _directory: directory }
        }

        fn worker(&self, concurrency: usize) -> Worker {
            Worker::new(self.queue.clone(), NAME, concurrency, self.clock.clone())
        }

        async fn send(&self, messages: u128) {
            let jobs = (0..messages).map(job).collect();
            self.queue.send(jobs, Duration::ZERO).await.unwrap();
        }
    }

    fn job(number: u128) -> Job {
        Job::CheckOrder(CheckOrder::LookUp { integration: IntegrationId(Uuid::from_u128(number)) })
    }

    async fn no_burial(letter: DeadLetter) -> Handled {
        panic!("nothing dies here: {letter:?}")
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_handled_as_they_come_and_the_worker_stops_when_told() {
        let stand = Stand::new();
        let (sender, mut handled) = mpsc::unbounded_channel();
        let handle = move |body: String| {
            let sender = sender.clone();
            async move {
                sender.send(body).unwrap();
                Handled::Done
            }
        };
        let run = tokio::spawn(stand.worker(2).run(handle, no_burial, stand.stop.subscribe()));
        for _ in 0..2 {
            stand.send(15).await;
            for _ in 0..15 {
                handled.recv().await.unwrap();
            }
        }
        stand.stop.send_replace(true);
        run.await.unwrap().unwrap();
        assert_eq!(stand.queue.depth(NAME).await.unwrap(), Default::default());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_messages_are_under_way_than_the_worker_may_have() {
        let stand = Stand::new();
        let (sender, mut begun) = mpsc::unbounded_channel();
        let gate = watch::Sender::new(false);
        let open = gate.clone();
        let handle = move |_| {
            let sender = sender.clone();
            let mut open = open.subscribe();
            async move {
                sender.send(()).unwrap();
                open.wait_for(|open| *open).await.unwrap();
                Handled::Done
            }
        };
        stand.send(7).await;
        let run = tokio::spawn(stand.worker(3).run(handle, no_burial, stand.stop.subscribe()));
        for _ in 0..3 {
            begun.recv().await.unwrap();
        }
        assert_eq!(stand.queue.depth(NAME).await.unwrap().in_flight, 3);
        // Told to stop, it takes no other but finishes these three.
        stand.stop.send_replace(true);
        gate.send_replace(true);
        run.await.unwrap().unwrap();
        assert!(begun.recv().await.is_none());
        assert_eq!(stand.queue.depth(NAME).await.unwrap().visible, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_fails_panics_or_hangs_ends_as_a_dead_letter_and_stops_nobody_else() {
        for fault in ["fails", "panics", "hangs"] {
            let stand = Stand::new();
            let tries = Arc::new(Mutex::new(0));
            let counted = Arc::clone(&tries);
            let bad = job(0).integration().to_string();
            let (sender, mut good) = mpsc::unbounded_channel();
            let handle = move |body: String| {
                let is_bad = body.contains(&bad);
                *counted.lock().unwrap() += u32::from(is_bad);
                let sender = sender.clone();
                async move {
                    match fault {
                        _ if !is_bad => sender.send(()).unwrap(),
                        "fails" => return Handled::Failed,
                        "panics" => panic!("as the test wants it"),
                        _ => std::future::pending().await,
                    }
                    Handled::Done
                }
            };
            let (sender, mut buried) = mpsc::unbounded_channel();
            let bury = move |letter: DeadLetter| {
                let sender = sender.clone();
                async move {
                    sender.send(letter).unwrap();
                    Handled::Done
                }
            };
            stand.send(3).await;
            let run = tokio::spawn(stand.worker(1).run(handle, bury, stand.stop.subscribe()));
            good.recv().await.unwrap();
            good.recv().await.unwrap();
            let letter = buried.recv().await.unwrap();
            assert_eq!(letter.deliveries, LONGEST_LIFE, "{fault}");
            stand.stop.send_replace(true);
            run.await.unwrap().unwrap();
            assert_eq!(*tries.lock().unwrap(), LONGEST_LIFE, "{fault}");
            assert_eq!(stand.queue.dead_letters().await.unwrap(), [letter]);
            assert_eq!(stand.queue.unsettled(NAME).await.unwrap(), []);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_letter_that_could_not_be_buried_is_reported_again() {
        let stand = Stand::new();
        stand.send(1).await;
        let (sender, mut reports) = mpsc::unbounded_channel();
        let bury = move |letter: DeadLetter| {
            let sender = sender.clone();
            async move {
                sender.send(letter.id).unwrap();
                Handled::Failed
            }
        };
        let fail = |_| async { Handled::Failed };
        let run = tokio::spawn(stand.worker(1).run(fail, bury, stand.stop.subscribe()));
        let first = reports.recv().await.unwrap();
        assert_eq!(reports.recv().await, Some(first));
        stand.stop.send_replace(true);
        run.await.unwrap().unwrap();
    }

    #[test]
    fn a_handler_may_take_a_sixth_of_the_time_a_message_is_hidden() {
        assert_eq!(SignedDuration::try_from(6 * Worker::TIME_OUT).unwrap(), VISIBILITY);
    }
}
