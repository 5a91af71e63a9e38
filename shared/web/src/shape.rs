//! What the API answers with: types of its own, so that nothing stored is shown by accident. There is no field
//! here for a secret, a sealed key or an attachment.

mod batch;
mod enrollment;
mod integration;
mod people;
mod timeline;
mod voucher;
mod words;

use ports::Page;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use batch::{Batch, PlanPerson, Product, SoldProduct};
pub(crate) use enrollment::{Count, Counts, Enrollment};
pub(crate) use integration::{Integration, PreflightRow, SettingsBody};
pub(crate) use people::{ImportProgress, Person};
pub(crate) use timeline::{AuditLine, TimelineEntry};
pub(crate) use voucher::Voucher;
pub(crate) use words::{Purpose, Role, StateName};

/// Part of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Handed back as `after`, it gives the part that follows. `null`: this was the last.
    pub(crate) next: Option<String>,
}

impl<T> List<T> {
    pub(crate) fn of<D>(page: Page<D>, shape: impl FnMut(D) -> T) -> Self {
        Self { items: page.items.into_iter().map(shape).collect(), next: page.next }
    }
}

/// US dollars, as SSL.com charges them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Money {
    cents: u64,
    #[schema(example = "$38.00")]
    text: String,
}

impl From<domain::Money> for Money {
    fn from(money: domain::Money) -> Self {
        Self { cents: money.0, text: money.to_string() }
    }
}
