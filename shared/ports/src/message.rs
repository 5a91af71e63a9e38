//! The text of a message: its version beside its own fields, so that neither release before or after guesses.

use domain::jobs::{Body, Job, QueueName, Unreadable, VERSION};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The body of the job's message.
pub fn write(job: &Job) -> Result<String, serde_json::Error> {
    fn body<T: Serialize>(message: &T) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Body { v: VERSION, message })
    }
    match job {
        Job::ImportPeople(message) => body(message),
        Job::Batch(message) => body(message),
        Job::PlaceOrder(message) => body(message),
        Job::CheckOrder(message) => body(message),
        Job::ImportPfx(message) => body(message),
    }
}

/// The job of a message that came out of this queue.
///
/// # Errors
///
/// Another version by its number; everything else that is no message of this queue by what is wrong with it.
pub fn read(queue: QueueName, body: &str) -> Result<Job, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let unreadable = |problem: serde_json::Error| Unreadable::Body { queue, reason: problem.to_string() };
    let Version { v: found } = serde_json::from_str(body).map_err(unreadable)?;
    if found != u64::from(VERSION) {
        return Err(Unreadable::Version { found });
    }
    fn message<T: DeserializeOwned>(body: &str) -> Result<T, serde_json::Error> {
        serde_json::from_str::<Body<T>>(body).map(|body| body.message)
    }
    match queue {
        QueueName::UserImport => message(body).map(Job::ImportPeople),
        QueueName::BatchEnrollment => message(body).map(Job::Batch),
        QueueName::OrderPlacement => message(body).map(Job::PlaceOrder),
        QueueName::OrderCheck => message(body).map(Job::CheckOrder),
        QueueName::PfxImport => message(body).map(Job::ImportPfx),
    }
    .map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use domain::{
        BatchId, EnrollmentId, IntegrationId,
        jobs::{BatchJob, CheckOrder, ImportPeople, ImportPfx, PlaceOrder},
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_job_is_read_as_it_was_written() {
        let integration = IntegrationId(Uuid::from_u128(1));
        let batch = BatchId(Uuid::from_u128(2));
        let enrollment = EnrollmentId(Uuid::from_u128(3));
        for job in [
            Job::ImportPeople(ImportPeople { integration }),
            Job::Batch(BatchJob::Plan { integration, batch }),
            Job::Batch(BatchJob::Approve { integration, batch }),
            Job::PlaceOrder(PlaceOrder::One { integration, enrollment }),
            Job::PlaceOrder(PlaceOrder::AfterRestore { integration }),
            Job::CheckOrder(CheckOrder::One { integration, enrollment }),
            Job::CheckOrder(CheckOrder::LookUp { integration }),
            Job::ImportPfx(ImportPfx { integration, enrollment }),
        ] {
            let body = write(&job).expect("a job is JSON");
            assert_eq!(read(job.queue(), &body).expect("its own form"), job);
        }
    }

    /// What the first release wrote has to be readable by every later one.
    #[test]
    fn a_message_of_the_first_release_is_read_and_a_new_field_does_not_disturb() {
        let body = r#"{"v":1,"do":"one","integration":"00000000-0000-0000-0000-000000000001",
            "enrollment":"00000000-0000-0000-0000-000000000003","trace":"x"}"#;
        assert!(matches!(read(QueueName::OrderPlacement, body), Ok(Job::PlaceOrder(PlaceOrder::One { .. }))));
    }

    #[test]
    fn what_is_no_message_says_what_it_is() {
        let read = |body| read(QueueName::OrderCheck, body);
        assert!(matches!(read(r#"{"v":7}"#), Err(Unreadable::Version { found: 7 })));
        for body in ["", "not json", "[]", "{}", r#"{"v":1}"#, r#"{"v":1,"do":"buy"}"#, r#"{"v":-1}"#] {
            assert!(matches!(read(body), Err(Unreadable::Body { .. })), "{body:?}");
        }
    }
}
