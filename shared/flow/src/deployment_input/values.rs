//! Single values that more than one table has: addresses, times and counts. A bad one becomes a problem and a value with
//! which the reading goes on.

use std::time::Duration;

use jiff::SignedDuration;
use url::{Host, Url};

use super::WrittenDuration;
use crate::FieldProblem;

/// A base address, always with a slash at its end, so that paths can be joined to it.
pub fn base_address(field: &str, text: &str, problems: &mut Vec<FieldProblem>) -> Option<Url> {
    let text = text.trim();
    let slashed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    let (problem, fix) = match Url::parse(&slashed) {
        Ok(url) if !is_safe(&url) => ("it is not https (http only for this machine)", "use an https address"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            ("it names a user", "leave out what stands before the @")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            ("it has a query or a fragment", "leave out what follows the ? or #")
        }
        Ok(url) => return Some(url),
        Err(_) => ("it is not an address", "write it as in https://smime.example.com"),
    };
    problems.push(FieldProblem::new(field, problem, fix));
    None
}

/// Where Entra sends a browser back to, below a base address.
pub fn redirect_below(base: &Url) -> Option<Url> {
    base.join("oauth/callback").ok()
}

/// Whether a browser or a vendor can be sent there without others reading along.
pub fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// A time between 0 and an hour.
pub fn wait(
    field: &str,
    given: Option<WrittenDuration>,
    default: SignedDuration,
    problems: &mut Vec<FieldProblem>,
) -> SignedDuration {
    let wait = given.map_or(default, |given| given.0);
    if !wait.is_positive() || wait > SignedDuration::from_hours(1) {
        let fix = "write it as in \"2s\" or \"1m\"";
        problems.push(FieldProblem::new(field, "it is not between 0 and an hour", fix));
    }
    wait
}

/// A number that is not 0.
pub fn count<T: Copy + Default + PartialEq>(
    field: &str,
    given: Option<T>,
    default: T,
    problems: &mut Vec<FieldProblem>,
) -> T {
    let count = given.unwrap_or(default);
    if count == T::default() {
        let problem = "with 0 nothing would ever be done";
        problems.push(FieldProblem::new(field, problem, "use 1 or more, or leave it out"));
    }
    count
}

/// A time-out of `most` seconds or less.
pub(super) fn time_out(
    field: &str,
    given: Option<WrittenDuration>,
    most: i64,
    problems: &mut Vec<FieldProblem>,
) -> Option<Duration> {
    let WrittenDuration(given) = given?;
    if given <= SignedDuration::ZERO || given > SignedDuration::from_secs(most) {
        problems.push(FieldProblem::new(
            field,
            format!("it is not between 0 and {most} seconds"),
            "write it as in \"10s\" or \"5m\"",
        ));
        return None;
    }
    Duration::try_from(given).ok()
}

/// Waits from one time to the next, of which the last repeats.
pub(super) fn schedule(
    field: &str,
    given: Option<Vec<WrittenDuration>>,
    default: Vec<SignedDuration>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<SignedDuration> {
    let schedule = given.map_or(default, |given| given.into_iter().map(|time| time.0).collect());
    let again = schedule.last().copied().unwrap_or_default();
    if schedule.iter().any(SignedDuration::is_negative) || !again.is_positive() {
        let problem = "it is empty, holds a negative time, or ends with no time at all";
        problems.push(FieldProblem::new(field, problem, "write it as in [\"1m\", \"2m\", \"5m\"]"));
    }
    schedule
}
