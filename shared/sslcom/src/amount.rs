//! Reading `order_amount`. Its form is not documented, so what cannot be read for certain is kept as text and has no value:
//! an amount that is compared with a price must never be a guess.

use serde_json::Value;

/// An amount as SSL.com wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Verbatim.
    pub text: String,
    /// `None` when the text can be read in no way or in several.
    pub cents: Option<u64>,
    /// ISO 4217, when the text names it; `$` is read as `USD`.
    pub currency: Option<String>,
}

impl Amount {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if !text.trim().is_empty() => Some(Self::parse(text)),
            // The shortest decimal form of the number: an amount takes no part in floating-point arithmetic.
            Value::Number(number) => Some(Self::parse(&number.to_string())),
            _ => None,
        }
    }

    fn parse(text: &str) -> Self {
        let text: String = text.trim().chars().take(LONGEST).collect();
        let bare = |c: char| c.is_ascii_digit();
        let (first, last) = (text.find(bare), text.rfind(bare));
        let (Some(first), Some(last)) = (first, last) else {
            return Self { text, cents: None, currency: None };
        };
        let around = format!("{} {}", &text[..first], &text[last + 1..]);
        let read = currency(&around).and_then(|currency| Some((cents(&text[first..=last])?, currency)));
        match read {
            Some((cents, currency)) => Self { cents: Some(cents), currency, text },
            None => Self { text, cents: None, currency: None },
        }
    }
}

/// Longer than any amount; an outside text is not kept without a bound.
const LONGEST: usize = 100;

/// The currency named by what stands around the digits. `None` when that is something else, a minus sign for one.
fn currency(around: &str) -> Option<Option<String>> {
    let named = match around.split_whitespace().collect::<Vec<_>>().as_slice() {
        [] => return Some(None),
        ["$" | "US$" | "$US" | "USD" | "usd"] | ["$", "USD"] | ["USD", "$"] => "USD",
        ["€" | "EUR"] => "EUR",
        ["£" | "GBP"] => "GBP",
        [code] if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => code,
        _ => return None,
    };
    Some(Some(named.to_owned()))
}

/// Digits with at most one decimal separator, which one or two digits follow, and thousands in whole groups of three.
fn cents(digits: &str) -> Option<u64> {
    let (whole, decimal, fraction) = match digits.rfind(['.', ',']) {
        Some(at) if digits.len() - at <= 3 => (&digits[..at], digits[at..].chars().next(), &digits[at + 1..]),
        _ => (digits, None, ""),
    };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hundredths = match fraction.len() {
        0 => 0,
        1 => fraction.parse::<u64>().ok()? * 10,
        _ => fraction.parse().ok()?,
    };
    let whole: u64 = ungrouped(whole, decimal)?.parse().ok()?;
    whole.checked_mul(100)?.checked_add(hundredths)
}

/// `1,038` is a thousand, as the vendor writes English; a lone `1.038` may be either and is not read.
fn ungrouped(whole: &str, decimal: Option<char>) -> Option<String> {
    let Some(separator) = whole.chars().find(|c| !c.is_ascii_digit()) else { return Some(whole.to_owned()) };
    let is_separator = match separator {
        ',' => decimal != Some(','),
        '.' => decimal == Some(',') || (decimal.is_none() && whole.matches('.').count() > 1),
        _ => false,
    };
    let mut groups = whole.split(separator);
    let is_grouped = groups.next().is_some_and(|first| (1..=3).contains(&first.len()))
        && groups.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()));
    (is_separator && is_grouped).then(|| whole.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> (Option<u64>, Option<String>) {
        let amount = Amount::read(&value).unwrap();
        (amount.cents, amount.currency)
    }

    #[test]
    fn every_notation_that_is_clear_is_read() {
        let usd = || Some("USD".to_owned());
        for (text, cents, currency) in [
            ("$38.00", 3_800, usd()),
            ("$38", 3_800, usd()),
            ("38.00", 3_800, None),
            ("38,00", 3_800, None),
            ("38.5", 3_850, None),
            (" 1,038.00 USD ", 103_800, usd()),
            ("$1,038.00 USD", 103_800, usd()),
            ("US$ 1,038,000.05", 103_800_005, usd()),
            ("1.038,00 €", 103_800, Some("EUR".to_owned())),
            ("1,038", 103_800, None),
            ("1.038.000", 103_800_000, None),
            ("CHF 38.00", 3_800, Some("CHF".to_owned())),
            ("$0.00", 0, usd()),
        ] {
            assert_eq!(read(json!(text)), (Some(cents), currency), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_by_their_digits() {
        assert_eq!(read(json!(38)).0, Some(3_800));
        assert_eq!(read(json!(38.1)).0, Some(3_810));
        assert_eq!(read(json!(1038.25)).0, Some(103_825));
        assert_eq!(read(json!(38.125)).0, None);
        assert_eq!(read(json!(-38)).0, None);
        assert_eq!(read(json!(1e300)).0, None);
    }

    #[test]
    fn what_can_be_read_in_several_ways_or_none_has_no_value_but_keeps_its_text() {
        for text in [
            "1.038",
            "-38.00",
            "$-38.00",
            "38.00-",
            "(38.00)",
            "about 38",
            "38.00 per year",
            "1,03,8.00",
            "1,038,00",
            "3 800.00",
            "free",
            "38..00",
            "38.00.00",
            "1234,567",
            "38.+5",
            "99999999999999999999",
            "184467440737095517.00",
            "३८",
        ] {
            let amount = Amount::read(&json!(text)).unwrap();
            assert_eq!((amount.cents, amount.text.as_str()), (None, text));
        }
    }

    #[test]
    fn nothing_is_no_amount() {
        for value in [json!(null), json!(""), json!("  "), json!({}), json!([38]), json!(true)] {
            assert_eq!(Amount::read(&value), None, "{value}");
        }
    }

    #[test]
    fn a_long_text_is_not_kept_whole() {
        let amount = Amount::read(&json!("9".repeat(10_000))).unwrap();
        assert_eq!((amount.cents, amount.text.len()), (None, LONGEST));
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back_from_english_and_european_notation(cents in 0..=u64::MAX) {
            let digits = (cents / 100).to_string();
            let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
            let english = format!("${}.{:02}", groups.join(","), cents % 100);
            let european = format!("{},{:02} EUR", groups.join("."), cents % 100);
            prop_assert_eq!(read(json!(english)), (Some(cents), Some("USD".to_owned())));
            prop_assert_eq!(read(json!(european)), (Some(cents), Some("EUR".to_owned())));
        }

        #[test]
        fn no_text_is_too_odd(text in r"\PC{0,20}[0-9.,]{0,20}\PC{0,20}") {
            Amount::read(&json!(text));
        }
    }
}
