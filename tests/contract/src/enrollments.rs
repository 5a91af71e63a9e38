//! One change of an enrollment: who wins, what is written with it, and what is told of it later.

use domain::{Enrollment, enrollment::StateName, transition::Event};
use ports::{Attachment, Change, ClaimChange, Commit, Counter, HookOwner, IntegrationStore, Platform, Store};
use uuid::Uuid;

use crate::samples::{
    MANY, all, at, buying, change, connected, count, day, done, happened, planned, read, step, stored, together,
};

pub async fn an_enrollment_that_exists_is_not_created_again<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    assert_eq!(read(&rows, row.id).await?, row);
    let requested = step(&rows, &row, Event::Approved).await?;
    let other = planned(id);
    rows.create_enrollments(&[row, other.clone()]).await?;
    assert_eq!(read(&rows, requested.id).await?, requested);
    assert_eq!(read(&rows, other.id).await?, other);
    assert_eq!(count(&rows, StateName::Planned).await?, 1);
    Ok(())
}

pub async fn a_write_under_an_old_version_is_stale<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let approved = change(&row, Event::Approved)?;
    let run = approved.run;
    let requested = done(rows.commit(approved).await?)?;
    assert_eq!((requested.version, requested.written_by), (row.version + 1, Some(run)));
    assert_eq!(read(&rows, row.id).await?, requested);

    let late = change(&row, Event::Cancelled { reason: "too late".into() })?;
    assert_eq!(rows.commit(late).await?, Commit::Stale);
    let mut early = change(&requested, buying())?;
    early.enrollment.version += 1;
    assert_eq!(rows.commit(early).await?, Commit::Stale);
    assert_eq!(read(&rows, row.id).await?, requested);
    assert_eq!(rows.timeline(row.id, None, 10).await?.items.len(), 1);
    Ok(())
}

pub async fn of_fifty_writers_of_one_version_one_wins<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let requested = step(&rows, &row, Event::Approved).await?;
    let changes: Vec<Change> = (0..MANY).map(|_| change(&requested, buying())).collect::<Result<_, _>>()?;
    let answers = together(changes.into_iter().map(|change| {
        let rows = rows.clone();
        async move { rows.commit(change).await }
    }))
    .await?;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Commit::Done(_))).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Commit::Stale).count(), MANY - 1);
    assert_eq!(read(&rows, row.id).await?.attempt, 1);
    assert_eq!(rows.timeline(row.id, None, 100).await?.items.len(), 2);
    Ok(())
}

/// Everything that can ride on a change.
fn loaded(requested: &Enrollment) -> anyhow::Result<Change> {
    let mut loaded = change(requested, buying())?;
    loaded.claim = Some(ClaimChange::Take { claim: requested.claim(), from: None });
    loaded.references = vec!["co-1".into()];
    loaded.attachments = vec![(Attachment::SealedKey, Some(vec![7; 100]))];
    loaded.hook = Some("ab".repeat(32));
    loaded.count = Some(Counter { day: day(0), limit: 1 });
    Ok(loaded)
}

pub async fn a_write_whose_answer_was_lost_is_recognised_as_won<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let requested = step(&rows, &row, Event::Approved).await?;
    let loaded = loaded(&requested)?;
    let written = done(rows.commit(loaded.clone()).await?)?;
    // The limit is used up and the version counted up; it is the same write all the same.
    assert_eq!(done(rows.commit(loaded.clone()).await?)?, written);
    assert_eq!(rows.timeline(row.id, None, 10).await?.items.len(), 2);
    assert_eq!(rows.bought_on(day(0)).await?, 1);
    assert_eq!(count(&rows, StateName::Buying).await?, 1);
    assert_eq!(rows.claim(&row.claim()).await?, Some(row.id));

    let stranger = Change { run: Uuid::new_v4(), ..loaded };
    assert_eq!(rows.commit(stranger).await?, Commit::Stale, "another run did not win");
    Ok(())
}

pub async fn the_same_run_does_not_win_with_an_older_write<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let first = change(&row, Event::Approved)?;
    let requested = done(rows.commit(first.clone()).await?)?;
    let second = Change { run: first.run, ..change(&requested, buying())? };
    done(rows.commit(second).await?)?;
    assert_eq!(rows.commit(first).await?, Commit::Stale);
    Ok(())
}

