//! Every statement that the platform runs is a key look-up or a range of an index: asked of SQLite itself, for the
//! statements that actually ran.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    Batch, BatchId, Enrollment, EnrollmentId, Integration, IntegrationId, Person, PersonId, Purpose,
    batch::PlanRow,
    enrollment::StateName,
    jobs::{ImportPeople, Job, QueueName},
    operator::AuditEntry,
    transition::{Actor, Event, Happened},
};
use jiff::{SignedDuration, Timestamp};
use ports::{
    Attachment, AuthorizeState, Change, ClaimChange, Counter, DirectoryCursor, EnrollmentFilter, IntegrationStore,
    IntuneRecord, PeopleFilter, PlanFilter, Platform, PlatformError, Queue, SecretKind, Store, Vault, Vendor,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::LocalPlatform;

const ID: Uuid = Uuid::from_u128(1);
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let platform = LocalPlatform::open(directory.path(), Arc::new(|| NOW)).expect("a new platform");
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    platform.store.database().trace(&seen);
    walk(&platform).await.expect("every method works");

    let statements = seen.lock().expect("no collector panics").clone();
    assert!(statements.len() > 70, "only {} seen", statements.len());
    let plans = platform
        .store
        .database()
        .read("explain", move |db| {
            let mut plans = Vec::new();
            for sql in statements {
                let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let lines = explain.raw_query().mapped(|row| row.get(3)).collect::<Result<Vec<String>, _>>()?;
                plans.push((sql, lines));
            }
            Ok(plans)
        })
        .await
        .expect("every statement can be explained");
    for (sql, lines) in plans {
        for line in lines {
            let scanned = line.strip_prefix("SCAN ");
            let scans = scanned.is_some_and(|rest| !SMALL.iter().any(|table| rest.starts_with(table)));
            let sorts = line.contains("FOR ORDER BY");
            let searched = line.strip_prefix("SEARCH ").unwrap_or_default();
            let everything = EVERYTHING.iter().any(|bound| searched.ends_with(bound))
                && !sql.contains("LIMIT")
                && !FEW.iter().any(|table| searched.starts_with(table));
            assert!(!scans && !sorts && !everything, "{line}\nin: {sql}");
        }
    }
}

/// There are few integrations, and the sweep asks each. Dead letters are read by their key, newest first, up to a
/// limit. A subquery is a plan of its own.
const SMALL: [&str; 4] = ["integrations", "dead_letters", "(subquery", "CONSTANT ROW"];

/// What is bound when all rows of an integration are read. That is for lists, which have a limit.
const EVERYTHING: [&str; 2] = ["(integration=?)", "(integration=? AND gone=?)"];

/// Of these an integration has a few rows.
const FEW: [&str; 2] = ["directory_cursors ", "enrollment_counts "];

/// Calls everything once.
async fn walk(platform: &LocalPlatform) -> Result<(), PlatformError> {
    let (store, id) = (platform.store(), IntegrationId(ID));
    let rows = store.of(id);
    let integration: Integration = read(integration());
    store.create_integration(&integration).await?;
    store.integrations(None, 5).await?;
    rows.integration().await?;
    rows.save_integration(&integration).await?;

    let person: Person = read(json!({
        "id": ID, "user_principal_name": "a@example.com", "mail": "a@example.com", "enabled": true, "guest": false,
        "generation": 1,
    }));
    rows.put_people(std::slice::from_ref(&person)).await?;
    rows.mark_left(1).await?;
    rows.mark_person_left(person.id).await?;
    rows.person(person.id).await?;
    let prefix = String::from("a");
    for filter in
        [PeopleFilter::Everybody, PeopleFilter::Name { prefix: prefix.clone() }, PeopleFilter::Address { prefix }]
    {
        rows.people(&filter, None, 5).await?;
    }
    rows.people_with_address("a@example.com").await?;
    rows.directory_cursor().await?;
    rows.save_directory_cursor(&DirectoryCursor::default()).await?;

    walk_batches(platform).await?;
    walk_enrollments(platform).await?;

    let record = IntuneRecord {
        id: "r".into(),
        person: person.id,
        purpose: Purpose::General,
        not_after: NOW,
        thumbprint: "t".into(),
        seen_at: NOW,
    };
    rows.put_intune_records(&[record]).await?;
    rows.intune_records(person.id).await?;
    rows.pause(Vendor::Intune, NOW).await?;
    rows.paused_until(Vendor::Intune).await?;
    rows.bought_on(day()).await?;
    let entry = AuditEntry { at: NOW, by: "a".into(), action: "b".into(), subject: "c".into(), detail: "d".into() };
    rows.append_audit(&entry).await?;
    rows.audit(None, 5).await?;

    let state = AuthorizeState {
        hash: "h".into(),
        integration: id,
        nonce: "n".into(),
        sealed_verifier: vec![1],
        cookie_hash: "c".into(),
        expires_at: NOW,
    };
    store.put_authorize_state(&state).await?;
    store.take_authorize_state("h", NOW).await?;
    let tomorrow = NOW + SignedDuration::from_hours(24);
    for _ in 0..2 {
        store.idempotent("k", "h", Some("a"), tomorrow, NOW).await?;
    }

    let vault = platform.vault();
    vault.put_secret(id, SecretKind::Entra, "s".to_owned().into()).await?;
    vault.secret(id, SecretKind::Entra).await?;
    walk_queue(platform).await
}

