//! What stands between an enrollment and buying twice: the claim, the owner of an order, the limit of the day.

use domain::{Enrollment, EnrollmentId, enrollment::StateName, transition::Event};
use ports::{Attachment, ClaimChange, Commit, Counter, EnrollmentFilter, IntegrationStore, Platform, Store};

use crate::samples::{MANY, at, buying, change, connected, count, day, done, planned, read, step, stored, together};

pub async fn of_fifty_takers_of_one_claim_one_wins<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let first = planned(id);
    let rivals: Vec<Enrollment> = (0..MANY).map(|_| Enrollment { person: first.person, ..planned(id) }).collect();
    rows.create_enrollments(&rivals).await?;
    let changes: Vec<_> = rivals.iter().map(approving).collect::<Result<_, _>>()?;
    let answers = together(changes.into_iter().map(|change| {
        let rows = rows.clone();
        async move { rows.commit(change).await }
    }))
    .await?;
    let winner = rows.claim(&first.claim()).await?;
    let won: Vec<EnrollmentId> = answers
        .iter()
        .filter_map(|answer| match answer {
            Commit::Done(row) => Some(row.id),
            _ => None,
        })
        .collect();
    assert_eq!(won, winner.into_iter().collect::<Vec<_>>());
    let taken = |answer: &&Commit| matches!(answer, Commit::ClaimTaken { by } if Some(*by) == winner);
    assert_eq!(answers.iter().filter(taken).count(), MANY - 1);
    assert_eq!(count(&rows, StateName::Requested).await?, 1);
    assert_eq!(count(&rows, StateName::Planned).await?, MANY as u64 - 1);
    Ok(())
}

/// The approval of a planned row, with its claim.
fn approving(row: &Enrollment) -> anyhow::Result<ports::Change> {
    let mut approving = change(row, Event::Approved)?;
    approving.claim = Some(ClaimChange::Take { claim: row.claim(), from: row.replaces });
    Ok(approving)
}

pub async fn a_claim_is_taken_over_by_naming_its_holder_and_freed_by_its_holder_alone<P: Platform>(
    platform: &P,
) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let first = stored(&rows, id).await?;
    let claim = first.claim();
    let held = done(rows.commit(approving(&first)?).await?)?;
    assert_eq!(rows.claim(&claim).await?, Some(first.id));
    let mut again = change(&held, Event::Postponed { until: at(300), note: "approved twice".into() })?;
    again.claim = Some(ClaimChange::Take { claim: claim.clone(), from: None });
    let held = done(rows.commit(again).await?)?;

    let rival = Enrollment { person: first.person, ..planned(id) };
    let misinformed = Enrollment { replaces: Some(rival.id), ..Enrollment { person: first.person, ..planned(id) } };
    let renewal = Enrollment { replaces: Some(first.id), ..Enrollment { person: first.person, ..planned(id) } };
    rows.create_enrollments(&[rival.clone(), misinformed.clone(), renewal.clone()]).await?;
    for refused in [&rival, &misinformed] {
        assert_eq!(rows.commit(approving(refused)?).await?, Commit::ClaimTaken { by: first.id });
    }

    // Somebody who does not hold it gives nothing up.
    let mut cancelled = change(&rival, Event::Cancelled { reason: "not needed".into() })?;
    cancelled.claim = Some(ClaimChange::Release { claim: claim.clone() });
    done(rows.commit(cancelled).await?)?;
    assert_eq!(rows.claim(&claim).await?, Some(first.id));

    let renewed = done(rows.commit(approving(&renewal)?).await?)?;
    assert_eq!(rows.claim(&claim).await?, Some(renewal.id));
    let mut given_up = change(&held, Event::Cancelled { reason: "replaced".into() })?;
    given_up.claim = Some(ClaimChange::Release { claim: claim.clone() });
    done(rows.commit(given_up).await?)?;
    assert_eq!(rows.claim(&claim).await?, Some(renewal.id), "the predecessor holds it no more");

    let mut given_up = change(&renewed, Event::Cancelled { reason: "a mistake".into() })?;
    given_up.claim = Some(ClaimChange::Release { claim: claim.clone() });
    done(rows.commit(given_up).await?)?;
    assert_eq!(rows.claim(&claim).await?, None);
    done(rows.commit(approving(&misinformed)?).await?)?;
    assert_eq!(rows.claim(&claim).await?, Some(misinformed.id));
    Ok(())
}

