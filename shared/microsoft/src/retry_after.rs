//! How long Microsoft asks to wait, in the three notations it is known to use.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// Nobody is made to wait longer than this by a header.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), else `x-ms-retry-after-ms`, which Intune sends at times.
///
/// A date is read against the answer's own `Date`, so that this machine's clock does not matter; without one it says
/// nothing.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let standard = text(headers.get(RETRY_AFTER)).and_then(|value| seconds(value).or_else(|| until(value, headers)));
    let wait = standard.or_else(|| text(headers.get("x-ms-retry-after-ms"))?.parse().ok().map(Duration::from_millis));
    wait.map(|wait| wait.min(LONGEST))
}

fn seconds(value: &str) -> Option<Duration> {
    value.parse().ok().map(Duration::from_secs)
}

fn until(value: &str, headers: &HeaderMap) -> Option<Duration> {
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(text(headers.get(DATE))?).ok()?;
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        retry_after(&headers)
    }

    #[test]
    fn seconds_are_read() {
        assert_eq!(wait(&[("retry-after", " 17 ")]), Some(Duration::from_secs(17)));
    }

    #[test]
    fn a_date_is_read_against_the_date_of_the_answer() {
        let date = ("date", "Tue, 02 Jun 2026 10:00:00 GMT");
        assert_eq!(wait(&[date, ("retry-after", "Tue, 02 Jun 2026 10:01:30 GMT")]), Some(Duration::from_secs(90)));
        assert_eq!(wait(&[date, ("retry-after", "Tue, 02 Jun 2026 09:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "Tue, 02 Jun 2026 10:01:30 GMT")]), None);
    }

    #[test]
    fn intunes_milliseconds_are_not_taken_for_seconds() {
        assert_eq!(wait(&[("x-ms-retry-after-ms", "2500")]), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn the_standard_header_comes_first_unless_it_is_unreadable() {
        let milliseconds = ("x-ms-retry-after-ms", "700");
        assert_eq!(wait(&[("retry-after", "3"), milliseconds]), Some(Duration::from_secs(3)));
        assert_eq!(wait(&[("retry-after", "soon"), milliseconds]), Some(Duration::from_millis(700)));
    }

    #[test]
    fn nonsense_is_no_wait_and_no_wait_is_endless() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "-1")]), None);
        assert_eq!(wait(&[("retry-after", "99999999999999999999999")]), None);
        assert_eq!(wait(&[("retry-after", "99999999999")]), Some(LONGEST));
    }
}
