//! What can happen to an enrollment, by name and in its stored form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Money,
    enrollment::{Blocked, Certificate, Stage},
};

/// What can happen to an enrollment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The plan was approved; the claim is taken in the same transaction.
    Approved,
    Cancelled {
        reason: String,
    },
    /// Written before buying. Only the run that wrote it may buy, and only until the deadline.
    BuyingStarted {
        deadline: Timestamp,
    },
    /// The CA was never reached: nothing was bought.
    NeverSent,
    /// It may have been bought; the run that asked has given up waiting, so nobody will ask again in this attempt.
    AnswerUnclear {
        note: String,
    },
    /// The CA or a brake said no, and there is no order.
    PurchaseRefused {
        cause: Blocked,
    },
    /// There is an order. Accepted from the same attempt even after Unsure: a paid order is never dropped.
    PurchaseFound {
        attempt: u32,
        reference: String,
        paid: Option<Money>,
    },
    /// Looked for until the quiet time ended, and not found.
    PurchaseMissing {
        candidates: Vec<String>,
    },
    /// A person says that nothing was bought; a new attempt may begin.
    PurchaseRuledOut,
    /// What blocked it is mended.
    Unblocked,
    /// Written before the certificate request is handed in: until then nobody else hands it in.
    RequestStarted {
        until: Timestamp,
    },
    /// The CA has the certificate request.
    RequestSubmitted {
        status: String,
    },
    /// The CA was asked and is not ready.
    StillValidating {
        status: String,
    },
    /// The CA says that the order is ready. Only a hint: it is looked at now.
    CalledBack,
    CertificateAccepted {
        certificate: Certificate,
    },
    /// The certificate, or the person's address, is not what was ordered.
    CertificateHeld {
        reasons: Vec<String>,
    },
    /// An approver accepts the held certificate as it is.
    HoldAccepted {
        certificate: Certificate,
        reason: String,
    },
    /// An approver gave the held certificate up; the CA was told.
    HoldRevoked,
    /// The CA was asked to issue again: fetch and check once more.
    HoldRetried,
    OrderRejected {
        status: String,
    },
    OrderExpired {
        status: String,
    },
    ImportStarted,
    /// Intune was never reached, or asked us to wait: nothing was imported.
    ImportNotSent,
    /// The record is in Intune and ours; the sealed key is kept until then.
    Imported {
        keep_key_until: Timestamp,
    },
    /// An operator wants the record written again from the retained key.
    ImportRequestedAgain,
    StageFailed {
        stage: Stage,
        cause: String,
    },
    Retried,
    /// A person waits no longer for it, or gave it up after it failed; the CA was told where there is a certificate.
    GivenUp {
        reason: String,
    },
    /// A paid order that never got a certificate request, or a surplus one, is free for somebody else.
    OrderReleased {
        reference: String,
        reason: String,
    },
    /// A person gives it a paid order that belonged to nobody; none will be bought.
    VoucherGiven {
        reference: String,
        paid: Option<Money>,
    },
    /// The key is made, and the given order is its purchase.
    VoucherUsed,
    /// Nothing changed but the time at which to try again.
    Postponed {
        until: Timestamp,
        note: String,
    },
    KeyDestroyed,
    /// The time for imports is over; the sealed key stays, so that old mail can be read. Never that of a signature.
    KeyEscrowed,
    CertificateRevoked,
    CertificateEnded,
    RemovalStarted,
    RemovedFromIntune,
}

impl Event {
    /// The name under which the table and the logs show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Cancelled { .. } => "cancelled",
            Self::BuyingStarted { .. } => "buying_started",
            Self::NeverSent => "never_sent",
            Self::AnswerUnclear { .. } => "answer_unclear",
            Self::PurchaseRefused { .. } => "purchase_refused",
            Self::PurchaseFound { .. } => "purchase_found",
            Self::PurchaseMissing { .. } => "purchase_missing",
            Self::PurchaseRuledOut => "purchase_ruled_out",
            Self::Unblocked => "unblocked",
            Self::RequestStarted { .. } => "request_started",
            Self::RequestSubmitted { .. } => "request_submitted",
            Self::StillValidating { .. } => "still_validating",
            Self::CalledBack => "called_back",
            Self::CertificateAccepted { .. } => "certificate_accepted",
            Self::CertificateHeld { .. } => "certificate_held",
            Self::HoldAccepted { .. } => "hold_accepted",
            Self::HoldRevoked => "hold_revoked",
            Self::HoldRetried => "hold_retried",
            Self::OrderRejected { .. } => "order_rejected",
            Self::OrderExpired { .. } => "order_expired",
            Self::ImportStarted => "import_started",
            Self::ImportNotSent => "import_not_sent",
            Self::Imported { .. } => "imported",
            Self::ImportRequestedAgain => "import_requested_again",
            Self::StageFailed { .. } => "stage_failed",
            Self::Retried => "retried",
            Self::GivenUp { .. } => "given_up",
            Self::OrderReleased { .. } => "order_released",
            Self::VoucherGiven { .. } => "voucher_given",
            Self::VoucherUsed => "voucher_used",
            Self::Postponed { .. } => "postponed",
            Self::KeyDestroyed => "key_destroyed",
            Self::KeyEscrowed => "key_escrowed",
            Self::CertificateRevoked => "certificate_revoked",
            Self::CertificateEnded => "certificate_ended",
            Self::RemovalStarted => "removal_started",
            Self::RemovedFromIntune => "removed_from_intune",
        }
    }
}
