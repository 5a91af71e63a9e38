//! What an operator asked for in one go: these people, this product, this purpose. First a plan, then approved,
//! then run.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    BatchId, EnrollmentId, IntegrationId, Money, PersonId, Purpose, assessment::Assessment, enrollment::Product,
};

/// A plan that nobody approved is void after this long (7 days).
pub const PLAN_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The stored row. The people are rows of their own ([`PlanRow`]): a batch never grows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub id: BatchId,
    pub integration: IntegrationId,
    pub purpose: Purpose,
    pub product: Product,
    pub selection: Selection,
    pub status: BatchStatus,
    /// [`crate::Integration::ground`] when the plan was made; approving under another is refused.
    pub ground: u64,
    pub requested_by: String,
    #[serde(default)]
    pub approved_by: Option<String>,
    /// How many people the plan enrolls, and for how much. Known once it is ready.
    #[serde(default)]
    pub planned: u32,
    #[serde(default)]
    pub left_out: u32,
    #[serde(default)]
    pub total: Money,
    /// Where planning or approving goes on, in the order of the plan's rows.
    #[serde(default)]
    pub cursor: Option<String>,
    /// While planning or approving: when the sweep looks whether its message was lost.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Selection {
    /// The people are already rows of the plan.
    Listed,
    /// Everybody who was imported and has not left.
    Everybody,
}

/// A batch's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum BatchStatus {
    Planning,
    /// Waits for approval.
    Ready,
    Approving,
    /// Every enrollment of it is Requested or further.
    Running,
    /// No more orders of it are placed, for this reason; what is paid is finished.
    Stopped {
        reason: String,
    },
    Abandoned,
    /// It was running, and every enrollment of it came to its end.
    Done,
}

impl BatchStatus {
    /// Whether an order of the batch may be placed. Approving counts: its first chunks are approved already.
    pub fn may_buy(&self) -> bool {
        matches!(self, Self::Approving | Self::Running)
    }
}

/// One person of a plan, and what the plan says about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    pub batch: BatchId,
    pub person: PersonId,
    /// `None` until the planning reaches this row.
    #[serde(default)]
    pub assessment: Option<Assessment>,
    #[serde(default)]
    pub enrollment: Option<EnrollmentId>,
    /// What the assessment stood on: a person whose ground changed drops out when the plan is approved.
    #[serde(default)]
    pub ground: Option<PersonGround>,
}

/// The fields of a person that a plan used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonGround {
    pub mailbox: crate::Mailbox,
    pub given_name: Option<String>,
    pub surname: Option<String>,
}

/// Why a plan cannot be approved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApprovable {
    #[error("the plan is not ready: it is {0}")]
    Status(&'static str),
    #[error("the plan is older than 7 days; make a new one")]
    TooOld,
    #[error("the settings or prices changed after the plan was made; make a new one")]
    GroundChanged,
    #[error("the plan holds {planned} orders; this integration allows {limit} in one batch")]
    OverLimit { planned: u32, limit: u32 },
    #[error("the plan enrolls nobody")]
    Empty,
}

impl Batch {
    /// Whether the plan may be approved now, under this ground and limit.
    pub fn approvable(&self, ground: u64, per_batch: u32, now: Timestamp) -> Result<(), NotApprovable> {
        if self.status != BatchStatus::Ready {
            return Err(NotApprovable::Status(self.status.as_str()));
        }
        if now.duration_since(self.created_at) > PLAN_LIFE {
            return Err(NotApprovable::TooOld);
        }
        if self.ground != ground {
            return Err(NotApprovable::GroundChanged);
        }
        if self.planned == 0 {
            return Err(NotApprovable::Empty);
        }
        if self.planned > per_batch {
            return Err(NotApprovable::OverLimit { planned: self.planned, limit: per_batch });
        }
        Ok(())
    }
}

impl BatchStatus {
    /// The word of the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Ready => "ready",
            Self::Approving => "approving",
            Self::Running => "running",
            Self::Stopped { .. } => "stopped",
            Self::Abandoned => "abandoned",
            Self::Done => "done",
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ready() -> Batch {
        Batch {
            id: BatchId(Uuid::nil()),
            integration: IntegrationId(Uuid::nil()),
            purpose: Purpose::General,
            product: Product { code: 700, days: 365, price: Money(3_800) },
            selection: Selection::Listed,
            status: BatchStatus::Ready,
            ground: 3,
            requested_by: "ops".into(),
            approved_by: None,
            planned: 10,
            left_out: 0,
            total: Money(38_000),
            cursor: None,
            due_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    #[test]
    fn a_plan_is_approved_only_while_its_ground_holds() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(ready().approvable(3, 10, now), Ok(()));
        assert_eq!(ready().approvable(4, 10, now), Err(NotApprovable::GroundChanged));
        assert_eq!(ready().approvable(3, 9, now), Err(NotApprovable::OverLimit { planned: 10, limit: 9 }));
        let later = now + PLAN_LIFE + SignedDuration::from_secs(1);
        assert_eq!(ready().approvable(3, 10, later), Err(NotApprovable::TooOld));
        let running = Batch { status: BatchStatus::Running, ..ready() };
        assert_eq!(running.approvable(3, 10, now), Err(NotApprovable::Status("running")));
    }
}
