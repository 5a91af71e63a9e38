//! What happened, when and by whom.

use domain::{
    operator::AuditEntry,
    transition::{Actor, Event, Happened},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One line of an enrollment's timeline.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    at: Timestamp,
    /// A step's name, or an operator's.
    by: String,
    by_operator: bool,
    #[schema(example = "purchase_found")]
    event: &'static str,
    /// What the event brought.
    detail: Option<String>,
    /// How the vendors call the requests in their logs.
    request_ids: Vec<String>,
}

/// What an operator did.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLine {
    at: Timestamp,
    by: String,
    #[schema(example = "batch.approved")]
    action: String,
    subject: String,
    detail: String,
}

impl From<Happened> for TimelineEntry {
    fn from(happened: Happened) -> Self {
        let (by, by_operator) = match happened.by {
            Actor::Step { name } => (name, false),
            Actor::Operator { name } => (name, true),
        };
        Self {
            at: happened.at,
            by,
            by_operator,
            event: happened.what.name(),
            detail: detail(&happened.what),
            request_ids: happened.request_ids,
        }
    }
}

impl From<AuditEntry> for AuditLine {
    fn from(entry: AuditEntry) -> Self {
        Self { at: entry.at, by: entry.by, action: entry.action, subject: entry.subject, detail: entry.detail }
    }
}

fn detail(event: &Event) -> Option<String> {
    let text = match event {
        Event::Cancelled { reason } | Event::HoldAccepted { reason, .. } | Event::GivenUp { reason } => reason.clone(),
        Event::OrderReleased { reference, reason } => format!("order {reference}: {reason}"),
        Event::VoucherGiven { reference, paid } => {
            let paid = paid.map(|paid| format!(", {paid} paid")).unwrap_or_default();
            format!("order {reference}{paid}")
        }
        Event::BuyingStarted { deadline: until } | Event::RequestStarted { until } => format!("until {until:.0}"),
        Event::AnswerUnclear { note } => note.clone(),
        Event::PurchaseRefused { cause } => cause.to_string(),
        Event::PurchaseFound { attempt, reference, paid } => {
            let paid = paid.map(|paid| format!(", {paid} paid")).unwrap_or_default();
            format!("order {reference}, attempt {attempt}{paid}")
        }
        Event::PurchaseMissing { candidates } => candidates.join(", "),
        Event::RequestSubmitted { status }
        | Event::StillValidating { status }
        | Event::OrderRejected { status }
        | Event::OrderExpired { status } => status.clone(),
        Event::CertificateAccepted { certificate } => {
            format!("serial {}, thumbprint {}", certificate.serial, certificate.thumbprint)
        }
        Event::CertificateHeld { reasons } => reasons.join("; "),
        Event::Imported { keep_key_until } => format!("the sealed key is kept until {keep_key_until:.0}"),
        Event::StageFailed { cause, .. } => cause.clone(),
        Event::Postponed { until, note } => format!("until {until:.0}: {note}"),
        Event::Approved
        | Event::NeverSent
        | Event::PurchaseRuledOut
        | Event::Unblocked
        | Event::CalledBack
        | Event::HoldRevoked
        | Event::HoldRetried
        | Event::ImportStarted
        | Event::ImportNotSent
        | Event::ImportRequestedAgain
        | Event::Retried
        | Event::KeyDestroyed
        | Event::KeyEscrowed
        | Event::VoucherUsed
        | Event::CertificateRevoked
        | Event::CertificateEnded
        | Event::RemovalStarted
        | Event::RemovedFromIntune => return None,
    };
    (!text.is_empty()).then_some(text)
}
