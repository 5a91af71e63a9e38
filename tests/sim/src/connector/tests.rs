use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512};
use serde_json::{Value, json};

use super::{DOCUMENTED_KEY_NAME, Outcome, SOFTWARE_PROVIDER};
use crate::{
    device::{
        openssl::{COMPATIBLE, Issued, MODERN},
        thumbprint,
    },
    directory::Removal,
    faults::Fault,
    graph::{
        profiles::{Platform, Profile},
        record::Purpose,
    },
    microsoft::{
        Options,
        fixture::{PASSWORD, RECORDS, World, record_id},
    },
};

/// Posts a record and waits for what becomes of it.
async fn outcome(world: &World, record: &Value) -> Outcome {
    let answer = world.client.post(RECORDS, record).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    world.microsoft.settled().await;
    world.microsoft.deliveries().pop().unwrap().outcome
}

async fn failure(world: &World, record: &Value) -> (Option<u16>, String) {
    match outcome(world, record).await {
        Outcome::Failed { event_id, cause } => (event_id, cause),
        delivered => panic!("{delivered:?}"),
    }
}

#[tokio::test]
async fn records_of_both_profiles_and_key_types_reach_the_device() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let address = person.primary_address().unwrap();
    for (issued, profile) in
        [(Issued::rsa(address), COMPATIBLE), (Issued::rsa(address), MODERN), (Issued::p384(address), COMPATIBLE)]
    {
        let record = world.record_of(&person, &issued, &issued.pfx(profile, PASSWORD));
        assert_eq!(
            outcome(&world, &record).await,
            Outcome::Delivered { thumbprint: thumbprint(&issued.leaf()), profile: "S/MIME encryption".to_owned() }
        );
    }
    assert_eq!(world.microsoft.delivered_count(), 3);
    world.microsoft.delivered(3).await;
    let delivery = world.microsoft.deliveries().remove(0);
    assert_eq!((delivery.user_id, delivery.upn), (person.id, person.user_principal_name));
}

#[tokio::test]
async fn a_password_that_the_connector_cannot_open_is_event_2052() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let sealed = |password: &str| world.sealed(password, &OAEP_SHA512_MGF1SHA512);
    let utf16: String = PASSWORD.chars().flat_map(|letter| [letter, '\0']).collect();
    for (name, value, cause) in [
        ("keyName", json!("PFXEncryptionkey"), "no key"),
        ("providerName", json!("Microsoft Primitive Provider"), "no key"),
        ("paddingScheme", json!("oaepSha384"), "another key or padding"),
        ("encryptedPfxPassword", json!(world.sealed(PASSWORD, &OAEP_SHA256_MGF1SHA256)), "another key"),
        ("encryptedPfxPassword", json!(sealed(&utf16)), "not printable ASCII"),
        ("encryptedPfxPassword", json!(sealed(&format!("{PASSWORD}\0"))), "not printable ASCII"),
        ("encryptedPfxPassword", json!(sealed("ein längeres Paßwort")), "not printable ASCII"),
        ("encryptedPfxPassword", json!(sealed("too short")), "too short"),
        ("encryptedPfxPassword", json!(sealed("")), "too short"),
    ] {
        let mut record = world.record(&person);
        record[name] = value;
        let (event_id, found) = failure(&world, &record).await;
        assert_eq!(event_id, Some(2052), "{name}");
        assert!(found.starts_with("2052 re-encrypt failed") && found.contains(cause), "{found}");
    }
    let before = world.record(&person);
    let connector = world.microsoft.connector();
    connector.create_key(SOFTWARE_PROVIDER, DOCUMENTED_KEY_NAME, 2048).unwrap();
    assert_eq!(failure(&world, &before).await.0, Some(2052), "sealed to a key that is lost");
    assert!(outcome(&world, &world.record(&person)).await.is_delivered());
}

#[tokio::test]
async fn a_pfx_that_the_device_refuses_is_no_delivery() {
    let world = World::with_people(2).await;
    let person = world.person(0);
    let other = Issued::p256(person.primary_address().unwrap());
    let strange = Issued::p256("somebody.else@contoso.example");
    let strange = world.record_of(&person, &strange, &strange.pfx(COMPATIBLE, PASSWORD));
    let locked = Issued::p256(person.primary_address().unwrap());
    let another_password = locked.pfx(COMPATIBLE, "another password of 128 bits");
    for (record, cause) in [
        (changed(&world, "thumbprint", json!(thumbprint(&other.leaf()))), "thumbprint"),
        (changed(&world, "startDateTime", json!("2026-01-01T00:00:01Z")), "the record says from"),
        (changed(&world, "expirationDateTime", json!("2026-12-31T23:59:59Z")), "the record says from"),
        (changed(&world, "encryptedPfxBlob", json!("MAA=")), "DER"),
        (strange, "primary address"),
        (world.record_of(&person, &locked, &another_password), "wrong password"),
    ] {
        let (event_id, found) = failure(&world, &record).await;
        assert_eq!(event_id, Some(2001));
        assert!(found.contains(cause), "{found}");
    }
    let gone = world.person(1);
    let record = world.record(&gone);
    world.microsoft.connector().stop();
    world.client.post(RECORDS, &record).await;
    world.microsoft.directory().delete(gone.id, Removal::Final);
    world.microsoft.first_tenant().start_connector();
    world.microsoft.settled().await;
    let last = world.microsoft.deliveries().pop().unwrap();
    assert!(matches!(last.outcome, Outcome::Failed { cause, .. } if cause.contains("gone")));
}

