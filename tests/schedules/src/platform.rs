//! The local platform behind the gate: every call of Store, Queue and Vault waits for the schedule.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    Batch, BatchId, Claim, Enrollment, EnrollmentId, Integration, IntegrationId, Person, PersonId, batch::PlanRow,
    enrollment::StateName, jobs::Job, operator::AuditEntry, transition::Happened,
};
use jiff::{Timestamp, civil::Date};
use local::platform::{LocalIntegrationStore, LocalPlatform};
use ports::{
    Attachment, AuthorizeState, Change, Commit, DataKey, DirectoryCursor, Due, EnrollmentFilter, HookOwner,
    IntegrationStore, IntuneRecord, Page, PeopleFilter, PlanFilter, Platform, PlatformError, Queue, SecretKind, Store,
    Vault, Vendor, WrappedKey,
};
use secrecy::SecretString;

use crate::{gate::Gate, queue::Messages};

type Answer<T> = Result<T, PlatformError>;

/// What stands behind it is put in anew for each schedule; the vendors' clients are made once.
#[derive(Clone)]
pub(crate) struct GatedPlatform {
    gate: Gate,
    inner: Arc<Mutex<Option<LocalPlatform>>>,
    pub(crate) messages: Messages,
    store: GatedStore,
    queue: GatedQueue,
    vault: GatedVault,
}

/// What all parts need of it.
#[derive(Clone)]
struct Behind {
    gate: Gate,
    inner: Arc<Mutex<Option<LocalPlatform>>>,
}

#[derive(Clone)]
pub(crate) struct GatedStore(Behind);

#[derive(Clone)]
pub(crate) struct GatedRows {
    platform: Behind,
    integration: IntegrationId,
}

#[derive(Clone)]
pub(crate) struct GatedQueue {
    gate: Gate,
    messages: Messages,
}

#[derive(Clone)]
pub(crate) struct GatedVault(Behind);

impl GatedPlatform {
    pub(crate) fn new(gate: Gate, messages: Messages) -> Self {
        let inner = Arc::<Mutex<Option<LocalPlatform>>>::default();
        let behind = Behind { gate: gate.clone(), inner: Arc::clone(&inner) };
        Self {
            store: GatedStore(behind.clone()),
            queue: GatedQueue { gate: gate.clone(), messages: messages.clone() },
            vault: GatedVault(behind),
            gate,
            inner,
            messages,
        }
    }

    pub(crate) fn put_in(&self, platform: Option<LocalPlatform>) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = platform;
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl Behind {
    fn inner(&self) -> LocalPlatform {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clone().expect("a schedule put it in before anybody ran")
    }

    async fn pass<T>(&self, name: &'static str, call: impl Future<Output = Answer<T>>) -> Answer<T> {
        self.gate.pass(name, call).await
    }
}

impl Platform for GatedPlatform {
    type Store = GatedStore;
    type Queue = GatedQueue;
    type Vault = GatedVault;

    fn store(&self) -> &GatedStore {
        &self.store
    }

    fn queue(&self) -> &GatedQueue {
        &self.queue
    }

    fn vault(&self) -> &GatedVault {
        &self.vault
    }
}

impl Queue for GatedQueue {
    async fn send(&self, jobs: Vec<Job>, delay: Duration) -> Answer<()> {
        self.gate.pass("send", async { self.messages.send(jobs, delay) }).await
    }
}

impl Vault for GatedVault {
    async fn secret(&self, integration: IntegrationId, kind: SecretKind) -> Answer<Option<SecretString>> {
        self.0.pass("secret", self.0.inner().vault().secret(integration, kind)).await
    }

    async fn fresh_secret(&self, integration: IntegrationId, kind: SecretKind) -> Answer<Option<SecretString>> {
        self.0.pass("fresh_secret", self.0.inner().vault().fresh_secret(integration, kind)).await
    }

    async fn put_secret(&self, integration: IntegrationId, kind: SecretKind, value: SecretString) -> Answer<()> {
        self.0.pass("put_secret", self.0.inner().vault().put_secret(integration, kind, value)).await
    }

