//! Intune's records: the wire form, and what each answer to a write means.

use microsoft::{
    Cause, Error,
    graph::{IntendedPurpose, NotARecordId, PaddingScheme, RecordId, Start, UserPfxCertificate},
};
use serde_json::{Value, json};

use crate::{
    ACCESS, PERSON, REQUEST, access, everything_said, graph,
    vendor::{Canned, Vendor, hangs_up, nobody},
};

const THUMBPRINT: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";
const RECORD: &str = "9f4aa0a10c3e4f7a8d110123456789ab-a9993e364706816aba3e25717850c26c9cd0d89d";
const RECORDS: &str = "/beta/deviceManagement/userPfxCertificates";

fn certificate() -> UserPfxCertificate {
    UserPfxCertificate {
        thumbprint: THUMBPRINT.to_uppercase(),
        intended_purpose: IntendedPurpose::SmimeEncryption,
        user_principal_name: "asa@example.com".to_owned(),
        start: "2026-06-01T00:00:00Z".parse().unwrap(),
        expiration: "2028-06-01T02:00:00+02:00".parse().unwrap(),
        provider_name: "Microsoft Software Key Storage Provider".to_owned(),
        key_name: "PFXEncryptionKey".to_owned(),
        padding_scheme: PaddingScheme::OaepSha512,
        encrypted_pfx_blob: b"a PFX file".to_vec(),
        encrypted_pfx_password: "c2VhbGVk".to_owned(),
    }
}

fn body() -> Value {
    json!({
        "thumbprint": THUMBPRINT,
        "intendedPurpose": "smimeEncryption",
        "userPrincipalName": "asa@example.com",
        "startDateTime": "2026-06-01T00:00:00Z",
        "expirationDateTime": "2028-06-01T00:00:00Z",
        "providerName": "Microsoft Software Key Storage Provider",
        "keyName": "PFXEncryptionKey",
        "paddingScheme": "oaepSha512",
        "encryptedPfxBlob": "YSBQRlggZmlsZQ==",
        "encryptedPfxPassword": "c2VhbGVk",
    })
}

fn record() -> Value {
    let mut record = body();
    record["id"] = json!(RECORD);
    record["encryptedPfxBlob"] = json!("AA==");
    record["encryptedPfxPassword"] = json!("");
    record["createdDateTime"] = json!("2026-06-02T10:00:00.1234567Z");
    record["lastModifiedDateTime"] = json!("0001-01-01T00:00:00Z");
    record
}

fn id() -> RecordId {
    RecordId::new(PERSON, THUMBPRINT).unwrap()
}

/// Intune's answer without a reason (as in MicrosoftDocs/memdocs, issue 2987).
fn opaque() -> Value {
    let message = json!({
        "_version": 3,
        "Message": "An error has occurred - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 - Activity ID: 01020304-0506-0708-090a-0b0c0d0e0f10 - Url: https://fef.msub05.manage.microsoft.com/RACerts/StatelessImportPFXService/00000000-ffff/deviceManagement/userPfxCertificates?api-version=5022-05-10",
        "CustomApiErrorPhrase": "", "RetryAfter": null, "ErrorSourceService": "", "HttpHeaders": "{}"
    });
    json!({"error": {"code": "BadRequest", "message": message.to_string(),
        "innerError": {"date": "2026-06-02T10:00:00", "request-id": "r", "client-request-id": "c"}}})
}

#[test]
fn a_record_id_is_known_before_the_record() {
    let id = RecordId::new(PERSON, &THUMBPRINT.to_uppercase()).unwrap();
    assert_eq!(id.to_string(), RECORD);
    assert_eq!(RECORD.parse::<RecordId>().unwrap(), id);
    assert_eq!((id.user_object_id(), id.thumbprint()), (PERSON, THUMBPRINT));
    assert_eq!(serde_json::to_value(&id).unwrap(), json!(RECORD));
}

#[test]
fn other_texts_are_no_record_ids() {
    assert_eq!(RecordId::new(PERSON, "../users"), Err(NotARecordId));
    assert_eq!(RecordId::new(PERSON, &"é".repeat(20)), Err(NotARecordId));
    for text in ["", "-", RECORD.split_once('-').unwrap().0, &format!("{PERSON}-{THUMBPRINT}"), &format!("{RECORD}0")] {
        assert_eq!(text.parse::<RecordId>(), Err(NotARecordId), "{text}");
    }
}

