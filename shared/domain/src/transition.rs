//! Which changes of an enrollment are legal. [`apply`] is total and pure: an event either makes the next row or
//! is refused by name. The full table stands in ARCHITECTURE.md, generated from this file.

mod event;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::enrollment::{
    Blocked, CaFacet, Certificate, Enrollment, IntuneFacet, KeyFacet, Purchase, Stage, State, StateName,
};
use crate::money::Money;

pub use event::Event;

/// How long a row rests before the sweep looks after it, when its message may have been lost.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// One line of an enrollment's timeline: when, by whom, what, and how the vendors call it in their logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    pub at: Timestamp,
    pub by: Actor,
    pub what: Event,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_ids: Vec<String>,
}

/// Who made something happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// A step of this program, by its name.
    Step { name: String },
    /// A person at the console or the API, by object id and tenant or by the name of an API token.
    Operator { name: String },
}

impl Actor {
    pub fn step(name: &str) -> Self {
        Self::Step { name: name.to_owned() }
    }
}

/// The event does not fit the state. The row is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an enrollment that is {state} cannot take {event}")]
pub struct Refused {
    pub state: StateName,
    pub event: &'static str,
}

/// The row after the event, or why the event does not fit. The version is counted up by the store, not here.
pub fn apply(enrollment: &Enrollment, happened: &Happened) -> Result<Enrollment, Refused> {
    let at = happened.at;
    let mut next = enrollment.clone();
    next.changed_at = at;
    if let Event::Postponed { until, note } = &happened.what {
        return match enrollment.state.name().is_moving() || enrollment.due_at.is_some() {
            true => {
                next.due_at = Some(*until);
                next.note = Some(note.clone());
                next.failures = enrollment.failures.saturating_add(1);
                Ok(next)
            }
            false => Err(refused(enrollment, happened)),
        };
    }
    if happened.what == Event::CalledBack && matches!(enrollment.state, State::Bought | State::Validating { .. }) {
        next.called_back_at = Some(at);
        next.due_at = Some(lease_end(at));
        return Ok(next);
    }
    if let (State::Bought, Event::RequestStarted { until }) = (&enrollment.state, &happened.what) {
        next.request_until = Some(*until);
        next.due_at = Some(*until);
        return Ok(next);
    }
    if let Some(changed) = facet(&next, &happened.what) {
        return Ok(changed);
    }
    next.state = state_after(&mut next, happened).ok_or_else(|| refused(enrollment, happened))?;
    let elsewhere = next.state.name() != enrollment.state.name() && !is_another_try(&happened.what);
    if elsewhere {
        next.note = None;
    }
    // An answer, whatever it says, ends a row of failures to get one.
    if elsewhere || matches!(happened.what, Event::StillValidating { .. }) {
        next.failures = 0;
    }
    next.due_at = match (&next.state, &happened.what) {
        (State::Imported { keep_key_until, .. }, Event::Imported { .. }) => Some(*keep_key_until),
        // A surplus order found late changes nothing about when the row itself is due.
        (_, Event::PurchaseFound { .. } | Event::OrderReleased { .. }) if next.state == enrollment.state => {
            enrollment.due_at
        }
        // Nothing was bought, or nothing will come of it: the key is destroyed at once.
        (state, _) if is_over(state) && keeps_key(&next) => Some(at),
        (state, _) => state.name().is_moving().then(|| lease_end(at)),
    };
    Ok(next)
}