    async fn new_data_key(&self, integration: IntegrationId) -> Answer<(DataKey, WrappedKey)> {
        self.0.pass("new_data_key", self.0.inner().vault().new_data_key(integration)).await
    }

    async fn unwrap(&self, integration: IntegrationId, wrapped: &WrappedKey) -> Answer<DataKey> {
        self.0.pass("unwrap", self.0.inner().vault().unwrap(integration, wrapped)).await
    }
}

impl Store for GatedStore {
    type Scoped = GatedRows;

    fn of(&self, integration: IntegrationId) -> GatedRows {
        GatedRows { platform: self.0.clone(), integration }
    }

    async fn create_integration(&self, integration: &Integration) -> Answer<bool> {
        self.0.pass("create_integration", self.0.inner().store().create_integration(integration)).await
    }

    async fn integrations(&self, after: Option<String>, limit: usize) -> Answer<Page<Integration>> {
        self.0.pass("integrations", self.0.inner().store().integrations(after, limit)).await
    }

    async fn due(&self, now: Timestamp, per_integration: usize) -> Answer<Vec<Due>> {
        self.0.pass("due", self.0.inner().store().due(now, per_integration)).await
    }

    async fn hook_owner(&self, token_hash: &str) -> Answer<Option<HookOwner>> {
        self.0.pass("hook_owner", self.0.inner().store().hook_owner(token_hash)).await
    }

    async fn put_authorize_state(&self, state: &AuthorizeState) -> Answer<()> {
        self.0.pass("put_authorize_state", self.0.inner().store().put_authorize_state(state)).await
    }

    async fn take_authorize_state(&self, hash: &str, now: Timestamp) -> Answer<Option<AuthorizeState>> {
        self.0.pass("take_authorize_state", self.0.inner().store().take_authorize_state(hash, now)).await
    }

    async fn idempotent(
        &self,
        key: &str,
        body_hash: &str,
        answer: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Answer<Option<(String, Option<String>)>> {
        self.0.pass("idempotent", self.0.inner().store().idempotent(key, body_hash, answer, expires_at, now)).await
    }
}

impl GatedRows {
    fn rows(&self) -> LocalIntegrationStore {
        self.platform.inner().store().of(self.integration)
    }
}

impl IntegrationStore for GatedRows {
    async fn integration(&self) -> Answer<Option<Integration>> {
        let read = self.platform.pass("integration", self.rows().integration()).await?;
        if let Some(integration) = &read {
            self.platform.gate.note_stop(integration.settings.stop_buying);
        }
        Ok(read)
    }

    async fn save_integration(&self, integration: &Integration) -> Answer<bool> {
        self.platform.pass("save_integration", self.rows().save_integration(integration)).await
    }

    async fn put_people(&self, people: &[Person]) -> Answer<()> {
        self.platform.pass("put_people", self.rows().put_people(people)).await
    }

    async fn mark_left(&self, generation: u64) -> Answer<u64> {
        self.platform.pass("mark_left", self.rows().mark_left(generation)).await
    }

    async fn mark_person_left(&self, person: PersonId) -> Answer<()> {
        self.platform.pass("mark_person_left", self.rows().mark_person_left(person)).await
    }

    async fn person(&self, person: PersonId) -> Answer<Option<Person>> {
        self.platform.pass("person", self.rows().person(person)).await
    }

    async fn people(&self, filter: &PeopleFilter, after: Option<String>, limit: usize) -> Answer<Page<Person>> {
        self.platform.pass("people", self.rows().people(filter, after, limit)).await
    }

    async fn people_with_address(&self, folded: &str) -> Answer<u32> {
        self.platform.pass("people_with_address", self.rows().people_with_address(folded)).await
    }

    async fn directory_cursor(&self) -> Answer<DirectoryCursor> {
        self.platform.pass("directory_cursor", self.rows().directory_cursor()).await
    }

    async fn save_directory_cursor(&self, cursor: &DirectoryCursor) -> Answer<bool> {
        self.platform.pass("save_directory_cursor", self.rows().save_directory_cursor(cursor)).await
    }

