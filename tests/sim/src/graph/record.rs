//! `userPFXCertificate` records: what may be written into one, and where they are kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Refusal;
use crate::{
    connector::PaddingScheme,
    journal::{Entry, Journal},
};

/// One record with its write-only fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `{user id without dashes}-{thumbprint}` (README of Microsoft's PFXImport).
    pub id: String,
    pub user_id: Uuid,
    pub thumbprint: String,
    pub intended_purpose: Purpose,
    pub user_principal_name: String,
    pub start_date_time: Timestamp,
    pub expiration_date_time: Timestamp,
    pub provider_name: String,
    pub key_name: String,
    pub padding_scheme: PaddingScheme,
    /// The decoded `encryptedPfxBlob`.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub pfx: Vec<u8>,
    /// The PFX password as it was sent: sealed to the connector's key, in base64.
    pub encrypted_pfx_password: String,
    pub created_date_time: Timestamp,
    pub last_modified_date_time: Timestamp,
    /// Grows with every write to any record of the tenant.
    pub revision: u64,
}

/// `vpn` and `wifi` are in Graph's enumeration and documented as not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    Unassigned,
    SmimeEncryption,
    SmimeSigning,
}

/// The properties of a record in Graph.
pub(super) const PROPERTIES: &[&str] = &[
    "id",
    "thumbprint",
    "intendedPurpose",
    "userPrincipalName",
    "startDateTime",
    "expirationDateTime",
    "providerName",
    "keyName",
    "paddingScheme",
    "encryptedPfxBlob",
    "encryptedPfxPassword",
    "createdDateTime",
    "lastModifiedDateTime",
];

impl Record {
    pub(super) fn id_of(user_id: Uuid, thumbprint: &str) -> String {
        format!("{}-{thumbprint}", user_id.simple())
    }

    /// As Graph shows it: the blob is one zero byte and the password is empty.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "thumbprint": self.thumbprint,
            "intendedPurpose": self.intended_purpose,
            "userPrincipalName": self.user_principal_name,
            "startDateTime": self.start_date_time,
            "expirationDateTime": self.expiration_date_time,
            "providerName": self.provider_name,
            "keyName": self.key_name,
            "paddingScheme": self.padding_scheme,
            "encryptedPfxBlob": "AA==",
            "encryptedPfxPassword": "",
            "createdDateTime": self.created_date_time,
            "lastModifiedDateTime": self.last_modified_date_time,
        })
    }
}

/// What a POST or PATCH sends. `id` and every unknown property are refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Written {
    #[serde(rename = "@odata.type")]
    odata_type: Option<String>,
    pub(super) thumbprint: Option<String>,
    pub(super) intended_purpose: Option<Purpose>,
    pub(super) user_principal_name: Option<String>,
    pub(super) start_date_time: Option<Timestamp>,
    pub(super) expiration_date_time: Option<Timestamp>,
    pub(super) provider_name: Option<String>,
    pub(super) key_name: Option<String>,
    pub(super) padding_scheme: Option<PaddingScheme>,
    pub(super) encrypted_pfx_blob: Option<String>,
    pub(super) encrypted_pfx_password: Option<String>,
    pub(super) created_date_time: Option<Timestamp>,
    pub(super) last_modified_date_time: Option<Timestamp>,
}

