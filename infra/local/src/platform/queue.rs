//! [`Queue`] over a table, with the semantics of SQS: at least once, hidden while somebody has it, back when the
//! time is over, and a dead letter when it was handed out too often.
//!
//! That a message came is on the disk when [`Queue::send`] answers. That it was handed out or is done need not be: after a
//! power failure it is handed out once more, which every handler has to bear anyway.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::jobs::{Job, QueueName};
use jiff::{SignedDuration, Timestamp};
use ports::{Clock, PlatformError, Queue, message};
use rusqlite::{Connection, Transaction, params};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    columns::{nanoseconds, time},
    database::{Database, Outcome},
    statement::{all, execute, first},
};

/// How long a message that was handed out stays hidden: six times what a handler may take, as AWS advises for SQS.
/// A handler may wait minutes for the answer to a purchase.
pub const VISIBILITY: SignedDuration = SignedDuration::from_mins(45);

/// A message that was handed out this often is not handed out again.
pub const LONGEST_LIFE: u32 = 5;

/// The longest delay of a message, as with SQS.
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);

#[derive(Clone)]
pub struct LocalQueue {
    database: Database,
    clock: Clock,
    changed: Arc<BTreeMap<QueueName, watch::Sender<()>>>,
}

/// One delivery of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub id: i64,
    /// Names this delivery; worthless once the message is handed out again.
    pub receipt: String,
    pub body: String,
    /// This one included.
    pub deliveries: u32,
}

/// A message that nobody could handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: i64,
    pub queue: QueueName,
    pub body: String,
    pub deliveries: u32,
    pub died_at: Timestamp,
}

/// How many messages are in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a worker.
    pub visible: u64,
    /// Handed out, and neither deleted nor given back.
    pub in_flight: u64,
    /// To be handed out later.
    pub delayed: u64,
}

impl LocalQueue {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        let changed = QueueName::ALL.map(|queue| (queue, watch::Sender::new(())));
        Self { database, clock, changed: Arc::new(changed.into()) }
    }

    /// Hands out at most `max` messages and hides them for [`VISIBILITY`]. Messages that were handed out
    /// [`LONGEST_LIFE`] times become dead letters instead.
    pub async fn receive(&self, queue: QueueName, max: usize) -> Result<Vec<Received>, PlatformError> {
        let now = (self.clock)();
        self.database.write_unsynced("receive messages", move |db| receive(db, queue, max, now)).await
    }

    /// The message was handled. False when the receipt is not the latest: somebody else has the message by now.
    pub async fn delete(&self, receipt: &str) -> Result<bool, PlatformError> {
        let receipt = receipt.to_owned();
        self.database
            .write_unsynced("delete a message", move |db| {
                let deleted = execute(db, "DELETE FROM messages WHERE receipt = ?1", params![receipt])?;
                Ok(deleted == 1)
            })
            .await
    }

    /// The message was not handled; it is handed out again after `delay`. False as with [`LocalQueue::delete`].
    pub async fn release(&self, receipt: &str, delay: SignedDuration) -> Result<bool, PlatformError> {
        let receipt = receipt.to_owned();
        let visible_at = self.after(delay);
        let queue = self
            .database
            .write_unsynced("release a message", move |db| {
                first(
                    db,
                    "UPDATE messages SET visible_at = ?2, receipt = NULL WHERE receipt = ?1 RETURNING queue",
                    params![receipt, nanoseconds(visible_at)],
                    |row| queue_name(row.get_ref(0)?.as_str()?),
                )
            })
            .await?;
        queue.inspect(|queue| self.tell(*queue));
        Ok(queue.is_some())
    }

    /// When the next message of the queue can be received; past when one can be already.
    pub async fn next_visible_at(&self, queue: QueueName) -> Result<Option<Timestamp>, PlatformError> {
        self.database
            .read("look at a queue", move |db| {
                first(
                    db,
                    "SELECT visible_at FROM messages WHERE queue = ?1 ORDER BY visible_at, id LIMIT 1",
                    params![queue.as_str()],
                    |row| time(row.get(0)?),
                )
            })
            .await
    }

    /// Changes when a message comes into the queue or is given back to it.
    pub fn notified(&self, queue: QueueName) -> watch::Receiver<()> {
        match self.changed.get(&queue) {
            Some(changed) => changed.subscribe(),
            None => watch::Sender::new(()).subscribe(),
        }
    }

    pub async fn depth(&self, queue: QueueName) -> Result<Depth, PlatformError> {
        let now = (self.clock)();
        self.database.read("measure a queue", move |db| depth(db, queue, now)).await
    }

    /// The latest dead letters of all queues, newest first, at most 1,000.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, PlatformError> {
        self.database
            .read("list dead letters", |db| {
                letters(
                    db,
                    "SELECT id, queue, body, received, died_at FROM dead_letters ORDER BY id DESC LIMIT ?1",
                    params![1_000],
                )
            })
            .await
    }

    /// The dead letters of a queue that nobody has said to be settled, oldest first.
    pub async fn unsettled(&self, queue: QueueName) -> Result<Vec<DeadLetter>, PlatformError> {
        self.database
            .read("list unsettled dead letters", move |db| {
                letters(
                    db,
                    "SELECT id, queue, body, received, died_at FROM dead_letters
                     WHERE queue = ?1 AND settled = 0 ORDER BY id LIMIT ?2",
                    params![queue.as_str(), 100],
                )
            })
            .await
    }

    /// What the letter was about is marked. It stays, to be looked at.
    pub async fn settle(&self, letter: i64) -> Result<(), PlatformError> {
        self.database
            .write("settle a dead letter", move |db| {
                execute(db, "UPDATE dead_letters SET settled = 1 WHERE id = ?1", params![letter]).map(drop)
            })
            .await
    }

    fn after(&self, delay: SignedDuration) -> Timestamp {
        (self.clock)().saturating_add(delay).unwrap_or(Timestamp::MAX)
    }

    fn tell(&self, queue: QueueName) {
        if let Some(changed) = self.changed.get(&queue) {
            changed.send_replace(());
        }
    }
}

