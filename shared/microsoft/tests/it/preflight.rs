//! Connectors and profiles.

use microsoft::{
    Error,
    graph::{ConnectorState, IntendedPurpose, ProfilePlatform},
};
use serde_json::json;

use crate::{
    REQUEST, access, graph,
    vendor::{Canned, Vendor},
};

#[tokio::test]
async fn connectors_tell_whether_they_are_alive() {
    let rows = json!({"value": [
        {"id": "1", "displayName": "srv1", "state": "active", "lastConnectionDateTime": "2026-06-02T09:55:00.5Z", "enrolledDateTime": "x"},
        {"id": "2", "displayName": null, "state": "none", "lastConnectionDateTime": null},
        {"id": "3", "state": "resting"}]});
    let vendor = Vendor::start([Canned::json(200, &rows)]).await;
    let connectors = graph(&vendor.base).connectors(&access(), REQUEST).await.unwrap();
    assert_eq!(vendor.only().uri.to_string(), "/beta/deviceManagement/ndesConnectors");
    assert_eq!(
        connectors.iter().map(|connector| connector.state).collect::<Vec<_>>(),
        [Some(ConnectorState::Active), Some(ConnectorState::None), None]
    );
    assert_eq!(connectors[0].name.as_deref(), Some("srv1"));
    assert_eq!(connectors[0].last_connection, Some("2026-06-02T09:55:00.5Z".parse().unwrap()));
}

#[tokio::test]
async fn only_profiles_for_imported_certificates_are_told_from_all_pages() {
    let vendor = Vendor::start([]).await;
    let next = vendor.link("/beta/deviceManagement/deviceConfigurations?$skiptoken=1");
    let kind = |name: &str| format!("#microsoft.graph.{name}");
    vendor.then([
        Canned::json(
            200,
            &json!({"@odata.nextLink": next, "value": [
                {"@odata.type": kind("windows10ImportedPFXCertificateProfile"), "id": "w", "displayName": "S/MIME", "intendedPurpose": "smimeSigning"},
                {"@odata.type": kind("windows10GeneralConfiguration"), "id": "g", "displayName": "Lock screen"},
                {"@odata.type": kind("iosPkcsCertificateProfile"), "id": "p", "displayName": "Wi-Fi"}]}),
        ),
        Canned::json(
            200,
            &json!({"value": [
                {"@odata.type": kind("macOSImportedPFXCertificateProfile"), "id": "m", "intendedPurpose": "vpn"},
                {"@odata.type": kind("visionOSImportedPFXCertificateProfile"), "id": "v", "intendedPurpose": "unassigned"}]}),
        ),
    ]);
    let profiles = graph(&vendor.base).imported_pfx_profiles(&access(), REQUEST).await.unwrap();
    let told: Vec<_> =
        profiles.iter().map(|profile| (&*profile.id, &profile.platform, profile.intended_purpose)).collect();
    assert_eq!(
        told,
        [
            ("w", &ProfilePlatform::Windows, Some(IntendedPurpose::SmimeSigning)),
            ("m", &ProfilePlatform::MacOs, None),
            ("v", &ProfilePlatform::Other("visionOS".to_owned()), Some(IntendedPurpose::Unassigned)),
        ]
    );
}

#[tokio::test]
async fn a_short_list_that_never_ends_or_leads_away_is_given_up() {
    let vendor = Vendor::start([]).await;
    let again = json!({"value": [], "@odata.nextLink": vendor.link("/beta/deviceManagement/ndesConnectors")});
    vendor.then(std::iter::repeat_n(Canned::json(200, &again), 50));
    let error = graph(&vendor.base).connectors(&access(), REQUEST).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { reason: "its pages do not end", .. }), "{error:?}");
    assert_eq!(vendor.seen().len(), 50);

    vendor.then([Canned::json(200, &json!({"value": [], "@odata.nextLink": "https://graph.evil.example/"}))]);
    let error = graph(&vendor.base).connectors(&access(), REQUEST).await.unwrap_err();
    assert!(matches!(error, Error::ForeignLink { .. }), "{error:?}");
}
