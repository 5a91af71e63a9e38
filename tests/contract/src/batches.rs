//! Batches and the rows of their plans.

use domain::{
    Batch, BatchId, IntegrationId, PersonId,
    assessment::Assessment,
    batch::{BatchStatus, PlanRow},
};
use ports::{IntegrationStore, PlanFilter, Platform};
use uuid::Uuid;

use crate::samples::{all, at, batch, connected};

pub async fn a_batch_is_created_once_with_its_unplanned_rows<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let created = batch(id, at(0));
    let people = people(3);
    rows.create_batch(&created, &people).await?;
    assert_eq!(rows.batch(created.id).await?, Some(created.clone()));
    let plan = rows.plan_rows(created.id, &PlanFilter::Unplanned, None, 10).await?;
    assert_eq!(plan.items, people.iter().map(|person| unplanned(created.id, *person)).collect::<Vec<_>>());
    assert_eq!(plan.next, None);

    // The same request again, after planning has begun.
    let begun = Batch { planned: 1, ..created.clone() };
    assert!(rows.save_batch(&begun).await?);
    rows.put_plan_rows(&[assessed(created.id, people[0], Assessment::New)]).await?;
    rows.create_batch(&created, &people).await?;
    assert_eq!(rows.batch(created.id).await?, Some(Batch { version: created.version + 1, ..begun }));
    assert_eq!(rows.plan_rows(created.id, &PlanFilter::Unplanned, None, 10).await?.items.len(), 2);
    assert_eq!(rows.batch(BatchId(Uuid::new_v4())).await?, None);
    Ok(())
}

pub async fn a_batch_is_written_under_the_version_that_was_read<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let created = batch(id, at(0));
    assert!(!rows.save_batch(&created).await?, "a batch that does not exist is not written");
    rows.create_batch(&created, &[]).await?;
    let stopped = Batch { status: BatchStatus::Stopped { reason: "a price changed".into() }, ..created.clone() };
    assert!(rows.save_batch(&stopped).await?);
    let running = Batch { status: BatchStatus::Running, ..created };
    assert!(!rows.save_batch(&running).await?, "it does not know that the batch was stopped");
    assert_eq!(rows.batch(stopped.id).await?, Some(Batch { version: stopped.version + 1, ..stopped }));
    Ok(())
}

pub async fn batches_are_listed_newest_first<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    for second in [3, 1, 4, 1, 5, 9, 2, 6] {
        rows.create_batch(&batch(id, at(second)), &[]).await?;
    }
    // One that is newer than the list's beginning comes while it is read.
    let listed = all(async |after| {
        rows.create_batch(&batch(id, at(100)), &[]).await?;
        rows.batches(after, 3).await
    })
    .await?;
    let times: Vec<_> = listed.iter().map(|batch| batch.created_at).collect();
    assert_eq!(times, [100, 9, 6, 5, 4, 3, 2, 1, 1].map(at));
    assert_eq!(rows.batches(Some("!".into()), 3).await?.next, None);
    Ok(())
}

pub async fn rows_of_a_plan_are_replaced_and_filtered<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let created = batch(id, at(0));
    let people = people(4);
    rows.create_batch(&created, &people).await?;
    let assessments = [Assessment::New, Assessment::Guest, Assessment::New];
    let planned: Vec<_> =
        people.iter().zip(assessments).map(|(person, what)| assessed(created.id, *person, what)).collect();
    rows.put_plan_rows(&planned).await?;

    let listed = async |filter: PlanFilter| -> anyhow::Result<Vec<PersonId>> {
        let plan = all(async |after| rows.plan_rows(created.id, &filter, after, 1).await).await?;
        Ok(plan.into_iter().map(|row| row.person).collect())
    };
    assert_eq!(listed(PlanFilter::Everybody).await?, people);
    assert_eq!(listed(PlanFilter::Unplanned).await?, people[3..]);
    assert_eq!(listed(PlanFilter::Assessment("new".into())).await?, [people[0], people[2]]);
    assert_eq!(listed(PlanFilter::Assessment("guest".into())).await?, [people[1]]);
    assert_eq!(listed(PlanFilter::Assessment(String::new())).await?, []);

    rows.put_plan_rows(&[assessed(created.id, people[0], Assessment::Disabled)]).await?;
    assert_eq!(listed(PlanFilter::Assessment("new".into())).await?, [people[2]]);
    assert_eq!(listed(PlanFilter::Assessment("disabled".into())).await?, [people[0]]);
    Ok(())
}

pub async fn twenty_thousand_rows_of_a_plan_are_walked_page_by_page<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows): (IntegrationId, _) = connected(platform).await?;
    let created = batch(id, at(0));
    let people = people(20_000);
    rows.create_batch(&created, &people).await?;
    // As planning does: what was assessed leaves the filter, so the first page is always what is left.
    let mut walked = Vec::new();
    loop {
        let page = rows.plan_rows(created.id, &PlanFilter::Unplanned, None, 1_000).await?.items;
        if page.is_empty() {
            break;
        }
        let done: Vec<_> = page.iter().map(|row| assessed(created.id, row.person, Assessment::New)).collect();
        rows.put_plan_rows(&done).await?;
        walked.extend(page.into_iter().map(|row| row.person));
    }
    assert_eq!(walked, people);
    Ok(())
}

/// In the order of a plan.
fn people(count: usize) -> Vec<PersonId> {
    let mut people: Vec<_> = (0..count).map(|_| PersonId(Uuid::new_v4())).collect();
    people.sort();
    people
}

fn unplanned(batch: BatchId, person: PersonId) -> PlanRow {
    PlanRow { batch, person, assessment: None, enrollment: None, ground: None }
}

fn assessed(batch: BatchId, person: PersonId, what: Assessment) -> PlanRow {
    PlanRow { assessment: Some(what), ..unplanned(batch, person) }
}
