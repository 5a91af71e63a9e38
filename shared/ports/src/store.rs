//! Where rows are. The queries here are the contract: each must be a key look-up or a range, at 100,000 people.
//!
//! Reads of single rows are consistent; lists are hints, to be re-read and compared before anybody acts on them.

use domain::{
    Batch, BatchId, Claim, Enrollment, EnrollmentId, Integration, IntegrationId, Person, PersonId, Purpose,
    batch::PlanRow, enrollment::StateName, operator::AuditEntry, transition::Happened,
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::PlatformError;

type Answer<T> = Result<T, PlatformError>;

/// What belongs to no single integration.
pub trait Store: Clone + Send + Sync + 'static {
    type Scoped: IntegrationStore;

    /// The rows of one integration. No id of another is visible through the handle.
    fn of(&self, integration: IntegrationId) -> Self::Scoped;

    /// False when there is one for the same cloud and tenant already, or with the same id.
    fn create_integration(&self, integration: &Integration) -> impl Future<Output = Answer<bool>> + Send;

    fn integrations(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Page<Integration>>> + Send;

    /// Enrollments whose `due_at` has come, oldest first within an integration, at most `per_integration` of
    /// each, so that a large integration does not hide a small one.
    fn due(&self, now: Timestamp, per_integration: usize) -> impl Future<Output = Answer<Vec<Due>>> + Send;

    /// Whose webhook token has this SHA-256 (hexadecimal).
    fn hook_owner(&self, token_hash: &str) -> impl Future<Output = Answer<Option<HookOwner>>> + Send;

    fn put_authorize_state(&self, state: &AuthorizeState) -> impl Future<Output = Answer<()>> + Send;

    /// Gives the state out once: the second caller gets `None`, and so does everybody after `expires_at`.
    fn take_authorize_state(
        &self,
        hash: &str,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Option<AuthorizeState>>> + Send;

    /// Remembers which body an idempotency key was used with, until `expires_at`. The first call returns `None`;
    /// later ones return what is known: `(hash of the body, answer)`.
    fn idempotent(
        &self,
        key: &str,
        body_hash: &str,
        answer: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Option<(String, Option<String>)>>> + Send;
}

/// The rows of one integration.
pub trait IntegrationStore: Clone + Send + Sync + 'static {
    fn integration(&self) -> impl Future<Output = Answer<Option<Integration>>> + Send;

    /// Writes if the stored version is `integration.version`, and counts it up. False: somebody else wrote.
    fn save_integration(&self, integration: &Integration) -> impl Future<Output = Answer<bool>> + Send;

    /// Writes people as the directory gave them. Only the import calls this. A row with a newer generation stays.
    fn put_people(&self, people: &[Person]) -> impl Future<Output = Answer<()>> + Send;

    /// Marks everybody as left whose generation is older than `generation`; answers how many.
    fn mark_left(&self, generation: u64) -> impl Future<Output = Answer<u64>> + Send;

    /// Marks one person as left.
    fn mark_person_left(&self, person: PersonId) -> impl Future<Output = Answer<()>> + Send;

    fn person(&self, person: PersonId) -> impl Future<Output = Answer<Option<Person>>> + Send;

    /// People in the order of the filter's key.
    fn people(
        &self,
        filter: &PeopleFilter,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Page<Person>>> + Send;

    /// How many people who have not left have this folded address as their primary one (or as `mail`).
    fn people_with_address(&self, folded: &str) -> impl Future<Output = Answer<u32>> + Send;

    fn directory_cursor(&self) -> impl Future<Output = Answer<DirectoryCursor>> + Send;

    /// Writes if the stored version is `cursor.version`, and counts it up. False: another run went on.
    fn save_directory_cursor(&self, cursor: &DirectoryCursor) -> impl Future<Output = Answer<bool>> + Send;

    fn enrollment(&self, enrollment: EnrollmentId) -> impl Future<Output = Answer<Option<Enrollment>>> + Send;

    fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Page<Enrollment>>> + Send;

    /// Writes one change and everything that must be true together with it, or nothing.
    fn commit(&self, change: Change) -> impl Future<Output = Answer<Commit>> + Send;

    /// Moves `due_at` forward if it still is what the caller read. True: the caller owns the release.
    fn move_due(
        &self,
        enrollment: EnrollmentId,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Future<Output = Answer<bool>> + Send;

    fn timeline(
        &self,
        enrollment: EnrollmentId,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Page<Happened>>> + Send;

    fn attachment(
        &self,
        enrollment: EnrollmentId,
        kind: Attachment,
    ) -> impl Future<Output = Answer<Option<Vec<u8>>>> + Send;

    /// Who holds the claim.
    fn claim(&self, claim: &Claim) -> impl Future<Output = Answer<Option<EnrollmentId>>> + Send;

    /// Which enrollment an order belongs to.
    fn order_owner(&self, reference: &str) -> impl Future<Output = Answer<Option<EnrollmentId>>> + Send;

    /// How many enrollments are in each state, of one batch or of the integration.
    fn counts(&self, batch: Option<BatchId>) -> impl Future<Output = Answer<Vec<(StateName, u64)>>> + Send;

    fn create_batch(&self, batch: &Batch, people: &[PersonId]) -> impl Future<Output = Answer<()>> + Send;

    fn batch(&self, batch: BatchId) -> impl Future<Output = Answer<Option<Batch>>> + Send;

    /// Newest first.
    fn batches(&self, after: Option<String>, limit: usize) -> impl Future<Output = Answer<Page<Batch>>> + Send;

    /// Writes if the stored version is `batch.version`, and counts it up. False: somebody else wrote.
    fn save_batch(&self, batch: &Batch) -> impl Future<Output = Answer<bool>> + Send;

    /// Adds or replaces rows of a plan.
    fn put_plan_rows(&self, rows: &[PlanRow]) -> impl Future<Output = Answer<()>> + Send;

    /// Rows in the order of their person's id.
    fn plan_rows(
        &self,
        batch: BatchId,
        filter: &PlanFilter,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Answer<Page<PlanRow>>> + Send;

    /// Creates Planned enrollments; one that exists already stays as it is.
    fn create_enrollments(&self, enrollments: &[Enrollment]) -> impl Future<Output = Answer<()>> + Send;

    /// Replaces what is known of one Intune record.
    fn put_intune_records(&self, records: &[IntuneRecord]) -> impl Future<Output = Answer<()>> + Send;

    /// The Intune records of one person, as the last listing saw them.
    fn intune_records(&self, person: PersonId) -> impl Future<Output = Answer<Vec<IntuneRecord>>> + Send;

    /// Nobody calls this vendor for this integration before then. An earlier time than the stored one is ignored.
    fn pause(&self, vendor: Vendor, until: Timestamp) -> impl Future<Output = Answer<()>> + Send;

    fn paused_until(&self, vendor: Vendor) -> impl Future<Output = Answer<Option<Timestamp>>> + Send;

    /// Purchases begun on this day.
    fn bought_on(&self, day: Date) -> impl Future<Output = Answer<u32>> + Send;

    fn append_audit(&self, entry: &AuditEntry) -> impl Future<Output = Answer<()>> + Send;

    /// Newest first.
    fn audit(&self, after: Option<String>, limit: usize) -> impl Future<Output = Answer<Page<AuditEntry>>> + Send;
}

/// Part of a list, and where the next part begins. The text is opaque to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// An enrollment that somebody has to look after. A hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub integration: IntegrationId,
    pub enrollment: EnrollmentId,
    pub due_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookOwner {
    pub integration: IntegrationId,
    pub enrollment: EnrollmentId,
}

/// One write of an enrollment and what has to be true with it.
#[derive(Clone, Debug)]
pub struct Change {
    /// The row to write. Its `version` is the one that was read; the store counts it up and sets `written_by`.
    pub enrollment: Enrollment,
    /// The state of the row that was read. Counts move from it to the new one.
    pub before: StateName,
    /// Appended to the timeline.
    pub happened: Vec<Happened>,
    pub claim: Option<ClaimChange>,
    /// Orders that from now on belong to this enrollment. One that belongs to another refuses the change.
    pub references: Vec<String>,
    /// Orders that from now on belong to nobody. One that belongs to another refuses the change.
    pub released: Vec<String>,
    /// `None` as content removes the attachment.
    pub attachments: Vec<(Attachment, Option<Vec<u8>>)>,
    /// SHA-256 of the webhook token of this attempt, hexadecimal.
    pub hook: Option<String>,
    /// Counts one purchase, if fewer than the limit were begun that day.
    pub count: Option<Counter>,
    /// Takes one purchase back that was counted on that day and not begun after all.
    pub uncount: Option<Date>,
    /// The run that writes: a repeated write by the same run is recognised as won.
    pub run: Uuid,
}

impl Change {
    /// A write of the row and its timeline, with nothing beside it.
    pub fn new(before: &Enrollment, enrollment: Enrollment, happened: Happened, run: Uuid) -> Self {
        Self {
            enrollment,
            before: before.state.name(),
            happened: vec![happened],
            claim: None,
            references: Vec::new(),
            released: Vec::new(),
            attachments: Vec::new(),
            hook: None,
            count: None,
            uncount: None,
            run,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Taken if nobody holds it, or if it is held by `from`.
    Take { claim: Claim, from: Option<EnrollmentId> },
    /// Given up, if this enrollment holds it.
    Release { claim: Claim },
}

/// The day's purchases of an integration, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    pub day: Date,
    pub limit: u32,
}

/// What became of a [`Change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Written; the row with its new version.
    Done(Box<Enrollment>),
    /// The row was written by somebody else since it was read. Read again and decide again.
    Stale,
    ClaimTaken {
        by: EnrollmentId,
    },
    ReferenceTaken {
        reference: String,
        by: EnrollmentId,
    },
    LimitReached,
}

/// What lies beside an enrollment's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attachment {
    /// The private key in its envelope, with the wrapped data key.
    SealedKey,
    /// The certificate request, PEM.
    CertificateRequest,
    /// Leaf and intermediates, PEM.
    CertificateChain,
}

impl Attachment {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SealedKey => "sealed_key",
            Self::CertificateRequest => "certificate_request",
            Self::CertificateChain => "certificate_chain",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeopleFilter {
    /// Everybody, by id.
    #[default]
    Everybody,
    /// By shown name, starting with this text; letter case does not count.
    Name { prefix: String },
    /// By primary address, starting with this text; letter case does not count.
    Address { prefix: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrollmentFilter {
    /// Newest first.
    Everything,
    State(StateName),
    Batch(BatchId),
    BatchState(BatchId, StateName),
    Person(PersonId),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PlanFilter {
    #[default]
    Everybody,
    /// Rows that planning has not reached.
    Unplanned,
    /// Rows with this assessment, by [`domain::assessment::Assessment::as_str`].
    Assessment(String),
}

/// Where the import of the directory stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryCursor {
    /// Of the run under way, or of the last one.
    pub generation: u64,
    /// The next page of the run under way; `None` when none is.
    #[serde(default)]
    pub next: Option<String>,
    /// Index of the group that the run is reading, where the scope is groups.
    #[serde(default)]
    pub group: usize,
    /// Where the next delta run begins. Taken before the full run, so that nothing falls between.
    #[serde(default)]
    pub delta: Option<String>,
    #[serde(default)]
    pub running: bool,
    /// People seen by the run under way, or by the last one.
    #[serde(default)]
    pub seen: u64,
    #[serde(default)]
    pub left: u64,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// While running: when the sweep looks whether the run's message was lost.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// Why the last run stopped, in a sentence for the operator.
    #[serde(default)]
    pub problem: Option<String>,
    #[serde(default)]
    pub version: u64,
}

/// An Intune record of a person, as the vendor listed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntuneRecord {
    pub id: String,
    pub person: PersonId,
    pub purpose: Purpose,
    pub not_after: Timestamp,
    pub thumbprint: String,
    /// When a listing last showed it. One that later listings did not show is gone.
    #[serde(default)]
    pub seen_at: Timestamp,
}

/// Which vendor is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    CertificateAuthority,
    Directory,
    Intune,
}

/// An Authorize that was begun and has not come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizeState {
    /// SHA-256 of the state, hexadecimal. The state itself is only in the browser.
    pub hash: String,
    pub integration: IntegrationId,
    pub nonce: String,
    /// The PKCE verifier, sealed with the integration's data key: with the code it would be worth a token.
    pub sealed_verifier: Vec<u8>,
    /// SHA-256 of the browser cookie that the state is bound to, hexadecimal.
    pub cookie_hash: String,
    pub expires_at: Timestamp,
}
