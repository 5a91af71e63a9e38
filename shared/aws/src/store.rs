//! [`Store`] over one DynamoDB table. What is here only leads to the module that has the requests.
//!
//! One table holds every kind of row, so that what must be true together is written together, by one conditional
//! transaction. `keys` says where each row is, `table` how rows are read and written.

mod batches;
mod body;
mod commit;
mod enrollments;
mod integrations;
mod keys;
mod once;
mod people;
mod records;
mod span;
mod table;
mod transaction;

use aws_sdk_dynamodb::Client;
use domain::{
    Batch, BatchId, Claim, Enrollment, EnrollmentId, Integration, IntegrationId, Person, PersonId, batch::PlanRow,
    enrollment::StateName, operator::AuditEntry, transition::Happened,
};
use jiff::{Timestamp, civil::Date};
use ports::{
    Attachment, AuthorizeState, Change, Clock, Commit, DirectoryCursor, Due, EnrollmentFilter, HookOwner,
    IntegrationStore, IntuneRecord, Page, PeopleFilter, PlanFilter, PlatformError, Store, Vendor, cursor,
};

use self::{
    keys::List,
    span::Span,
    table::{Item, Outcome, Table, failed},
};

type Answer<T> = Result<T, PlatformError>;

/// The rows of every integration.
#[derive(Clone)]
pub struct AwsStore {
    table: Table,
    clock: Clock,
}

/// The rows of one integration: its id is in the key of each.
#[derive(Clone)]
pub struct AwsIntegrationStore {
    table: Table,
    clock: Clock,
    scope: IntegrationId,
}

impl AwsStore {
    /// Over a table with the keys and indexes of `template.yaml`.
    pub fn new(client: Client, table: &str, clock: Clock) -> Self {
        Self { table: Table::new(client, table), clock }
    }
}

/// Where a list that begins with the newest row begins: no time is written with this letter.
const AFTER_THE_NEWEST: &str = "~";