fn lease_end(at: Timestamp) -> Timestamp {
    at.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

/// Between two states back and forth: the failures so far still count.
fn is_another_try(event: &Event) -> bool {
    matches!(event, Event::BuyingStarted { .. } | Event::NeverSent | Event::ImportStarted | Event::ImportNotSent)
}

fn refused(enrollment: &Enrollment, happened: &Happened) -> Refused {
    Refused { state: enrollment.state.name(), event: happened.what.name() }
}

/// The state that follows, with what the event brings written into the row beside it.
fn state_after(row: &mut Enrollment, happened: &Happened) -> Option<State> {
    let at = happened.at;
    let state = row.state.clone();
    Some(match (state, &happened.what) {
        (State::Planned, Event::Approved) => State::Requested,
        (State::Planned | State::Requested | State::Blocked { .. }, Event::Cancelled { reason }) => {
            row.voucher = None;
            State::Cancelled { reason: reason.clone() }
        }

        (State::Requested, Event::BuyingStarted { deadline }) if row.voucher.is_none() => {
            row.attempt = row.attempt.checked_add(1)?;
            row.key = KeyFacet::Sealed;
            State::Buying { since: at, deadline: *deadline }
        }
        (State::Requested | State::Blocked { .. }, Event::VoucherGiven { reference, paid })
            if row.voucher.is_none() && !row.surplus.contains(reference) =>
        {
            row.voucher = Some(Purchase { reference: reference.clone(), paid: *paid, at });
            State::Requested
        }
        (State::Requested, Event::VoucherUsed) => {
            row.purchase = Some(row.voucher.take()?);
            row.attempt = row.attempt.checked_add(1)?;
            row.key = KeyFacet::Sealed;
            State::Bought
        }
        (state, Event::OrderReleased { reference, reason }) => return order_released(row, state, reference, reason),
        (
            State::Requested,
            Event::PurchaseRefused { cause: cause @ (Blocked::BatchStopped { .. } | Blocked::Data { .. }) },
        ) => State::Blocked { cause: cause.clone() },
        (State::Buying { .. }, Event::NeverSent) => State::Requested,
        (State::Buying { since, deadline }, Event::AnswerUnclear { note }) => {
            row.note = Some(note.clone());
            State::Buying { since, deadline: deadline.min(at) }
        }
        (State::Buying { .. }, Event::PurchaseRefused { cause }) => State::Blocked { cause: cause.clone() },
        (State::Buying { .. }, Event::PurchaseMissing { candidates }) => {
            State::Unsure { since: at, candidates: candidates.clone() }
        }
        (State::Unsure { .. }, Event::PurchaseRuledOut) => State::Requested,
        (State::Blocked { .. }, Event::Unblocked) => State::Requested,
        (state, Event::PurchaseFound { attempt, reference, paid }) => {
            return purchase_found(row, state, *attempt, reference, *paid, at);
        }

        (State::Bought, Event::RequestSubmitted { status }) => {
            State::Validating { since: at, checks: 0, status: status.clone() }
        }
        (State::Validating { since, checks, .. }, Event::StillValidating { status }) => {
            State::Validating { since, checks: checks.saturating_add(1), status: status.clone() }
        }
        (State::Bought | State::Validating { .. }, Event::CertificateAccepted { certificate }) => {
            if !row.has_revoked(&certificate.serial) {
                row.ca = CaFacet::Active;
            }
            row.certificate = Some(certificate.clone());
            State::Issued
        }
        (
            State::Bought | State::Validating { .. } | State::Issued | State::Importing,
            Event::CertificateHeld { reasons },
        ) => State::Held { reasons: reasons.clone() },
        (State::Held { .. }, Event::HoldAccepted { certificate, .. }) if !row.has_revoked(&certificate.serial) => {
            // Checked before and held since, so that it is the person's address that was accepted.
            let address_accepted = row.certificate.is_some();
            row.certificate = Some(Certificate { address_accepted, ..certificate.clone() });
            row.ca = CaFacet::Active;
            State::Issued
        }
        (State::Held { .. }, Event::HoldRevoked) => {
            row.ca = CaFacet::Revoked;
            State::Rejected { status: "revoked by an operator".to_owned() }
        }
        (State::Held { reasons }, Event::HoldRetried) => {
            State::Validating { since: at, checks: 0, status: reasons.join("; ") }
        }
        (State::Bought | State::Validating { .. }, Event::OrderRejected { status }) => {
            State::Rejected { status: status.clone() }
        }
        (State::Bought | State::Validating { .. }, Event::OrderExpired { status }) => {
            State::Expired { status: status.clone() }
        }

        (State::Issued, Event::ImportStarted) => State::Importing,
        (State::Importing, Event::ImportNotSent) => State::Issued,
        (State::Issued | State::Importing, Event::Imported { keep_key_until }) => {
            row.intune = IntuneFacet::Present;
            row.key = KeyFacet::Retained;
            State::Imported { at, keep_key_until: *keep_key_until }
        }
        (State::Imported { .. }, Event::ImportRequestedAgain)
            if matches!(row.key, KeyFacet::Sealed | KeyFacet::Retained | KeyFacet::Escrowed) =>
        {
            row.key = KeyFacet::Sealed;
            State::Issued
        }

        (state, Event::StageFailed { stage, cause }) if stage_of(state.name()) == Some(*stage) => {
            State::Failed { stage: *stage, cause: cause.clone() }
        }
        (State::Failed { stage: Stage::Request, .. }, Event::Retried) => State::Bought,
        (State::Failed { stage: Stage::Validation, cause }, Event::Retried) => {
            State::Validating { since: at, checks: 0, status: cause }
        }
        (State::Failed { stage: Stage::Import, .. }, Event::Retried) => State::Issued,
        (State::Validating { .. } | State::Failed { .. }, Event::GivenUp { reason }) => {
            if row.certificate.is_some() {
                row.ca = CaFacet::Revoked;
            }
            State::Rejected { status: format!("given up: {reason}") }
        }
        _ => return None,
    })
}

/// A ref is never dropped. From the attempt that bought it, it makes the row Bought; found beside another, it is surplus.
fn purchase_found(
    row: &mut Enrollment,
    state: State,
    attempt: u32,
    reference: &str,
    paid: Option<Money>,
    at: Timestamp,
) -> Option<State> {
    if row.attempt == 0 || attempt == 0 || attempt > row.attempt {
        return None;
    }
    match row.purchase.as_ref().or(row.voucher.as_ref()) {
        Some(known) if known.reference == reference => Some(state),
        None if matches!(state, State::Buying { .. } | State::Unsure { .. }) && attempt == row.attempt => {
            row.purchase = Some(Purchase { reference: reference.to_owned(), paid, at });
            Some(State::Bought)
        }
        // An earlier attempt was given up and turns out to be paid, or two orders exist for one attempt.
        _ => {
            if !row.surplus.iter().any(|known| known == reference) {
                row.surplus.push(reference.to_owned());
            }
            Some(state)
        }
    }
}

/// An order without a certificate leaves nothing behind it, so the enrollment is over with it. Whether the order is unused is
/// asked of the CA before.
fn order_released(row: &mut Enrollment, state: State, reference: &str, reason: &str) -> Option<State> {
    if let Some(place) = row.surplus.iter().position(|known| known == reference) {
        row.surplus.remove(place);
        return Some(state);
    }
    if !row.could_release(reference) {
        return None;
    }
    row.purchase = None;
    Some(State::Cancelled { reason: format!("its order {reference} is free for somebody else: {reason}") })
}

/// Events that change a facet and leave the state alone.
fn facet(enrollment: &Enrollment, event: &Event) -> Option<Enrollment> {
    let mut next = enrollment.clone();
    let issued = enrollment.certificate.is_some();
    match event {
        Event::KeyDestroyed if is_over(&enrollment.state) && keeps_key(enrollment) => {
            next.key = KeyFacet::Destroyed;
            next.due_at = None;
        }
        Event::KeyEscrowed
            if matches!(enrollment.state, State::Imported { .. })
                && keeps_key(enrollment)
                && enrollment.purpose.may_be_escrowed() =>
        {
            next.key = KeyFacet::Escrowed;
            next.due_at = None;
        }
        Event::CertificateRevoked if issued => next.ca = CaFacet::Revoked,
        Event::CertificateEnded if issued && enrollment.ca != CaFacet::Revoked => next.ca = CaFacet::Expired,
        Event::RemovalStarted if enrollment.intune == IntuneFacet::Present => next.intune = IntuneFacet::Removing,
        Event::RemovedFromIntune if enrollment.intune != IntuneFacet::Absent => next.intune = IntuneFacet::Absent,
        _ => return None,
    }
    Some(next)
}

/// No step will need the key again, but for an import that a person asks for while it is still kept.
fn is_over(state: &State) -> bool {
    matches!(state, State::Imported { .. } | State::Cancelled { .. } | State::Rejected { .. } | State::Expired { .. })
}

pub(crate) fn keeps_key(enrollment: &Enrollment) -> bool {
    matches!(enrollment.key, KeyFacet::Sealed | KeyFacet::Retained)
}

fn stage_of(state: StateName) -> Option<Stage> {
    match state {
        StateName::Bought => Some(Stage::Request),
        StateName::Validating => Some(Stage::Validation),
        StateName::Issued | StateName::Importing => Some(Stage::Import),
        _ => None,
    }
}
