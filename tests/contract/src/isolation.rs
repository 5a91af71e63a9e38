//! No id of one integration is visible, and no row of it can be written, through the handle of another.

use domain::{batch::PlanRow, operator::AuditEntry, transition::Event};
use ports::{
    Attachment, ClaimChange, Commit, Counter, DirectoryCursor, EnrollmentFilter, IntegrationStore, IntuneRecord,
    PeopleFilter, PlanFilter, Platform, Store, Vendor,
};

use crate::samples::{
    at, batch, buying, change, connected, day, done, integration, person, planned, read, step, stored,
};

pub async fn a_handle_sees_no_row_of_another_integration<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (a, of_a) = connected(platform).await?;
    let (_, of_b) = connected(platform).await?;
    let somebody = person("Åsa Öberg", "asa@example.com");
    of_a.put_people(std::slice::from_ref(&somebody)).await?;
    of_a.save_directory_cursor(&DirectoryCursor { generation: 3, ..DirectoryCursor::default() }).await?;
    let plan = batch(a, at(0));
    of_a.create_batch(&plan, &[somebody.id]).await?;
    let mut row = planned(a);
    row.batch = plan.id;
    row.person = somebody.id;
    of_a.create_enrollments(std::slice::from_ref(&row)).await?;
    let requested = step(&of_a, &row, Event::Approved).await?;
    let mut begun = change(&requested, buying())?;
    begun.claim = Some(ClaimChange::Take { claim: row.claim(), from: None });
    begun.references = vec!["co-1".into()];
    begun.attachments = vec![(Attachment::SealedKey, Some(vec![1]))];
    begun.count = Some(Counter { day: day(0), limit: 9 });
    let due = done(of_a.commit(begun).await?)?.due_at.unwrap_or_default();
    let record = IntuneRecord {
        id: "record".into(),
        person: somebody.id,
        purpose: row.purpose,
        not_after: at(9),
        thumbprint: "00".repeat(20),
        seen_at: at(0),
    };
    of_a.put_intune_records(&[record]).await?;
    of_a.pause(Vendor::Intune, at(9)).await?;
    let entry = AuditEntry {
        at: at(0),
        by: "an operator".into(),
        action: "batch.approved".into(),
        subject: plan.id.to_string(),
        detail: String::new(),
    };
    of_a.append_audit(&entry).await?;

    assert_eq!(of_b.person(somebody.id).await?, None);
    for filter in [
        PeopleFilter::Everybody,
        PeopleFilter::Name { prefix: "å".into() },
        PeopleFilter::Address { prefix: "asa".into() },
    ] {
        assert_eq!(of_b.people(&filter, None, 10).await?.items, []);
    }
    assert_eq!(of_b.people_with_address("asa@example.com").await?, 0);
    assert_eq!(of_b.directory_cursor().await?, DirectoryCursor::default());
    assert_eq!(of_b.batch(plan.id).await?, None);
    assert_eq!(of_b.batches(None, 10).await?.items, []);
    assert_eq!(of_b.plan_rows(plan.id, &PlanFilter::Everybody, None, 10).await?.items, []);
    assert_eq!(of_b.enrollment(row.id).await?, None);
    for filter in [
        EnrollmentFilter::Everything,
        EnrollmentFilter::State(domain::enrollment::StateName::Buying),
        EnrollmentFilter::Batch(plan.id),
        EnrollmentFilter::Person(somebody.id),
    ] {
        assert_eq!(of_b.enrollments(&filter, None, 10).await?.items, []);
    }
    assert_eq!(of_b.timeline(row.id, None, 10).await?.items, []);
    assert_eq!(of_b.attachment(row.id, Attachment::SealedKey).await?, None);
    assert!(!matches!(of_b.claim(&row.claim()).await, Ok(Some(_))));
    assert_eq!(of_b.order_owner("co-1").await?, None);
    assert_eq!(of_b.counts(None).await?, []);
    assert_eq!(of_b.counts(Some(plan.id)).await?, []);
    assert_eq!(of_b.intune_records(somebody.id).await?, []);
    assert_eq!(of_b.paused_until(Vendor::Intune).await?, None);
    assert_eq!(of_b.bought_on(day(0)).await?, 0);
    assert_eq!(of_b.audit(None, 10).await?.items, []);

    of_b.mark_person_left(somebody.id).await?;
    assert_eq!(of_b.mark_left(99).await?, 0);
    assert!(!of_b.move_due(row.id, due, at(9_999)).await?);
    assert_eq!(of_a.person(somebody.id).await?, Some(somebody));
    assert_eq!(read(&of_a, row.id).await?.due_at, Some(due));
    Ok(())
}

pub async fn a_handle_writes_no_row_of_another_integration<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let created = integration();
    platform.store().create_integration(&created).await?;
    let of_a = platform.store().of(created.id);
    let (b, of_b) = connected(platform).await?;
    let row = stored(&of_a, created.id).await?;
    let plan = batch(created.id, at(0));
    of_a.create_batch(&plan, &[]).await?;

    assert!(of_b.save_integration(&created).await.is_err());
    assert!(of_b.create_enrollments(&[planned(created.id)]).await.is_err());
    assert!(of_b.commit(change(&row, Event::Approved)?).await.is_err());
    assert!(of_b.create_batch(&batch(created.id, at(0)), &[]).await.is_err());
    assert!(of_b.save_batch(&plan).await.is_err());
    let foreign =
        PlanRow { batch: plan.id, person: row.person, assessment: None, enrollment: Some(row.id), ground: None };
    // One platform refuses the row, another keeps it apart; in the plan it is not.
    let _ = of_b.put_plan_rows(&[foreign]).await;
    assert_eq!(of_a.plan_rows(plan.id, &PlanFilter::Everybody, None, 10).await?.items, []);

    // The row says that it is of B, and has the id of A's.
    let mut disguised = change(&row, Event::Approved)?;
    disguised.enrollment.integration = b;
    assert_eq!(of_b.commit(disguised).await?, Commit::Stale);
    let mut claiming = change(&stored(&of_b, b).await?, Event::Approved)?;
    claiming.claim = Some(ClaimChange::Take { claim: row.claim(), from: None });
    assert!(of_b.commit(claiming).await.is_err(), "a claim of another integration");

    assert_eq!(read(&of_a, row.id).await?, row);
    assert_eq!(of_a.integration().await?, Some(created));
    assert_eq!(of_a.batch(plan.id).await?, Some(plan));
    assert_eq!(of_a.claim(&row.claim()).await?, None);
    Ok(())
}
