//! How values of the domain stand in columns: ids as text, times as nanoseconds, whole rows as JSON.

use std::fmt::Display;

use jiff::Timestamp;
use rusqlite::{
    Row, ToSql,
    types::{ToSqlOutput, Value},
};
use serde::{Serialize, de::DeserializeOwned};

use super::database::Outcome;

/// A value bound as the text by which it is shown.
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> ToSql for Text<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.0.to_string())))
    }
}

/// Exact until the year 2262. Later times, which no clock shows, all become the last one.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let exact = time.as_nanosecond();
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn time(nanoseconds: i64) -> Outcome<Timestamp> {
    Ok(Timestamp::from_nanosecond(nanoseconds.into())?)
}

pub(super) fn to_json(value: &impl Serialize) -> Outcome<String> {
    Ok(serde_json::to_string(value)?)
}

/// Reads the row type out of a column.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Outcome<T> {
    Ok(serde_json::from_str(row.get_ref(column)?.as_str()?)?)
}

/// The word that serde writes for a variant without fields.
pub(super) fn word(value: &impl Serialize) -> Outcome<String> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err("not a plain variant".into()),
    }
}

/// After every text that begins with `prefix`, and before every other that follows it: SQLite compares text by its
/// UTF-8 bytes, and no name holds the last code point.
pub(super) fn end_of_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_after_every_text_that_begins_with_it() {
        for text in ["åsa", "åsa öberg", "åsa\u{10fffe}"] {
            assert!(text < end_of_prefix("åsa").as_str(), "{text}");
        }
        assert!(end_of_prefix("åsa").as_str() < "åsb");
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        let exact = Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range");
        assert_eq!(time(nanoseconds(exact)).expect("in range"), exact);
        assert_eq!(nanoseconds(Timestamp::MAX), i64::MAX);
        assert_eq!(nanoseconds(Timestamp::MIN), i64::MIN);
    }
}
