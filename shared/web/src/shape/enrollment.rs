//! One person and one certificate, in words.

use std::collections::HashMap;

use domain::enrollment::{Stage, State};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Money, Product,
    words::{AtCa, AtIntune, KeyAlgorithm, KeyFate, Purpose, StateName},
};

#[derive(Serialize, ToSchema)]
pub(crate) struct Enrollment {
    id: Uuid,
    batch: Uuid,
    person: Uuid,
    /// As it will stand in the certificate; `null` where the product writes no name.
    name: Option<String>,
    mailbox: String,
    purpose: Purpose,
    purpose_label: String,
    product: Product,
    key_algorithm: KeyAlgorithm,
    /// The enrollment whose place this one takes.
    replaces: Option<Uuid>,

    state: StateName,
    /// The state in a sentence.
    says: String,
    /// Whether somebody has to look at it: it waits for a person, a second order was paid, or it validates for days.
    needs_a_person: bool,
    /// What a person can do, where it waits for one.
    next_step: Option<&'static str>,
    /// Why it waits, if it does.
    note: Option<String>,
    /// Orders that may be the one that is looked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    at_ca: AtCa,
    at_intune: AtIntune,
    key: KeyFate,

    /// Purchases begun.
    attempt: u32,
    order: Option<Order>,
    /// Orders that were paid besides. Each waits for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    surplus_orders: Vec<String>,
    certificate: Option<Certificate>,

    /// When it is looked at next.
    due_at: Option<Timestamp>,
    created_at: Timestamp,
    /// Since when it is as it is.
    changed_at: Timestamp,
}

/// A paid order at SSL.com.
#[derive(Serialize, ToSchema)]
struct Order {
    #[schema(example = "co-abcdef0")]
    reference: String,
    paid: Option<Money>,
    at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Certificate {
    /// SHA-1, hexadecimal.
    thumbprint: String,
    serial: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    /// What the check noticed without refusing.
    notes: Vec<String>,
}

/// How many enrollments are in each state, all states in the order of their life.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counts {
    states: Vec<Count>,
    total: u64,
    /// How many are in a state that waits for a person. A surplus order or a long validation is told by the row alone.
    need_a_person: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Count {
    state: StateName,
    needs_a_person: bool,
    count: u64,
}

impl Counts {
    pub(crate) fn of(rows: Vec<(domain::enrollment::StateName, u64)>) -> Self {
        let states = Count::all(rows);
        Self {
            total: states.iter().map(|row| row.count).sum(),
            need_a_person: states.iter().filter(|row| row.needs_a_person).map(|row| row.count).sum(),
            states,
        }
    }
}

impl Count {
    /// Every state, also those in which nothing is.
    pub(crate) fn all(rows: Vec<(domain::enrollment::StateName, u64)>) -> Vec<Self> {
        let known: HashMap<_, _> = rows.into_iter().collect();
        let count = |state: domain::enrollment::StateName| Self {
            state: state.into(),
            needs_a_person: state.needs_a_person(),
            count: known.get(&state).copied().unwrap_or_default(),
        };
        domain::enrollment::StateName::ALL.into_iter().map(count).collect()
    }
}

impl From<domain::Enrollment> for Enrollment {
    fn from(enrollment: domain::Enrollment) -> Self {
        let subject = &enrollment.subject;
        let names = [subject.given_name.as_deref(), subject.surname.as_deref()];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let state = enrollment.state.name();
        let needs_a_person = enrollment.needs_a_person();
        Self {
            id: enrollment.id.0,
            batch: enrollment.batch.0,
            person: enrollment.person.0,
            name: (!name.is_empty()).then_some(name),
            mailbox: subject.mailbox.to_string(),
            purpose: enrollment.purpose.into(),
            purpose_label: enrollment.purpose.to_string(),
            product: enrollment.product.into(),
            key_algorithm: enrollment.key_algorithm.into(),
            replaces: enrollment.replaces.map(|id| id.0),
            state: state.into(),
            says: sentence(&enrollment.state),
            needs_a_person,
            next_step: next_step(&enrollment.state),
            note: enrollment.note,
            candidates: match enrollment.state {
                State::Unsure { candidates, .. } => candidates,
                _ => Vec::new(),
            },
            at_ca: enrollment.ca.into(),
            at_intune: enrollment.intune.into(),
            key: enrollment.key.into(),
            attempt: enrollment.attempt,
            order: enrollment.purchase.map(|purchase| Order {
                reference: purchase.reference,
                paid: purchase.paid.map(Money::from),
                at: purchase.at,
            }),
            surplus_orders: enrollment.surplus,
            certificate: enrollment.certificate.map(|certificate| Certificate {
                thumbprint: certificate.thumbprint.to_string(),
                serial: certificate.serial,
                issuer: certificate.issuer,
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                notes: certificate.notes,
            }),
            due_at: enrollment.due_at,
            created_at: enrollment.created_at,
            changed_at: enrollment.changed_at,
        }
    }
}

fn sentence(state: &State) -> String {
    match state {
        State::Planned => "Waits for the plan to be approved.".into(),
        State::Requested => "Approved; the order is placed next.".into(),
        State::Buying { .. } => "The order is being placed.".into(),
        State::Bought => "Paid; the certificate request is handed in next.".into(),
        State::Validating { status, .. } if status.is_empty() => "SSL.com validates.".into(),
        State::Validating { status, .. } => ended(format!("SSL.com validates: {status}")),
        State::Issued => "Issued and checked; the import is next.".into(),
        State::Importing => "Being imported into Intune.".into(),
        State::Imported { .. } => "In Intune.".into(),
        State::Unsure { candidates, .. } if candidates.is_empty() => {
            "An order may have been placed, and none was found. Say whether it was bought.".into()
        }
        State::Unsure { .. } => "An order may have been placed. Say which of the candidates it is, if any.".into(),
        State::Blocked { cause } => ended(format!("Not ordered: {cause}")),
        State::Held { reasons } => ended(format!("The certificate is held: {}", reasons.join("; "))),
        State::Rejected { status } => ended(format!("No certificate will come of it: {status}")),
        State::Expired { status } => ended(format!("The order ended without a certificate: {status}")),
        State::Failed { stage, cause } => ended(format!("{}: {cause}", failed(*stage))),
        State::Cancelled { reason } => ended(format!("Cancelled: {reason}")),
    }
}

fn next_step(state: &State) -> Option<&'static str> {
    match state {
        State::Unsure { .. } => {
            Some("Look in SSL.com's portal, then name the order that it is, or say that there is none.")
        }
        State::Blocked { .. } => Some("Mend the cause and unblock it, or cancel it."),
        State::Held { .. } => Some("Accept it with a reason, revoke it, or mend the cause and fetch it again."),
        State::Failed { .. } => Some("Mend the cause, then retry it; what is paid is not paid again. Or give it up."),
        State::Rejected { .. } => {
            Some("Where SSL.com refused, ask it why. Enroll the person anew; release the order if it is unused.")
        }
        State::Expired { .. } => Some("Ask SSL.com why, then enroll the person anew."),
        State::Planned
        | State::Requested
        | State::Buying { .. }
        | State::Bought
        | State::Validating { .. }
        | State::Issued
        | State::Importing
        | State::Imported { .. }
        | State::Cancelled { .. } => None,
    }
}