#[tokio::test]
async fn a_record_is_created_with_exactly_the_documented_fields() {
    let vendor = Vendor::start([Canned::json(201, &record()).header("request-id", "r-9")]).await;
    let ids = graph(&vendor.base).create_pfx(&access(), REQUEST, &certificate()).await.unwrap();
    assert_eq!((ids.request_id.as_deref(), ids.client_request_id), (Some("r-9"), REQUEST));

    let request = vendor.only();
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("POST", RECORDS.to_owned()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.json(), body());
}

#[tokio::test]
async fn a_created_record_is_created_even_when_the_answer_cannot_be_read() {
    let vendor = Vendor::start([Canned::text(201, "<html>"), Canned::text(201, &"x".repeat(2 * 1024 * 1024))]).await;
    let graph = graph(&vendor.base);
    for _ in 0..2 {
        graph.create_pfx(&access(), REQUEST, &certificate()).await.unwrap();
    }
}

#[tokio::test]
async fn an_update_replaces_blob_password_and_key_fields_together() {
    let vendor = Vendor::start([Canned::json(200, &record())]).await;
    graph(&vendor.base).update_pfx(&access(), REQUEST, &id(), &certificate()).await.unwrap();
    let request = vendor.only();
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("PATCH", format!("{RECORDS}/{RECORD}")));
    assert_eq!(request.json(), body());
}

