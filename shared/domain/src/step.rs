//! What comes next for an enrollment, and which job does it.

use jiff::Timestamp;

use crate::{
    EnrollmentId, IntegrationId,
    enrollment::{Enrollment, State},
    jobs::{CheckOrder, ImportPfx, Job, PlaceOrder},
    transition::keeps_key,
};

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Place the order. Said only while nothing was begun in this attempt: whoever finds Buying looks up instead.
    Buy,
    /// A purchase is under way, or a key is kept for an import that a person may ask for: nobody touches it before then.
    WaitUntil(Timestamp),
    /// A purchase was begun and its answer is unknown.
    LookUp,
    /// Hand in the certificate request, once the CA says that it waits for one.
    SubmitRequest,
    /// Ask the CA whether the certificate is there.
    Check,
    Import,
    /// The time for which the key was kept is over, or nothing will come of the enrollment.
    DestroyKey,
    /// A person decides, or it is done.
    Rest,
}

/// The step that an enrollment needs at this moment.
pub fn plan(enrollment: &Enrollment, now: Timestamp) -> Step {
    match &enrollment.state {
        State::Requested => Step::Buy,
        State::Buying { deadline, .. } if now < *deadline => Step::WaitUntil(*deadline),
        State::Buying { .. } => Step::LookUp,
        State::Bought => Step::SubmitRequest,
        State::Validating { .. } => Step::Check,
        State::Issued | State::Importing => Step::Import,
        State::Imported { keep_key_until, .. } if keeps_key(enrollment) => match now < *keep_key_until {
            true => Step::WaitUntil(*keep_key_until),
            false => Step::DestroyKey,
        },
        State::Cancelled { .. } | State::Rejected { .. } | State::Expired { .. } if keeps_key(enrollment) => {
            Step::DestroyKey
        }
        State::Imported { .. } | State::Cancelled { .. } | State::Rejected { .. } | State::Expired { .. } => Step::Rest,
        State::Planned | State::Unsure { .. } | State::Blocked { .. } | State::Held { .. } | State::Failed { .. } => {
            Step::Rest
        }
    }
}

/// The job that does the step; `None` when nothing is to be done now. Look-ups are one job for the whole
/// integration, because one listing at the CA answers for all of its open purchases.
pub fn job_for(step: Step, integration: IntegrationId, enrollment: EnrollmentId) -> Option<Job> {
    match step {
        Step::Buy => Some(Job::PlaceOrder(PlaceOrder::One { integration, enrollment })),
        Step::LookUp => Some(Job::CheckOrder(CheckOrder::LookUp { integration })),
        Step::SubmitRequest | Step::Check => Some(Job::CheckOrder(CheckOrder::One { integration, enrollment })),
        Step::Import | Step::DestroyKey => Some(Job::ImportPfx(ImportPfx { integration, enrollment })),
        Step::WaitUntil(_) | Step::Rest => None,
    }
}
