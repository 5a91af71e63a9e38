//! One person and one certificate, from the request to the Intune record.
//!
//! An [`Enrollment`] is changed only by [`crate::transition::apply`]; nothing else sets its state.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BatchId, Claim, EnrollmentId, IntegrationId, KeyAlgorithm, Mailbox, Money, PersonId, Purpose, Thumbprint};

/// The stored row. Private key and certificate chain lie beside it as attachments, read only by who needs them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    pub id: EnrollmentId,
    pub integration: IntegrationId,
    pub batch: BatchId,
    pub person: PersonId,
    pub subject: Subject,
    pub purpose: Purpose,
    pub product: Product,
    pub key_algorithm: KeyAlgorithm,
    /// The enrollment whose claim this one takes over: a renewal, or the replacement of a rejected order.
    #[serde(default)]
    pub replaces: Option<EnrollmentId>,

    pub state: State,
    #[serde(default)]
    pub ca: CaFacet,
    #[serde(default)]
    pub intune: IntuneFacet,
    #[serde(default)]
    pub key: KeyFacet,

    /// How many purchases were begun. The number sent to the CA is made of it: see [`Enrollment::order_number`].
    pub attempt: u32,
    #[serde(default)]
    pub purchase: Option<Purchase>,
    /// A paid order that a person gave it, until it is used in place of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Purchase>,
    /// Orders that were paid beside [`Self::purchase`]. Each is alarmed and waits for a person.
    #[serde(default)]
    pub surplus: Vec<String>,
    #[serde(default)]
    pub certificate: Option<Certificate>,

    /// When somebody has to look at this row again. `None`: nothing happens by itself.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// While it is Bought: until then one run may be handing in the certificate request, and nobody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_until: Option<Timestamp>,
    /// When the CA last called back about the order.
    #[serde(default)]
    pub called_back_at: Option<Timestamp>,
    /// Failures of the present step in a row; reset by every step forward.
    #[serde(default)]
    pub failures: u32,
    /// The last sentence about why it waits, for the operator.
    #[serde(default)]
    pub note: Option<String>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    /// Counted up by every write; a write names the version it read.
    pub version: u64,
    /// The run that wrote this version: tells a won write whose answer was lost from a lost one.
    #[serde(default)]
    pub written_by: Option<uuid::Uuid>,
}

/// What the certificate says about its holder, as approved. It does not follow later changes of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub mailbox: Mailbox,
    #[serde(default)]
    pub given_name: Option<String>,
    #[serde(default)]
    pub surname: Option<String>,
}

/// What is bought, at which price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The CA's product code.
    pub code: u32,
    pub days: u16,
    pub price: Money,
}

/// Where an enrollment stands. The order of the variants is the order of its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Part of a plan that nobody has approved.
    Planned,
    /// Approved. The claim is taken, nothing is bought.
    Requested,
    /// One run may be buying right now, or may have died doing so.
    Buying {
        since: Timestamp,
        /// After this moment nobody starts the purchase of this attempt any more.
        deadline: Timestamp,
    },
    /// Paid. The certificate request is not known to be with the CA.
    Bought,
    /// The CA has the request; it or the person with the mailbox must act.
    Validating { since: Timestamp, checks: u32, status: String },
    /// The certificate passed every check and waits to be imported.
    Issued,
    /// One run may be importing right now.
    Importing,
    /// The Intune record stands and is ours.
    Imported {
        at: Timestamp,
        /// Until then the record can be written again.
        keep_key_until: Timestamp,
    },
    /// A purchase may have happened and cannot be found. A person decides.
    Unsure { since: Timestamp, candidates: Vec<String> },
    /// The CA or a brake refused before anything was bought.
    Blocked { cause: Blocked },
    /// The certificate is not what was asked for.
    Held { reasons: Vec<String> },
    /// The CA will not issue on this order, or a person gave it up or revoked what came of it.
    Rejected { status: String },
    /// The order ended without a certificate.
    Expired { status: String },
    /// A step failed too often, or can never succeed as things are.
    Failed { stage: Stage, cause: String },
    /// Given up before anything was bought, or its order was released for somebody else.
    Cancelled { reason: String },
}

/// Why nothing was bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Blocked {
    /// The prepaid account is empty.
    Funds { detail: String },
    /// The product or the duration is unknown to the CA.
    Product { detail: String },
    /// The account may not buy this product, or its credentials are refused.
    Entitlement { detail: String },
    /// The request itself is wrong.
    Data { detail: String },
    /// The batch was stopped after another of its orders.
    BatchStopped { detail: String },
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::Funds { detail } => ("the SSL.com account has no funds", detail),
            Self::Product { detail } => ("SSL.com does not sell this product or duration", detail),
            Self::Entitlement { detail } => ("the SSL.com account may not order this", detail),
            Self::Data { detail } => ("the order's data are not accepted", detail),
            Self::BatchStopped { detail } => ("the batch was stopped", detail),
        };
        if detail.is_empty() { f.write_str(what) } else { write!(f, "{what}: {detail}") }
    }
}

/// The part of the walk in which an enrollment failed, and to which a retry returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Paid, but the certificate request could not be handed in.
    Request,
    /// Handed in, but no certificate could be had.
    Validation,
    /// Issued, but not imported.
    Import,
}

