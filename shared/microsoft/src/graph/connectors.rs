//! What must exist in Intune before a record can reach a device: a connector that is alive, and a profile of its purpose.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Call, Graph, IntendedPurpose,
    user_pfx_certificates::{known_or_none, time_or_none},
};
use crate::Error;

/// An installed certificate connector (`ndesConnector`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    pub id: String,
    #[serde(rename = "displayName")]
    pub name: Option<String>,
    /// `None` also for a state that is not documented.
    #[serde(default, deserialize_with = "known_or_none")]
    pub state: Option<ConnectorState>,
    #[serde(rename = "lastConnectionDateTime", default, deserialize_with = "time_or_none")]
    pub last_connection: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectorState {
    None,
    Active,
    Inactive,
}

/// A "PKCS imported certificate" profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedPfxProfile {
    pub id: String,
    pub name: Option<String>,
    pub platform: ProfilePlatform,
    /// `None` for purposes that no record is written for (`vpn`, `wifi`).
    pub intended_purpose: Option<IntendedPurpose>,
}

/// The devices that a profile is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfilePlatform {
    /// Device administrator, which Microsoft calls legacy.
    Android,
    AndroidDeviceOwner,
    AndroidWorkProfile,
    Ios,
    MacOs,
    Windows,
    /// A kind that came later, by the start of its type's name.
    Other(String),
}

impl Graph {
    /// Up to 100 per tenant. Needs `DeviceManagementConfiguration.Read.All`.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn connectors(&self, access: &SecretString, client_request_id: Uuid) -> Result<Vec<Connector>, Error> {
        let call = Call { name: "listing certificate connectors", access, client_request_id };
        self.short_list(call, self.device_management(["ndesConnectors"])).await
    }

    /// Those of all device configuration profiles that deliver imported PFX files, on any platform. Needs
    /// `DeviceManagementConfiguration.Read.All`.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn imported_pfx_profiles(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
    ) -> Result<Vec<ImportedPfxProfile>, Error> {
        let call = Call { name: "listing device configuration profiles", access, client_request_id };
        // The purpose is a property of the derived types, so it cannot be selected on the collection.
        let profiles = self.short_list(call, self.device_management(["deviceConfigurations"])).await?;
        Ok(profiles.into_iter().filter_map(imported_pfx).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceConfiguration {
    #[serde(rename = "@odata.type")]
    odata_type: String,
    id: String,
    display_name: Option<String>,
    #[serde(default, deserialize_with = "known_or_none")]
    intended_purpose: Option<IntendedPurpose>,
}

fn imported_pfx(profile: DeviceConfiguration) -> Option<ImportedPfxProfile> {
    let kind = profile.odata_type.trim_start_matches("#microsoft.graph.");
    let platform = match kind.strip_suffix("ImportedPFXCertificateProfile")? {
        "android" => ProfilePlatform::Android,
        "androidDeviceOwner" => ProfilePlatform::AndroidDeviceOwner,
        "androidForWork" => ProfilePlatform::AndroidWorkProfile,
        "ios" => ProfilePlatform::Ios,
        "macOS" => ProfilePlatform::MacOs,
        "windows10" => ProfilePlatform::Windows,
        other => ProfilePlatform::Other(other.to_owned()),
    };
    Some(ImportedPfxProfile {
        id: profile.id,
        name: profile.display_name,
        platform,
        intended_purpose: profile.intended_purpose,
    })
}
