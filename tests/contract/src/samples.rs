//! Rows to begin with, and the changes that lead from one to the next. Ids are random: a platform may be shared.

use anyhow::Context;
use domain::{
    Batch, Enrollment, EnrollmentId, Integration, IntegrationId, Person,
    enrollment::StateName,
    integration::Settings,
    transition::{Actor, Event, Happened, apply},
};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use ports::{Change, Commit, IntegrationStore, Page, Platform, PlatformError, Store};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many contend where rows say that one wins.
pub const MANY: usize = 50;

/// The store's handle of one integration.
pub type Rows<P> = <<P as Platform>::Store as Store>::Scoped;

/// Some seconds after the beginning of a day in 2026. Fractions are kept as well.
pub fn at(seconds: i64) -> Timestamp {
    let day: Timestamp = "2026-03-01T00:00:00.123456789Z".parse().expect("a moment");
    day + SignedDuration::from_secs(seconds)
}

pub fn day(number: i64) -> Date {
    jiff::civil::date(2026, 3, 1) + number.days()
}

/// A new integration in the store.
pub async fn connected<P: Platform>(platform: &P) -> anyhow::Result<(IntegrationId, Rows<P>)> {
    let integration = integration();
    anyhow::ensure!(platform.store().create_integration(&integration).await?, "a new tenant is free");
    Ok((integration.id, platform.store().of(integration.id)))
}

/// Of a new tenant.
pub fn integration() -> Integration {
    row(json!({
        "id": Uuid::new_v4(),
        "settings": {
            "name": "Example AB",
            "cloud": "global",
            "tenant_id": Uuid::new_v4(),
            "client_id": Uuid::new_v4(),
            "connector": {
                "public_key": "UlNBMQ==",
                "fingerprint": "00".repeat(32),
                "bits": 2048,
                "provider_name": "Microsoft Software Key Storage Provider",
                "key_name": "PFXEncryptionKey",
            },
            "registrant": {
                "organization": "Example AB",
                "street_address": "Storgatan 1",
                "locality": "Örebro",
                "state_or_province": "Örebro län",
                "postal_code": "70211",
                "country": "SE",
            },
            "contact": {
                "first_name": "Åsa",
                "last_name": "Öberg",
                "email": "asa@example.com",
                "phone": "+46 19 000 00 00",
                "country": "SE",
            },
            "licence_plans": [Settings::INTUNE_A],
            "keep_key_days": 14,
            "validation_days": 30,
        },
        "ground": 1,
        "created_at": at(0),
        "version": 0,
    }))
}

/// Somebody whom the first import run saw.
pub fn person(name: &str, address: &str) -> Person {
    row(json!({
        "id": Uuid::new_v4(),
        "user_principal_name": address,
        "display_name": name,
        "primary_smtp": address,
        "enabled": true,
        "guest": false,
        "generation": 1,
    }))
}

pub fn batch(integration: IntegrationId, created_at: Timestamp) -> Batch {
    row(json!({
        "id": Uuid::new_v4(),
        "integration": integration,
        "purpose": "general",
        "product": { "code": 700, "days": 365, "price": 3_800 },
        "selection": { "kind": "listed" },
        "status": { "status": "planning" },
        "ground": 1,
        "requested_by": "an operator",
        "created_at": created_at,
        "version": 0,
    }))
}

/// A planned enrollment of somebody new.
pub fn planned(integration: IntegrationId) -> Enrollment {
    row(json!({
        "id": Uuid::new_v4(),
        "integration": integration,
        "batch": Uuid::new_v4(),
        "person": Uuid::new_v4(),
        "subject": { "mailbox": "asa@example.com", "given_name": "Åsa" },
        "purpose": "general",
        "product": { "code": 700, "days": 365, "price": 3_800 },
        "key_algorithm": "rsa2048",
        "state": { "state": "planned" },
        "attempt": 0,
        "created_at": at(0),
        "changed_at": at(0),
        "version": 0,
    }))
}

/// From the stored form, so that a field that a release adds with a good zero value changes nothing here.
fn row<T: DeserializeOwned>(stored: Value) -> T {
    serde_json::from_value(stored).expect("a stored row")
}

/// A planned enrollment that is in the store.
pub async fn stored<S: IntegrationStore>(rows: &S, integration: IntegrationId) -> anyhow::Result<Enrollment> {
    let row = planned(integration);
    rows.create_enrollments(std::slice::from_ref(&row)).await?;
    Ok(row)
}

pub fn happened(what: Event) -> Happened {
    Happened { at: at(60), by: Actor::step("contract"), what, request_ids: vec!["request-1".into()] }
}

/// The write of what this event makes of the row, by a run of its own.
pub fn change(row: &Enrollment, what: Event) -> anyhow::Result<Change> {
    let happened = happened(what);
    Ok(Change::new(row, apply(row, &happened)?, happened, Uuid::new_v4()))
}

pub fn buying() -> Event {
    Event::BuyingStarted { deadline: at(120) }
}

pub fn done(commit: Commit) -> anyhow::Result<Enrollment> {
    match commit {
        Commit::Done(row) => Ok(*row),
        refused => anyhow::bail!("expected Done, got {refused:?}"),
    }
}

/// Writes the event and expects nothing in the way.
pub async fn step<S: IntegrationStore>(rows: &S, row: &Enrollment, what: Event) -> anyhow::Result<Enrollment> {
    done(rows.commit(change(row, what)?).await?)
}

/// The row in the store.
pub async fn read<S: IntegrationStore>(rows: &S, id: EnrollmentId) -> anyhow::Result<Enrollment> {
    rows.enrollment(id).await?.context("the row is stored")
}

pub async fn count<S: IntegrationStore>(rows: &S, state: StateName) -> anyhow::Result<u64> {
    let counts = rows.counts(None).await?;
    Ok(counts.into_iter().filter(|(name, _)| *name == state).map(|(_, count)| count).sum())
}

/// Everything on the pages of a list.
pub async fn all<T>(page: impl AsyncFn(Option<String>) -> Result<Page<T>, PlatformError>) -> anyhow::Result<Vec<T>> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let page = page(after).await?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
    }
}

/// Runs them at once, and answers what each answered.
pub async fn together<T, F>(tasks: impl IntoIterator<Item = F>) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, PlatformError>> + Send + 'static,
{
    let mut running: tokio::task::JoinSet<_> = tasks.into_iter().collect();
    let mut answers = Vec::new();
    while let Some(ended) = running.join_next().await {
        answers.push(ended??);
    }
    Ok(answers)
}
