//! The id of a record, which can be worked out before the record is made.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names a record: the person's object id without dashes, a dash, the certificate's SHA-1, all in lower case
/// (microsoft/Intune-Resource-Access, PFXImportPowershell).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordId {
    user_object_id: Uuid,
    thumbprint: String,
}

/// Not an object id and 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record id is 32 hexadecimal digits, a dash, and 40 hexadecimal digits")]
pub struct NotARecordId;

impl RecordId {
    /// # Errors
    /// [`NotARecordId`] unless the thumbprint is 40 hexadecimal digits.
    pub fn new(user_object_id: Uuid, sha1_thumbprint: &str) -> Result<Self, NotARecordId> {
        let is_sha1 = sha1_thumbprint.len() == 40 && sha1_thumbprint.bytes().all(|digit| digit.is_ascii_hexdigit());
        let thumbprint = sha1_thumbprint.to_ascii_lowercase();
        if is_sha1 { Ok(Self { user_object_id, thumbprint }) } else { Err(NotARecordId) }
    }

    pub fn user_object_id(&self) -> Uuid {
        self.user_object_id
    }

    /// In lower case.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.user_object_id.simple(), self.thumbprint)
    }
}

impl FromStr for RecordId {
    type Err = NotARecordId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user_object_id, thumbprint) = text.split_once('-').ok_or(NotARecordId)?;
        Self::new(Uuid::try_parse(user_object_id).map_err(|_| NotARecordId)?, thumbprint)
    }
}

impl TryFrom<String> for RecordId {
    type Error = NotARecordId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RecordId> for String {
    fn from(id: RecordId) -> Self {
        id.to_string()
    }
}
