//! Each place in a plan, and what comes before what.

use domain::{
    EnrollmentId, Person, PersonId, Purpose,
    assessment::{Assessment, ClaimHolder, Ground, assess},
    integration::{Cloud, ConnectorSettings, Contact, Limits, PrevalidatedDomain, Registrant, Settings},
};
use jiff::{SignedDuration, civil::date};
use uuid::Uuid;

use crate::samples::START;

fn settings() -> Settings {
    let text = || "x".to_owned();
    Settings {
        name: text(),
        cloud: Cloud::Global,
        tenant_id: Uuid::from_u128(1),
        client_id: Uuid::from_u128(2),
        connector: ConnectorSettings {
            public_key: text(),
            fingerprint: text(),
            bits: 2048,
            provider_name: text(),
            key_name: text(),
            padding: Default::default(),
        },
        key_algorithm: Default::default(),
        pfx_profile: Default::default(),
        registrant: Registrant {
            organization: text(),
            organization_unit: None,
            street_address: text(),
            locality: text(),
            state_or_province: text(),
            postal_code: text(),
            country: "SE".into(),
        },
        contact: Contact { first_name: text(), last_name: text(), email: text(), phone: text(), country: "SE".into() },
        user_principal_name_allowed: false,
        scope: Default::default(),
        licence_plans: vec![Settings::INTUNE_A],
        prevalidated_domains: vec![],
        limits: Limits::default(),
        stop_buying: false,
        keep_key_days: 14,
        validation_days: 30,
        client_secret_expires: None,
        escrow_notice: None,
    }
}

fn anna() -> Person {
    Person {
        id: PersonId(Uuid::from_u128(7)),
        user_principal_name: "anna@example.com".into(),
        display_name: None,
        given_name: Some("Anna".into()),
        surname: Some("Berg".into()),
        mail: None,
        primary_smtp: Some("anna.berg@example.com".into()),
        aliases: vec![],
        enabled: true,
        guest: false,
        plans: vec![Settings::INTUNE_A],
        generation: 1,
        left: false,
    }
}

fn ground(settings: &Settings) -> Ground<'_> {
    Ground {
        settings,
        purpose: Purpose::General,
        needs_name: true,
        clicks_accepted: true,
        people_with_address: 1,
        claim: ClaimHolder::Nobody,
        foreign_record: None,
        today: date(2026, 9, 21),
        now: START,
    }
}

fn place(person: Person) -> Assessment {
    assess(&person, &ground(&settings())).0
}

#[test]
fn an_ordinary_person_is_enrolled_with_the_fields_that_will_be_ordered() {
    let settings = settings();
    let (assessment, fields) = assess(&anna(), &ground(&settings));
    assert_eq!(assessment, Assessment::New);
    let fields = fields.expect("the ground of the plan");
    assert_eq!(fields.mailbox.to_string(), "anna.berg@example.com");
    assert_eq!(fields.given_name.as_deref(), Some("Anna"));
}

#[test]
fn who_cannot_be_enrolled_is_left_out_with_the_reason() {
    assert_eq!(place(Person { left: true, ..anna() }), Assessment::Left);
    assert_eq!(place(Person { guest: true, ..anna() }), Assessment::Guest);
    assert_eq!(place(Person { enabled: false, ..anna() }), Assessment::Disabled);
    assert_eq!(place(Person { plans: vec![], ..anna() }), Assessment::NoLicence);
    assert_eq!(place(Person { primary_smtp: None, ..anna() }), Assessment::NoAddress);
    let unusable = Person { primary_smtp: Some("anna berg@example.com".into()), ..anna() };
    assert!(matches!(place(unusable), Assessment::UnusableAddress { .. }));
    let initial = Person { primary_smtp: Some("anna@contoso.onmicrosoft.com".into()), ..anna() };
    assert!(matches!(place(initial), Assessment::UnusableAddress { .. }));
    let long = Person { primary_smtp: Some(format!("{}@example.com", "a".repeat(60))), ..anna() };
    assert_eq!(place(long), Assessment::AddressTooLong { characters: 72 });
    let emoji = Person { surname: Some("Berg 😀".into()), ..anna() };
    assert!(matches!(place(emoji), Assessment::UnwritableName { field, .. } if field == "surname"));
    let nameless = Person { given_name: None, surname: None, ..anna() };
    assert!(matches!(place(nameless), Assessment::UnwritableName { .. }));
}

#[test]
fn one_name_is_enough() {
    assert_eq!(place(Person { surname: None, ..anna() }), Assessment::New);
}

#[test]
fn two_people_with_one_address_are_both_left_out() {
    let settings = settings();
    let shared = Ground { people_with_address: 2, ..ground(&settings) };
    assert_eq!(assess(&anna(), &shared).0, Assessment::SharedAddress);
}

#[test]
fn a_domain_counts_as_prevalidated_for_398_days() {
    let prevalidated = |since| Settings {
        prevalidated_domains: vec![PrevalidatedDomain { domain: "Example.com".into(), since: Some(since) }],
        ..settings()
    };
    for (since, enrolled) in [(date(2025, 8, 19), true), (date(2025, 8, 18), false)] {
        let settings = prevalidated(since);
        let strict = Ground { clicks_accepted: false, ..ground(&settings) };
        assert_eq!(assess(&anna(), &strict).0.is_enrolled(), enrolled, "{since}");
    }
}

#[test]
fn who_is_covered_is_not_bought_for_again_until_shortly_before_the_end() {
    let settings = settings();
    let holder = EnrollmentId(Uuid::from_u128(9));
    let until = |days: i64| START + SignedDuration::from_hours(24 * days);
    let with = |claim| Ground { claim, ..ground(&settings) };
    let place = |ground: &Ground<'_>| assess(&anna(), ground).0;
    assert_eq!(place(&with(ClaimHolder::UnderWay(holder))), Assessment::InProgress { enrollment: holder });
    let covered = Assessment::Covered { enrollment: holder, until: until(31) };
    assert_eq!(place(&with(ClaimHolder::Valid(holder, until(31)))), covered);
    let replaces = Assessment::Replaces { enrollment: holder };
    assert_eq!(place(&with(ClaimHolder::Valid(holder, until(30)))), replaces);
    assert_eq!(place(&with(ClaimHolder::Ended(holder))), replaces);
}

#[test]
fn a_valid_record_of_another_tool_covers_and_one_that_ended_does_not() {
    let settings = settings();
    let record = |until| Ground { foreign_record: Some(("other".into(), until)), ..ground(&settings) };
    let valid = START + SignedDuration::from_hours(1);
    assert!(matches!(assess(&anna(), &record(valid)).0, Assessment::CoveredElsewhere { .. }));
    assert_eq!(assess(&anna(), &record(START)).0, Assessment::New);
}
