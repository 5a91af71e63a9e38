//! What an administrator set up in Intune: the connector and the profiles that ask for imported
//! certificates.

use std::sync::Arc;

use axum::{Extension, extract::State, http::Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Answer, Caller, READ_CONFIGURATION, Refusal, ok, query::Query, record::Purpose};
use crate::{directory::id_from, microsoft::World};

/// A "PKCS imported certificate" profile. It delivers the records that have its purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub id: Uuid,
    pub display_name: String,
    pub platform: Platform,
    pub intended_purpose: Purpose,
}

/// The profile type of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    Windows,
    Ios,
    MacOs,
    Android,
}

impl Profile {
    pub fn new(display_name: &str, platform: Platform, intended_purpose: Purpose) -> Self {
        Self { id: Uuid::new_v4(), display_name: display_name.to_owned(), platform, intended_purpose }
    }

    /// A tenant in which every record is asked for.
    pub(crate) fn one_for_each_purpose(tenant: Uuid) -> Vec<Self> {
        [
            ("S/MIME general", Purpose::Unassigned),
            ("S/MIME encryption", Purpose::SmimeEncryption),
            ("S/MIME signing", Purpose::SmimeSigning),
        ]
        .map(|(display_name, intended_purpose)| Self {
            id: id_from(&format!("{display_name} of {tenant}")),
            display_name: display_name.to_owned(),
            platform: Platform::Windows,
            intended_purpose,
        })
        .into()
    }

    fn shown(&self) -> Value {
        let kind = match self.platform {
            Platform::Windows => "windows10ImportedPFXCertificateProfile",
            Platform::Ios => "iosImportedPFXCertificateProfile",
            Platform::MacOs => "macOSImportedPFXCertificateProfile",
            Platform::Android => "androidDeviceOwnerImportedPFXCertificateProfile",
        };
        json!({
            "@odata.type": format!("#microsoft.graph.{kind}"),
            "id": self.id,
            "displayName": self.display_name,
            "version": 1,
            "intendedPurpose": self.intended_purpose,
        })
    }
}

pub(super) async fn list(State(world): State<Arc<World>>, Extension(caller): Extension<Caller>, uri: Uri) -> Answer {
    caller.require(READ_CONFIGURATION)?;
    let mut all: Vec<Value> = caller.tenant.profiles().iter().map(Profile::shown).collect();
    // The list holds every kind of profile, and most have no purpose.
    all.push(json!({
        "@odata.type": "#microsoft.graph.windows10GeneralConfiguration",
        "id": id_from(&format!("restrictions of {}", caller.tenant.id())),
        "displayName": "Device restrictions",
        "version": 3,
    }));
    ok(whole(&world, &uri, "/beta/deviceManagement/deviceConfigurations", &all)?)
}

pub(super) async fn connectors(
    State(world): State<Arc<World>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Answer {
    caller.require(READ_CONFIGURATION)?;
    let connector = caller.tenant.connector();
    let shown = json!({
        "id": id_from(&format!("connector of {}", caller.tenant.id())),
        "displayName": "Certificate connector",
        "machineName": "CONNECTOR01",
        "connectorVersion": "6.2510.3.2002",
        "enrolledDateTime": "2025-09-01T08:00:00Z",
        "lastConnectionDateTime": connector.last_connection(),
        "state": if connector.is_running() { "active" } else { "inactive" },
    });
    ok(whole(&world, &uri, "/beta/deviceManagement/ndesConnectors", &[shown])?)
}

fn whole(world: &World, uri: &Uri, path: &str, all: &[Value]) -> Result<Map<String, Value>, Refusal> {
    let query = Query::parse(uri, &["$top"])?;
    let url = format!("{}{path}", world.graph_url());
    query.page(&url, &world.behaviour(), |after, size| {
        let begin = after.parse::<usize>().map_or(0, |last| last + 1);
        let rest = all.get(begin..).unwrap_or_default();
        let items = rest.iter().take(size).enumerate();
        let items = items.map(|(place, item)| ((begin + place).to_string(), item.clone())).collect();
        (items, rest.len() > size)
    })
}