/// A page of a list, the row that was created last first.
async fn newest_first<T>(
    table: &Table,
    list: List,
    partition: &str,
    after: Option<&str>,
    limit: usize,
    read: impl Fn(&Item) -> Outcome<T>,
) -> Outcome<Page<T>> {
    let Some(part) = cursor::part(AFTER_THE_NEWEST.to_owned(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = table.list(list, partition, Span::FallingFrom(part.after.clone()), part.rows).await?;
    let rows = rows.into_iter().map(|(sort, item)| Ok((sort, read(&item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}

impl Store for AwsStore {
    type Scoped = AwsIntegrationStore;

    fn of(&self, integration: IntegrationId) -> Self::Scoped {
        AwsIntegrationStore { table: self.table.clone(), clock: self.clock.clone(), scope: integration }
    }

    async fn create_integration(&self, integration: &Integration) -> Answer<bool> {
        integrations::create(&self.table, integration).await.map_err(failed("create an integration"))
    }

    async fn integrations(&self, after: Option<String>, limit: usize) -> Answer<Page<Integration>> {
        integrations::page(&self.table, after.as_deref(), limit).await.map_err(failed("list integrations"))
    }

    async fn due(&self, now: Timestamp, per_integration: usize) -> Answer<Vec<Due>> {
        enrollments::due(&self.table, now, per_integration).await.map_err(failed("find what is due"))
    }

    async fn hook_owner(&self, token_hash: &str) -> Answer<Option<HookOwner>> {
        enrollments::hook_owner(&self.table, token_hash).await.map_err(failed("look up a webhook token"))
    }

    async fn put_authorize_state(&self, state: &AuthorizeState) -> Answer<()> {
        once::put_authorize_state(&self.table, state).await.map_err(failed("keep an authorize state"))
    }

    async fn take_authorize_state(&self, hash: &str, now: Timestamp) -> Answer<Option<AuthorizeState>> {
        once::take_authorize_state(&self.table, hash, now).await.map_err(failed("take an authorize state"))
    }

    async fn idempotent(
        &self,
        key: &str,
        body_hash: &str,
        answer: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Answer<Option<(String, Option<String>)>> {
        once::idempotent(&self.table, key, body_hash, answer, expires_at, now)
            .await
            .map_err(failed("remember an idempotency key"))
    }
}

impl IntegrationStore for AwsIntegrationStore {
    async fn integration(&self) -> Answer<Option<Integration>> {
        integrations::one(&self.table, self.scope).await.map_err(failed("read an integration"))
    }

    async fn save_integration(&self, integration: &Integration) -> Answer<bool> {
        integrations::save(&self.table, self.scope, integration).await.map_err(failed("write an integration"))
    }

    async fn put_people(&self, people: &[Person]) -> Answer<()> {
        people::put(&self.table, self.scope, people).await.map_err(failed("write people"))
    }

    async fn mark_left(&self, generation: u64) -> Answer<u64> {
        people::mark_left(&self.table, self.scope, generation).await.map_err(failed("mark people as left"))
    }

    async fn mark_person_left(&self, person: PersonId) -> Answer<()> {
        people::mark_person_left(&self.table, self.scope, person).await.map_err(failed("mark a person as left"))
    }

    async fn person(&self, person: PersonId) -> Answer<Option<Person>> {
        people::one(&self.table, self.scope, person).await.map_err(failed("read a person"))
    }

    async fn people(&self, filter: &PeopleFilter, after: Option<String>, limit: usize) -> Answer<Page<Person>> {
        people::page(&self.table, self.scope, filter, after.as_deref(), limit).await.map_err(failed("list people"))
    }

    async fn people_with_address(&self, folded: &str) -> Answer<u32> {
        people::with_address(&self.table, self.scope, folded).await.map_err(failed("count an address"))
    }

    async fn directory_cursor(&self) -> Answer<DirectoryCursor> {
        people::directory_cursor(&self.table, self.scope).await.map_err(failed("read the directory cursor"))
    }

    async fn save_directory_cursor(&self, cursor: &DirectoryCursor) -> Answer<bool> {
        people::save_directory_cursor(&self.table, self.scope, cursor)
            .await
            .map_err(failed("write the directory cursor"))
    }

    async fn enrollment(&self, enrollment: EnrollmentId) -> Answer<Option<Enrollment>> {
        enrollments::one(&self.table, self.scope, enrollment).await.map_err(failed("read an enrollment"))
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<Enrollment>> {
        enrollments::page(&self.table, self.scope, filter, after.as_deref(), limit)
            .await
            .map_err(failed("list enrollments"))
    }

    async fn commit(&self, change: Change) -> Answer<Commit> {
        commit::commit(&self.table, self.scope, change).await.map_err(failed("commit a change"))
    }

    async fn move_due(&self, enrollment: EnrollmentId, from: Timestamp, to: Timestamp) -> Answer<bool> {
        enrollments::move_due(&self.table, self.scope, enrollment, from, to).await.map_err(failed("move a due time"))
    }

    async fn timeline(&self, enrollment: EnrollmentId, after: Option<String>, limit: usize) -> Answer<Page<Happened>> {
        enrollments::timeline(&self.table, self.scope, enrollment, after.as_deref(), limit)
            .await
            .map_err(failed("read a timeline"))
    }

    async fn attachment(&self, enrollment: EnrollmentId, kind: Attachment) -> Answer<Option<Vec<u8>>> {
        enrollments::attachment(&self.table, self.scope, enrollment, kind).await.map_err(failed("read an attachment"))
    }

    async fn claim(&self, claim: &Claim) -> Answer<Option<EnrollmentId>> {
        enrollments::claim_holder(&self.table, self.scope, claim).await.map_err(failed("read a claim"))
    }

    async fn order_owner(&self, reference: &str) -> Answer<Option<EnrollmentId>> {
        enrollments::order_owner(&self.table, self.scope, reference).await.map_err(failed("look up an order"))
    }

    async fn counts(&self, batch: Option<BatchId>) -> Answer<Vec<(StateName, u64)>> {
        enrollments::counts(&self.table, self.scope, batch).await.map_err(failed("count enrollments"))
    }

    async fn create_batch(&self, batch: &Batch, people: &[PersonId]) -> Answer<()> {
        batches::create(&self.table, self.scope, batch, people).await.map_err(failed("create a batch"))
    }

    async fn batch(&self, batch: BatchId) -> Answer<Option<Batch>> {
        batches::one(&self.table, self.scope, batch).await.map_err(failed("read a batch"))
    }

    async fn batches(&self, after: Option<String>, limit: usize) -> Answer<Page<Batch>> {
        batches::page(&self.table, self.scope, after.as_deref(), limit).await.map_err(failed("list batches"))
    }

    async fn save_batch(&self, batch: &Batch) -> Answer<bool> {
        batches::save(&self.table, self.scope, batch).await.map_err(failed("write a batch"))
    }

    async fn put_plan_rows(&self, rows: &[PlanRow]) -> Answer<()> {
        batches::put_plan_rows(&self.table, self.scope, rows).await.map_err(failed("write a plan"))
    }

    async fn plan_rows(
        &self,
        batch: BatchId,
        filter: &PlanFilter,
        after: Option<String>,
        limit: usize,
    ) -> Answer<Page<PlanRow>> {
        batches::plan_rows(&self.table, self.scope, batch, filter, after.as_deref(), limit)
            .await
            .map_err(failed("read a plan"))
    }

    async fn create_enrollments(&self, enrollments: &[Enrollment]) -> Answer<()> {
        enrollments::create(&self.table, self.scope, enrollments).await.map_err(failed("create enrollments"))
    }

    async fn put_intune_records(&self, records: &[IntuneRecord]) -> Answer<()> {
        records::put_intune(&self.table, self.scope, records).await.map_err(failed("write Intune records"))
    }

    async fn intune_records(&self, person: PersonId) -> Answer<Vec<IntuneRecord>> {
        records::intune(&self.table, self.scope, person).await.map_err(failed("read Intune records"))
    }

    async fn pause(&self, vendor: Vendor, until: Timestamp) -> Answer<()> {
        records::pause(&self.table, self.scope, vendor, until).await.map_err(failed("pause a vendor"))
    }

    async fn paused_until(&self, vendor: Vendor) -> Answer<Option<Timestamp>> {
        records::paused_until(&self.table, self.scope, vendor).await.map_err(failed("read a pause"))
    }

    async fn bought_on(&self, day: Date) -> Answer<u32> {
        records::purchases(&self.table, self.scope, day).await.map_err(failed("count the day's purchases"))
    }

    async fn append_audit(&self, entry: &AuditEntry) -> Answer<()> {
        records::append_audit(&self.table, self.scope, entry, (self.clock)())
            .await
            .map_err(failed("append to the audit"))
    }

    async fn audit(&self, after: Option<String>, limit: usize) -> Answer<Page<AuditEntry>> {
        records::audit(&self.table, self.scope, after.as_deref(), limit).await.map_err(failed("read the audit"))
    }
}
