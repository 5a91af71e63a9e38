//! Rows and events of every kind, to try each against each.

use domain::{
    BatchId, Enrollment, EnrollmentId, IntegrationId, KeyAlgorithm, Money, PersonId, Purpose,
    enrollment::{Blocked, Certificate, Product, Stage, StateName, Subject},
    transition::{Actor, Event, Happened, apply},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub(crate) const START: Timestamp = Timestamp::constant(1_790_000_000, 0);

pub(crate) fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

pub(crate) fn planned(number: u128) -> Enrollment {
    Enrollment {
        id: EnrollmentId(Uuid::from_u128(0x0e00 + number)),
        integration: IntegrationId(Uuid::from_u128(0x1)),
        batch: BatchId(Uuid::from_u128(0xb)),
        person: PersonId(Uuid::from_u128(0xa)),
        subject: Subject {
            mailbox: "åsa.berg@example.com".parse().expect("a mailbox"),
            given_name: Some("Åsa".into()),
            surname: Some("Berg".into()),
        },
        purpose: Purpose::General,
        product: Product { code: 700, days: 365, price: Money(3_800) },
        key_algorithm: KeyAlgorithm::Rsa2048,
        replaces: None,
        state: domain::State::Planned,
        ca: Default::default(),
        intune: Default::default(),
        key: Default::default(),
        attempt: 0,
        purchase: None,
        voucher: None,
        surplus: vec![],
        certificate: None,
        due_at: None,
        request_until: None,
        called_back_at: None,
        failures: 0,
        note: None,
        created_at: START,
        changed_at: START,
        version: 0,
        written_by: None,
    }
}

pub(crate) fn certificate() -> Certificate {
    Certificate {
        thumbprint: "a9993e364706816aba3e25717850c26c9cd0d89d".parse().expect("a thumbprint"),
        serial: "0102".into(),
        issuer: "CN=Issuing CA".into(),
        not_before: START,
        not_after: START + SignedDuration::from_hours(365 * 24),
        notes: vec![],
        address_accepted: false,
    }
}

/// One event of every kind of the first release; those whose meaning depends on a value come with each value.
pub(crate) fn first_events() -> Vec<Event> {
    let found = |attempt, reference: &str| Event::PurchaseFound {
        attempt,
        reference: reference.into(),
        paid: Some(Money(3_800)),
    };
    let failed = |stage| Event::StageFailed { stage, cause: "no".into() };
    vec![
        Event::Approved,
        Event::Cancelled { reason: "not wanted".into() },
        Event::BuyingStarted { deadline: at(60) },
        Event::NeverSent,
        Event::AnswerUnclear { note: "cut off".into() },
        Event::PurchaseRefused { cause: Blocked::Funds { detail: String::new() } },
        Event::PurchaseRefused { cause: Blocked::BatchStopped { detail: String::new() } },
        found(1, "co-1"),
        found(1, "co-2"),
        found(2, "co-3"),
        Event::PurchaseMissing { candidates: vec!["co-9".into()] },
        Event::PurchaseRuledOut,
        Event::Unblocked,
        Event::RequestSubmitted { status: "validating, please wait".into() },
        Event::StillValidating { status: "validating, please wait".into() },
        Event::CalledBack,
        Event::CertificateAccepted { certificate: certificate() },
        Event::CertificateHeld { reasons: vec!["other key".into()] },
        Event::HoldAccepted { certificate: certificate(), reason: "known".into() },
        Event::HoldRevoked,
        Event::HoldRetried,
        Event::OrderRejected { status: "rejected".into() },
        Event::OrderExpired { status: "expired".into() },
        Event::ImportStarted,
        Event::ImportNotSent,
        Event::Imported { keep_key_until: at(14 * 86_400) },
        Event::ImportRequestedAgain,
        failed(Stage::Request),
        failed(Stage::Validation),
        failed(Stage::Import),
        Event::Retried,
        Event::Postponed { until: at(300), note: "wait".into() },
        Event::KeyDestroyed,
        Event::CertificateRevoked,
        Event::CertificateEnded,
        Event::RemovalStarted,
        Event::RemovedFromIntune,
    ]
}

/// One event of every kind that came after the first release.
pub(crate) fn later_events() -> Vec<Event> {
    let released = |reference: &str| Event::OrderReleased { reference: reference.into(), reason: "left".into() };
    vec![
        Event::GivenUp { reason: "left".into() },
        released("co-1"),
        released("co-2"),
        Event::VoucherGiven { reference: "co-7".into(), paid: Some(Money(3_800)) },
        Event::VoucherUsed,
        Event::KeyEscrowed,
        Event::RequestStarted { until: at(180) },
    ]
}

/// Every kind of event.
pub(crate) fn events() -> Vec<Event> {
    [first_events(), later_events()].concat()
}

pub(crate) fn happened(what: Event) -> Happened {
    Happened { at: at(10), by: Actor::step("test"), what, request_ids: vec![] }
}

pub(crate) fn after(row: &Enrollment, events: impl IntoIterator<Item = Event>) -> Enrollment {
    events.into_iter().fold(row.clone(), |row, event| apply(&row, &happened(event)).expect("a legal walk"))
}

/// Rows with what came after the first release.
pub(crate) fn later_rows() -> Vec<(StateName, Enrollment)> {
    let given = Event::VoucherGiven { reference: "co-7".into(), paid: Some(Money(3_800)) };
    let row = after(&planned(1), [Event::Approved, given]);
    let used = after(&row, [Event::VoucherUsed]);
    vec![(StateName::Requested, row), (StateName::Bought, used)]
}

/// A row of every state, each reached by a legal walk; Failed comes once for each stage.
pub(crate) fn rows() -> Vec<(StateName, Enrollment)> {
    let all = events();
    let pick = |name: &str| all.iter().find(|event| event.name() == name).expect("a kind of event").clone();
    let failed = |stage| Event::StageFailed { stage, cause: "no".into() };
    let new = planned(1);
    let requested = after(&new, [pick("approved")]);
    let buying = after(&requested, [pick("buying_started")]);
    let bought = after(&buying, [pick("purchase_found")]);
    let validating = after(&bought, [pick("request_submitted")]);
    let issued = after(&validating, [pick("certificate_accepted")]);
    let importing = after(&issued, [pick("import_started")]);
    vec![
        (StateName::Planned, new.clone()),
        (StateName::Requested, requested.clone()),
        (StateName::Buying, buying.clone()),
        (StateName::Bought, bought.clone()),
        (StateName::Validating, validating.clone()),
        (StateName::Issued, issued.clone()),
        (StateName::Importing, importing.clone()),
        (StateName::Imported, after(&importing, [pick("imported")])),
        (StateName::Unsure, after(&buying, [pick("purchase_missing")])),
        (StateName::Blocked, after(&buying, [pick("purchase_refused")])),
        (StateName::Held, after(&validating, [pick("certificate_held")])),
        (StateName::Rejected, after(&validating, [pick("order_rejected")])),
        (StateName::Expired, after(&validating, [pick("order_expired")])),
        (StateName::Failed, after(&bought, [failed(Stage::Request)])),
        (StateName::Failed, after(&validating, [failed(Stage::Validation)])),
        (StateName::Failed, after(&importing, [failed(Stage::Import)])),
        (StateName::Cancelled, after(&requested, [pick("cancelled")])),
    ]
}
