//! OpenSSL's command line as a judge that shares no code with the product: every request, PFX, certificate and sealed
//! password that left the application in a run.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod openssl;

use ports::Attachment;
use serde_json::{Value, json};
use sim::{
    graph::record::Record,
    journal::{Journal, Sealed},
};

use self::openssl::Desk;
use crate::world::{Setting, World, text, vendors::SEED};

/// One person for each combination of key, profile and padding that has code of its own.
const COMBINATIONS: [(&str, &str, &str); 4] = [
    ("rsa2048", "compatible", "oaep_sha512"),
    ("rsa2048", "modern", "oaep_sha256"),
    ("p256", "compatible", "oaep_sha384"),
    ("p256", "modern", "oaep_sha512"),
];

#[tokio::test]
async fn openssl_agrees_with_everything_that_was_sent() {
    let world = one_of_each().await;
    let desk = Desk::new();
    desk.write("connector.der", &connector_key(&world));
    desk.write("root.pem", world.sslcom().root_certificate_pem().as_bytes());
    desk.write("issuing.pem", world.sslcom().issuing_certificate_pem().as_bytes());
    let records = world.microsoft().records();
    assert_eq!(records.len(), COMBINATIONS.len());
    for record in &records {
        let enrollments = world.operator.get(&format!("/enrollments?person={}", record.user_id)).await;
        let row = &enrollments["items"][0];
        desk.write("request.pem", &world.attachment(row, Attachment::CertificateRequest).await.unwrap());
        judge_request(&desk, row);
        judge_pfx(&desk, &world, record);
        judge_certificate(&desk, row);
    }
}

async fn one_of_each() -> World {
    let mut world = World::of(Setting { people: COMBINATIONS.len(), ..Setting::default() }).await;
    let people = world.microsoft().directory().people();
    for (person, (key_algorithm, pfx_profile, padding)) in people.iter().zip(COMBINATIONS) {
        let settings = json!({ "key_algorithm": key_algorithm, "pfx_profile": pfx_profile, "padding": padding });
        world.change_settings(settings).await;
        let batch = world.plan(json!({ "people": [person.id] }), "general").await;
        world.approve(&batch).await.done();
        world.until_states(&batch, [("imported", 1)]).await;
    }
    world.everybody_has_one(COMBINATIONS.len() as u64).await;
    world
}

/// The request is signed with the key that it names, and is for this mailbox and person.
fn judge_request(desk: &Desk, row: &Value) {
    let verified = desk.openssl(&["req", "-in", "request.pem", "-noout", "-verify"]);
    assert!(verified.contains("verify OK"), "{verified}");
    let shown = desk.openssl(&["req", "-in", "request.pem", "-noout", "-text", "-nameopt", "sep_multiline,utf8"]);
    let (mailbox, name) = (text(&row["mailbox"]), text(&row["name"]));
    assert!(shown.contains(&format!("email:{mailbox}")), "{shown}");
    assert!(name.split(' ').all(|part| shown.contains(part)), "{name}: {shown}");
}