impl Written {
    /// Checks what is there; what must be there depends on the call.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let object: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| model("the body is not one JSON object"))?;
        if let Some((name, _)) = object.iter().find(|(_, value)| value.is_null()) {
            return Err(model(format!("{name} is null")));
        }
        // From the text, not from the map: a map hides a property that is given twice.
        let written: Self = serde_json::from_slice(body).map_err(|error| model(error.to_string()))?;
        written.check()?;
        Ok(written)
    }

    fn check(&self) -> Result<(), Refusal> {
        let odata_type = self.odata_type.as_deref();
        if odata_type.is_some_and(|found| found != "#microsoft.graph.userPFXCertificate") {
            return Err(model("the @odata.type is of another resource"));
        }
        let is_thumbprint =
            |text: &String| text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !self.thumbprint.as_ref().is_none_or(is_thumbprint) {
            return Err(model("thumbprint is not a SHA-1 in 40 lower-case hexadecimal digits"));
        }
        // Microsoft's tool lets both be empty, and the record is dead.
        let is_name = |text: &String| !text.is_empty() && text.trim() == text;
        if !self.provider_name.as_ref().is_none_or(is_name) {
            return Err(model("providerName names no provider"));
        }
        if !self.key_name.as_ref().is_none_or(is_name) {
            return Err(model("keyName names no key"));
        }
        if self.pfx()?.is_some_and(|pfx| pfx.first() != Some(&0x30)) {
            return Err(model("encryptedPfxBlob is not a PFX"));
        }
        let sealed = self.encrypted_pfx_password.as_ref().map(|text| STANDARD.decode(text));
        if sealed.is_some_and(|sealed| !sealed.is_ok_and(|bytes| bytes.len() >= 256)) {
            return Err(model("encryptedPfxPassword is not the base64 of an RSA ciphertext"));
        }
        if let (Some(start), Some(end)) = (self.start_date_time, self.expiration_date_time)
            && start >= end
        {
            return Err(model("the certificate ends before it begins"));
        }
        Ok(())
    }

    pub(super) fn pfx(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let decoded = self.encrypted_pfx_blob.as_ref().map(|text| STANDARD.decode(text));
        decoded.transpose().map_err(|_| model("encryptedPfxBlob is not base64 in one line"))
    }
}

/// A request that does not fit the resource's model; Graph's own layer says so in plain words.
pub(super) fn model(reason: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "ModelValidationFailure", reason)
}

/// The records of one tenant.
pub(crate) struct Records {
    tenant: Uuid,
    journal: Journal,
    state: Mutex<State>,
    changed: mpsc::UnboundedSender<String>,
}

struct State {
    kept: BTreeMap<String, Kept>,
    /// What the connector has still to try.
    waiting: BTreeSet<String>,
    revision: u64,
}

impl State {
    fn has_revision(&self, id: &str, revision: u64) -> bool {
        let kept = self.kept.get(id).filter(|kept| kept.ghost.is_none());
        kept.is_some_and(|kept| kept.record.revision == revision)
    }
}

struct Kept {
    record: Record,
    /// This many reads do not see it yet.
    unseen: u32,
    /// It is deleted and in this many more lists.
    ghost: Option<u32>,
}

impl Records {
    /// Takes up the journaled records. Ids of records that are written go to `changed`.
    pub(crate) fn new(
        tenant: Uuid,
        journal: Journal,
        entries: &[Entry],
        revision: u64,
        changed: mpsc::UnboundedSender<String>,
    ) -> io::Result<Self> {
        let prefix = format!("{tenant}/");
        let mut state = State { kept: BTreeMap::new(), waiting: BTreeSet::new(), revision };
        for entry in entries {
            if entry.kind != JOURNAL_KIND || !entry.key.starts_with(&prefix) {
                continue;
            }
            if let Some(record) = serde_json::from_value::<Option<Record>>(entry.value.clone())? {
                state.revision = state.revision.max(record.revision);
                state.kept.insert(record.id.clone(), Kept { record, unseen: 0, ghost: None });
            }
        }
        Ok(Self { tenant, journal, state: Mutex::new(state), changed })
    }

