//! Messages that were given up. They stay where they are for two weeks, to be looked at and redriven; what they were
//! about is marked once.

use std::{collections::BTreeMap, future::Future};

use aws_sdk_sqs::Client;
use domain::jobs::{Job, QueueName};
use jiff::SignedDuration;
use ports::{Clock, Platform, PlatformError, Store, message};

use crate::AwsPlatform;

/// How long a dead letter is kept. After that nobody asks whether it was marked.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// SQS hands out so many at once.
const RECEIVED_AT_ONCE: i32 = 10;

/// The dead letters of every queue.
#[derive(Clone)]
pub struct DeadLetters {
    client: Client,
    urls: BTreeMap<QueueName, String>,
    platform: AwsPlatform,
    clock: Clock,
}

impl DeadLetters {
    pub(crate) fn new(client: Client, urls: BTreeMap<QueueName, String>, platform: AwsPlatform, clock: Clock) -> Self {
        Self { client, urls, platform, clock }
    }

    /// Calls `mark` for each job among some of the letters, once for each letter; a look at every one takes as many
    /// calls as there are tens of them. The letters stay visible.
    ///
    /// # Errors
    ///
    /// When a queue or the store fails, or `mark` does; that letter is marked another time.
    pub async fn mark<M, Marking>(&self, mark: M) -> Result<(), PlatformError>
    where
        M: Fn(Job) -> Marking,
        Marking: Future<Output = Result<(), PlatformError>>,
    {
        for (queue, url) in &self.urls {
            let received = self
                .client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(RECEIVED_AT_ONCE)
                // It stays visible for the alarm and for whoever looks.
                .visibility_timeout(0)
                .send()
                .await
                .map_err(|error| PlatformError::new("read dead letters", error))?;
            for letter in received.messages.unwrap_or_default() {
                let Some(id) = letter.message_id else { continue };
                let Ok(job) = message::read(*queue, letter.body.as_deref().unwrap_or_default()) else { continue };
                if self.is_marked(&id, false).await? {
                    continue;
                }
                tracing::error!(
                    event = "queue.dead_letter",
                    queue = queue.as_str(),
                    message_id = id,
                    "a message was given up: see the runbook"
                );
                mark(job).await?;
                self.is_marked(&id, true).await?;
            }
        }
        Ok(())
    }

    /// Whether the letter was marked before; remembers that it was, if `now` says so.
    async fn is_marked(&self, id: &str, now: bool) -> Result<bool, PlatformError> {
        let at = (self.clock)();
        let until = at.saturating_add(KEPT).unwrap_or(jiff::Timestamp::MAX);
        let answer = now.then_some("marked");
        let known = self.platform.store().idempotent(&format!("dead-letter/{id}"), "", answer, until, at).await?;
        Ok(known.is_some_and(|(_, answer)| answer.is_some()))
    }
}