#[tokio::test]
async fn a_record_is_read_by_id_or_known_to_be_absent() {
    let vendor = Vendor::start([
        Canned::json(200, &record()),
        Canned::json(404, &json!({"error": {"code": "NotFound", "message": "x"}})),
        Canned::text(404, ""),
    ])
    .await;
    let graph = graph(&vendor.base);
    let found = graph.pfx(&access(), REQUEST, &id()).await.unwrap().unwrap();
    assert_eq!(found.record_id(), Some(id()));
    assert_eq!(found.intended_purpose, Some(IntendedPurpose::SmimeEncryption));
    assert_eq!(found.padding_scheme, Some(PaddingScheme::OaepSha512));
    assert_eq!((found.start, found.expiration), (Some(certificate().start), Some(certificate().expiration)));
    assert_eq!(found.key_name.as_deref(), Some("PFXEncryptionKey"));
    assert_eq!(vendor.only().uri.to_string(), format!("{RECORDS}/{RECORD}"));
    for _ in 0..2 {
        assert_eq!(graph.pfx(&access(), REQUEST, &id()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn records_of_other_tools_are_listed_with_what_can_be_told() {
    let vendor = Vendor::start([]).await;
    let next = vendor.link(&format!("{RECORDS}?$skiptoken=1"));
    let rows = json!({"@odata.nextLink": next, "value": [
        {"id": "made-by-hand", "intendedPurpose": "vpn", "paddingScheme": "pkcs1", "startDateTime": "yesterday"},
        {"id": RECORD, "intendedPurpose": "SmimeSigning", "paddingScheme": "OaepSha256", "thumbprint": null,
            "userPrincipalName": null, "expirationDateTime": "2027-01-01T00:00:00+01:00", "keyAlgorithm": "rsa"},
        {"intendedPurpose": "smimeSigning"}]});
    vendor.then([Canned::json(200, &rows)]);
    let page = graph(&vendor.base).pfx_page(&access(), REQUEST, Start::First { top: 50 }).await.unwrap();

    let [by_hand, by_tool] = &page.records[..] else { panic!("{page:?}") };
    assert_eq!((by_hand.record_id(), by_hand.intended_purpose, by_hand.padding_scheme), (None, None, None));
    assert_eq!(by_hand.start, None);
    assert_eq!(by_tool.record_id(), Some(id()));
    assert_eq!(by_tool.intended_purpose, Some(IntendedPurpose::SmimeSigning));
    assert_eq!(by_tool.padding_scheme, Some(PaddingScheme::OaepSha256));
    assert_eq!(by_tool.expiration, Some("2026-12-31T23:00:00Z".parse().unwrap()));
    assert_eq!(page.skipped.len(), 1);
    assert!(page.next.is_some());
    assert_eq!(vendor.only().query(), [("$top".to_owned(), "50".to_owned())]);
}

#[tokio::test]
async fn deleting_what_is_not_there_is_done() {
    let vendor = Vendor::start([Canned::text(204, ""), Canned::text(404, ""), Canned::text(500, "")]).await;
    let graph = graph(&vendor.base);
    for _ in 0..2 {
        graph.delete_pfx(&access(), REQUEST, &id()).await.unwrap();
    }
    let error = graph.delete_pfx(&access(), REQUEST, &id()).await.unwrap_err();
    assert!(matches!(error, Error::Unclear { status: Some(500), .. }), "{error:?}");
    let request = &vendor.seen()[0];
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("DELETE", format!("{RECORDS}/{RECORD}")));
    assert!(request.body.is_empty());
}

#[tokio::test]
async fn intunes_answer_without_a_reason_is_unpacked() {
    let vendor = Vendor::start([Canned::json(400, &opaque()).header("request-id", "r-7")]).await;
    let error = graph(&vendor.base).create_pfx(&access(), REQUEST, &certificate()).await.unwrap_err();
    assert_eq!(error.to_string(), "Graph refused creating a userPfxCertificate: 400 BadRequest: An error has occurred");
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.cause, Cause::DuplicateOrNoLicence);
    assert_eq!(refusal.activity_id.as_deref(), Some("01020304-0506-0708-090a-0b0c0d0e0f10"));
    assert_eq!(refusal.request_ids.request_id.as_deref(), Some("r-7"));
}

#[tokio::test]
async fn a_reason_is_told_from_no_reason() {
    let reason = |code: &str, message: &str| json!({"error": {"code": code, "message": message}});
    let vendor = Vendor::start([
        Canned::json(400, &reason("ModelValidationFailure", "Cannot convert the literal 'x' to the expected type")),
        Canned::json(400, &reason("BadRequest", "")),
        Canned::text(400, "<html>"),
        Canned::json(409, &reason("Conflict", "exists")),
        Canned::json(403, &reason("Forbidden", "An error has occurred")),
        Canned::json(422, &reason("Odd", "odd")),
    ])
    .await;
    let graph = graph(&vendor.base);
    let mut causes = Vec::new();
    for _ in 0..6 {
        match graph.create_pfx(&access(), REQUEST, &certificate()).await {
            Err(Error::Refused(refusal)) => causes.push(refusal.cause),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        causes,
        [
            Cause::BadRequest,
            Cause::DuplicateOrNoLicence,
            Cause::DuplicateOrNoLicence,
            Cause::DuplicateOrNoLicence,
            Cause::Permission,
            Cause::Other,
        ]
    );
}

#[tokio::test]
async fn a_write_that_perhaps_happened_is_unclear_and_one_that_did_not_is_not_sent() {
    let never = graph(&nobody().await).create_pfx(&access(), REQUEST, &certificate()).await.unwrap_err();
    assert!(matches!(never, Error::NotSent { .. }), "{never:?}");

    let perhaps = graph(&hangs_up().await).create_pfx(&access(), REQUEST, &certificate()).await.unwrap_err();
    let Error::Unclear { request_ids: Some(ids), .. } = &perhaps else { panic!("{perhaps:?}") };
    assert_eq!(ids.client_request_id, REQUEST);

    // A gateway that gave up does not know what became of the write, even when it names a time to wait.
    let vendor = Vendor::start([Canned::text(504, "").header("retry-after", "5")]).await;
    let gateway = graph(&vendor.base).create_pfx(&access(), REQUEST, &certificate()).await.unwrap_err();
    let Error::Unclear { status: Some(504), retry_after: Some(wait), .. } = gateway else { panic!("{gateway:?}") };
    assert_eq!(wait.as_secs(), 5);
}

#[tokio::test]
async fn nothing_that_protects_a_key_is_in_debug_or_an_error() {
    let echo = json!({"error": {"code": "BadRequest", "message": format!("Invalid: {ACCESS}{} at https://x.example/?t=c2VhbGVk",
        "c2VhbGVk".repeat(20))}});
    let vendor = Vendor::start([Canned::json(400, &echo)]).await;
    let graph = graph(&vendor.base);
    let error = graph.create_pfx(&access(), REQUEST, &certificate()).await.unwrap_err();
    let said = format!("{} {:?} {graph:?}", everything_said(&error), certificate());
    assert!(!said.contains("c2VhbGVk") && !said.contains(ACCESS) && !said.contains("a PFX"), "{said}");
}
