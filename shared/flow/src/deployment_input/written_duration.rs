//! A time as it is written in a table: `45s`, `30m`, `1h 30m` or ISO 8601.

use std::fmt;

use jiff::SignedDuration;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Read as jiff reads it. Its errors do not repeat the text, as some of jiff's do: it may be a secret in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenDuration(pub SignedDuration);

impl<'de> Deserialize<'de> for WrittenDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(OfText)
    }
}

struct OfText;

impl Visitor<'_> for OfText {
    type Value = WrittenDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map(WrittenDuration).map_err(|_| E::custom("it is not in a duration format"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        for (text, seconds) in [("45s", 45), ("30m", 1_800), ("1h 30m", 5_400), ("PT5M", 300), ("0s", 0), ("-2s", -2)] {
            let read: WrittenDuration = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(read.0, SignedDuration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_without_its_text() {
        for text in ["", "soon", "5", "5m soon", "PT5Msoon", "-5m soon", "1d", "99999999999999999999h"] {
            let refused = serde_json::from_value::<WrittenDuration>(json!(text)).unwrap_err();
            assert_eq!(refused.to_string(), "it is not in a duration format", "{text}");
        }
        let refused = serde_json::from_value::<WrittenDuration>(json!(300)).unwrap_err();
        assert_eq!(refused.to_string(), "invalid type: integer `300`, expected a duration as text");
    }
}