pub async fn a_refused_change_writes_nothing_at_all<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let holder = stored(&rows, id).await?;
    let mut taken = approving(&holder)?;
    taken.references = vec!["co-taken".into()];
    taken.count = Some(Counter { day: day(0), limit: 1 });
    done(rows.commit(taken).await?)?;

    let row = Enrollment { person: holder.person, ..planned(id) };
    rows.create_enrollments(std::slice::from_ref(&row)).await?;
    let free = change(&row, Event::Approved)?;
    let claim_taken = approving(&row)?;
    let mut reference_taken = free.clone();
    reference_taken.references = vec!["co-free".into(), "co-taken".into()];
    let mut limit_reached = free.clone();
    limit_reached.count = Some(Counter { day: day(0), limit: 1 });
    let refusals = [
        (claim_taken, Commit::ClaimTaken { by: holder.id }),
        (reference_taken, Commit::ReferenceTaken { reference: "co-taken".into(), by: holder.id }),
        (limit_reached, Commit::LimitReached),
    ];
    for (mut refused, reason) in refusals {
        refused.references.push("co-free".into());
        refused.hook = Some("ef".repeat(32));
        refused.attachments = vec![(Attachment::SealedKey, Some(vec![1]))];
        if reason != Commit::LimitReached {
            refused.count = Some(Counter { day: day(1), limit: 10 });
        }
        assert_eq!(rows.commit(refused).await?, reason);
        assert_eq!(read(&rows, row.id).await?, row);
        assert_eq!(rows.timeline(row.id, None, 10).await?.items, []);
        assert_eq!(rows.attachment(row.id, Attachment::SealedKey).await?, None);
        assert_eq!(rows.order_owner("co-free").await?, None);
        assert_eq!(platform.store().hook_owner(&"ef".repeat(32)).await?, None);
        assert_eq!((rows.bought_on(day(0)).await?, rows.bought_on(day(1)).await?), (1, 0));
        assert_eq!(count(&rows, StateName::Requested).await?, 1);
    }
    done(rows.commit(free).await?)?;
    Ok(())
}

pub async fn an_order_belongs_to_one_enrollment<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let mut candidates = Vec::new();
    for _ in 0..MANY {
        let row = stored(&rows, id).await?;
        let requested = step(&rows, &row, Event::Approved).await?;
        candidates.push(step(&rows, &requested, buying()).await?);
    }
    let found = |row: &Enrollment| {
        let event = Event::PurchaseFound { attempt: 1, reference: "co-1".into(), paid: None };
        let mut found = change(row, event)?;
        found.references = vec!["co-1".into()];
        anyhow::Ok(found)
    };
    let changes: Vec<_> = candidates.iter().map(found).collect::<Result<_, _>>()?;
    let answers = together(changes.into_iter().map(|change| {
        let rows = rows.clone();
        async move { rows.commit(change).await }
    }))
    .await?;
    let owner = rows.order_owner("co-1").await?;
    let won: Vec<_> = answers.iter().filter(|answer| matches!(answer, Commit::Done(_))).collect();
    assert_eq!(won.len(), 1);
    let taken = |answer: &&Commit| match answer {
        Commit::ReferenceTaken { reference, by } => reference == "co-1" && Some(*by) == owner,
        _ => false,
    };
    assert_eq!(answers.iter().filter(taken).count(), MANY - 1);

    // The owner may name it again, beside others.
    let bought = read(&rows, owner.unwrap_or(candidates[0].id)).await?;
    let mut again = change(&bought, Event::PurchaseFound { attempt: 1, reference: "co-2".into(), paid: None })?;
    again.references = vec!["co-1".into(), "co-2".into()];
    done(rows.commit(again).await?)?;
    assert_eq!(rows.order_owner("co-2").await?, owner);
    assert_eq!(rows.order_owner("co-3").await?, None);
    Ok(())
}