pub async fn a_change_of_an_enrollment_that_does_not_exist_is_stale<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let never_stored = planned(id);
    assert_eq!(rows.commit(loaded(&step_of(&never_stored)?)?).await?, Commit::Stale);
    assert_eq!(rows.enrollment(never_stored.id).await?, None);
    assert_eq!(rows.claim(&never_stored.claim()).await?, None);
    assert_eq!(rows.bought_on(day(0)).await?, 0);
    Ok(())
}

fn step_of(row: &Enrollment) -> anyhow::Result<Enrollment> {
    Ok(domain::transition::apply(row, &happened(Event::Approved))?)
}

pub async fn attachments_are_replaced_and_removed<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let sealed_key = async || rows.attachment(row.id, Attachment::SealedKey).await;
    assert_eq!(sealed_key().await?, None);

    // A large one: the chain of a certificate is some kilobytes.
    let chain = vec![b'x'; 64 * 1024];
    let mut first = change(&row, Event::Approved)?;
    first.attachments = vec![
        (Attachment::SealedKey, Some(vec![1, 0, 255])),
        (Attachment::CertificateChain, Some(chain.clone())),
        (Attachment::CertificateRequest, None),
    ];
    let requested = done(rows.commit(first).await?)?;
    assert_eq!(sealed_key().await?, Some(vec![1, 0, 255]));
    assert_eq!(rows.attachment(row.id, Attachment::CertificateChain).await?, Some(chain.clone()));
    assert_eq!(rows.attachment(row.id, Attachment::CertificateRequest).await?, None);

    let mut second = change(&requested, buying())?;
    second.attachments = vec![(Attachment::SealedKey, Some(vec![2]))];
    let buying = done(rows.commit(second).await?)?;
    assert_eq!(sealed_key().await?, Some(vec![2]));

    let mut third = change(&buying, Event::NeverSent)?;
    third.attachments = vec![(Attachment::SealedKey, None)];
    done(rows.commit(third).await?)?;
    assert_eq!(sealed_key().await?, None);
    assert_eq!(rows.attachment(row.id, Attachment::CertificateChain).await?, Some(chain));
    Ok(())
}

pub async fn the_timeline_is_told_in_order_page_by_page<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let mut row = stored(&rows, id).await?;
    let mut told = Vec::new();
    // More than nine, so that the order is one of numbers and not of their texts.
    for attempt in 0..8 {
        let mut both = change(&row, if attempt == 0 { Event::Approved } else { Event::NeverSent })?;
        both.happened.push(happened(Event::Postponed { until: at(attempt), note: "noted beside it".into() }));
        told.extend(both.happened.clone());
        row = done(rows.commit(both).await?)?;
        told.push(happened(buying()));
        row = step(&rows, &row, buying()).await?;
    }
    let timeline = all(async |after| rows.timeline(row.id, after, 5).await).await?;
    assert_eq!(timeline, told);

    // What happens while it is read comes at its end.
    let page = rows.timeline(row.id, None, told.len() - 1).await?;
    step(&rows, &row, Event::NeverSent).await?;
    assert_eq!(rows.timeline(row.id, page.next, 10).await?.items.len(), 2);
    assert_eq!(rows.timeline(row.id, Some("garbage".into()), 10).await?.next, None);
    Ok(())
}

pub async fn the_hook_of_an_earlier_attempt_stays_valid<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let owner = HookOwner { integration: id, enrollment: row.id };
    let tokens = [format!("{:064x}", row.id.0.as_u128()), "cd".repeat(32)];
    let mut row = step(&rows, &row, Event::Approved).await?;
    for token in &tokens {
        assert_eq!(platform.store().hook_owner(token).await?, None);
        let mut begun = change(&row, buying())?;
        begun.hook = Some(token.clone());
        let buying = done(rows.commit(begun).await?)?;
        row = step(&rows, &buying, Event::NeverSent).await?;
    }
    for token in &tokens {
        assert_eq!(platform.store().hook_owner(token).await?, Some(owner));
    }
    assert_eq!(platform.store().hook_owner("").await?, None);
    Ok(())
}
