//! How a step ends, and which step a job is.

use domain::jobs::{BatchJob, CheckOrder, Job, PlaceOrder};
use ports::{Platform, PlatformError};

use crate::{
    Flow, after_restore, approve_batch, check_order, import_people, import_pfx, look_up, place_order, plan_batch,
};

/// A step that ended by itself. A vendor's trouble is [`Outcome::Later`], written into the store by the step; only
/// trouble of our own platform is an error, and makes the queue deliver the message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing more can be done now; the row's due time says when.
    Later,
}

/// Does the step that the job asks for.
pub async fn run<P: Platform>(flow: &Flow<P>, job: Job) -> Result<Outcome, PlatformError> {
    match job {
        Job::ImportPeople(job) => import_people::import_people(flow, job).await,
        Job::Batch(BatchJob::Plan { integration, batch }) => plan_batch::plan(flow, integration, batch).await,
        Job::Batch(BatchJob::Approve { integration, batch }) => {
            approve_batch::approve_chunk(flow, integration, batch).await
        }
        Job::PlaceOrder(PlaceOrder::One { integration, enrollment }) => {
            place_order::place_order(flow, integration, enrollment).await
        }
        Job::PlaceOrder(PlaceOrder::AfterRestore { integration }) => after_restore::compare(flow, integration).await,
        Job::CheckOrder(CheckOrder::One { integration, enrollment }) => {
            check_order::check_order(flow, integration, enrollment).await
        }
        Job::CheckOrder(CheckOrder::LookUp { integration }) => look_up::look_up(flow, integration).await,
        Job::ImportPfx(job) => import_pfx::import_pfx(flow, job).await,
    }
}
