//! [`Queue`] over SQS: one queue for each kind of job.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};
use domain::jobs::{Job, QueueName};
use ports::{PlatformError, Queue, message};

use crate::correlation;

/// SQS's limits: messages of one request, and how long one may wait.
const SENT_AT_ONCE: usize = 10;
const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);
/// SQS may refuse some messages of a request and take the others.
const TRIES: usize = 3;

/// The message attribute with the correlation id of what caused the job.
pub(crate) const CORRELATION: &str = "correlation";

#[derive(Clone)]
pub struct AwsQueue {
    client: Client,
    urls: Arc<BTreeMap<QueueName, String>>,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl AwsQueue {
    pub fn new(client: Client, urls: BTreeMap<QueueName, String>) -> Self {
        Self { client, urls: Arc::new(urls) }
    }

    async fn send_to(&self, queue: QueueName, jobs: &[Job], seconds: i32) -> Result<(), Fault> {
        let url = self.urls.get(&queue).ok_or_else(|| format!("no address of the queue {}", queue.as_str()))?;
        let mut left = jobs.iter().enumerate().map(|(place, job)| entry(place, job, seconds));
        let mut left = left.by_ref().collect::<Result<Vec<_>, _>>()?;
        for _ in 0..TRIES {
            let sent = self.client.send_message_batch().queue_url(url).set_entries(Some(left.clone())).send().await?;
            left.retain(|entry| sent.failed.iter().any(|failed| failed.id == entry.id));
            let Some(failed) = sent.failed.first() else { return Ok(()) };
            if failed.sender_fault {
                return Err(format!("SQS refused a message: {}", failed.code).into());
            }
        }
        Err(format!("SQS did not take {} messages for the queue {}", left.len(), queue.as_str()).into())
    }
}

impl Queue for AwsQueue {
    async fn send(&self, jobs: Vec<Job>, delay: Duration) -> Result<(), PlatformError> {
        let doing = "send messages";
        if delay > LONGEST_DELAY {
            return Err(PlatformError::new(doing, "a message waits 15 minutes at most"));
        }
        // A part of a second counts as a whole one, so that nothing comes before its time.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let seconds = i32::try_from(seconds.min(LONGEST_DELAY.as_secs())).map_err(|e| PlatformError::new(doing, e))?;
        let mut by_queue: BTreeMap<QueueName, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            by_queue.entry(job.queue()).or_default().push(job);
        }
        for (queue, jobs) in by_queue {
            for chunk in jobs.chunks(SENT_AT_ONCE) {
                self.send_to(queue, chunk, seconds).await.map_err(|fault| PlatformError::new(doing, fault))?;
            }
        }
        Ok(())
    }
}

fn entry(place: usize, job: &Job, seconds: i32) -> Result<SendMessageBatchRequestEntry, Fault> {
    let entry = SendMessageBatchRequestEntry::builder()
        .id(place.to_string())
        .message_body(message::write(job)?)
        .delay_seconds(seconds);
    let entry = match correlation::current() {
        Some(id) => {
            let id = MessageAttributeValue::builder().data_type("String").string_value(id).build()?;
            entry.message_attributes(CORRELATION, id)
        }
        None => entry,
    };
    Ok(entry.build()?)
}