/// The password that the connector's key opens opens the PFX, in which are the leaf's key and no other.
fn judge_pfx(desk: &Desk, world: &World, record: &Record) {
    let md = match record.padding_scheme {
        sim::connector::PaddingScheme::OaepSha256 => "sha256",
        sim::connector::PaddingScheme::OaepSha384 => "sha384",
        sim::connector::PaddingScheme::OaepSha512 => "sha512",
    };
    desk.write_base64("password.sealed", &record.encrypted_pfx_password);
    let (digest, mask) = (format!("rsa_oaep_md:{md}"), format!("rsa_mgf1_md:{md}"));
    desk.openssl(&[
        "pkeyutl",
        "-decrypt",
        "-inkey",
        "connector.der",
        "-keyform",
        "DER",
        "-in",
        "password.sealed",
        "-out",
        "password",
        "-pkeyopt",
        "rsa_padding_mode:oaep",
        "-pkeyopt",
        &digest,
        "-pkeyopt",
        &mask,
    ]);
    let connector = world.microsoft().connector();
    let opened = connector.decrypt(
        &record.provider_name,
        &record.key_name,
        record.padding_scheme,
        &record.encrypted_pfx_password,
    );
    assert_eq!(desk.read("password"), opened.unwrap());

    desk.write("record.pfx", &record.pfx);
    let open = ["pkcs12", "-in", "record.pfx", "-passin", "file:password", "-nodes"];
    let everything = desk.openssl(&open);
    assert_eq!(everything.matches("-----BEGIN PRIVATE KEY-----").count(), 1);
    assert_eq!(everything.matches("PRIVATE KEY-----").count(), 2, "no key of another form");
    assert_eq!(everything.matches("-----BEGIN CERTIFICATE-----").count(), 2, "the leaf and the CA that issued it");
    desk.write("key.pem", desk.openssl(&[&open[..], &["-nocerts"]].concat()).as_bytes());
    desk.write("leaf.pem", desk.openssl(&[&open[..], &["-clcerts", "-nokeys"]].concat()).as_bytes());
    desk.write("wrong", b"another password");
    let refused = desk.refused(&["pkcs12", "-in", "record.pfx", "-passin", "file:wrong", "-nodes"]);
    assert!(refused.contains("invalid password"), "{refused}");

    let of_key = desk.openssl(&["pkey", "-in", "key.pem", "-pubout"]);
    assert_eq!(of_key, desk.openssl(&["x509", "-in", "leaf.pem", "-noout", "-pubkey"]));
    assert_eq!(of_key, desk.openssl(&["req", "-in", "request.pem", "-noout", "-pubkey"]));
}

/// The certificate is valid for mail, and mail that is made for it and with it can be read.
fn judge_certificate(desk: &Desk, row: &Value) {
    // OpenSSL 3.0 knows encryption with RSA only: it asks for keyEncipherment, which no elliptic curve has.
    let is_rsa = text(&row["key_algorithm"]).starts_with("rsa");
    for purpose in ["smimesign", "smimeencrypt"].into_iter().take(1 + usize::from(is_rsa)) {
        let chain = ["-CAfile", "root.pem", "-untrusted", "issuing.pem"];
        let verified = desk.openssl(&[&["verify", "-purpose", purpose], &chain[..], &["leaf.pem"]].concat());
        assert_eq!(verified.trim(), "leaf.pem: OK");
    }
    let mailbox = text(&row["mailbox"]);
    let named = desk.openssl(&["x509", "-in", "leaf.pem", "-noout", "-checkemail", &mailbox]);
    assert!(named.contains("does match"), "{named}");

    desk.write("mail", b"for your eyes only\n");
    desk.openssl(&["cms", "-encrypt", "-binary", "-in", "mail", "-out", "encrypted", "leaf.pem"]);
    desk.openssl(&[
        "cms",
        "-decrypt",
        "-in",
        "encrypted",
        "-out",
        "decrypted",
        "-recip",
        "leaf.pem",
        "-inkey",
        "key.pem",
    ]);
    assert_eq!(desk.read("decrypted"), desk.read("mail"));
    let signer = ["-signer", "leaf.pem", "-inkey", "key.pem", "-certfile", "issuing.pem"];
    desk.openssl(&[&["cms", "-sign", "-in", "mail", "-out", "signed"], &signer[..]].concat());
    desk.openssl(&["cms", "-verify", "-in", "signed", "-out", "verified", "-CAfile", "root.pem"]);
}

/// The private key, as it lies on the connector's server: sealed in the simulator's journal.
fn connector_key(world: &World) -> Vec<u8> {
    let (_, entries) = Journal::open(Some(&world.folder().join("vendors/microsoft.jsonl"))).unwrap();
    let entry = entries.into_iter().find(|entry| entry.kind == "connector-key").unwrap();
    let sealed: Sealed = serde_json::from_value(entry.value["private"].clone()).unwrap();
    sealed.open(SEED).unwrap()
}