fn changed(world: &World, name: &str, value: Value) -> Value {
    let mut record = world.record(&world.person(0));
    record[name] = value;
    record
}

#[tokio::test]
async fn without_a_profile_of_its_purpose_a_record_waits_for_one() {
    let world = World::with_people(1).await;
    let tenant = world.microsoft.first_tenant();
    let signing = Profile::new("signing only", Platform::Ios, Purpose::SmimeSigning);
    tenant.set_profiles(vec![signing.clone()]);
    let (event_id, cause) = failure(&world, &world.record(&world.person(0))).await;
    assert_eq!(event_id, None);
    assert!(cause.contains("SmimeEncryption"), "{cause}");
    assert_eq!(world.microsoft.failed_count(), 1);
    let encryption = Profile::new("encryption", Platform::Ios, Purpose::SmimeEncryption);
    tenant.set_profiles(vec![signing, encryption]);
    world.microsoft.delivered(1).await;
    assert_eq!(world.microsoft.failed_count(), 0);
}

#[tokio::test]
async fn a_patch_delivers_again_and_a_half_patch_breaks_the_record() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let record = world.record(&person);
    assert!(outcome(&world, &record).await.is_delivered());
    let path = format!("{RECORDS}/{}", record_id(&person, &record));
    let password = world.sealed("another password of 128 bits", &OAEP_SHA512_MGF1SHA512);
    world.client.patch(&path, &json!({ "encryptedPfxPassword": password })).await;
    world.microsoft.settled().await;
    assert_eq!(world.microsoft.delivered_count(), 0);
    world.client.patch(&path, &record).await;
    world.microsoft.settled().await;
    assert_eq!(world.microsoft.delivered_count(), 1);
    let revisions: Vec<u64> = world.microsoft.deliveries().iter().map(|each| each.revision).collect();
    assert_eq!(revisions, [1, 2, 3]);
}

#[tokio::test]
async fn a_lost_answer_does_not_lose_the_record() {
    let world = World::with_people(1).await;
    world.microsoft.faults().next("graph.pfx_create", Fault::LoseAnswer);
    let record = world.record(&world.person(0));
    let url = format!("{}{RECORDS}", world.microsoft.graph_base_url());
    let request = world.client.http.post(url).bearer_auth(&world.client.token).json(&record);
    assert!(request.send().await.is_err());
    world.microsoft.delivered(1).await;
}

#[tokio::test]
async fn a_world_goes_on_where_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { folder: Some(folder.path().to_owned()), ..Options::new(1, 3) };
    let world = World::start(options()).await;
    let [first, second] = [0, 1].map(|place| world.record(&world.person(place)));
    assert!(outcome(&world, &first).await.is_delivered());
    let deleted = world.record(&world.person(2));
    world.client.post(RECORDS, &deleted).await;
    world.microsoft.settled().await;
    let path = format!("{RECORDS}/{}", record_id(&world.person(2), &deleted));
    assert_eq!(world.client.delete(&path).await.status, 204);
    world.microsoft.connector().stop();
    world.client.post(RECORDS, &second).await;
    world.microsoft.directory().disable(world.person(2).id);
    world.microsoft.first_tenant().set_profiles(vec![Profile::new(
        "only",
        Platform::Windows,
        Purpose::SmimeEncryption,
    )]);
    let (people, records) = (world.microsoft.directory().people(), world.microsoft.records());
    let deliveries = world.microsoft.deliveries();
    let key = world.microsoft.connector().public_key_blob_base64();
    let profiles = world.microsoft.first_tenant().profiles();
    drop(world);

    let world = World::start(options()).await;
    assert_eq!(world.microsoft.directory().people(), people);
    assert_eq!(world.microsoft.records(), records);
    assert_eq!(world.microsoft.connector().public_key_blob_base64(), key);
    assert_eq!(world.microsoft.first_tenant().profiles(), profiles);
    world.microsoft.settled().await;
    let after = world.microsoft.deliveries();
    assert_eq!(after[..deliveries.len()], deliveries);
    assert_eq!(after.len(), deliveries.len() + 1, "the waiting record and no other is tried");
    assert!(after.last().unwrap().outcome.is_delivered());
    let third = world.record(&world.person(0));
    assert!(outcome(&world, &third).await.is_delivered());
    let revisions: Vec<u64> = world.microsoft.deliveries().iter().map(|each| each.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4]);

    let journal = std::fs::read_to_string(folder.path().join("microsoft.jsonl")).unwrap();
    assert!(!journal.contains("PRIVATE KEY") && !journal.contains(PASSWORD));
    let other_seed = Options { seed: 2, ..options() };
    assert!(crate::microsoft::Microsoft::start(other_seed).await.is_err());
}
