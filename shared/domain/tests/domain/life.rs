//! Any list of events, in any order, leaves a row that makes sense.

use domain::{
    Enrollment, Purpose, State,
    enrollment::{CaFacet, Certificate, IntuneFacet, KeyFacet, StateName},
    step::{Step, plan},
    transition::{Event, apply},
};
use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*, sample::select};

use crate::samples::{after, at, certificate, events, happened, planned, rows};

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    vec(select(events()), 0..60)
}

/// Mostly the way that an enrollment goes, with anything in between: random events alone rarely come far.
fn likely_events() -> impl Strategy<Value = Vec<Event>> {
    let order = [
        "approved",
        "buying_started",
        "purchase_found",
        "request_submitted",
        "certificate_accepted",
        "import_started",
        "imported",
    ];
    vec(select(events()), 0..20).prop_flat_map(move |noise| {
        let walk: Vec<Event> =
            order.iter().filter_map(|name| events().into_iter().find(|event| event.name() == *name)).collect();
        vec(any::<prop::sample::Index>(), noise.len()).prop_map(move |places| {
            let mut all = walk.clone();
            for (event, place) in noise.iter().zip(places) {
                all.insert(place.index(all.len() + 1), event.clone());
            }
            all
        })
    })
}

fn legal(row: &Enrollment) {
    use StateName as S;
    let state = row.state.name();
    let before_purchase =
        matches!(state, S::Planned | S::Requested | S::Buying | S::Unsure | S::Blocked | S::Cancelled);
    assert_eq!(row.purchase.is_none(), before_purchase, "{state}: a purchase is known exactly after it");
    if row.attempt == 0 {
        assert!(row.purchase.is_none() && row.surplus.is_empty(), "{state}: nothing is paid before an attempt");
    }
    if matches!(state, S::Issued | S::Importing | S::Imported) {
        assert!(row.certificate.is_some(), "{state}: has its certificate");
        assert_ne!(row.ca, CaFacet::None, "{state}: the CA holds something");
    }
    if matches!(state, S::Buying | S::Bought | S::Validating | S::Unsure | S::Held | S::Issued | S::Importing) {
        assert_eq!(row.key, KeyFacet::Sealed, "{state}: the key is needed and there");
    }
    if state.is_moving() {
        assert!(row.due_at.is_some(), "{state}: somebody looks after it again");
    }
    if state.needs_a_person() && row.key != KeyFacet::Sealed {
        assert_eq!(row.due_at, None, "{state}: nothing happens by itself");
    }
    if let Some(voucher) = &row.voucher {
        assert!(matches!(state, S::Requested | S::Blocked), "{state}: a given order is used, or given back");
        assert!(!row.surplus.contains(&voucher.reference), "{state}: an order is not its own surplus");
        assert_ne!(plan(row, at(0)), Step::LookUp);
    }
    if row.key == KeyFacet::Escrowed {
        assert_ne!(row.purpose, Purpose::Signing, "{state}: a key that signs is never kept");
        assert!(row.certificate.is_some(), "{state}: a key without a certificate reads no mail");
    }
    if let Some(purchase) = &row.purchase {
        assert!(!row.surplus.contains(&purchase.reference), "{state}: an order is not its own surplus");
    }
    if row.intune == IntuneFacet::Present && row.certificate.is_none() {
        panic!("{state}: a record without a certificate");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_list_of_events_leaves_a_legal_row(list in any_events()) {
        let mut row = planned(1);
        for event in list {
            if let Ok(next) = apply(&row, &happened(event)) {
                row = next;
            }
            legal(&row);
        }
    }

    #[test]
    fn an_ordinary_life_with_anything_in_between_leaves_a_legal_row(list in likely_events()) {
        let mut row = planned(1);
        for event in list {
            if let Ok(next) = apply(&row, &happened(event)) {
                row = next;
            }
            legal(&row);
        }
    }

    #[test]
    fn a_paid_order_is_never_forgotten(list in likely_events()) {
        let mut row = planned(1);
        let mut paid: Vec<String> = Vec::new();
        for event in list {
            let reference = match &event {
                Event::PurchaseFound { reference, .. } | Event::VoucherGiven { reference, .. } => {
                    Some(reference.clone())
                }
                _ => None,
            };
            let released = match &event {
                Event::OrderReleased { reference, .. } => Some(reference.clone()),
                // It was given to this enrollment, which gives it back unused.
                Event::Cancelled { .. } => row.voucher.as_ref().map(|voucher| voucher.reference.clone()),
                _ => None,
            };
            if let Ok(next) = apply(&row, &happened(event)) {
                row = next;
                paid.extend(reference);
                paid.retain(|reference| Some(reference) != released.as_ref());
            }
            for reference in &paid {
                let known = [&row.purchase, &row.voucher].into_iter().flatten().any(|order| order.reference == *reference);
                prop_assert!(known || row.surplus.contains(reference), "{reference} was paid and is lost");
            }
        }
    }

    #[test]
    fn between_the_write_and_its_answer_nobody_is_told_to_buy(list in likely_events(), seconds in 0_i64..100_000) {
        let mut row = planned(1);
        let mut open = false;
        for event in list {
            let kind = event.name();
            if let Ok(next) = apply(&row, &happened(event)) {
                row = next;
                match kind {
                    "buying_started" => open = true,
                    "never_sent" | "purchase_refused" | "purchase_ruled_out" => open = false,
                    _ => {}
                }
            }
            if open {
                prop_assert_ne!(plan(&row, at(seconds)), Step::Buy);
            }
        }
    }
}

#[test]
fn every_kind_of_row_that_the_other_tests_start_from_is_legal() {
    for (name, row) in rows() {
        assert_eq!(row.state.name(), name);
        legal(&row);
    }
}

#[test]
fn every_state_has_a_way_out_or_is_an_end() {
    for (name, row) in rows() {
        let next: Vec<_> =
            events().into_iter().filter_map(|event| Some(apply(&row, &happened(event)).ok()?.state.name())).collect();
        let leaves = next.iter().any(|next| *next != name);
        match name {
            StateName::Cancelled | StateName::Expired => assert!(!leaves, "{name} is an end"),
            // Its order may turn out to be unused, and leave it.
            StateName::Rejected => assert!(next.iter().all(|next| [name, StateName::Cancelled].contains(next))),
            _ => assert!(leaves, "{name} has no way out"),
        }
    }
}

#[test]
fn an_order_found_after_the_look_up_gave_up_still_makes_the_row_bought() {
    let unsure = rows().into_iter().find(|(name, _)| *name == StateName::Unsure).expect("an unsure row").1;
    let found = Event::PurchaseFound { attempt: 1, reference: "co-late".into(), paid: None };
    let row = apply(&unsure, &happened(found)).expect("accepted");
    assert_eq!(row.state, State::Bought);
}

#[test]
fn an_order_of_an_attempt_that_was_ruled_out_is_surplus() {
    let unsure = rows().into_iter().find(|(name, _)| *name == StateName::Unsure).expect("an unsure row").1;
    let again = [Event::PurchaseRuledOut, Event::BuyingStarted { deadline: at(90) }];
    let second = after(&unsure, again);
    let found = Event::PurchaseFound { attempt: 1, reference: "co-late".into(), paid: None };
    let row = apply(&second, &happened(found)).expect("accepted");
    assert_eq!(row.state.name(), StateName::Buying);
    assert_eq!(row.surplus, ["co-late"]);
}

#[test]
fn only_keys_that_decrypt_are_escrowed() {
    let imported = rows().into_iter().find(|(name, _)| *name == StateName::Imported).expect("an imported row").1;
    for purpose in Purpose::ALL {
        let row = Enrollment { purpose, ..imported.clone() };
        let escrowed = apply(&row, &happened(Event::KeyEscrowed)).map(|row| (row.key, row.due_at));
        match purpose {
            Purpose::General | Purpose::Encryption => assert_eq!(escrowed, Ok((KeyFacet::Escrowed, None))),
            Purpose::Signing => assert!(escrowed.is_err(), "{purpose}"),
        }
    }
}

#[test]
fn an_escrowed_key_can_be_imported_again() {
    let imported = rows().into_iter().find(|(name, _)| *name == StateName::Imported).expect("an imported row").1;
    let again = after(&imported, [Event::KeyEscrowed, Event::ImportRequestedAgain]);
    assert_eq!((again.state.name(), again.key), (StateName::Issued, KeyFacet::Sealed));
}

#[test]
fn a_validation_of_three_days_needs_a_person() {
    let validating = rows().into_iter().find(|(name, _)| *name == StateName::Validating).expect("a row").1;
    let State::Validating { since, .. } = validating.state else { unreachable!("it is validating") };
    let looked_at = |after| {
        let happened = domain::transition::Happened {
            at: since + after,
            ..happened(Event::StillValidating { status: "validating, please wait".into() })
        };
        apply(&validating, &happened).expect("accepted").needs_a_person()
    };
    let three_days = SignedDuration::from_hours(72);
    assert!(!looked_at(three_days - SignedDuration::from_secs(1)));
    assert!(looked_at(three_days));
}

#[test]
fn a_key_is_destroyed_at_once_when_nothing_will_come_of_the_enrollment() {
    let blocked = rows().into_iter().find(|(name, _)| *name == StateName::Blocked).expect("a blocked row").1;
    let cancelled = apply(&blocked, &happened(Event::Cancelled { reason: "gone".into() })).expect("accepted");
    assert_eq!(plan(&cancelled, at(10)), Step::DestroyKey);
    let destroyed = apply(&cancelled, &happened(Event::KeyDestroyed)).expect("accepted");
    assert_eq!((destroyed.key, destroyed.due_at), (KeyFacet::Destroyed, None));
}

/// A sweep that finds it too early comes back in time, and does not think that there is nothing to be done.
#[test]
fn a_key_whose_time_is_over_is_destroyed_although_the_sweep_has_moved_the_due_time() {
    let imported = rows().into_iter().find(|(name, _)| *name == StateName::Imported).expect("an imported row").1;
    let State::Imported { keep_key_until, .. } = imported.state else { unreachable!("it is imported") };
    let released = Enrollment { due_at: Some(keep_key_until + domain::transition::LEASE), ..imported };
    assert_eq!(plan(&released, keep_key_until), Step::DestroyKey);
    assert_eq!(plan(&released, keep_key_until - domain::transition::LEASE), Step::WaitUntil(keep_key_until));
}

/// Whoever revokes is never overtaken by somebody who accepts.
#[test]
fn a_certificate_that_was_revoked_stays_revoked() {
    let issued = rows().into_iter().find(|(name, _)| *name == StateName::Issued).expect("an issued row").1;
    let held = after(&issued, [Event::CertificateRevoked, Event::CertificateHeld { reasons: vec!["other".into()] }]);
    let accepted = Event::HoldAccepted { certificate: certificate(), reason: "known".into() };
    assert!(apply(&held, &happened(accepted)).is_err());
    let again = [Event::HoldRetried, Event::CertificateAccepted { certificate: certificate() }];
    assert_eq!(after(&held, again).ca, CaFacet::Revoked);

    let reissued = Certificate { serial: "0103".into(), ..certificate() };
    let accepted = Event::HoldAccepted { certificate: reissued.clone(), reason: "issued anew".into() };
    assert_eq!(after(&held, [accepted]).ca, CaFacet::Active);
    let again = [Event::HoldRetried, Event::CertificateAccepted { certificate: reissued }];
    assert_eq!(after(&held, again).ca, CaFacet::Active);
}

/// A validation may last for days: outages in it that are weeks apart are not a row of failures.
#[test]
fn an_answer_ends_a_row_of_failures_to_get_one() {
    let validating = rows().into_iter().find(|(name, _)| *name == StateName::Validating).expect("a validating row").1;
    let wait = Event::Postponed { until: at(300), note: "no answer".into() };
    let failed = after(&validating, [wait.clone(), wait]);
    assert_eq!(failed.failures, 2);
    assert_eq!(after(&failed, [Event::StillValidating { status: "open".into() }]).failures, 0);
}
