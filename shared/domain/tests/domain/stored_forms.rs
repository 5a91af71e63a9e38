//! What is stored and sent stays readable: each form has a fixture that was written by an earlier release and must
//! still be read, and today's form must be what the fixture of today says.

use std::{env, fs, path::Path};

use domain::{
    BatchId, Enrollment, EnrollmentId, IntegrationId,
    enrollment::StateName,
    jobs::{BatchJob, Body, CheckOrder, ImportPeople, ImportPfx, Job, PlaceOrder},
    transition::Event,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::samples::{first_events, happened, later_events, later_rows, rows};

#[test]
fn every_state_of_the_first_release_is_read_and_written_unchanged() {
    rows_stay_as_stored("enrollments-v1.json", &rows());
}

#[test]
fn every_later_row_is_read_and_written_unchanged() {
    rows_stay_as_stored("enrollments-v2.json", &later_rows());
}

fn rows_stay_as_stored(name: &str, rows: &[(StateName, Enrollment)]) {
    let now: Vec<Value> = rows.iter().map(|(_, row)| serde_json::to_value(row).expect("JSON")).collect();
    let fixture = fixture(name, &now);
    for (stored, row) in fixture.as_array().expect("a list").iter().zip(rows) {
        let read: Enrollment = serde_json::from_value(stored.clone()).expect("the stored form");
        assert_eq!(read, row.1);
    }
    assert!(Value::Array(now) == fixture, "the stored form changed: keep the old fixture, add a new one");
}

#[test]
fn every_event_of_the_first_release_is_read_and_written_unchanged() {
    stay_as_stored("events-v1.json", first_events());
}

#[test]
fn every_later_event_is_read_and_written_unchanged() {
    stay_as_stored("events-v2.json", later_events());
}

fn stay_as_stored(name: &str, events: Vec<Event>) {
    let now: Vec<Value> =
        events.into_iter().map(|event| serde_json::to_value(happened(event)).expect("JSON")).collect();
    let fixture = fixture(name, &now);
    assert!(Value::Array(now) == fixture, "the stored form changed: keep the old fixture, add a new one");
    for stored in fixture.as_array().expect("a list") {
        serde_json::from_value::<domain::transition::Happened>(stored.clone()).expect("the stored form");
    }
}

#[test]
fn messages_keep_their_form() {
    let integration = IntegrationId(Uuid::from_u128(1));
    let enrollment = EnrollmentId(Uuid::from_u128(2));
    let batch = BatchId(Uuid::from_u128(3));
    let i = "00000000-0000-0000-0000-000000000001";
    let e = "00000000-0000-0000-0000-000000000002";
    let b = "00000000-0000-0000-0000-000000000003";
    let pairs = [
        (Job::ImportPeople(ImportPeople { integration }), json!({"v": 1, "integration": i})),
        (
            Job::Batch(BatchJob::Plan { integration, batch }),
            json!({"v": 1, "do": "plan", "integration": i, "batch": b}),
        ),
        (
            Job::Batch(BatchJob::Approve { integration, batch }),
            json!({"v": 1, "do": "approve", "integration": i, "batch": b}),
        ),
        (
            Job::PlaceOrder(PlaceOrder::One { integration, enrollment }),
            json!({"v": 1, "do": "one", "integration": i, "enrollment": e}),
        ),
        (
            Job::PlaceOrder(PlaceOrder::AfterRestore { integration }),
            json!({"v": 1, "do": "after_restore", "integration": i}),
        ),
        (
            Job::CheckOrder(CheckOrder::One { integration, enrollment }),
            json!({"v": 1, "do": "one", "integration": i, "enrollment": e}),
        ),
        (Job::CheckOrder(CheckOrder::LookUp { integration }), json!({"v": 1, "do": "look_up", "integration": i})),
        (Job::ImportPfx(ImportPfx { integration, enrollment }), json!({"v": 1, "integration": i, "enrollment": e})),
    ];
    for (job, body) in pairs {
        let written = match &job {
            Job::ImportPeople(message) => serde_json::to_value(Body { v: 1, message }),
            Job::Batch(message) => serde_json::to_value(Body { v: 1, message }),
            Job::PlaceOrder(message) => serde_json::to_value(Body { v: 1, message }),
            Job::CheckOrder(message) => serde_json::to_value(Body { v: 1, message }),
            Job::ImportPfx(message) => serde_json::to_value(Body { v: 1, message }),
        };
        assert_eq!(written.expect("JSON"), body, "{job:?}");
    }
}

/// A new fixture is written by `WRITE_FIXTURES=1 cargo test -p domain stored_forms`, under a new name; one that a
/// release has written is never written again.
fn fixture(name: &str, now: &[Value]) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/domain/fixtures").join(name);
    if env::var_os("WRITE_FIXTURES").is_some() && !path.exists() {
        fs::write(&path, serde_json::to_string_pretty(now).expect("JSON")).expect("written");
    }
    serde_json::from_slice(&fs::read(path).expect("the fixture")).expect("JSON")
}
