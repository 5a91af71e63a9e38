use serde_json::{Value, json};

use crate::{
    directory::Removal,
    microsoft::{
        client::Answer,
        fixture::{RECORDS, World, record_id},
    },
};

fn assert_opaque(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.code(), "BadRequest");
    let message: Value = serde_json::from_str(answer.body["error"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(message["_version"], 3);
    assert!(message["Message"].as_str().unwrap().contains("StatelessImportPFXService"));
}

#[tokio::test]
async fn a_created_record_has_the_computed_id_and_shows_no_secret() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let mut record = world.record(&person);
    record["@odata.type"] = "#microsoft.graph.userPFXCertificate".into();
    let created = world.client.post(RECORDS, &record).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let id = record_id(&person, &record);
    let read = world.client.get(&format!("{RECORDS}/{id}")).await;
    for shown in [&created.body, &read.body] {
        assert_eq!(shown["id"], id);
        assert_eq!(shown["encryptedPfxBlob"], "AA==");
        assert_eq!(shown["encryptedPfxPassword"], "");
        for name in ["intendedPurpose", "keyName", "providerName", "paddingScheme", "startDateTime"] {
            assert_eq!(shown[name], record[name], "{name}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_the_model_is_refused() {
    let world = World::with_people(1).await;
    let good = world.record(&world.person(0));
    let refused = async |body: &Value, what: &str| {
        let answer = world.client.post(RECORDS, body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "ModelValidationFailure"), "{what}");
    };
    for name in good.as_object().unwrap().keys() {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        refused(&body, &format!("without {name}")).await;
        body[name] = Value::Null;
        refused(&body, &format!("{name} is null")).await;
    }
    let upper = good["thumbprint"].as_str().unwrap().to_uppercase();
    for (name, value) in [
        ("id", json!("x")),
        ("keyAlgorithm", json!("rsa")),
        ("@odata.type", json!("#microsoft.graph.pfxUserCertificate")),
        ("thumbprint", json!(upper)),
        ("thumbprint", json!("00".repeat(32))),
        ("intendedPurpose", json!("SmimeEncryption")),
        ("intendedPurpose", json!("vpn")),
        ("intendedPurpose", json!(1)),
        ("paddingScheme", json!("none")),
        ("paddingScheme", json!("pkcs1")),
        ("paddingScheme", json!("oaepSha1")),
        ("providerName", json!("")),
        ("keyName", json!(" PFXEncryptionKey")),
        ("startDateTime", json!("2026-01-01")),
        ("startDateTime", json!("2026-01-01T00:00:00")),
        ("startDateTime", json!("2028-01-01T00:00:00Z")),
        ("expirationDateTime", json!("never")),
        ("encryptedPfxBlob", json!("")),
        ("encryptedPfxBlob", json!("AA==\n")),
        ("encryptedPfxBlob", json!("AA==")),
        ("encryptedPfxPassword", json!("")),
        ("encryptedPfxPassword", json!("c2hvcnQ=")),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        refused(&body, &format!("{name}: {value}")).await;
    }
    refused(&json!([good]), "a list").await;
    let url = format!("{}{RECORDS}", world.microsoft.graph_base_url());
    let twice = good.to_string().replacen('{', "{\"keyName\":\"other\",", 1);
    let send = async |kind: &str, body: String| {
        let request = world.client.http.post(&url).bearer_auth(&world.client.token);
        request.header("content-type", kind).body(body).send().await.unwrap().status()
    };
    assert_eq!(send("application/json", twice).await, 400);
    assert_eq!(send("text/plain", good.to_string()).await, 415);
    assert!(world.microsoft.records().is_empty());
    assert_eq!(world.client.post(RECORDS, &good).await.status, 201);
}

#[tokio::test]
async fn licence_person_and_duplicate_get_the_same_opaque_answer() {
    let world = World::with_people(1).await;
    let directory = world.microsoft.directory();
    let unlicensed = directory.person(directory.add_unlicensed("Un", "Licensed")).unwrap();
    assert_opaque(&world.client.post(RECORDS, &world.record(&unlicensed)).await);
    let mut stranger = world.record(&world.person(0));
    stranger["userPrincipalName"] = "nobody@contoso.example".into();
    assert_opaque(&world.client.post(RECORDS, &stranger).await);

    let record = world.record(&world.person(0));
    assert_eq!(world.client.post(RECORDS, &record).await.status, 201);
    assert_opaque(&world.client.post(RECORDS, &record).await);
    let causes = world.microsoft.refusals();
    for (found, cause) in causes.iter().zip(["no Intune licence", "nobody is called", "exists"]) {
        assert!(found.0 == "graph.pfx_create" && found.1.contains(cause), "{found:?}");
    }
    world.behave(|behaviour| behaviour.duplicate_status = 409);
    assert_eq!(world.client.post(RECORDS, &record).await.status, 409);
    assert_eq!(world.microsoft.records().len(), 1);
}

#[tokio::test]
async fn a_licence_that_the_directory_shows_may_not_be_seen_by_intune() {
    let world = World::with_people(1).await;
    world.behave(|behaviour| behaviour.licences_unseen = true);
    let record = world.record(&world.person(0));
    assert_opaque(&world.client.post(RECORDS, &record).await);
    assert!(world.microsoft.refusals()[0].1.contains("no Intune licence"));
    world.behave(|behaviour| behaviour.licences_unseen = false);
    assert_eq!(world.client.post(RECORDS, &record).await.status, 201);
}

#[tokio::test]
async fn the_person_must_be_named_as_they_are_called_now() {
    let world = World::with_people(1).await;
    let before = world.person(0);
    let renamed = "new.name@contoso.example";
    world.microsoft.directory().change(before.id, |person| {
        person.user_principal_name = renamed.to_owned();
    });
    let mut record = world.record(&before);
    assert_opaque(&world.client.post(RECORDS, &record).await);
    record["userPrincipalName"] = renamed.to_uppercase().into();
    assert_eq!(world.client.post(RECORDS, &record).await.status, 201);
}

#[tokio::test]
async fn a_get_may_lag_behind_the_post() {
    let world = World::with_people(1).await;
    world.behave(|behaviour| behaviour.get_lags_behind_post = 2);
    let person = world.person(0);
    let record = world.record(&person);
    let path = format!("{RECORDS}/{}", record_id(&person, &record));
    assert_eq!(world.client.post(RECORDS, &record).await.status, 201);
    assert!(world.client.get(RECORDS).await.value().is_empty());
    assert_eq!(world.client.get(&path).await.status, 404);
    assert_opaque(&world.client.post(RECORDS, &record).await);
    assert_eq!(world.client.get(&path).await.status, 404);
    assert_eq!(world.client.get(&path).await.status, 200);
    assert_eq!(world.client.get(RECORDS).await.value().len(), 1);
}

#[tokio::test]
async fn lists_are_paged_and_filtered_by_person_and_thumbprint() {
    let world = World::with_people(3).await;
    let directory = world.microsoft.directory();
    let mut quoted = directory.newcomer("Sean", "O'Brien");
    quoted.readdress("sean.o'brien@contoso.example");
    quoted.user_principal_name = "Sean.O'Brien@contoso.example".to_owned();
    directory.add(quoted.clone());
    let mut records = Vec::new();
    for person in directory.people() {
        let record = world.record(&person);
        assert_eq!(world.client.post(RECORDS, &record).await.status, 201);
        records.push(record);
    }
    let second = world.record(&quoted);
    assert_eq!(world.client.post(RECORDS, &second).await.status, 201);

    world.behave(|behaviour| behaviour.page_size = 2);
    assert_eq!(world.client.all(RECORDS, &[]).await.len(), 5);
    let person = "$filter=tolower(userPrincipalName) eq 'sean.o''brien@contoso.example'";
    let path = format!("{RECORDS}?$select=id,thumbprint&{person}");
    let found = world.client.all(&path, &[]).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].as_object().unwrap().len(), 2);
    let thumbprint = second["thumbprint"].as_str().unwrap();
    let both = format!("{RECORDS}?{person} and tolower(thumbprint) eq '{thumbprint}'");
    assert_eq!(world.client.all(&both, &[]).await.len(), 1);
    let capital = format!("{RECORDS}?$filter=tolower(userPrincipalName) eq 'Sean.O''Brien@contoso.example'");
    assert!(world.client.all(&capital, &[]).await.is_empty());
    let unescaped = format!("{RECORDS}?$filter=tolower(userPrincipalName) eq 'sean.o'brien@contoso.example'");
    assert_eq!(world.client.get(&unescaped).await.status, 400);
    assert_eq!(world.client.get(&format!("{RECORDS}?$filter=keyName eq 'x'")).await.status, 400);
    assert_eq!(world.client.get(&format!("{RECORDS}?$skip=1")).await.status, 400);
}

