//! Intune's `userPfxCertificates`: the PFX that a connector unlocks for a person's devices.
//!
//! Blob and password are write-only: every read answers a dummy, so a record proves that it is there, not what is in it.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, de::IntoDeserializer};
use uuid::Uuid;

use super::{Call, Graph, LONGEST_OBJECT, NextLink, RecordId, SkippedRow, Start};
use crate::{Cause, Error, RequestIds};

/// What a record is for. A profile delivers only records of its own purpose; nothing compares it with the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IntendedPurpose {
    Unassigned,
    SmimeEncryption,
    SmimeSigning,
}

/// How the PFX password is encrypted to the connector's key. PKCS#1 v1.5 and OAEP with SHA-1 are no longer accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaddingScheme {
    OaepSha256,
    OaepSha384,
    OaepSha512,
}

/// A record to be written.
#[derive(Clone)]
pub struct UserPfxCertificate {
    /// SHA-1 of the leaf certificate in hexadecimal. Sent in lower case, as Intune compares it so.
    pub thumbprint: String,
    pub intended_purpose: IntendedPurpose,
    pub user_principal_name: String,
    /// The certificate's notBefore.
    pub start: Timestamp,
    /// The certificate's notAfter.
    pub expiration: Timestamp,
    /// With `key_name`, the key that the connector opens. Nothing checks them before delivery: one wrong letter, and the
    /// record is accepted and never delivered.
    pub provider_name: String,
    pub key_name: String,
    pub padding_scheme: PaddingScheme,
    /// The PFX file as it is. Its only protection is its own password.
    pub encrypted_pfx_blob: Vec<u8>,
    /// The encrypted password in base64, one line.
    pub encrypted_pfx_password: String,
}

/// A record as Intune tells it. Records made by other tools are told too, so whatever may differ there is optional.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserPfxRecord {
    pub id: String,
    pub thumbprint: Option<String>,
    /// `None` also for purposes that are never written here (`vpn`, `wifi`).
    #[serde(default, deserialize_with = "known_or_none")]
    pub intended_purpose: Option<IntendedPurpose>,
    pub user_principal_name: Option<String>,
    #[serde(rename = "startDateTime", default, deserialize_with = "time_or_none")]
    pub start: Option<Timestamp>,
    #[serde(rename = "expirationDateTime", default, deserialize_with = "time_or_none")]
    pub expiration: Option<Timestamp>,
    pub provider_name: Option<String>,
    pub key_name: Option<String>,
    /// `None` also for schemes that are never written here (`none`, `pkcs1`, `oaepSha1`).
    #[serde(default, deserialize_with = "known_or_none")]
    pub padding_scheme: Option<PaddingScheme>,
    #[serde(rename = "createdDateTime", default, deserialize_with = "time_or_none")]
    pub created: Option<Timestamp>,
    #[serde(rename = "lastModifiedDateTime", default, deserialize_with = "time_or_none")]
    pub last_modified: Option<Timestamp>,
}

/// One page of all records of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PfxPage {
    pub records: Vec<UserPfxRecord>,
    pub skipped: Vec<SkippedRow>,
    pub next: Option<NextLink>,
    pub request_ids: RequestIds,
}

impl UserPfxRecord {
    /// Whose it is and which certificate; `None` when its id is not built as documented.
    pub fn record_id(&self) -> Option<RecordId> {
        self.id.parse().ok()
    }
}

impl Graph {
    /// Makes a record. Needs `DeviceManagementConfiguration.ReadWrite.All`, as [`Graph::update_pfx`] and
    /// [`Graph::delete_pfx`] do.
    ///
    /// # Errors
    /// [`Error::Refused`] with [`Cause::DuplicateOrNoLicence`] for Intune's answer without a reason, and
    /// [`Error::Unclear`] when the record may exist: [`Graph::pfx`] tells in both cases.
    pub async fn create_pfx(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        certificate: &UserPfxCertificate,
    ) -> Result<RequestIds, Error> {
        let call = Call { name: "creating a userPfxCertificate", access, client_request_id };
        let url = self.device_management(["userPfxCertificates"]);
        self.write(call, Method::POST, url, &Body::from(certificate)).await.map_err(without_reason)
    }

    /// Replaces what a record holds: blob, password and key fields together, because a password is of one key only.
    ///
    /// # Errors
    /// As [`Graph::create_pfx`].
    pub async fn update_pfx(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        id: &RecordId,
        certificate: &UserPfxCertificate,
    ) -> Result<RequestIds, Error> {
        let call = Call { name: "updating a userPfxCertificate", access, client_request_id };
        let url = self.device_management(["userPfxCertificates", &id.to_string()]);
        self.write(call, Method::PATCH, url, &Body::from(certificate)).await.map_err(without_reason)
    }