    async fn enrollment(&self, enrollment: EnrollmentId) -> Answer<Option<Enrollment>> {
        self.platform.pass("enrollment", self.rows().enrollment(enrollment)).await
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<Enrollment>> {
        self.platform.pass("enrollments", self.rows().enrollments(filter, after, limit)).await
    }

    async fn commit(&self, change: Change) -> Answer<Commit> {
        self.platform.pass("commit", self.rows().commit(change)).await
    }

    async fn move_due(&self, enrollment: EnrollmentId, from: Timestamp, to: Timestamp) -> Answer<bool> {
        self.platform.pass("move_due", self.rows().move_due(enrollment, from, to)).await
    }

    async fn timeline(&self, enrollment: EnrollmentId, after: Option<String>, limit: usize) -> Answer<Page<Happened>> {
        self.platform.pass("timeline", self.rows().timeline(enrollment, after, limit)).await
    }

    async fn attachment(&self, enrollment: EnrollmentId, kind: Attachment) -> Answer<Option<Vec<u8>>> {
        self.platform.pass("attachment", self.rows().attachment(enrollment, kind)).await
    }

    async fn claim(&self, claim: &Claim) -> Answer<Option<EnrollmentId>> {
        self.platform.pass("claim", self.rows().claim(claim)).await
    }

    async fn order_owner(&self, reference: &str) -> Answer<Option<EnrollmentId>> {
        self.platform.pass("order_owner", self.rows().order_owner(reference)).await
    }

    async fn counts(&self, batch: Option<BatchId>) -> Answer<Vec<(StateName, u64)>> {
        self.platform.pass("counts", self.rows().counts(batch)).await
    }

    async fn create_batch(&self, batch: &Batch, people: &[PersonId]) -> Answer<()> {
        self.platform.pass("create_batch", self.rows().create_batch(batch, people)).await
    }

    async fn batch(&self, batch: BatchId) -> Answer<Option<Batch>> {
        self.platform.pass("batch", self.rows().batch(batch)).await
    }

    async fn batches(&self, after: Option<String>, limit: usize) -> Answer<Page<Batch>> {
        self.platform.pass("batches", self.rows().batches(after, limit)).await
    }

    async fn save_batch(&self, batch: &Batch) -> Answer<bool> {
        self.platform.pass("save_batch", self.rows().save_batch(batch)).await
    }

    async fn put_plan_rows(&self, rows: &[PlanRow]) -> Answer<()> {
        self.platform.pass("put_plan_rows", self.rows().put_plan_rows(rows)).await
    }

    async fn plan_rows(
        &self,
        batch: BatchId,
        filter: &PlanFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<PlanRow>> {
        self.platform.pass("plan_rows", self.rows().plan_rows(batch, filter, after, limit)).await
    }

    async fn create_enrollments(&self, enrollments: &[Enrollment]) -> Answer<()> {
        self.platform.pass("create_enrollments", self.rows().create_enrollments(enrollments)).await
    }

    async fn put_intune_records(&self, records: &[IntuneRecord]) -> Answer<()> {
        self.platform.pass("put_intune_records", self.rows().put_intune_records(records)).await
    }

    async fn intune_records(&self, person: PersonId) -> Answer<Vec<IntuneRecord>> {
        self.platform.pass("intune_records", self.rows().intune_records(person)).await
    }

    async fn pause(&self, vendor: Vendor, until: Timestamp) -> Answer<()> {
        self.platform.pass("pause", self.rows().pause(vendor, until)).await
    }

    async fn paused_until(&self, vendor: Vendor) -> Answer<Option<Timestamp>> {
        self.platform.pass("paused_until", self.rows().paused_until(vendor)).await
    }

    async fn bought_on(&self, day: Date) -> Answer<u32> {
        self.platform.pass("bought_on", self.rows().bought_on(day)).await
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Answer<()> {
        self.platform.pass("append_audit", self.rows().append_audit(entry)).await
    }

    async fn audit(&self, after: Option<String>, limit: usize) -> Answer<Page<AuditEntry>> {
        self.platform.pass("audit", self.rows().audit(after, limit)).await
    }
}
