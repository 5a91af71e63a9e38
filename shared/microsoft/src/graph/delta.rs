//! What changed in the directory since a moment (Graph docs, "user: delta" and "Use delta query").
//!
//! The same person may come several times and pages may be repeated, so a page is to be merged, not appended.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Call, DeltaLink, DirectoryUser, Graph, NextLink, SkippedRow, paging::Page, people::SELECT};
use crate::{Error, RequestIds};

/// How far the reading of changes has come. May be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaPosition {
    /// There is more of this round.
    MorePages(NextLink),
    /// The round has ended; the link begins the next one.
    CaughtUp(DeltaLink),
}

/// One page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaPage {
    /// With all properties that are read elsewhere, changed or not; one that was never set is absent.
    pub changed: Vec<DirectoryUser>,
    pub removed: Vec<Removed>,
    pub skipped: Vec<SkippedRow>,
    pub position: DeltaPosition,
    pub request_ids: RequestIds,
}

/// A person who is no longer in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    pub id: Uuid,
    /// False while an administrator can still restore them.
    pub permanently: bool,
}

/// The codes, beside the status 410, by which an expired token is announced (Graph docs, "Use delta query").
const EXPIRED: [&str; 3] = ["fullSyncRequired", "resyncRequired", "syncStateNotFound"];

impl Graph {
    /// A link to all changes from now on. Taken before a full listing, it misses nothing that changes meanwhile.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn delta_latest(&self, access: &SecretString, client_request_id: Uuid) -> Result<DeltaLink, Error> {
        let call = Call { name: "beginning to follow changes", access, client_request_id };
        let mut url = self.directory(["users", "delta"]);
        url.query_pairs_mut().append_pair("$select", SELECT).append_pair("$deltatoken", "latest");
        let page: Page<Change> = self.page(call, url).await?;
        page.delta.ok_or(Error::Unreadable { request: call.name, reason: "there is no delta link" })
    }

    /// The changes at `position`. Needs `User.Read.All`.
    ///
    /// # Errors
    /// [`Error::DeltaExpired`] when only a full listing helps; else as every read.
    pub async fn delta_page(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        position: DeltaPosition,
    ) -> Result<DeltaPage, Error> {
        let call = Call { name: "reading changes", access, client_request_id };
        let link = match position {
            DeltaPosition::MorePages(NextLink(link)) | DeltaPosition::CaughtUp(DeltaLink(link)) => link,
        };
        let page: Page<Change> = self.page(call, self.follow(link)?).await.map_err(expired)?;
        let position = match (page.next, page.delta) {
            (Some(next), _) => DeltaPosition::MorePages(next),
            (None, Some(delta)) => DeltaPosition::CaughtUp(delta),
            (None, None) => {
                return Err(Error::Unreadable { request: call.name, reason: "there is no link to go on with" });
            }
        };
        let mut changed = Vec::with_capacity(page.rows.len());
        let mut removed = Vec::new();
        for change in page.rows {
            match change {
                Change::Person(person) => changed.push(*person),
                Change::Removal(removal) => removed.push(removal),
            }
        }
        Ok(DeltaPage { changed, removed, skipped: page.skipped, position, request_ids: page.request_ids })
    }
}

fn expired(error: Error) -> Error {
    match error {
        Error::Refused(refusal)
            if refusal.status == 410 || EXPIRED.iter().any(|code| refusal.code.eq_ignore_ascii_case(code)) =>
        {
            Error::DeltaExpired
        }
        other => other,
    }
}

enum Change {
    Person(Box<DirectoryUser>),
    Removal(Removed),
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tombstone {
            id: Uuid,
            #[serde(rename = "@removed")]
            removed: Option<Reason>,
        }
        #[derive(Deserialize)]
        struct Reason {
            reason: Option<String>,
        }

        let row = <&RawValue>::deserialize(deserializer)?;
        let Tombstone { id, removed } = serde_json::from_str(row.get()).map_err(serde::de::Error::custom)?;
        Ok(match removed {
            // "changed": soft-deleted and restorable; "deleted": gone.
            Some(Reason { reason }) => Self::Removal(Removed { id, permanently: reason.as_deref() == Some("deleted") }),
            None => Self::Person(Box::new(serde_json::from_str(row.get()).map_err(serde::de::Error::custom)?)),
        })
    }
}
