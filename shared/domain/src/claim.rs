//! The right to buy. At most one enrollment holds it for one person, address and purpose.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    IntegrationId, PersonId, Purpose,
    enrollment::{CaFacet, Enrollment, State},
};

/// What a purchase is for. Taken in the same transaction that makes an enrollment Requested.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    pub integration: IntegrationId,
    pub person: PersonId,
    /// The folded mailbox: see [`crate::Mailbox::fold`].
    pub mailbox: String,
    pub purpose: Purpose,
}

/// The key under which a store keeps the claim inside its integration.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.person, self.purpose.as_str(), self.mailbox)
    }
}

/// Whether the claim of this enrollment is free for anybody again: given up before anything was bought, or the
/// certificate came to its end. A rejected or expired order keeps its claim until a new enrollment names it as
/// the one it replaces.
pub fn is_released(enrollment: &Enrollment) -> bool {
    match &enrollment.state {
        State::Cancelled { .. } => true,
        State::Imported { .. } => matches!(enrollment.ca, CaFacet::Revoked | CaFacet::Expired),
        _ => false,
    }
}

/// Whether another enrollment may take the claim over by naming this one. Nothing that may still turn into a
/// certificate, or into a second purchase, can be replaced.
pub fn may_be_replaced(enrollment: &Enrollment) -> bool {
    matches!(enrollment.state, State::Imported { .. } | State::Rejected { .. } | State::Expired { .. })
}
