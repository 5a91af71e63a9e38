//! SSL.com's orders, read for no longer than the reader has time: a page or an order that comes too late is one that could
//! not be read, and so says who reads.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use domain::IntegrationId;
use jiff::{SignedDuration, Timestamp, civil::Date};
use ports::{IntegrationStore, Platform, PlatformError};

use crate::{Flow, ca_pace};

/// Reads them for one integration.
pub(crate) struct OrderList<'a, P: Platform> {
    flow: &'a Flow<P>,
    integration: IntegrationId,
    credentials: &'a sslcom::Credentials,
    until: Timestamp,
}

/// The orders that could be read. An order is found in any part of a list; that there is none shows only the whole.
pub(crate) struct Listed {
    pub(crate) orders: Vec<sslcom::OrderSummary>,
    /// Why the rest could not be read.
    pub(crate) cut_short: Option<String>,
}

/// Why an answer is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("SSL.com takes longer than there is time, or asked us to wait")]
    NoTime,
    #[error(transparent)]
    Answer(#[from] sslcom::Error),
}

impl<'a, P: Platform> OrderList<'a, P> {
    pub(crate) fn new(
        flow: &'a Flow<P>,
        integration: IntegrationId,
        credentials: &'a sslcom::Credentials,
        within: Duration,
    ) -> Self {
        let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
        let until = flow.now().saturating_add(within).unwrap_or(Timestamp::MAX);
        Self { flow, integration, credentials, until }
    }

    /// Every order since that day: used ones and, by the filter that SSL.com has for them, paid ones that wait for their
    /// request. A purchase whose answer was lost is one of the latter, and whether the plain list shows those is not
    /// documented.
    pub(crate) async fn since(&mut self, start: Date) -> Result<Listed, PlatformError> {
        let mut orders = BTreeMap::new();
        let mut cut_short = None;
        for vouchers_only in [false, true] {
            let listed = self.pages(Some(start), vouchers_only).await?;
            cut_short = cut_short.or(listed.cut_short);
            for order in listed.orders {
                let known: &mut sslcom::OrderSummary =
                    orders.entry(order.order_ref.clone()).or_insert_with(|| order.clone());
                // Either list may show what the other leaves out.
                known.external_order_number = known.external_order_number.take().or(order.external_order_number);
            }
        }
        Ok(Listed { orders: orders.into_values().collect(), cut_short })
    }

    /// Every order that is paid and waits for its request.
    pub(crate) async fn unused(&mut self) -> Result<Listed, PlatformError> {
        self.pages(None, true).await
    }

    /// All pages of one list: until one is empty or shows nothing new. Where pages are said to count from 0 the server
    /// may still count from 1, so the end is not told by a short page, and a refusal of page 0 is no end.
    async fn pages(&mut self, start: Option<Date>, vouchers_only: bool) -> Result<Listed, PlatformError> {
        let (ca, credentials) = (&self.flow.ca, self.credentials);
        let mut seen = HashSet::new();
        let mut orders = Vec::new();
        for page in 0..MOST_PAGES {
            let query = sslcom::ListQuery { page, per_page: PER_PAGE, start, end: None, search: None, vouchers_only };
            let list = match self.in_time(ca.list(credentials, &query)).await? {
                Ok(list) if list.unreadable == 0 => list,
                Ok(list) => {
                    orders.extend(list.orders);
                    return Ok(cut_short(orders, format!("{} rows of the listing cannot be read", list.unreadable)));
                }
                Err(Unread::Answer(sslcom::Error::Refused { cause, .. }))
                    if page == 0 && ca.first_page() == 0 && cause != sslcom::RefusalCause::Credentials =>
                {
                    continue;
                }
                Err(problem) => return Ok(cut_short(orders, problem.to_string())),
            };
            let fresh: Vec<_> = list.orders.into_iter().filter(|order| seen.insert(order.order_ref.clone())).collect();
            if fresh.is_empty() && page > 1 {
                return Ok(Listed { orders, cut_short: None });
            }
            orders.extend(fresh);
        }
        Ok(cut_short(orders, format!("the listing has more than {MOST_PAGES} pages")))
    }

    /// One order, which may show what a list leaves out.
    pub(crate) async fn order(
        &mut self,
        reference: &sslcom::OrderRef,
    ) -> Result<Result<sslcom::Order, Unread>, PlatformError> {
        let (ca, credentials) = (&self.flow.ca, self.credentials);
        self.in_time(ca.retrieve(credentials, reference)).await
    }

    async fn in_time<T>(
        &mut self,
        call: impl Future<Output = Result<T, sslcom::Error>> + Send,
    ) -> Result<Result<T, Unread>, PlatformError> {
        let left = Duration::try_from(self.until.duration_since(self.flow.now())).unwrap_or(Duration::ZERO);
        if left.is_zero() {
            return Ok(Err(Unread::NoTime));
        }
        match tokio::time::timeout(left, call).await {
            Ok(Err(error @ sslcom::Error::Throttled { retry_after })) => {
                let rows = self.flow.rows(self.integration);
                ca_pace::slow_down(self.flow, &rows, self.integration, retry_after).await?;
                // It is not asked again by this reader.
                self.until = Timestamp::MIN;
                Ok(Err(error.into()))
            }
            Ok(answer) => Ok(answer.map_err(Unread::Answer)),
            Err(_) => Ok(Err(Unread::NoTime)),
        }
    }
}

fn cut_short(orders: Vec<sslcom::OrderSummary>, problem: String) -> Listed {
    Listed { orders, cut_short: Some(problem) }
}

const PER_PAGE: u32 = 100;
const MOST_PAGES: u32 = 1_000;

/// Orders that show no number of their caller and belong to no enrollment.
pub(crate) async fn strays<S: IntegrationStore>(
    rows: &S,
    orders: &[sslcom::OrderSummary],
) -> Result<Vec<sslcom::OrderSummary>, PlatformError> {
    let mut strays = Vec::new();
    for order in orders.iter().filter(|order| order.external_order_number.is_none()) {
        if rows.order_owner(order.order_ref.as_str()).await?.is_none() {
            strays.push(order.clone());
        }
        if strays.len() == MOST_STRAYS {
            break;
        }
    }
    Ok(strays)
}

/// More than this many unattached orders are not asked for one by one in a single look-up.
const MOST_STRAYS: usize = 200;
