//! [`Store`] over the database. What is here only leads to the module that has the SQL.

use domain::{
    Batch, BatchId, Claim, Enrollment, EnrollmentId, Integration, IntegrationId, Person, PersonId, batch::PlanRow,
    enrollment::StateName, operator::AuditEntry, transition::Happened,
};
use jiff::{Timestamp, civil::Date};
use ports::{
    Attachment, AuthorizeState, Change, Commit, DirectoryCursor, Due, EnrollmentFilter, HookOwner, IntegrationStore,
    IntuneRecord, Page, PeopleFilter, PlanFilter, PlatformError, Store, Vendor,
};

use super::{batches, commit, database::Database, enrollments, integrations, once, people, records};

type Answer<T> = Result<T, PlatformError>;

/// The rows of every integration.
#[derive(Clone)]
pub struct LocalStore {
    database: Database,
}

/// The rows of one integration: every statement names it.
#[derive(Clone)]
pub struct LocalIntegrationStore {
    database: Database,
    scope: IntegrationId,
}

impl LocalStore {
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Database {
        &self.database
    }
}

impl Store for LocalStore {
    type Scoped = LocalIntegrationStore;

    fn of(&self, integration: IntegrationId) -> Self::Scoped {
        LocalIntegrationStore { database: self.database.clone(), scope: integration }
    }

    async fn create_integration(&self, integration: &Integration) -> Answer<bool> {
        let integration = integration.clone();
        self.database.write("create an integration", move |db| integrations::create(db, &integration)).await
    }

    async fn integrations(&self, after: Option<String>, limit: usize) -> Answer<Page<Integration>> {
        self.database.read("list integrations", move |db| integrations::page(db, after.as_deref(), limit)).await
    }

    async fn due(&self, now: Timestamp, per_integration: usize) -> Answer<Vec<Due>> {
        self.database.read("find what is due", move |db| enrollments::due(db, now, per_integration)).await
    }

    async fn hook_owner(&self, token_hash: &str) -> Answer<Option<HookOwner>> {
        let token_hash = token_hash.to_owned();
        self.database.read("look up a webhook token", move |db| enrollments::hook_owner(db, &token_hash)).await
    }

    async fn put_authorize_state(&self, state: &AuthorizeState) -> Answer<()> {
        let state = state.clone();
        self.database.write("keep an authorize state", move |db| once::put_authorize_state(db, &state)).await
    }

    async fn take_authorize_state(&self, hash: &str, now: Timestamp) -> Answer<Option<AuthorizeState>> {
        let hash = hash.to_owned();
        self.database.write("take an authorize state", move |db| once::take_authorize_state(db, &hash, now)).await
    }

    async fn idempotent(
        &self,
        key: &str,
        body_hash: &str,
        answer: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Answer<Option<(String, Option<String>)>> {
        let key = key.to_owned();
        let body_hash = body_hash.to_owned();
        let answer = answer.map(str::to_owned);
        self.database
            .write("remember an idempotency key", move |db| {
                once::idempotent(db, &key, &body_hash, answer.as_deref(), expires_at, now)
            })
            .await
    }
}

impl IntegrationStore for LocalIntegrationStore {
    async fn integration(&self) -> Answer<Option<Integration>> {
        let scope = self.scope;
        self.database.read("read an integration", move |db| integrations::one(db, scope)).await
    }

    async fn save_integration(&self, integration: &Integration) -> Answer<bool> {
        let scope = self.scope;
        let integration = integration.clone();
        self.database.write("write an integration", move |db| integrations::save(db, scope, &integration)).await
    }

    async fn put_people(&self, people: &[Person]) -> Answer<()> {
        let scope = self.scope;
        let people = people.to_vec();
        self.database.write("write people", move |db| people::put(db, scope, &people)).await
    }

    async fn mark_left(&self, generation: u64) -> Answer<u64> {
        let scope = self.scope;
        self.database.write("mark people as left", move |db| people::mark_left(db, scope, generation)).await
    }

    async fn mark_person_left(&self, person: PersonId) -> Answer<()> {
        let scope = self.scope;
        self.database.write("mark a person as left", move |db| people::mark_person_left(db, scope, person)).await
    }

    async fn person(&self, person: PersonId) -> Answer<Option<Person>> {
        let scope = self.scope;
        self.database.read("read a person", move |db| people::one(db, scope, person)).await
    }

    async fn people(&self, filter: &PeopleFilter, after: Option<String>, limit: usize) -> Answer<Page<Person>> {
        let scope = self.scope;
        let filter = filter.clone();
        self.database.read("list people", move |db| people::page(db, scope, &filter, after.as_deref(), limit)).await
    }

    async fn people_with_address(&self, folded: &str) -> Answer<u32> {
        let scope = self.scope;
        let folded = folded.to_owned();
        self.database.read("count an address", move |db| people::with_address(db, scope, &folded)).await
    }

    async fn directory_cursor(&self) -> Answer<DirectoryCursor> {
        let scope = self.scope;
        self.database.read("read the directory cursor", move |db| people::directory_cursor(db, scope)).await
    }

    async fn save_directory_cursor(&self, cursor: &DirectoryCursor) -> Answer<bool> {
        let scope = self.scope;
        let cursor = cursor.clone();
        self.database
            .write("write the directory cursor", move |db| people::save_directory_cursor(db, scope, &cursor))
            .await
    }

