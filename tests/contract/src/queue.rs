//! What the port of the queue promises to those who send. How messages come out is the business of each platform.

use std::time::Duration;

use domain::{
    BatchId, EnrollmentId, IntegrationId,
    jobs::{BatchJob, CheckOrder, ImportPeople, ImportPfx, Job, PlaceOrder},
};
use ports::{Platform, Queue};
use uuid::Uuid;

pub async fn jobs_of_every_kind_are_taken<P: Platform>(platform: &P) -> anyhow::Result<()> {
    platform.queue().send(vec![], Duration::ZERO).await?;
    platform.queue().send(jobs(), Duration::ZERO).await?;
    // More than the ten messages that SQS takes at once.
    let many = (0..25).flat_map(|_| jobs()).collect();
    platform.queue().send(many, Duration::from_secs(900)).await?;
    Ok(())
}

pub async fn a_delay_longer_than_fifteen_minutes_is_refused<P: Platform>(platform: &P) -> anyhow::Result<()> {
    assert!(platform.queue().send(jobs(), Duration::from_secs(901)).await.is_err());
    Ok(())
}

/// One of every kind.
pub fn jobs() -> Vec<Job> {
    let integration = IntegrationId(Uuid::new_v4());
    let batch = BatchId(Uuid::new_v4());
    let enrollment = EnrollmentId(Uuid::new_v4());
    vec![
        Job::ImportPeople(ImportPeople { integration }),
        Job::Batch(BatchJob::Plan { integration, batch }),
        Job::Batch(BatchJob::Approve { integration, batch }),
        Job::PlaceOrder(PlaceOrder::One { integration, enrollment }),
        Job::PlaceOrder(PlaceOrder::AfterRestore { integration }),
        Job::CheckOrder(CheckOrder::One { integration, enrollment }),
        Job::CheckOrder(CheckOrder::LookUp { integration }),
        Job::ImportPfx(ImportPfx { integration, enrollment }),
    ]
}
