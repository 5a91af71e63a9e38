//! What an answer means. The one place where a refusal is told from doubt, because on a purchase that difference is money.

use std::time::{Duration, SystemTime};

use reqwest::{
    Response,
    header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER},
};
use serde_json::Value;

use crate::{Error, Listing, Order, OrderRef, StatusTable, Uncertainty, problems::Problems, redaction::Redaction};

/// A complete answer to one request.
pub(crate) struct Answer {
    what: &'static str,
    http_status: u16,
    retry_after: Option<Duration>,
    html: bool,
    is_empty: bool,
    json: Result<Value, serde_json::Error>,
}

impl Answer {
    /// Reads at most `limit` bytes.
    pub(crate) async fn receive(what: &'static str, mut response: Response, limit: usize) -> Result<Self, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| Error::unanswered(what, source))? {
            if body.len() + chunk.len() > limit {
                return Err(Error::Unclear { what, source: Uncertainty::Oversized { limit } });
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.trim_ascii();
        Ok(Self {
            what,
            http_status: response.status().as_u16(),
            retry_after: retry_after(response.headers()),
            html: body.starts_with(b"<")
                || header(response.headers(), CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")),
            is_empty: body.is_empty(),
            json: serde_json::from_slice(body),
        })
    }

    /// To a purchase: a ref means that it was made, whatever else the answer says.
    pub(crate) fn into_created(self, redaction: &Redaction, statuses: &StatusTable) -> Result<Order, Error> {
        let found = match &self.json {
            Ok(Value::Object(members)) => OrderRef::read(members)
                .map(|found| found.map(|order_ref| Order::read(order_ref, members, statuses)))
                .map_err(|_unreadable| self.unexpected("readable ref"))?,
            _ => None,
        };
        match found {
            Some(order) => {
                let problems = self.json.as_ref().map(Problems::of).unwrap_or_default();
                Ok(Order { problems: problems.cleaned(redaction), ..order })
            }
            None => {
                let missing = self.unexpected("ref");
                self.into_accepted(redaction)?;
                Err(missing)
            }
        }
    }

    /// To a change of `asked`. A change is acknowledged by an object without `errors`; where the order then stands is read.
    pub(crate) fn into_changed(
        self,
        asked: &OrderRef,
        redaction: &Redaction,
        statuses: &StatusTable,
    ) -> Result<Order, Error> {
        let unexpected = self.unexpected("order");
        let Value::Object(members) = self.into_accepted(redaction)? else { return Err(unexpected) };
        match OrderRef::read(&members) {
            Ok(answered) => Ok(Order::read(answered.unwrap_or_else(|| asked.clone()), &members, statuses)),
            Err(_unreadable) => Err(unexpected),
        }
    }

    /// To a question about `asked`.
    pub(crate) fn into_order(
        self,
        asked: &OrderRef,
        redaction: &Redaction,
        statuses: &StatusTable,
    ) -> Result<Order, Error> {
        let unexpected = self.unexpected("order_status");
        let order = self.into_changed(asked, redaction, statuses)?;
        if order.status.text.is_empty() && order.certificates.is_none() { Err(unexpected) } else { Ok(order) }
    }

    pub(crate) fn into_listing(self, redaction: &Redaction, statuses: &StatusTable) -> Result<Listing, Error> {
        let unexpected = self.unexpected("list of orders");
        Listing::read(&self.into_accepted(redaction)?, statuses).ok_or(unexpected)
    }

    /// The JSON of an answer that refuses nothing. `Null` when there is no body.
    pub(crate) fn into_accepted(self, redaction: &Redaction) -> Result<Value, Error> {
        let Self { what, http_status, html, .. } = self;
        let unclear = |source| Error::Unclear { what, source };
        if http_status == 429 {
            return Err(Error::Throttled { retry_after: self.retry_after });
        }
        let stated = self.json.as_ref().map(Problems::of).unwrap_or_default();
        let problems = match http_status {
            200..300 if stated.is_empty() => {
                return match self.json {
                    Ok(answer) => Ok(answer),
                    Err(_) if self.is_empty => Ok(Value::Null),
                    Err(source) => Err(unclear(Uncertainty::NotJson { http_status, html, source })),
                };
            }
            200..300 => stated,
            400..500 if stated.is_empty() && CUT_SHORT.contains(&http_status) => {
                return Err(unclear(Uncertainty::Status { http_status, html }));
            }
            400..500 => match &self.json {
                Ok(answer) => stated.or_stated_otherwise(answer),
                Err(_) => stated,
            },
            _ => return Err(unclear(Uncertainty::Status { http_status, html })),
        };
        let cause = problems.cause(http_status);
        Err(Error::Refused { http_status, cause, problems: problems.cleaned(redaction) })
    }

    fn unexpected(&self, missing: &'static str) -> Error {
        let source = Uncertainty::Unexpected { http_status: self.http_status, missing };
        Error::Unclear { what: self.what, source }
    }
}

/// Statuses by which something on the way, or another request, speaks and not SSL.com about this one: Request Timeout,
/// Conflict, and nginx's Client Closed Request. With `errors` they are refusals like any other.
const CUT_SHORT: [u16; 3] = [408, 409, 499];

/// Nobody is made to wait longer than this by a header.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Seconds or a date (RFC 9110, 10.2.3). A date is read against the answer's own `Date`, so that this machine's clock does
/// not matter.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = header(headers, RETRY_AFTER)?;
    let date = |value: &str| httpdate::parse_http_date(value).ok();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let (until, now): (SystemTime, SystemTime) = (date(value)?, date(header(headers, DATE)?)?);
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

fn header(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