async fn walk_batches(platform: &LocalPlatform) -> Result<(), PlatformError> {
    let rows = platform.store().of(IntegrationId(ID));
    let batch: Batch = read(batch());
    rows.create_batch(&batch, &[PersonId(ID)]).await?;
    rows.batch(batch.id).await?;
    rows.batches(None, 5).await?;
    rows.save_batch(&batch).await?;
    let row = PlanRow { batch: batch.id, person: PersonId(ID), assessment: None, enrollment: None, ground: None };
    rows.put_plan_rows(&[row]).await?;
    for filter in [PlanFilter::Everybody, PlanFilter::Unplanned, PlanFilter::Assessment("new".into())] {
        rows.plan_rows(batch.id, &filter, None, 5).await?;
    }
    Ok(())
}

async fn walk_enrollments(platform: &LocalPlatform) -> Result<(), PlatformError> {
    let (store, batch, id) = (platform.store(), BatchId(ID), EnrollmentId(ID));
    let rows = store.of(IntegrationId(ID));
    let row: Enrollment = read(enrollment());
    rows.create_enrollments(std::slice::from_ref(&row)).await?;
    let happened = Happened { at: NOW, by: Actor::step("test"), what: Event::Approved, request_ids: vec![] };
    let next = domain::transition::apply(&row, &happened).expect("planned rows can be approved");
    let claim = row.claim();
    let mut change = Change::new(&row, next.clone(), happened, ID);
    change.claim = Some(ClaimChange::Take { claim: claim.clone(), from: None });
    change.references = vec!["co-1".into()];
    change.attachments = vec![(Attachment::SealedKey, Some(vec![1])), (Attachment::CertificateChain, None)];
    change.hook = Some("h".into());
    change.count = Some(Counter { day: day(), limit: 1 });
    rows.commit(change.clone()).await?;
    rows.commit(change.clone()).await?;
    change.enrollment.version = 1;
    change.run = Uuid::from_u128(2);
    change.count = None;
    change.claim = Some(ClaimChange::Release { claim: claim.clone() });
    rows.commit(change).await?;

    rows.enrollment(id).await?;
    for filter in [
        EnrollmentFilter::Everything,
        EnrollmentFilter::State(StateName::Requested),
        EnrollmentFilter::Batch(batch),
        EnrollmentFilter::BatchState(batch, StateName::Requested),
        EnrollmentFilter::Person(row.person),
    ] {
        rows.enrollments(&filter, None, 5).await?;
    }
    store.due(NOW, 5).await?;
    let due = next.due_at.expect("a requested row is due");
    rows.move_due(id, due, due + SignedDuration::from_secs(1)).await?;
    rows.timeline(id, None, 5).await?;
    rows.attachment(id, Attachment::SealedKey).await?;
    rows.claim(&claim).await?;
    rows.order_owner("co-1").await?;
    store.hook_owner("h").await?;
    rows.counts(Some(batch)).await?;
    Ok(())
}

async fn walk_queue(platform: &LocalPlatform) -> Result<(), PlatformError> {
    let (queue, name) = (platform.queue(), QueueName::UserImport);
    let job = Job::ImportPeople(ImportPeople { integration: IntegrationId(ID) });
    queue.send(vec![job.clone(), job], Duration::ZERO).await?;
    for _ in 0..5 {
        for message in queue.receive(name, 1).await? {
            queue.release(&message.receipt, SignedDuration::ZERO).await?;
        }
    }
    queue.depth(name).await?;
    queue.next_visible_at(name).await?;
    // The oldest is buried, the other one comes out.
    for message in queue.receive(name, 1).await? {
        queue.delete(&message.receipt).await?;
    }
    queue.dead_letters().await?;
    for letter in queue.unsettled(name).await? {
        queue.settle(letter.id).await?;
    }
    platform.store.database().write("release", |db| super::queue::release_in_flight(db, NOW)).await?;
    Ok(())
}

fn read<T: DeserializeOwned>(row: Value) -> T {
    serde_json::from_value(row).expect("a row of this type")
}

fn day() -> jiff::civil::Date {
    jiff::civil::date(2026, 1, 1)
}

fn integration() -> Value {
    json!({
        "id": ID, "ground": 0, "created_at": NOW, "version": 0,
        "settings": {
            "name": "n", "cloud": "global", "tenant_id": ID, "client_id": ID,
            "connector": { "public_key": "k", "fingerprint": "f", "bits": 2048, "provider_name": "p", "key_name": "k" },
            "registrant": {
                "organization": "o", "street_address": "s", "locality": "l", "state_or_province": "s",
                "postal_code": "p", "country": "SE"
            },
            "contact": { "first_name": "f", "last_name": "l", "email": "e", "phone": "p", "country": "SE" },
            "licence_plans": [], "keep_key_days": 14, "validation_days": 30,
        },
    })
}

fn batch() -> Value {
    json!({
        "id": ID, "integration": ID, "purpose": "general", "product": product(), "selection": { "kind": "listed" },
        "status": { "status": "planning" }, "ground": 0, "requested_by": "a", "created_at": NOW, "version": 0,
    })
}

fn enrollment() -> Value {
    json!({
        "id": ID, "integration": ID, "batch": ID, "person": ID, "subject": { "mailbox": "a@example.com" },
        "purpose": "general", "product": product(), "key_algorithm": "rsa2048", "state": { "state": "planned" },
        "attempt": 0, "created_at": NOW, "changed_at": NOW, "version": 0,
    })
}

fn product() -> Value {
    json!({ "code": 700, "days": 365, "price": 3_800 })
}
