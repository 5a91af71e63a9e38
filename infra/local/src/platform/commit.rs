//! One change of an enrollment and everything that must be true together with it: all of it, or nothing.
//!
//! Everything that can refuse the change is looked at before the first write, inside the transaction that writes.

use domain::transition::Happened;
use domain::{BatchId, Enrollment, EnrollmentId, IntegrationId, enrollment::StateName};
use ports::{Attachment, Change, ClaimChange, Commit, Counter};
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::{
    columns::{Text, nanoseconds, to_json},
    database::{Fault, Outcome},
    enrollments, integrations, records,
    statement::{execute, first},
};

pub(super) fn commit(transaction: &Transaction<'_>, scope: IntegrationId, change: Change) -> Outcome<Commit> {
    let id = change.enrollment.id;
    integrations::belongs(scope, change.enrollment.integration)?;
    let Some(stored) = stored(transaction, scope, id)? else {
        return Ok(Commit::Stale);
    };
    let version = change.enrollment.version.checked_add(1).ok_or("the version cannot be counted up")?;
    if stored.version == version && stored.written_by == Some(change.run) {
        // The run writes this change again because the answer to the first write was lost. What is stored was won
        // by it, and everything beside the row was written with it.
        let row = enrollments::one(transaction, scope, id)?;
        let row = row.ok_or("the row went away inside a transaction")?;
        return Ok(Commit::Done(Box::new(row)));
    }
    if stored.version != change.enrollment.version {
        return Ok(Commit::Stale);
    }
    if let Some(refused) = refusal(transaction, scope, &change)? {
        return Ok(refused);
    }
    let row = Enrollment { version, written_by: Some(change.run), ..change.enrollment };
    write_row(transaction, scope, &stored, &row)?;
    append(transaction, scope, id, &change.happened)?;
    if let Some(claim) = &change.claim {
        write_claim(transaction, scope, id, claim)?;
    }
    for reference in &change.references {
        execute(
            transaction,
            "INSERT INTO orders (integration, reference, enrollment) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![Text(scope), reference, Text(id)],
        )?;
    }
    for reference in &change.released {
        execute(
            transaction,
            "DELETE FROM orders WHERE integration = ?1 AND reference = ?2 AND enrollment = ?3",
            params![Text(scope), reference, Text(id)],
        )?;
    }
    for (kind, content) in &change.attachments {
        write_attachment(transaction, scope, id, *kind, content.as_deref())?;
    }
    if let Some(token_hash) = &change.hook {
        execute(
            transaction,
            "INSERT INTO hooks (token_hash, integration, enrollment) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![token_hash, Text(scope), Text(id)],
        )?;
    }
    if let Some(counter) = change.count {
        records::count_purchase(transaction, scope, counter.day)?;
    }
    if let Some(day) = change.uncount {
        records::uncount_purchase(transaction, scope, day)?;
    }
    Ok(Commit::Done(Box::new(row)))
}

/// What a change is compared with.
struct Stored {
    version: u64,
    written_by: Option<Uuid>,
    state: StateName,
    batch: BatchId,
}

fn stored(transaction: &Transaction<'_>, scope: IntegrationId, id: EnrollmentId) -> Outcome<Option<Stored>> {
    first(
        transaction,
        "SELECT version, written_by, state, batch FROM enrollments WHERE integration = ?1 AND id = ?2",
        params![Text(scope), Text(id)],
        |row| {
            let written_by = row.get_ref(1)?.as_str_or_null()?;
            Ok(Stored {
                version: u64::try_from(row.get::<_, i64>(0)?)?,
                written_by: written_by.map(str::parse).transpose()?,
                state: row.get_ref(2)?.as_str()?.parse()?,
                batch: row.get_ref(3)?.as_str()?.parse()?,
            })
        },
    )
}

