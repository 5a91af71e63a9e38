//! Where a list goes on: the key of its last row, opaque to callers and safe in a URL.
//!
//! A cursor holds no position but a key, so rows that come or go meanwhile neither repeat nor hide others.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ports::Page;
use serde::{Serialize, de::DeserializeOwned};

use super::database::Outcome;

/// Reads one page with `query`, which gets the key to go on after and how many rows to answer. It is asked for one
/// more than the page holds, to know whether there is a next page.
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
    let nothing = Page { items: Vec::new(), next: None };
    let limit = limit.min(LONGEST);
    let key = match after {
        None => Some(start),
        Some(text) => decode(text),
    };
    let (Some(key), 1..) = (key, limit) else {
        return Ok(nothing);
    };
    let mut rows = query(&key, i64::try_from(limit + 1)?)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last() {
        Some((key, _)) if more => Some(encode(key)?),
        _ => None,
    };
    let items = rows.into_iter().map(|(_, item)| item).collect();
    Ok(Page { items, next })
}

fn encode(key: &impl Serialize) -> Outcome<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key)?))
}

fn decode<K: DeserializeOwned>(text: &str) -> Option<K> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// No caller needs more at once, and one that asks for everything must not get it into memory.
const LONGEST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(after: Option<&str>, limit: usize) -> Page<u32> {
        let count = |after: &u32, limit: i64| {
            let rows = (*after + 1..=10).map(|number| (number, number));
            Ok(rows.take(usize::try_from(limit)?).collect())
        };
        page(0, after, limit, count).expect("counting does not fail")
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
            assert_eq!(numbers(Some(garbage), 4).items, Vec::<u32>::new());
            assert_eq!(numbers(Some(garbage), 4).next, None);
        }
        assert_eq!(numbers(None, 0).items, Vec::<u32>::new());
    }
}
