//! Lists and counts of enrollments, and what is due.

use domain::{Enrollment, EnrollmentId, enrollment::StateName, transition::Event};
use jiff::SignedDuration;
use ports::{EnrollmentFilter, IntegrationStore, Platform, Store};

use crate::samples::{MANY, all, at, batch, buying, change, connected, done, planned, read, step, stored, together};

pub async fn enrollments_are_listed_by_each_filter_newest_first<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let (one, other) = (batch(id, at(0)).id, batch(id, at(0)).id);
    let person = planned(id).person;
    let mut made = Vec::new();
    for second in 0..12 {
        let mut row = Enrollment { created_at: at(second), ..planned(id) };
        row.batch = if second % 2 == 0 { one } else { other };
        if second % 3 == 0 {
            row.person = person;
        }
        made.push(row);
    }
    rows.create_enrollments(&made).await?;
    for row in &mut made[..6] {
        *row = step(&rows, row, Event::Approved).await?;
    }

    let newest_first = |wanted: &dyn Fn(usize) -> bool| -> Vec<EnrollmentId> {
        (0..made.len()).rev().filter(|number| wanted(*number)).map(|number| made[number].id).collect()
    };
    let listed = async |filter: EnrollmentFilter| -> anyhow::Result<Vec<EnrollmentId>> {
        let list = all(async |after| rows.enrollments(&filter, after, 2).await).await?;
        Ok(list.into_iter().map(|row| row.id).collect())
    };
    assert_eq!(listed(EnrollmentFilter::Everything).await?, newest_first(&|_| true));
    assert_eq!(listed(EnrollmentFilter::State(StateName::Requested)).await?, newest_first(&|n| n < 6));
    assert_eq!(listed(EnrollmentFilter::State(StateName::Held)).await?, []);
    assert_eq!(listed(EnrollmentFilter::Batch(other)).await?, newest_first(&|n| n % 2 == 1));
    let planned_of_one = EnrollmentFilter::BatchState(one, StateName::Planned);
    assert_eq!(listed(planned_of_one).await?, newest_first(&|n| n % 2 == 0 && n >= 6));
    assert_eq!(listed(EnrollmentFilter::Person(person)).await?, newest_first(&|n| n % 3 == 0));

    // Rows that leave the list while it is read hide no other.
    let filter = EnrollmentFilter::State(StateName::Requested);
    let drained = all(async |after| {
        let page = rows.enrollments(&filter, after, 2).await?;
        for row in &page.items {
            if let Ok(change) = change(row, buying()) {
                rows.commit(change).await?;
            }
        }
        Ok(page)
    })
    .await?;
    assert_eq!(drained.iter().map(|row| row.id).collect::<Vec<_>>(), newest_first(&|n| n < 6));
    for garbage in ["", "0", "%00", "W10"] {
        rows.enrollments(&filter, Some(garbage.into()), 2).await?;
    }
    Ok(())
}

pub async fn counts_follow_the_states<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    assert_eq!(rows.counts(None).await?, []);
    let (mut first, mut second, third) = (planned(id), planned(id), planned(id));
    second.batch = first.batch;
    rows.create_enrollments(&[first.clone(), second.clone(), third.clone()]).await?;
    assert_eq!(rows.counts(None).await?, [(StateName::Planned, 3)]);
    assert_eq!(rows.counts(Some(first.batch)).await?, [(StateName::Planned, 2)]);

    first = step(&rows, &first, Event::Approved).await?;
    second = step(&rows, &second, Event::Approved).await?;
    first = step(&rows, &first, buying()).await?;
    // A write that leaves the state as it is counts nothing.
    step(&rows, &first, Event::Postponed { until: at(300), note: "wait".into() }).await?;
    let both = [(StateName::Requested, 1), (StateName::Buying, 1)];
    assert_eq!(rows.counts(Some(first.batch)).await?, both);
    assert_eq!(rows.counts(Some(third.batch)).await?, [(StateName::Planned, 1)]);
    step(&rows, &second, Event::Cancelled { reason: "not needed".into() }).await?;
    let all = [(StateName::Planned, 1), (StateName::Buying, 1), (StateName::Cancelled, 1)];
    assert_eq!(rows.counts(None).await?, all);
    Ok(())
}

pub async fn what_is_due_comes_oldest_first_and_no_integration_hides_another<P: Platform>(
    platform: &P,
) -> anyhow::Result<()> {
    let (large, many) = connected(platform).await?;
    let (small, few) = connected(platform).await?;
    let due = |integration, second| Enrollment { due_at: Some(at(second)), ..planned(integration) };
    let backlog: Vec<_> = (0..200).map(|second| due(large, -second)).collect();
    many.create_enrollments(&backlog).await?;
    let (lone, later, resting) = (due(small, 0), due(small, 1), planned(small));
    few.create_enrollments(&[lone.clone(), later, resting]).await?;

    let found = platform.store().due(at(0), 3).await?;
    let of = |integration| found.iter().filter(move |due| due.integration == integration);
    let oldest: Vec<_> = backlog.iter().rev().take(3).map(|row| (row.id, row.due_at)).collect();
    assert_eq!(of(large).map(|due| (due.enrollment, Some(due.due_at))).collect::<Vec<_>>(), oldest);
    assert_eq!(of(small).map(|due| (due.enrollment, Some(due.due_at))).collect::<Vec<_>>(), [(lone.id, lone.due_at)]);
    assert_eq!(found.len(), 4);
    assert_eq!(platform.store().due(at(-1_000), 3).await?, []);
    Ok(())
}

pub async fn of_fifty_who_move_a_due_time_one_owns_the_release<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = Enrollment { due_at: Some(at(0)), ..planned(id) };
    rows.create_enrollments(std::slice::from_ref(&row)).await?;
    let movers = (0..MANY).map(|_| {
        let (rows, id) = (rows.clone(), row.id);
        async move { rows.move_due(id, at(0), at(60)).await }
    });
    let owned = together(movers).await?;
    assert_eq!(owned.into_iter().filter(|owned| *owned).count(), 1);
    assert_eq!(read(&rows, row.id).await?, Enrollment { due_at: Some(at(60)), ..row.clone() });
    assert_eq!(platform.store().due(at(59), 10).await?, []);

    let nearly = at(60) + SignedDuration::from_nanos(1);
    assert!(!rows.move_due(row.id, nearly, at(120)).await?, "not the time that was read");
    assert!(!rows.move_due(row.id, at(60), at(60)).await?, "nobody owns what did not move");
    assert!(!rows.move_due(planned(id).id, at(60), at(120)).await?);
    let resting = stored(&rows, id).await?;
    assert!(!rows.move_due(resting.id, at(0), at(60)).await?);
    assert_eq!(read(&rows, resting.id).await?.due_at, None);
    Ok(())
}

pub async fn moving_a_due_time_does_not_make_a_write_stale<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let row = stored(&rows, id).await?;
    let requested = step(&rows, &row, Event::Approved).await?;
    let due = requested.due_at.unwrap_or_default();
    assert!(rows.move_due(row.id, due, due + SignedDuration::from_secs(60)).await?);
    let buying = done(rows.commit(change(&requested, buying())?).await?)?;
    assert_eq!(read(&rows, row.id).await?, buying);
    assert_eq!(platform.store().due(buying.due_at.unwrap_or_default(), 10).await?.len(), 1);
    Ok(())
}