impl Queue for LocalQueue {
    async fn send(&self, jobs: Vec<Job>, delay: Duration) -> Result<(), PlatformError> {
        let doing = "send messages";
        if delay > LONGEST_DELAY {
            return Err(PlatformError::new(doing, "a message waits 15 minutes at most"));
        }
        let delay = SignedDuration::try_from(delay).map_err(|e| PlatformError::new(doing, e))?;
        let visible_at = self.after(delay);
        let queues: Vec<QueueName> = jobs.iter().map(Job::queue).collect();
        self.database
            .write(doing, move |db| {
                for job in &jobs {
                    execute(
                        db,
                        "INSERT INTO messages (queue, body, visible_at, received) VALUES (?1, ?2, ?3, 0)",
                        params![job.queue().as_str(), message::write(job)?, nanoseconds(visible_at)],
                    )?;
                }
                Ok(())
            })
            .await?;
        queues.into_iter().for_each(|queue| self.tell(queue));
        Ok(())
    }
}

/// What was in flight when the last process died has nobody who works on it: it is visible again at once, and that
/// delivery does not count, because the message is not to blame for the end of the process. Only the one process that
/// holds the directory may say so.
pub(super) fn release_in_flight(connection: &Connection, now: Timestamp) -> Outcome<usize> {
    execute(
        connection,
        "UPDATE messages SET visible_at = min(visible_at, ?1), received = max(received - 1, 0), receipt = NULL
         WHERE receipt IS NOT NULL",
        params![nanoseconds(now)],
    )
}

fn receive(transaction: &Transaction<'_>, queue: QueueName, max: usize, now: Timestamp) -> Outcome<Vec<Received>> {
    let hidden_until = now.saturating_add(VISIBILITY).unwrap_or(Timestamp::MAX);
    let mut received = Vec::new();
    while received.len() < max {
        let next = first(
            transaction,
            "SELECT id, body, received FROM messages WHERE queue = ?1 AND visible_at <= ?2
             ORDER BY visible_at, id LIMIT 1",
            params![queue.as_str(), nanoseconds(now)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)?)),
        )?;
        let Some((id, body, deliveries)) = next else {
            break;
        };
        if deliveries >= LONGEST_LIFE {
            bury(transaction, id, now)?;
            continue;
        }
        let delivery = Received { id, receipt: Uuid::new_v4().to_string(), body, deliveries: deliveries + 1 };
        execute(
            transaction,
            "UPDATE messages SET visible_at = ?2, received = ?3, receipt = ?4 WHERE id = ?1",
            params![delivery.id, nanoseconds(hidden_until), delivery.deliveries, delivery.receipt],
        )?;
        received.push(delivery);
    }
    Ok(received)
}

fn bury(transaction: &Transaction<'_>, id: i64, now: Timestamp) -> Outcome<()> {
    execute(
        transaction,
        "INSERT INTO dead_letters (id, queue, body, received, died_at, settled)
         SELECT id, queue, body, received, ?2, 0 FROM messages WHERE id = ?1",
        params![id, nanoseconds(now)],
    )?;
    execute(transaction, "DELETE FROM messages WHERE id = ?1", params![id])?;
    Ok(())
}

fn depth(connection: &Connection, queue: QueueName, now: Timestamp) -> Outcome<Depth> {
    let depth = first(
        connection,
        "SELECT count(*) FILTER (WHERE visible_at <= ?2),
                count(*) FILTER (WHERE visible_at > ?2 AND receipt IS NOT NULL),
                count(*) FILTER (WHERE visible_at > ?2 AND receipt IS NULL)
         FROM messages WHERE queue = ?1",
        params![queue.as_str(), nanoseconds(now)],
        |row| {
            let count = |column| -> Outcome<u64> { Ok(u64::try_from(row.get::<_, i64>(column)?)?) };
            Ok(Depth { visible: count(0)?, in_flight: count(1)?, delayed: count(2)? })
        },
    )?;
    Ok(depth.unwrap_or_default())
}

fn letters(connection: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Outcome<Vec<DeadLetter>> {
    all(connection, sql, values, |row| {
        Ok(DeadLetter {
            id: row.get(0)?,
            queue: queue_name(row.get_ref(1)?.as_str()?)?,
            body: row.get(2)?,
            deliveries: row.get(3)?,
            died_at: time(row.get(4)?)?,
        })
    })
}

fn queue_name(text: &str) -> Outcome<QueueName> {
    QueueName::ALL
        .into_iter()
        .find(|queue| queue.as_str() == text)
        .ok_or_else(|| "a message of an unknown queue".into())
}
