//! Reads one page of a list out of a table.

use ports::{Page, cursor};
use serde::{Serialize, de::DeserializeOwned};

use super::database::Outcome;

/// Reads one page with `query`, which gets the key to go on after and how many rows to answer.
///
/// A text that is not a cursor of this list gives an empty last page.
pub(super) fn page<K, T>(
    start: K,
    after: Option<&str>,
    limit: usize,
    query: impl FnOnce(&K, i64) -> Outcome<Vec<(K, T)>>,
) -> Outcome<Page<T>>
where
    K: Serialize + DeserializeOwned,
{
    let Some(part) = cursor::part(start, after, limit) else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let rows = query(&part.after, i64::try_from(part.rows)?)?;
    Ok(cursor::page(&part, rows)?)
}