#[tokio::test]
async fn a_patch_changes_fields_and_not_whose_record_it_is() {
    let world = World::with_people(1).await;
    let person = world.person(0);
    let record = world.record(&person);
    let path = format!("{RECORDS}/{}", record_id(&person, &record));
    assert_eq!(world.client.patch(&path, &json!({ "keyName": "x" })).await.status, 404);
    world.client.post(RECORDS, &record).await;
    let patched = world.client.patch(&path, &json!({ "intendedPurpose": "smimeSigning" })).await;
    assert_eq!(patched.status, 200);
    assert_eq!(patched.body["intendedPurpose"], "smimeSigning");
    assert_eq!(patched.body["keyName"], record["keyName"]);
    for body in [
        json!({ "thumbprint": "00".repeat(20) }),
        json!({ "userPrincipalName": "other@contoso.example" }),
        json!({ "id": "x" }),
        json!({ "keyName": "" }),
        json!({ "keyName": null }),
    ] {
        assert_eq!(world.client.patch(&path, &body).await.status, 400, "{body}");
    }
    assert_eq!(world.client.patch(&path, &record).await.status, 200);
}

#[tokio::test]
async fn a_deleted_record_is_gone_though_lists_may_still_hold_it() {
    let world = World::with_people(1).await;
    world.behave(|behaviour| behaviour.delete_still_lists = 2);
    let person = world.person(0);
    let record = world.record(&person);
    let path = format!("{RECORDS}/{}", record_id(&person, &record));
    world.client.post(RECORDS, &record).await;
    assert_eq!(world.client.delete(&path).await.status, 204);
    assert_eq!(world.client.get(&path).await.status, 404);
    assert_eq!(world.client.delete(&path).await.status, 404);
    assert!(world.microsoft.records().is_empty());
    for length in [1, 1, 0] {
        assert_eq!(world.client.get(RECORDS).await.value().len(), length);
    }
    world.client.post(RECORDS, &record).await;
    assert_eq!(world.client.delete(&path).await.status, 204);
    assert_eq!(world.client.post(RECORDS, &record).await.status, 201, "import again");
    world.microsoft.directory().delete(person.id, Removal::Final);
    assert_eq!(world.client.get(&path).await.status, 200, "a record outlives its person");
}

#[tokio::test]
async fn the_resource_exists_in_beta_only() {
    let world = World::with_people(1).await;
    let stable = RECORDS.replace("/beta/", "/v1.0/");
    assert_eq!(world.client.get(&stable).await.status, 404);
    assert_eq!(world.client.post(&stable, &world.record(&world.person(0))).await.status, 404);
    assert_eq!(world.client.delete(RECORDS).await.status, 405);
}
