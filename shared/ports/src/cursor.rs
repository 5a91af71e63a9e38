//! Where a list goes on: the key of its last row, opaque to callers and safe in a URL.
//!
//! A cursor holds no position but a key, so rows that come or go meanwhile neither repeat nor hide others.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::Page;

/// No caller needs more rows at once, and one that asks for everything must not get it into memory.
pub const LONGEST: usize = 10_000;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<K> {
    /// The key to go on after.
    pub after: K,
    /// How many rows to read: one more than the page holds, to know whether there is a next page.
    pub rows: usize,
}

/// Reads what a caller asked for. A list that begins anew goes on after `start`.
///
/// `None`: the answer is an empty last page, because nothing is wanted or the text is no cursor of this list.
pub fn part<K: DeserializeOwned>(start: K, after: Option<&str>, limit: usize) -> Option<Part<K>> {
    let after = match after {
        None => Some(start),
        Some(text) => decode(text),
    };
    let rows = limit.min(LONGEST);
    after.filter(|_| rows > 0).map(|after| Part { after, rows: rows + 1 })
}

/// Makes a page of the rows that were read for a [`Part`], each with its key.
///
/// # Errors
///
/// When a key is not JSON.
pub fn page<K: Serialize, T>(part: &Part<K>, mut rows: Vec<(K, T)>) -> Result<Page<T>, serde_json::Error> {
    let limit = part.rows.saturating_sub(1);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last() {
        Some((key, _)) if more => Some(encode(key)?),
        _ => None,
    };
    Ok(Page { items: rows.into_iter().map(|(_, item)| item).collect(), next })
}

/// A key as the text of a cursor.
///
/// # Errors
///
/// When the key is not JSON.
pub fn encode(key: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key)?))
}

fn decode<K: DeserializeOwned>(text: &str) -> Option<K> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(after: Option<&str>, limit: usize) -> Page<u32> {
        let Some(part) = part(0, after, limit) else { return Page { items: Vec::new(), next: None } };
        let rows = (part.after + 1..=10).map(|number| (number, number)).take(part.rows).collect();
        page(&part, rows).expect("a number is JSON")
    }

    #[test]
    fn pages_follow_each_other_and_the_last_one_says_so() {
        let first = numbers(None, 4);
        let second = numbers(first.next.as_deref(), 4);
        let third = numbers(second.next.as_deref(), 4);
        assert_eq!(first.items, [1, 2, 3, 4]);
        assert_eq!(second.items, [5, 6, 7, 8]);
        assert_eq!((third.items, third.next), (vec![9, 10], None));
        assert_eq!(numbers(None, 10).next, None);
    }

    #[test]
    fn what_is_not_a_cursor_gives_an_empty_last_page() {
        for garbage in ["", "!", "bnVsbA", "ImEi", "\u{0}", "LTE"] {
            assert_eq!(numbers(Some(garbage), 4), Page { items: Vec::new(), next: None });
        }
        assert_eq!(numbers(None, 0).items, Vec::<u32>::new());
    }
}
