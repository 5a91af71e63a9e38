//! Messages of one SQS queue, a batch at a time: each is read and done by itself, and exactly those that failed are
//! given back.
//!
//! A message that cannot be read, whose step panics, or whose step takes as long as the function may, costs itself one
//! of its lives and the other messages nothing.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::jobs::{Job, QueueName};
use lambda_runtime::{LambdaEvent, service_fn};
use ports::{Clock, message};
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{Error, correlation, queue::CORRELATION};

/// What is kept of the function's time to say which messages failed.
const RESERVE: Duration = Duration::from_secs(3);

/// Handles the queue's messages until Lambda ends the process.
pub async fn run<H, Doing, T, E>(queue: QueueName, clock: Clock, handle: H) -> Result<(), Error>
where
    H: Fn(Job) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let handle = Arc::new(handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let (handle, clock) = (Arc::clone(&handle), clock.clone());
        async move {
            let now = u64::try_from(clock().as_millisecond()).unwrap_or_default();
            let left = Duration::from_millis(event.context.deadline.saturating_sub(now));
            let invocation = event.context.request_id.clone();
            batch(queue, event.payload, left.saturating_sub(RESERVE), &invocation, handle).await
        }
    }))
    .await
}

/// Does all of the batch at once and answers which messages failed.
async fn batch<H, Doing, T, E>(
    queue: QueueName,
    event: Value,
    time: Duration,
    invocation: &str,
    handle: Arc<H>,
) -> Result<SqsBatchResponse, Error>
where
    H: Fn(Job) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let event: SqsEvent =
        serde_json::from_value(event).map_err(|problem| format!("the event is not one of SQS: {problem}"))?;
    let mut ids = Vec::with_capacity(event.records.len());
    let mut under_way = JoinSet::new();
    for record in event.records {
        // SQS takes the whole batch for failed when it is answered an id that it did not give.
        let id = record.message_id.clone().filter(|id| !id.is_empty()).ok_or("a message of the event has no id")?;
        let span = tracing::info_span!(
            "message",
            queue = queue.as_str(),
            message_id = %id,
            deliveries = record.attributes.get("ApproximateReceiveCount"),
        );
        let correlation = correlated(&record, &id).to_owned();
        let handle = Arc::clone(&handle);
        let place = ids.len();
        ids.push((id, span.clone()));
        let doing = async move {
            let done =
                correlation::under(Some(&correlation), "none", one(queue, record.body.as_deref(), &*handle)).await;
            (place, done)
        };
        under_way.spawn(doing.instrument(span));
    }
    let mut failed: Vec<bool> = vec![true; ids.len()];
    let ended = tokio::time::timeout(time, async {
        while let Some(ended) = under_way.join_next().await {
            match ended {
                Ok((place, done)) => failed[place] = !done,
                Err(panicked) => tracing::error!(event = "step.panicked", invocation, "a step panicked: {panicked}"),
            }
        }
    });
    if ended.await.is_err() {
        under_way.abort_all();
    }
    let mut answer = SqsBatchResponse::default();
    for ((id, span), _) in ids.into_iter().zip(failed).filter(|(_, failed)| *failed) {
        span.in_scope(|| tracing::error!(event = "message.failed", "the message is given back"));
        answer.add_failure(id);
    }
    Ok(answer)
}

/// What the job was caused by; a message that says nothing is its own cause.
fn correlated<'a>(record: &'a SqsMessage, id: &'a str) -> &'a str {
    let given = record.message_attributes.get(CORRELATION).and_then(|attribute| attribute.string_value.as_deref());
    correlation::known(given).unwrap_or(id)
}

/// False: the message has to come again.
async fn one<H, Doing, T, E>(queue: QueueName, body: Option<&str>, handle: &H) -> bool
where
    H: Fn(Job) -> Doing,
    Doing: Future<Output = Result<T, E>>,
    E: std::error::Error,
{
    let job = match message::read(queue, body.unwrap_or_default()) {
        Ok(job) => job,
        Err(problem) => {
            tracing::error!(event = "message.unreadable", "a message cannot be read: {problem}");
            return false;
        }
    };
    match handle(job).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(event = "step.failed", cause = "platform", "a step failed: {}", chain(&error));
            false
        }
    }
}

