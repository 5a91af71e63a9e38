//! The messages between the steps: one type per queue, versioned, readable by the release before and after.
//!
//! A message names rows; it never carries personal data, key material or a secret.

use serde::{Deserialize, Serialize};

use crate::{BatchId, EnrollmentId, IntegrationId};

/// The version that this release writes. Unknown versions are refused by name, never guessed at.
pub const VERSION: u8 = 1;

/// One message of any queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    ImportPeople(ImportPeople),
    Batch(BatchJob),
    PlaceOrder(PlaceOrder),
    CheckOrder(CheckOrder),
    ImportPfx(ImportPfx),
}

/// Reads pages of the directory from where the last run stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPeople {
    pub integration: IntegrationId,
}

/// Plans or approves a batch, a chunk at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum BatchJob {
    Plan { integration: IntegrationId, batch: BatchId },
    Approve { integration: IntegrationId, batch: BatchId },
}

/// What needs the right to buy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum PlaceOrder {
    /// Buys one certificate and does nothing else.
    One { integration: IntegrationId, enrollment: EnrollmentId },
    /// Buys nothing: writes the orders that a restored backup does not know into its rows, each with a new key.
    AfterRestore { integration: IntegrationId },
}

/// Everything at the CA after a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum CheckOrder {
    One {
        integration: IntegrationId,
        enrollment: EnrollmentId,
    },
    /// One listing for all purchases of the integration whose answer is unknown.
    LookUp {
        integration: IntegrationId,
    },
}

/// Builds the PFX, seals its password and settles the record at Intune; later destroys the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPfx {
    pub integration: IntegrationId,
    pub enrollment: EnrollmentId,
}

/// The queues by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueName {
    UserImport,
    BatchEnrollment,
    OrderPlacement,
    OrderCheck,
    PfxImport,
}

impl QueueName {
    pub const ALL: [Self; 5] =
        [Self::UserImport, Self::BatchEnrollment, Self::OrderPlacement, Self::OrderCheck, Self::PfxImport];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserImport => "user-import",
            Self::BatchEnrollment => "batch-enrollment",
            Self::OrderPlacement => "order-placement",
            Self::OrderCheck => "order-check",
            Self::PfxImport => "pfx-import",
        }
    }
}

/// Why a message body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("message version {found}; this release reads version {VERSION}")]
    Version { found: u64 },
    #[error("the body is not a message of the {queue} queue", queue = .queue.as_str())]
    Body { queue: QueueName, reason: String },
}

impl Job {
    pub fn queue(&self) -> QueueName {
        match self {
            Self::ImportPeople(_) => QueueName::UserImport,
            Self::Batch(_) => QueueName::BatchEnrollment,
            Self::PlaceOrder(_) => QueueName::OrderPlacement,
            Self::CheckOrder(_) => QueueName::OrderCheck,
            Self::ImportPfx(_) => QueueName::PfxImport,
        }
    }

    pub fn integration(&self) -> IntegrationId {
        match self {
            Self::ImportPeople(job) => job.integration,
            Self::Batch(BatchJob::Plan { integration, .. } | BatchJob::Approve { integration, .. })
            | Self::CheckOrder(CheckOrder::One { integration, .. } | CheckOrder::LookUp { integration })
            | Self::PlaceOrder(PlaceOrder::One { integration, .. } | PlaceOrder::AfterRestore { integration })
            | Self::ImportPfx(ImportPfx { integration, .. }) => *integration,
        }
    }

    /// The enrollment that a dead letter has to be marked on, where the message is about one.
    pub fn enrollment(&self) -> Option<EnrollmentId> {
        match self {
            Self::PlaceOrder(PlaceOrder::One { enrollment, .. })
            | Self::CheckOrder(CheckOrder::One { enrollment, .. })
            | Self::ImportPfx(ImportPfx { enrollment, .. }) => Some(*enrollment),
            Self::ImportPeople(_)
            | Self::Batch(_)
            | Self::PlaceOrder(PlaceOrder::AfterRestore { .. })
            | Self::CheckOrder(CheckOrder::LookUp { .. }) => None,
        }
    }
}

/// Every body says its version beside the message's own fields.
#[derive(Serialize, Deserialize)]
pub struct Body<T> {
    pub v: u8,
    #[serde(flatten)]
    pub message: T,
}