    async fn enrollment(&self, enrollment: EnrollmentId) -> Answer<Option<Enrollment>> {
        let scope = self.scope;
        self.database.read("read an enrollment", move |db| enrollments::one(db, scope, enrollment)).await
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<Enrollment>> {
        let scope = self.scope;
        let filter = filter.clone();
        self.database
            .read("list enrollments", move |db| enrollments::page(db, scope, &filter, after.as_deref(), limit))
            .await
    }

    async fn commit(&self, change: Change) -> Answer<Commit> {
        let scope = self.scope;
        self.database.write("commit a change", move |db| commit::commit(db, scope, change)).await
    }

    async fn move_due(&self, enrollment: EnrollmentId, from: Timestamp, to: Timestamp) -> Answer<bool> {
        let scope = self.scope;
        self.database.write("move a due time", move |db| enrollments::move_due(db, scope, enrollment, from, to)).await
    }

    async fn timeline(&self, enrollment: EnrollmentId, after: Option<String>, limit: usize) -> Answer<Page<Happened>> {
        let scope = self.scope;
        self.database
            .read("read a timeline", move |db| enrollments::timeline(db, scope, enrollment, after.as_deref(), limit))
            .await
    }

    async fn attachment(&self, enrollment: EnrollmentId, kind: Attachment) -> Answer<Option<Vec<u8>>> {
        let scope = self.scope;
        self.database.read("read an attachment", move |db| enrollments::attachment(db, scope, enrollment, kind)).await
    }

    async fn claim(&self, claim: &Claim) -> Answer<Option<EnrollmentId>> {
        let scope = self.scope;
        let claim = claim.clone();
        self.database.read("read a claim", move |db| enrollments::claim_holder(db, scope, &claim)).await
    }

    async fn order_owner(&self, reference: &str) -> Answer<Option<EnrollmentId>> {
        let scope = self.scope;
        let reference = reference.to_owned();
        self.database.read("look up an order", move |db| enrollments::order_owner(db, scope, &reference)).await
    }

    async fn counts(&self, batch: Option<BatchId>) -> Answer<Vec<(StateName, u64)>> {
        let scope = self.scope;
        self.database.read("count enrollments", move |db| enrollments::counts(db, scope, batch)).await
    }

    async fn create_batch(&self, batch: &Batch, people: &[PersonId]) -> Answer<()> {
        let scope = self.scope;
        let batch = batch.clone();
        let people = people.to_vec();
        self.database.write("create a batch", move |db| batches::create(db, scope, &batch, &people)).await
    }

    async fn batch(&self, batch: BatchId) -> Answer<Option<Batch>> {
        let scope = self.scope;
        self.database.read("read a batch", move |db| batches::one(db, scope, batch)).await
    }

    async fn batches(&self, after: Option<String>, limit: usize) -> Answer<Page<Batch>> {
        let scope = self.scope;
        self.database.read("list batches", move |db| batches::page(db, scope, after.as_deref(), limit)).await
    }

    async fn save_batch(&self, batch: &Batch) -> Answer<bool> {
        let scope = self.scope;
        let batch = batch.clone();
        self.database.write("write a batch", move |db| batches::save(db, scope, &batch)).await
    }

    async fn put_plan_rows(&self, rows: &[PlanRow]) -> Answer<()> {
        let scope = self.scope;
        let rows = rows.to_vec();
        self.database.write("write a plan", move |db| batches::put_plan_rows(db, scope, &rows)).await
    }

    async fn plan_rows(
        &self,
        batch: BatchId,
        filter: &PlanFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<PlanRow>> {
        let scope = self.scope;
        let filter = filter.clone();
        self.database
            .read("read a plan", move |db| batches::plan_rows(db, scope, batch, &filter, after.as_deref(), limit))
            .await
    }

    async fn create_enrollments(&self, enrollments: &[Enrollment]) -> Answer<()> {
        let scope = self.scope;
        let rows = enrollments.to_vec();
        self.database.write("create enrollments", move |db| enrollments::create(db, scope, &rows)).await
    }

    async fn put_intune_records(&self, records: &[IntuneRecord]) -> Answer<()> {
        let scope = self.scope;
        let rows = records.to_vec();
        self.database.write("write Intune records", move |db| records::put_intune(db, scope, &rows)).await
    }

    async fn intune_records(&self, person: PersonId) -> Answer<Vec<IntuneRecord>> {
        let scope = self.scope;
        self.database.read("read Intune records", move |db| records::intune(db, scope, person)).await
    }

    async fn pause(&self, vendor: Vendor, until: Timestamp) -> Answer<()> {
        let scope = self.scope;
        self.database.write("pause a vendor", move |db| records::pause(db, scope, vendor, until)).await
    }

    async fn paused_until(&self, vendor: Vendor) -> Answer<Option<Timestamp>> {
        let scope = self.scope;
        self.database.read("read a pause", move |db| records::paused_until(db, scope, vendor)).await
    }

    async fn bought_on(&self, day: Date) -> Answer<u32> {
        let scope = self.scope;
        self.database.read("count the day's purchases", move |db| records::purchases(db, scope, day)).await
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Answer<()> {
        let scope = self.scope;
        let entry = entry.clone();
        self.database.write("append to the audit", move |db| records::append_audit(db, scope, &entry)).await
    }

    async fn audit(&self, after: Option<String>, limit: usize) -> Answer<Page<AuditEntry>> {
        let scope = self.scope;
        self.database.read("read the audit", move |db| records::audit(db, scope, after.as_deref(), limit)).await
    }
}
