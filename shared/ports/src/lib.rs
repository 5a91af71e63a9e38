//! What the steps stand on: [`Store`], [`Queue`] and [`Vault`], in domain's words.
//!
//! Two platforms implement them: AWS, and one SQLite file. Nothing here does I/O.

pub mod cursor;
pub mod message;
mod queue;
mod store;
mod vault;

pub use queue::Queue;
pub use store::{
    Attachment, AuthorizeState, Change, ClaimChange, Commit, Counter, DirectoryCursor, Due, EnrollmentFilter,
    HookOwner, IntegrationStore, IntuneRecord, Page, PeopleFilter, PlanFilter, Store, Vendor,
};
pub use vault::{DataKey, SecretKind, Vault, WrappedKey};

/// One platform's three parts together.
pub trait Platform: Clone + Send + Sync + 'static {
    type Store: Store;
    type Queue: Queue;
    type Vault: Vault;

    fn store(&self) -> &Self::Store;
    fn queue(&self) -> &Self::Queue;
    fn vault(&self) -> &Self::Vault;
}

/// Tells the time. It enters in `main` as a value, so that a test can turn it.
pub type Clock = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The platform itself failed. The step is tried again; nothing a vendor says ever becomes this.
#[derive(Debug, thiserror::Error)]
#[error("the platform failed to {doing}")]
pub struct PlatformError {
    /// What was tried, for the log: `"read an enrollment"`.
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PlatformError {
    pub fn new(doing: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { doing, source: source.into() }
    }
}
