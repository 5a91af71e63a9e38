//! What an enrollment is, which changes are legal, what comes next, and the jobs between the steps.
//!
//! This room never waits, reads no clock, does no I/O and cannot fail for reasons outside itself.

pub mod assessment;
pub mod batch;
pub mod claim;
pub mod enrollment;
pub mod ids;
pub mod integration;
pub mod jobs;
pub mod keys;
pub mod mailbox;
pub mod money;
pub mod operator;
pub mod person;
pub mod purpose;
pub mod step;
pub mod thumbprint;
pub mod transition;

pub use batch::Batch;
pub use claim::Claim;
pub use enrollment::{Enrollment, State};
pub use ids::{BatchId, EnrollmentId, IntegrationId, PersonId};
pub use integration::Integration;
pub use keys::{KeyAlgorithm, PfxProfile};
pub use mailbox::Mailbox;
pub use money::Money;
pub use person::Person;
pub use purpose::Purpose;
pub use thumbprint::Thumbprint;