/// An error with everything that led to it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> impl Display {
    let links = std::iter::successors(Some(error), |link| link.source());
    links.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use std::convert::Infallible;

    use domain::{EnrollmentId, IntegrationId, jobs::ImportPfx};
    use ports::PlatformError;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const QUEUE: QueueName = QueueName::PfxImport;
    const LONG: Duration = Duration::from_secs(60);

    fn job(number: u128) -> Job {
        let integration = IntegrationId(Uuid::nil());
        Job::ImportPfx(ImportPfx { integration, enrollment: EnrollmentId(Uuid::from_u128(number)) })
    }

    fn event(bodies: &[String]) -> Value {
        let record = |(place, body): (usize, &String)| json!({ "messageId": format!("m-{place}"), "body": body });
        json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
    }

    async fn failures<H, Doing, E>(event: Value, time: Duration, handle: H) -> Vec<String>
    where
        H: Fn(Job) -> Doing + Send + Sync + 'static,
        Doing: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        let answer = batch(QUEUE, event, time, "invocation", Arc::new(handle)).await.unwrap();
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    fn number(job: &Job) -> u128 {
        job.enrollment().unwrap().0.as_u128()
    }

    #[tokio::test]
    async fn exactly_the_messages_that_failed_are_given_back() {
        let mut bodies: Vec<_> = (0..4).map(|number| message::write(&job(number)).unwrap()).collect();
        bodies.insert(1, "no message".to_owned());
        bodies.push(r#"{"v":9}"#.to_owned());
        let failed = failures(event(&bodies), LONG, async |job: Job| match number(&job) {
            2 => Err(PlatformError::new("read a row", "it burns")),
            _ => Ok(()),
        });
        assert_eq!(failed.await, ["m-1", "m-3", "m-5"]);
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_message_alone() {
        let bodies: Vec<_> = (0..3).map(|number| message::write(&job(number)).unwrap()).collect();
        let failed = failures(event(&bodies), LONG, async |job: Job| match number(&job) {
            1 => panic!("a bug"),
            _ => Ok::<_, Infallible>(()),
        });
        assert_eq!(failed.await, ["m-1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_done_in_time_is_given_back_and_the_rest_is_not() {
        let bodies: Vec<_> = (0..3).map(|number| message::write(&job(number)).unwrap()).collect();
        let failed = failures(event(&bodies), LONG, async |job: Job| {
            if number(&job) == 2 {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(())
        });
        assert_eq!(failed.await, ["m-2"]);
    }

    #[tokio::test]
    async fn what_is_no_event_of_sqs_says_so() {
        for (event, says) in [
            (json!({}), "the event is not one of SQS: missing field `Records`"),
            (json!({ "Records": [{ "body": "{}" }] }), "a message of the event has no id"),
            (json!({ "Records": [{ "messageId": "", "body": "{}" }] }), "a message of the event has no id"),
        ] {
            let handle = Arc::new(async |_: Job| Ok::<_, Infallible>(()));
            let error = batch(QUEUE, event, LONG, "invocation", handle).await.unwrap_err();
            assert_eq!(error.to_string(), says);
        }
    }

    #[tokio::test]
    async fn a_step_works_under_the_id_of_what_caused_it() {
        let mut caused = event(&[message::write(&job(0)).unwrap(), message::write(&job(1)).unwrap()]);
        caused["Records"][0]["messageAttributes"] =
            json!({ "correlation": { "stringValue": "request-7", "dataType": "String" } });
        let failed = failures(caused, LONG, async |job: Job| {
            let expected = if number(&job) == 0 { "request-7" } else { "m-1" };
            assert_eq!(correlation::current().as_deref(), Some(expected));
            Ok::<_, Infallible>(())
        });
        assert_eq!(failed.await, Vec::<String>::new());
    }
}