fn refusal(transaction: &Transaction<'_>, scope: IntegrationId, change: &Change) -> Outcome<Option<Commit>> {
    let id = change.enrollment.id;
    if let Some(ClaimChange::Take { claim, from }) = &change.claim
        && let Some(holder) = enrollments::claim_holder(transaction, scope, claim)?
        && holder != id
        && Some(holder) != *from
    {
        return Ok(Some(Commit::ClaimTaken { by: holder }));
    }
    for reference in change.references.iter().chain(&change.released) {
        match enrollments::order_owner(transaction, scope, reference)? {
            Some(by) if by != id => {
                let reference = reference.clone();
                return Ok(Some(Commit::ReferenceTaken { reference, by }));
            }
            _ => {}
        }
    }
    if let Some(Counter { day, limit }) = change.count
        && records::purchases(transaction, scope, day)? >= limit
    {
        return Ok(Some(Commit::LimitReached));
    }
    Ok(None)
}

fn write_row(transaction: &Transaction<'_>, scope: IntegrationId, stored: &Stored, row: &Enrollment) -> Outcome<()> {
    let state = row.state.name();
    if row.batch != stored.batch {
        return Err(Fault::from("an enrollment does not change its batch"));
    }
    if state != stored.state {
        enrollments::count_out(transaction, scope, row.batch, stored.state)?;
        enrollments::count_in(transaction, scope, row.batch, state)?;
    }
    execute(
        transaction,
        "UPDATE enrollments
         SET person = ?3, state = ?4, due_at = ?5, created_at = ?6, version = ?7, written_by = ?8, body = ?9
         WHERE integration = ?1 AND id = ?2",
        params![
            Text(scope),
            Text(row.id),
            Text(row.person),
            state.as_str(),
            row.due_at.map(nanoseconds),
            nanoseconds(row.created_at),
            i64::try_from(row.version)?,
            row.written_by.map(Text),
            to_json(row)?
        ],
    )?;
    Ok(())
}

fn append(transaction: &Transaction<'_>, scope: IntegrationId, id: EnrollmentId, happened: &[Happened]) -> Outcome<()> {
    for event in happened {
        execute(
            transaction,
            "INSERT INTO timeline (integration, enrollment, position, body)
             SELECT ?1, ?2, coalesce(max(position), 0) + 1, ?3 FROM timeline WHERE integration = ?1 AND enrollment = ?2",
            params![Text(scope), Text(id), to_json(event)?],
        )?;
    }
    Ok(())
}

fn write_claim(
    transaction: &Transaction<'_>,
    scope: IntegrationId,
    id: EnrollmentId,
    change: &ClaimChange,
) -> Outcome<()> {
    match change {
        // Whether it may be taken was asked before.
        ClaimChange::Take { claim, .. } => execute(
            transaction,
            "INSERT INTO claims (integration, claim, enrollment) VALUES (?1, ?2, ?3)
             ON CONFLICT (integration, claim) DO UPDATE SET enrollment = excluded.enrollment",
            params![Text(scope), Text(claim), Text(id)],
        )?,
        ClaimChange::Release { claim } => {
            integrations::belongs(scope, claim.integration)?;
            execute(
                transaction,
                "DELETE FROM claims WHERE integration = ?1 AND claim = ?2 AND enrollment = ?3",
                params![Text(scope), Text(claim), Text(id)],
            )?
        }
    };
    Ok(())
}

fn write_attachment(
    transaction: &Transaction<'_>,
    scope: IntegrationId,
    id: EnrollmentId,
    kind: Attachment,
    content: Option<&[u8]>,
) -> Outcome<()> {
    match content {
        Some(content) => execute(
            transaction,
            "INSERT INTO attachments (integration, enrollment, kind, content) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (integration, enrollment, kind) DO UPDATE SET content = excluded.content",
            params![Text(scope), Text(id), kind.as_str(), content],
        )?,
        None => execute(
            transaction,
            "DELETE FROM attachments WHERE integration = ?1 AND enrollment = ?2 AND kind = ?3",
            params![Text(scope), Text(id), kind.as_str()],
        )?,
    };
    Ok(())
}