    /// The record, or `None` when there is none. It may lag behind a write.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn pfx(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        id: &RecordId,
    ) -> Result<Option<UserPfxRecord>, Error> {
        let call = Call { name: "reading a userPfxCertificate", access, client_request_id };
        let url = self.device_management(["userPfxCertificates", &id.to_string()]);
        match self.read(call, url, LONGEST_OBJECT).await {
            Ok(answered) => answered.json(call.name).map(Some),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of every record of the tenant, made here or by another tool.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn pfx_page(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        start: Start,
    ) -> Result<PfxPage, Error> {
        let call = Call { name: "listing userPfxCertificates", access, client_request_id };
        let url = self.page_url(start, |top| {
            let mut url = self.device_management(["userPfxCertificates"]);
            url.query_pairs_mut().append_pair("$top", &top.to_string());
            url
        })?;
        let page = self.page(call, url).await?;
        Ok(PfxPage { records: page.rows, skipped: page.skipped, next: page.next, request_ids: page.request_ids })
    }

    /// Removes a record; one that is not there counts as removed. It may be listed for a while after
    /// (microsoft/Intune-Resource-Access, issue 157).
    ///
    /// # Errors
    /// As every write; an unclear one may be repeated.
    pub async fn delete_pfx(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        id: &RecordId,
    ) -> Result<RequestIds, Error> {
        let call = Call { name: "deleting a userPfxCertificate", access, client_request_id };
        let url = self.device_management(["userPfxCertificates", &id.to_string()]);
        match self.delete(call, url).await {
            Err(Error::Refused(refusal)) if refusal.cause == Cause::NotFound => Ok(refusal.request_ids),
            other => other,
        }
    }
}

/// Keys and spelling as Microsoft's own tool sends them; `id` must not be there on a POST.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    thumbprint: String,
    intended_purpose: IntendedPurpose,
    user_principal_name: &'a str,
    start_date_time: Timestamp,
    expiration_date_time: Timestamp,
    provider_name: &'a str,
    key_name: &'a str,
    padding_scheme: PaddingScheme,
    encrypted_pfx_blob: String,
    encrypted_pfx_password: &'a str,
}

impl<'a> From<&'a UserPfxCertificate> for Body<'a> {
    fn from(certificate: &'a UserPfxCertificate) -> Self {
        Self {
            thumbprint: certificate.thumbprint.to_ascii_lowercase(),
            intended_purpose: certificate.intended_purpose,
            user_principal_name: &certificate.user_principal_name,
            start_date_time: certificate.start,
            expiration_date_time: certificate.expiration,
            provider_name: &certificate.provider_name,
            key_name: &certificate.key_name,
            padding_scheme: certificate.padding_scheme,
            encrypted_pfx_blob: BASE64_STANDARD.encode(&certificate.encrypted_pfx_blob),
            encrypted_pfx_password: &certificate.encrypted_pfx_password,
        }
    }
}

impl fmt::Debug for UserPfxCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserPfxCertificate")
            .field("thumbprint", &self.thumbprint)
            .field("intended_purpose", &self.intended_purpose)
            .field("key_name", &self.key_name)
            .field("padding_scheme", &self.padding_scheme)
            .finish_non_exhaustive()
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.cause == Cause::NotFound)
}

/// Intune gives its reasons for malformed fields; for a duplicate and for a missing licence it gives none.
fn without_reason(error: Error) -> Error {
    let Error::Refused(mut refusal) = error else {
        return error;
    };
    let has_reason = !refusal.message.is_empty() && !refusal.message.starts_with("An error has occurred");
    let is_opaque = refusal.status == StatusCode::BAD_REQUEST.as_u16() && !has_reason;
    if is_opaque || refusal.status == StatusCode::CONFLICT.as_u16() {
        refusal.cause = Cause::DuplicateOrNoLicence;
    }
    Error::Refused(refusal)
}

/// The first letter is lowered before reading: Microsoft's tool writes `SmimeEncryption`, its docs `smimeEncryption`.
pub(super) fn known_or_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> Deserialize<'a>,
{
    let Some(mut name) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    name.get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
    let name: serde::de::value::StringDeserializer<serde::de::value::Error> = name.into_deserializer();
    Ok(T::deserialize(name).ok())
}

pub(super) fn time_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}