    /// Every record, as it is and not as Graph shows it.
    pub(crate) fn all(&self) -> Vec<Record> {
        let state = self.lock();
        let kept = state.kept.values().filter(|kept| kept.ghost.is_none());
        kept.map(|kept| kept.record.clone()).collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Record> {
        let state = self.lock();
        state.kept.get(id).filter(|kept| kept.ghost.is_none()).map(|kept| kept.record.clone())
    }

    pub(crate) fn has_revision(&self, id: &str, revision: u64) -> bool {
        self.lock().has_revision(id, revision)
    }

    /// The connector tried this revision, with whatever outcome.
    pub(crate) fn tried(&self, id: &str, revision: u64) {
        // Under one lock: a PATCH in between would be forgotten.
        let mut state = self.lock();
        if state.has_revision(id, revision) {
            state.waiting.remove(id);
        }
    }

    /// The ids that the connector has still to try.
    pub(crate) fn waiting(&self) -> Vec<String> {
        self.lock().waiting.iter().cloned().collect()
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Asks the connector to try a record.
    pub(crate) fn announce(&self, id: &str) {
        self.lock().waiting.insert(id.to_owned());
        // Without a connector the world is being taken down.
        let _ = self.changed.send(id.to_owned());
    }

    /// Adds a record, or gives it back when its id is taken.
    pub(super) fn create(&self, mut record: Record, unseen: u32) -> Result<Record, Box<Record>> {
        let mut state = self.lock();
        if state.kept.get(&record.id).is_some_and(|kept| kept.ghost.is_none()) {
            return Err(Box::new(record));
        }
        state.revision += 1;
        record.revision = state.revision;
        self.write(&record.id, Some(&record));
        let kept = Kept { record: record.clone(), unseen, ghost: None };
        state.kept.insert(record.id.clone(), kept);
        drop(state);
        self.announce(&record.id);
        Ok(record)
    }

    /// One GET. It may come too early to see a new record.
    pub(super) fn read(&self, id: &str) -> Option<Record> {
        let mut state = self.lock();
        let kept = state.kept.get_mut(id).filter(|kept| kept.ghost.is_none())?;
        if kept.unseen > 0 {
            kept.unseen -= 1;
            return None;
        }
        Some(kept.record.clone())
    }

    pub(super) fn update(
        &self,
        id: &str,
        change: impl FnOnce(&mut Record) -> Result<(), Refusal>,
    ) -> Option<Result<Record, Refusal>> {
        let mut state = self.lock();
        let mut record = state.kept.get(id).filter(|kept| kept.ghost.is_none())?.record.clone();
        if let Err(refusal) = change(&mut record) {
            return Some(Err(refusal));
        }
        state.revision += 1;
        record.revision = state.revision;
        self.write(id, Some(&record));
        if let Some(kept) = state.kept.get_mut(id) {
            kept.record = record.clone();
        }
        drop(state);
        self.announce(id);
        Some(Ok(record))
    }

    /// Says whether there was such a record.
    pub(super) fn delete(&self, id: &str, still_lists: u32) -> bool {
        let mut state = self.lock();
        let Some(kept) = state.kept.get_mut(id).filter(|kept| kept.ghost.is_none()) else {
            return false;
        };
        if still_lists > 0 {
            kept.ghost = Some(still_lists);
        } else {
            state.kept.remove(id);
        }
        state.waiting.remove(id);
        self.write(id, None);
        true
    }

    /// One page of a list: at most `limit` records that `wanted` accepts after an id, and whether
    /// there are more.
    pub(super) fn page_after(&self, id: &str, limit: usize, wanted: impl Fn(&Record) -> bool) -> (Vec<Record>, bool) {
        let mut state = self.lock();
        let mut later = state
            .kept
            .range::<str, _>((std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded))
            .filter(|(_, kept)| kept.unseen == 0 && wanted(&kept.record))
            .map(|(_, kept)| &kept.record);
        let page: Vec<Record> = later.by_ref().take(limit).cloned().collect();
        let more = later.next().is_some();
        for record in &page {
            let Some(kept) = state.kept.get_mut(&record.id) else { continue };
            match kept.ghost {
                Some(0 | 1) => {
                    state.kept.remove(&record.id);
                }
                Some(left) => kept.ghost = Some(left - 1),
                None => {}
            }
        }
        (page, more)
    }

    fn write(&self, id: &str, record: Option<&Record>) {
        self.journal
            .append(JOURNAL_KIND, &format!("{}/{id}", self.tenant), &record)
            .expect("a world that cannot write its journal must not go on");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const JOURNAL_KIND: &str = "record";

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(de::Error::custom)
}