/// What the CA holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaFacet {
    #[default]
    None,
    Active,
    Revoked,
    Expired,
}

/// What Intune holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntuneFacet {
    #[default]
    Absent,
    Present,
    Removing,
}

/// What became of the private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFacet {
    #[default]
    None,
    /// Sealed and needed for the work that is left.
    Sealed,
    /// Sealed and kept after the import, so that a record can be imported again.
    Retained,
    Escrowed,
    Destroyed,
}

/// A paid order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The CA's name for the order.
    pub reference: String,
    /// What was paid, where the CA said it readably.
    #[serde(default)]
    pub paid: Option<Money>,
    pub at: Timestamp,
}

/// The issued certificate in a few words; the chain itself is an attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub thumbprint: Thumbprint,
    /// Hexadecimal, lower case.
    pub serial: String,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// What the check noticed without refusing.
    #[serde(default)]
    pub notes: Vec<String>,
    /// An approver took it although its person's address is another one by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub address_accepted: bool,
}

impl Enrollment {
    /// The caller's own number on an order: enrollment and attempt, so that a lost answer can be looked up.
    pub fn order_number(&self) -> String {
        format!("{}-{}", self.id, self.attempt)
    }

    pub fn claim(&self) -> Claim {
        Claim {
            integration: self.integration,
            person: self.person,
            mailbox: self.subject.mailbox.fold(),
            purpose: self.purpose,
        }
    }

    /// Whether somebody has to look at it: it waits for a person, a second order was paid for it, or its validation has
    /// lasted longer than most people take to follow a link.
    pub fn needs_a_person(&self) -> bool {
        self.state.name().needs_a_person() || !self.surplus.is_empty() || self.validates_for_long()
    }

    /// A validation is looked at several times a day, so that its last change tells how long it has lasted.
    pub fn validates_for_long(&self) -> bool {
        matches!(self.state, State::Validating { since, .. }
            if self.changed_at.duration_since(since) >= VALIDATION_PATIENCE)
    }

    /// Whether its certificate is this one and was revoked, which nothing takes back.
    pub fn has_revoked(&self, serial: &str) -> bool {
        self.ca == CaFacet::Revoked && self.certificate.as_ref().is_some_and(|certificate| certificate.serial == serial)
    }

    /// Whether its order may still be unused, and can leave it with nothing lost.
    pub fn could_release(&self, reference: &str) -> bool {
        let is_its_order = self.purchase.as_ref().is_some_and(|purchase| purchase.reference == reference);
        let came_to_nothing = matches!(
            self.state,
            State::Failed { stage: Stage::Request | Stage::Validation, .. } | State::Rejected { .. }
        );
        is_its_order && came_to_nothing && self.certificate.is_none()
    }
}

/// After this long a validation needs somebody who asks its person.
pub const VALIDATION_PATIENCE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The states by name, for queries and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Planned,
    Requested,
    Buying,
    Bought,
    Validating,
    Issued,
    Importing,
    Imported,
    Unsure,
    Blocked,
    Held,
    Rejected,
    Expired,
    Failed,
    Cancelled,
}

impl StateName {
    pub const ALL: [Self; 15] = [
        Self::Planned,
        Self::Requested,
        Self::Buying,
        Self::Bought,
        Self::Validating,
        Self::Issued,
        Self::Importing,
        Self::Imported,
        Self::Unsure,
        Self::Blocked,
        Self::Held,
        Self::Rejected,
        Self::Expired,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word of the stored form and of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Requested => "requested",
            Self::Buying => "buying",
            Self::Bought => "bought",
            Self::Validating => "validating",
            Self::Issued => "issued",
            Self::Importing => "importing",
            Self::Imported => "imported",
            Self::Unsure => "unsure",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the enrollment waits for a person rather than for a machine.
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Unsure | Self::Blocked | Self::Held | Self::Rejected | Self::Expired | Self::Failed)
    }

    /// Whether the enrollment is at its end: neither a machine nor a person is to do anything before it counts as done.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Imported | Self::Rejected | Self::Expired | Self::Cancelled)
    }

    /// Whether a machine is still to do something before the enrollment rests.
    pub fn is_moving(self) -> bool {
        matches!(
            self,
            Self::Requested | Self::Buying | Self::Bought | Self::Validating | Self::Issued | Self::Importing
        )
    }
}

impl std::str::FromStr for StateName {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a state of an enrollment")]
pub struct UnknownState(pub String);

impl State {
    pub fn name(&self) -> StateName {
        match self {
            Self::Planned => StateName::Planned,
            Self::Requested => StateName::Requested,
            Self::Buying { .. } => StateName::Buying,
            Self::Bought => StateName::Bought,
            Self::Validating { .. } => StateName::Validating,
            Self::Issued => StateName::Issued,
            Self::Importing => StateName::Importing,
            Self::Imported { .. } => StateName::Imported,
            Self::Unsure { .. } => StateName::Unsure,
            Self::Blocked { .. } => StateName::Blocked,
            Self::Held { .. } => StateName::Held,
            Self::Rejected { .. } => StateName::Rejected,
            Self::Expired { .. } => StateName::Expired,
            Self::Failed { .. } => StateName::Failed,
            Self::Cancelled { .. } => StateName::Cancelled,
        }
    }
}
