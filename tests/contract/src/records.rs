//! Smaller rows: Intune's records, pauses, the audit.

use domain::{Purpose, operator::AuditEntry};
use ports::{IntegrationStore, IntuneRecord, Platform, Vendor};

use crate::samples::{all, at, connected, planned};

pub async fn an_intune_record_is_replaced_by_what_was_seen_later<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (id, rows) = connected(platform).await?;
    let (person, other) = (planned(id).person, planned(id).person);
    let record = |name: &str, person| IntuneRecord {
        id: name.into(),
        person,
        purpose: Purpose::Signing,
        not_after: at(0),
        thumbprint: "00".repeat(20),
        seen_at: at(0),
    };
    assert_eq!(rows.intune_records(person).await?, []);
    rows.put_intune_records(&[record("a", person), record("b", person), record("c", other)]).await?;
    let later = IntuneRecord { not_after: at(9), ..record("a", person) };
    rows.put_intune_records(std::slice::from_ref(&later)).await?;
    let mut records = rows.intune_records(person).await?;
    records.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(records, [later, record("b", person)]);
    assert_eq!(rows.intune_records(other).await?, [record("c", other)]);
    Ok(())
}

pub async fn a_pause_is_only_ever_prolonged<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    assert_eq!(rows.paused_until(Vendor::Intune).await?, None);
    for (until, stands) in [(30, 30), (90, 90), (60, 90)] {
        rows.pause(Vendor::Intune, at(until)).await?;
        assert_eq!(rows.paused_until(Vendor::Intune).await?, Some(at(stands)));
    }
    assert_eq!(rows.paused_until(Vendor::Directory).await?, None);
    Ok(())
}

pub async fn the_audit_is_read_newest_first<P: Platform>(platform: &P) -> anyhow::Result<()> {
    let (_, rows) = connected(platform).await?;
    let entry = |second: i64, subject: i64| AuditEntry {
        at: at(second),
        by: "an operator".into(),
        action: "batch.approved".into(),
        subject: subject.to_string(),
        detail: String::new(),
    };
    // Of one moment, what was appended last is the newest.
    let appended = [entry(1, 0), entry(2, 1), entry(2, 2), entry(2, 3), entry(5, 4), entry(3, 5)];
    for entry in &appended {
        rows.append_audit(entry).await?;
    }
    let read = all(async |after| {
        rows.append_audit(&entry(100, 100)).await?;
        rows.audit(after, 2).await
    })
    .await?;
    let subjects: Vec<_> = read.iter().map(|entry| entry.subject.as_str()).collect();
    assert_eq!(subjects, ["100", "4", "5", "3", "2", "1", "0"]);
    assert_eq!(rows.audit(Some("garbage".into()), 2).await?.next, None);
    Ok(())
}
