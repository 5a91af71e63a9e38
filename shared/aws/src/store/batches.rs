//! The rows of batches and of their plans.

use domain::{Batch, BatchId, IntegrationId, PersonId, batch::PlanRow};
use ports::{Page, PlanFilter, cursor};

use super::{
    body::{self, VERSION},
    integrations::belongs,
    keys::{self, Key, PLAN, Place},
    span::Span,
    table::{Condition, Item, Outcome, Table, number, text},
};

/// A batch that exists already stays as it is, so that a repeated request does no harm. Its plan comes first: whoever
/// sees the batch sees all of it.
pub(super) async fn create(table: &Table, scope: IntegrationId, batch: &Batch, people: &[PersonId]) -> Outcome<()> {
    belongs(scope, batch.integration)?;
    if table.get(&Key::batch(scope, batch.id)).await?.is_some() {
        return Ok(());
    }
    let unplanned = |person: &PersonId| PlanRow {
        batch: batch.id,
        person: *person,
        assessment: None,
        enrollment: None,
        ground: None,
    };
    let mut people = people.to_vec();
    people.sort();
    people.dedup();
    let rows: Vec<_> = people.iter().map(unplanned).collect();
    put_plan_rows(table, scope, &rows).await?;
    table.put_if(row(scope, batch)?, Condition::is_new()).await.map(drop)
}

pub(super) async fn one(table: &Table, scope: IntegrationId, batch: BatchId) -> Outcome<Option<Batch>> {
    table.get(&Key::batch(scope, batch)).await?.as_ref().map(body::read).transpose()
}

/// Newest first.
pub(super) async fn page(
    table: &Table,
    scope: IntegrationId,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Batch>> {
    let (list, partition) = keys::batches(scope);
    super::newest_first(table, list, &partition, after, limit, body::read).await
}

pub(super) async fn save(table: &Table, scope: IntegrationId, batch: &Batch) -> Outcome<bool> {
    belongs(scope, batch.integration)?;
    let next = Batch { version: batch.version.saturating_add(1), ..batch.clone() };
    let unchanged = Condition::new("version_number = :read", [(":read", number(batch.version))]);
    table.put_if(row(scope, &next)?, unchanged).await
}

fn row(scope: IntegrationId, batch: &Batch) -> Outcome<Item> {
    body::row(Place::of_batch(scope, batch), batch, [(VERSION, number(batch.version))])
}

pub(super) async fn put_plan_rows(table: &Table, scope: IntegrationId, rows: &[PlanRow]) -> Outcome<()> {
    let items = rows.iter().map(|row| body::row(Place::of_plan_row(scope, row), row, []));
    table.put_many(items.collect::<Outcome<_>>()?).await
}

pub(super) async fn plan_rows(
    table: &Table,
    scope: IntegrationId,
    batch: BatchId,
    filter: &PlanFilter,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<PlanRow>> {
    let Some(part) = cursor::part(String::new(), after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let listed = |assessment| keys::plan_by_assessment(scope, batch, assessment);
    let (list, partition) = match filter {
        PlanFilter::Everybody => {
            let span = Span::beginning(PLAN, &part.after);
            let rows = table.rows(&keys::plan(scope, batch), &span, part.rows).await?;
            let rows = rows.iter().map(|item| Ok((text(item, "sk")?, body::read(item)?))).collect::<Outcome<_>>()?;
            return Ok(cursor::page(&part, rows)?);
        }
        PlanFilter::Unplanned => listed(None),
        PlanFilter::Assessment(assessment) => listed(Some(assessment.as_str())),
    };
    let rows = table.list(list, &partition, Span::beginning("", &part.after), part.rows).await?;
    let rows = rows.into_iter().map(|(sort, item)| Ok((sort, body::read(&item)?))).collect::<Outcome<_>>()?;
    Ok(cursor::page(&part, rows)?)
}
