//! What counts once: the state of an Authorize under way, and the idempotency keys of requests. Both are over at their
//! time, whenever DynamoDB clears them away.

use jiff::Timestamp;
use ports::AuthorizeState;

use super::{
    body::{self, cleared_after, nanoseconds},
    keys::Key,
    table::{Condition, Outcome, Table, item, string, text},
};

pub(super) async fn put_authorize_state(table: &Table, state: &AuthorizeState) -> Outcome<()> {
    let until = [("expires_at", nanoseconds(state.expires_at)), ("ttl", cleared_after(state.expires_at))];
    table.put(body::row(Key::authorize_state(&state.hash), state, until)?).await
}

pub(super) async fn take_authorize_state(table: &Table, hash: &str, now: Timestamp) -> Outcome<Option<AuthorizeState>> {
    let in_time = Condition::new("attribute_exists(pk) AND expires_at > :now", [(":now", nanoseconds(now))]);
    let taken = table.take_if(&Key::authorize_state(hash), in_time).await?;
    taken.as_ref().map(body::read).transpose()
}

/// Answers what is known of the key, `None` the first time. The first answer that is given stays.
pub(super) async fn idempotent(
    table: &Table,
    key: &str,
    body_hash: &str,
    answer: Option<&str>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Outcome<Option<(String, Option<String>)>> {
    let key = Key::idempotency(key);
    let until = [("expires_at", nanoseconds(expires_at)), ("ttl", cleared_after(expires_at))];
    let mut row = item(key.clone(), until);
    row.insert("body_hash".to_owned(), string(body_hash));
    if let Some(answer) = answer {
        row.insert("answer".to_owned(), string(answer));
    }
    let is_free = Condition::new("attribute_not_exists(pk) OR expires_at <= :now", [(":now", nanoseconds(now))]);
    if table.put_if(row, is_free).await? {
        return Ok(None);
    }
    if let Some(answer) = answer {
        let same = "attribute_not_exists(answer) AND body_hash = :hash";
        let condition = Condition::new(same, [(":hash", string(body_hash)), (":answer", string(answer))]);
        table.update_if(&key, "SET answer = :answer", condition).await?;
    }
    let known = table.get(&key).await?.ok_or("an idempotency key went away while it was looked at")?;
    let answer = known.get("answer").map(|_| text(&known, "answer")).transpose()?;
    Ok(Some((text(&known, "body_hash")?, answer)))
}
