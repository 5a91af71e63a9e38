//! One change of an enrollment and everything that must be true together with it: all of it, or nothing, in one
//! transaction whose conditions are what may refuse it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, TransactWriteItem},
};
use domain::{Enrollment, EnrollmentId, IntegrationId};
use ports::{Change, ClaimChange, Commit};

use super::{
    body::{self, OF_BATCH, VERSION},
    enrollments::{claim_holder, count_part, order_owner},
    integrations,
    keys::{Key, Place},
    table::{Condition, Item, Outcome, Table, integer, item, number, string, text},
    transaction::Written,
};

/// What was in the way may be gone when it is looked at; then the change is tried again.
const TRIES: usize = 10;

/// What a part of the transaction is about, in the order in which refusals are told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Row,
    Claim,
    Reference(String),
    Limit,
    /// Cannot be refused.
    Beside,
}

pub(super) async fn commit(table: &Table, scope: IntegrationId, change: Change) -> Outcome<Commit> {
    integrations::belongs(scope, change.enrollment.integration)?;
    let version = change.enrollment.version.checked_add(1).ok_or("the version cannot be counted up")?;
    let row = Enrollment { version, written_by: Some(change.run), ..change.enrollment.clone() };
    let mut change = change;
    for _ in 0..TRIES {
        let (about, parts): (Vec<Part>, Vec<TransactWriteItem>) =
            parts(table, scope, &change, &row)?.into_iter().unzip();
        let refused = match table.transact(parts).await? {
            Written::Done => return Ok(Commit::Done(Box::new(row))),
            Written::Refused(places) => places,
        };
        let refused: Vec<&Part> = refused.iter().filter_map(|place| about.get(*place)).collect();
        if refused.contains(&&Part::Row) {
            return already_written(table, scope, &row).await;
        }
        if refused.contains(&&Part::Claim) {
            match &change.claim {
                Some(ClaimChange::Take { claim, .. }) => {
                    if let Some(by) = claim_holder(table, scope, claim).await? {
                        return Ok(Commit::ClaimTaken { by });
                    }
                }
                // Somebody else holds it, so there is nothing to give up.
                Some(ClaimChange::Release { .. }) | None => change.claim = None,
            }
            continue;
        }
        let references = refused.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference.clone()),
            _ => None,
        });
        for reference in references {
            match order_owner(table, scope, &reference).await? {
                Some(by) if by != row.id => return Ok(Commit::ReferenceTaken { reference, by }),
                _ => {}
            }
        }
        if refused.contains(&&Part::Limit) {
            return Ok(Commit::LimitReached);
        }
    }
    Err("what refused a change was gone each time it was looked at".into())
}

/// The row was written since it was read: by this very run, whose answer was lost, or by somebody else.
async fn already_written(table: &Table, scope: IntegrationId, row: &Enrollment) -> Outcome<Commit> {
    let Some(stored) = table.get(&Key::enrollment(scope, row.id)).await? else { return Ok(Commit::Stale) };
    let is_ours = integer::<u64>(&stored, VERSION)? == row.version
        && row.written_by.is_some_and(|run| text(&stored, "run").is_ok_and(|stored| stored == run.to_string()));
    match is_ours {
        true => Ok(Commit::Done(Box::new(body::read_enrollment(&stored)?))),
        false => Ok(Commit::Stale),
    }
}

fn parts(
    table: &Table,
    scope: IntegrationId,
    change: &Change,
    row: &Enrollment,
) -> Outcome<Vec<(Part, TransactWriteItem)>> {
    let id = row.id;
    let unchanged = Condition::new(
        "version_number = :read AND of_batch = :batch",
        [(":read", number(change.enrollment.version)), (":batch", string(row.batch))],
    );
    debug_assert!(unchanged.holds.contains(VERSION) && unchanged.holds.contains(OF_BATCH), "the attributes' names");
    let mut parts =
        vec![(Part::Row, table.put_part(body::enrollment(Place::of_enrollment(scope, row), row)?, unchanged)?)];
    match &change.claim {
        Some(ClaimChange::Take { claim, from }) => {
            integrations::belongs(scope, claim.integration)?;
            let taken = item(Key::claim(scope, claim), [("holder", string(id))]);
            parts.push((Part::Claim, table.put_part(taken, held_by(id, *from))?));
        }
        Some(ClaimChange::Release { claim }) => {
            integrations::belongs(scope, claim.integration)?;
            parts.push((Part::Claim, table.delete_part(&Key::claim(scope, claim), held_by(id, None))?));
        }
        None => {}
    }
    for reference in change.references.iter().collect::<BTreeSet<_>>() {
        let owned = item(Key::order(scope, reference), [("holder", string(id))]);
        parts.push((Part::Reference(reference.clone()), table.put_part(owned, held_by(id, None))?));
    }
    for reference in change.released.iter().collect::<BTreeSet<_>>() {
        let free = table.delete_part(&Key::order(scope, reference), held_by(id, None))?;
        parts.push((Part::Reference(reference.clone()), free));
    }
    if let Some(counter) = change.count {
        // There is no row before the first purchase, which a limit of none forbids too.
        let below = match counter.limit {
            0 => "begun < :limit",
            _ => "attribute_not_exists(begun) OR begun < :limit",
        };
        let below = Condition::new(below, [(":limit", number(counter.limit)), (":one", number(1))]);
        let key = Key::purchases(scope, counter.day);
        parts.push((Part::Limit, table.update_part(&key, "ADD begun :one".to_owned(), below)?));
    }
    if let Some(day) = change.uncount {
        let back = Condition::new("", [(":one_less", number(-1))]);
        let key = Key::purchases(scope, day);
        parts.push((Part::Beside, table.update_part(&key, "ADD begun :one_less".to_owned(), back)?));
    }
    for (place, happened) in change.happened.iter().enumerate() {
        let event = body::row(Key::event(scope, id, row.version, place), happened, [])?;
        parts.push((Part::Beside, table.put_part(event, Condition::default())?));
    }
    for (kind, content) in &change.attachments {
        let key = Key::attachment(scope, id, *kind);
        let part = match content {
            Some(content) => table.put_part(with_content(key, content), Condition::default())?,
            None => table.delete_part(&key, Condition::default())?,
        };
        parts.push((Part::Beside, part));
    }
    if let Some(token_hash) = &change.hook {
        let hook = item(Key::hook(token_hash), [("integration", string(scope)), ("holder", string(id))]);
        parts.push((Part::Beside, table.put_part(hook, Condition::default())?));
    }
    let state = row.state.name();
    if state != change.before {
        let moved = BTreeMap::from([(change.before, -1), (state, 1)]);
        for batch in [None, Some(row.batch)] {
            parts.push((Part::Beside, count_part(table, scope, batch, &moved)?));
        }
    }
    Ok(parts)
}

/// Nobody holds the row, or this enrollment does, or the one whose place it takes.
fn held_by(id: EnrollmentId, from: Option<EnrollmentId>) -> Condition {
    let from = from.unwrap_or(id);
    Condition::new(
        "attribute_not_exists(pk) OR holder = :holder OR holder = :from",
        [(":holder", string(id)), (":from", string(from))],
    )
}

fn with_content(key: Key, content: &[u8]) -> Item {
    item(key, [("content", AttributeValue::B(Blob::new(content)))])
}
