//! Pages and the links between them: a link is used whole (Graph docs, "Paging"), and only on Graph's own host.
//!
//! One row that cannot be read does not lose its page; it is reported beside the others. Guarding against a chain of
//! links that never ends is the caller's business, who sees every link.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use url::Url;

use super::{Answered, Call, Graph, LONGEST_PAGE};
use crate::{Error, RequestIds};

/// Where a listing begins or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// `top` rows per page; Graph allows 999 for people and may send fewer.
    First {
        top: u16,
    },
    Next(NextLink),
}

/// Leads to the next page. May be stored; its host is checked whenever it is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NextLink(pub(super) Link);

/// Leads to what changed since. Good for 7 days (Graph docs, "Use delta query").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeltaLink(pub(super) Link);

/// A row that is not as documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedRow {
    /// Counted from 0 within its page.
    pub position: usize,
    /// Its `id`, when at least that can be read.
    pub id: Option<String>,
}

/// Debug leaves the query out: it holds a state token and, for some listings, names.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Link(pub(super) Url);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.host_str().unwrap_or_default(), self.0.path())
    }
}

/// One page, rows read as `T`.
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    pub(super) skipped: Vec<SkippedRow>,
    pub(super) next: Option<NextLink>,
    pub(super) delta: Option<DeltaLink>,
    pub(super) request_ids: RequestIds,
}

impl Graph {
    /// The address of a page, `first` when the listing begins.
    pub(super) fn page_url(&self, start: Start, first: impl FnOnce(u16) -> Url) -> Result<Url, Error> {
        match start {
            Start::First { top } => Ok(first(top)),
            Start::Next(NextLink(link)) => self.follow(link),
        }
    }

    /// # Errors
    /// [`Error::ForeignLink`] unless scheme, host and port are those of the base address.
    pub(super) fn follow(&self, Link(url): Link) -> Result<Url, Error> {
        if url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none() {
            Ok(url)
        } else {
            Err(Error::ForeignLink { host: url.host_str().unwrap_or_default().to_owned() })
        }
    }

    pub(super) async fn page<T: DeserializeOwned>(&self, call: Call<'_>, url: Url) -> Result<Page<T>, Error> {
        Page::read(call.name, self.read(call, url, LONGEST_PAGE).await?)
    }

    /// All rows of a listing that is known to be short.
    pub(super) async fn short_list<T: DeserializeOwned>(&self, call: Call<'_>, first: Url) -> Result<Vec<T>, Error> {
        const MOST_PAGES: usize = 50;

        let mut rows = Vec::new();
        let mut url = first;
        for _ in 0..MOST_PAGES {
            let page = self.page(call, url).await?;
            rows.extend(page.rows);
            match page.next {
                Some(NextLink(link)) => url = self.follow(link)?,
                None => return Ok(rows),
            }
        }
        Err(Error::Unreadable { request: call.name, reason: "its pages do not end" })
    }
}

impl<T: DeserializeOwned> Page<T> {
    pub(super) fn read(request: &'static str, answered: Answered) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            value: Vec<&'a RawValue>,
            #[serde(rename = "@odata.nextLink")]
            next: Option<NextLink>,
            #[serde(rename = "@odata.deltaLink")]
            delta: Option<DeltaLink>,
        }
        #[derive(Deserialize)]
        struct Identified {
            id: String,
        }

        let Envelope { value, next, delta } = serde_json::from_slice(&answered.body)
            .map_err(|_| Error::Unreadable { request, reason: "it is not a page" })?;
        let mut rows = Vec::with_capacity(value.len());
        let mut skipped = Vec::new();
        for (position, row) in value.into_iter().enumerate() {
            match serde_json::from_str(row.get()) {
                Ok(row) => rows.push(row),
                Err(_) => {
                    let id =
                        serde_json::from_str(row.get()).ok().map(|Identified { id }| crate::sentence::sentence(&id));
                    skipped.push(SkippedRow { position, id });
                }
            }
        }
        Ok(Self { rows, skipped, next, delta, request_ids: answered.request_ids })
    }
}