pub async fn an_order_that_its_owner_released_belongs_to_nobody<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let mut bought = Vec::new();
    for _ in 0..2 {
        let requested = step(&rows, &stored(&rows, id).await?, Event::Approved).await?;
        bought.push(step(&rows, &requested, buying()).await?);
    }
    let [owner, other] = bought.as_slice() else { anyhow::bail!("there are two") };
    let found = Event::PurchaseFound { attempt: 1, reference: "co-1".into(), paid: None };
    let mut taking = change(owner, found.clone())?;
    taking.references = vec!["co-1".into()];
    let owner = done(rows.commit(taking).await?)?;

    let postponed = Event::Postponed { until: at(300), note: "wait".into() };
    let mut theft = change(other, postponed.clone())?;
    theft.released = vec!["co-1".into()];
    let refused = Commit::ReferenceTaken { reference: "co-1".into(), by: owner.id };
    assert_eq!(rows.commit(theft).await?, refused);
    assert_eq!(rows.order_owner("co-1").await?, Some(owner.id));

    let mut releasing = change(&owner, postponed)?;
    releasing.released = vec!["co-1".into(), "co-nobodys".into()];
    done(rows.commit(releasing).await?)?;
    assert_eq!(rows.order_owner("co-1").await?, None);
    let mut taking = change(other, found)?;
    taking.references = vec!["co-1".into()];
    done(rows.commit(taking).await?)?;
    assert_eq!(rows.order_owner("co-1").await?, Some(other.id));
    Ok(())
}

pub async fn the_limit_of_the_day_holds_under_contention<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let limit = 7;
    let mut changes = Vec::new();
    for _ in 0..MANY {
        let row = stored(&rows, id).await?;
        let requested = step(&rows, &row, Event::Approved).await?;
        let mut begun = change(&requested, buying())?;
        begun.count = Some(Counter { day: day(0), limit });
        changes.push(begun);
    }
    let answers = together(changes.clone().into_iter().map(|change| {
        let rows = rows.clone();
        async move { rows.commit(change).await }
    }))
    .await?;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Commit::Done(_))).count(), limit as usize);
    let refused = answers.iter().filter(|answer| **answer == Commit::LimitReached).count();
    assert_eq!(refused, MANY - limit as usize);
    assert_eq!(rows.bought_on(day(0)).await?, limit);
    assert_eq!(count(&rows, StateName::Buying).await?, u64::from(limit));

    // What was not begun after all makes room for another, on the day for which it was counted.
    let open = rows.enrollments(&EnrollmentFilter::State(StateName::Buying), None, 1).await?.items.remove(0);
    let mut unsent = change(&open, Event::NeverSent)?;
    unsent.uncount = Some(day(0));
    done(rows.commit(unsent.clone()).await?)?;
    done(rows.commit(unsent).await?)?;
    assert_eq!((rows.bought_on(day(0)).await?, rows.bought_on(day(1)).await?), (limit - 1, 0), "once, on its day");
    let mut begun = change(&read(&rows, open.id).await?, buying())?;
    begun.count = Some(Counter { day: day(0), limit });
    done(rows.commit(begun).await?)?;
    assert_eq!(rows.bought_on(day(0)).await?, limit);

    // The next day has a count of its own, and a raised limit counts at once.
    let mut left = Vec::new();
    for change in changes {
        if read(&rows, change.enrollment.id).await?.attempt == 0 {
            left.push(change);
        }
    }
    left[0].count = Some(Counter { day: day(1), limit: 1 });
    left[1].count = Some(Counter { day: day(0), limit: limit + 1 });
    done(rows.commit(left[0].clone()).await?)?;
    done(rows.commit(left[1].clone()).await?)?;
    assert_eq!((rows.bought_on(day(0)).await?, rows.bought_on(day(1)).await?), (limit + 1, 1));
    Ok(())
}