/// With a full stop at its end, and no second one after a vendor's.
fn ended(sentence: String) -> String {
    format!("{}.", sentence.trim_end().trim_end_matches('.'))
}

fn failed(stage: Stage) -> &'static str {
    match stage {
        Stage::Request => "Paid, but the certificate request could not be handed in",
        Stage::Validation => "Handed in, but no certificate could be had",
        Stage::Import => "Issued, but not imported",
    }
}

#[cfg(test)]
mod tests {
    use domain::enrollment::StateName as Name;

    use super::*;

    #[test]
    fn every_state_that_waits_for_a_person_names_the_next_step() {
        let text = String::new;
        let blocked = domain::enrollment::Blocked::Funds { detail: text() };
        let states = [
            State::Planned,
            State::Requested,
            State::Bought,
            State::Issued,
            State::Importing,
            State::Blocked { cause: blocked },
            State::Held { reasons: Vec::new() },
            State::Rejected { status: text() },
            State::Expired { status: text() },
            State::Failed { stage: Stage::Import, cause: text() },
            State::Cancelled { reason: text() },
        ];
        for state in states {
            assert_eq!(next_step(&state).is_some(), state.name().needs_a_person(), "{}", state.name());
        }
    }

    #[test]
    fn counts_hold_every_state_in_order_and_say_what_needs_a_person() {
        let counts = Counts::of(vec![(Name::Held, 2), (Name::Imported, 40), (Name::Validating, 1)]);
        assert_eq!(counts.states.len(), Name::ALL.len());
        assert_eq!((counts.total, counts.need_a_person), (43, 2));
        let order: Vec<_> = counts.states.iter().map(|row| row.state).collect();
        assert_eq!(order, Name::ALL.map(StateName::from));
    }
}
