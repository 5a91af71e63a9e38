//! Nothing secret is ever written in clear: neither into the data folder, nor into the log at its finest, nor to the
//! vendors' folders. The program itself runs, with a log of every level, and vendors that fail on the way.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod scan;

use std::time::Duration;

use domain::KeyAlgorithm;
use serde_json::json;
use sim::{faults::Fault, graph::record::Record, pfx::Pfx};

use self::scan::{Secret, leaks, leaks_in_folder};
use crate::{
    program::{Program, REDIRECT_URI, Serving},
    world::{
        holds_in_time,
        operator::{Operator, TOKEN},
        vendors::{ACCOUNT_KEY, SECRET_KEY, Shop, Vendors},
    },
};

const PEOPLE: usize = 4;

#[tokio::test]
async fn nothing_secret_is_in_the_data_folder_the_log_or_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let (data, journal) = (folder.path().join("application"), folder.path().join("vendors"));
    let intune = sim::graph::behaviour::Behaviour::default();
    let vendors = Vendors::start(PEOPLE, Shop::default(), intune, REDIRECT_URI, &journal).await;
    let program = Program::serve(&data, &vendors, Serving { listen: "127.0.0.1:0", public_url: None, log: "trace" });
    work(&program, &vendors).await;
    let log = program.killed();

    let records = vendors.microsoft.records();
    let mut secrets = vec![
        Secret::text("the client secret", &vendors.organisation.client_secret),
        Secret::text("SSL.com's account key", ACCOUNT_KEY),
        Secret::text("SSL.com's secret key", SECRET_KEY),
        Secret::text("the API token", TOKEN),
    ];
    for record in &records {
        let password = password(&vendors, record);
        secrets.push(Secret::text("a PFX password", &password));
        secrets.extend(Secret::private_key("a private key", &Pfx::open(&record.pfx, &password).unwrap().private_key));
    }
    for event in ["pfx.imported", "order.unclear", "order.found", "step.postponed"] {
        assert!(contains(&log, event.as_bytes()), "the log does not tell of {event}");
    }
    assert_eq!(leaks(&log, &secrets), Vec::<String>::new(), "in the log");
    assert_eq!(leaks_in_folder(&data, &secrets), Vec::<String>::new());
    assert_eq!(leaks_in_folder(&journal, &secrets), Vec::<String>::new());

    for secret in &secrets {
        for (form, bytes) in secret.forms() {
            let planted = [b"before ".as_slice(), bytes, b" after"].concat();
            assert!(leaks(&planted, &secrets).contains(&secret.name().to_owned()), "{} as {form}", secret.name());
        }
    }
}

/// From the settings to the devices, with every vendor failing once where a secret is at hand.
async fn work(program: &Program, vendors: &Vendors) {
    let faults = vendors.microsoft.faults();
    let mut operator = Operator::new(program.base_url());
    let mut settings = vendors.settings();
    settings["key_algorithm"] = json!("rsa2048");
    operator.create_integration(&settings).await;
    operator.authorize().await;
    faults.next("entra.token", Fault::FailBefore(503));
    operator.post("/people/import", json!({})).await.done();
    assert!(holds_in_time(async || operator.get("/people/import").await["running"] == false).await);

    let wanted = json!({ "everybody": true, "product": 700, "days": 365, "purpose": "general" });
    let batch = operator.post("/batches", wanted).await.done()["id"].as_str().unwrap().to_owned();
    assert!(holds_in_time(async || operator.get(&format!("/batches/{batch}")).await["status"] == "ready").await);
    for (call, fault) in [
        ("sslcom.create", Fault::LoseAnswer),
        ("sslcom.create", Fault::FailAfter(500)),
        ("sslcom.list", Fault::DropBefore),
        ("sslcom.retrieve", Fault::Malformed),
        ("sslcom.update", Fault::FailBefore(500)),
    ] {
        vendors.sslcom().faults().next(call, fault);
    }
    for fault in [Fault::LoseAnswer, Fault::FailBefore(500)] {
        faults.next("graph.pfx_create", fault);
    }
    operator.post(&format!("/batches/{batch}/approve"), json!({})).await.done();
    let imported = async || operator.get("/enrollments?state=imported").await["items"].as_array().unwrap().len();
    assert!(holds_in_time(async || imported().await == PEOPLE).await);
    let delivered = vendors.microsoft.delivered(PEOPLE as u64);
    tokio::time::timeout(Duration::from_secs(30), delivered).await.expect("the devices open everything");
    // Also what is refused, with everything wrong in it.
    settings["client_secret"] = json!([vendors.organisation.client_secret]);
    settings["sslcom_secret_key"] = json!({ "key": SECRET_KEY });
    assert_eq!(operator.send(reqwest::Method::PUT, "", Some(settings)).await.status, 422);
}

fn password(vendors: &Vendors, record: &Record) -> String {
    let connector = vendors.microsoft.connector();
    let sealed = &record.encrypted_pfx_password;
    let password = connector.decrypt(&record.provider_name, &record.key_name, record.padding_scheme, sealed).unwrap();
    String::from_utf8(password).unwrap()
}

fn contains(log: &[u8], wanted: &[u8]) -> bool {
    log.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn keys_and_tokens_that_nobody_named_are_found_by_their_form() {
    let key = |algorithm| pki::PrivateKey::generate(algorithm).unwrap().pkcs8().unwrap().to_vec();
    for (name, algorithm) in [("an RSA key", KeyAlgorithm::Rsa2048), ("a P-256 key", KeyAlgorithm::P256)] {
        for (form, key) in scan::encodings(&key(algorithm)) {
            assert_eq!(leaks(&[b"before ".as_slice(), &key, b" after"].concat(), &[]), [name], "{form}");
        }
    }
    for kind in ["", "RSA ", "EC ", "ENCRYPTED "] {
        assert_eq!(leaks(format!("-----BEGIN {kind}PRIVATE KEY-----").as_bytes(), &[]), ["a PEM key"]);
    }
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2dyYXBoIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";
    assert_eq!(leaks(format!("Authorization: Bearer {token}\r\n").as_bytes(), &[]), ["an access token"]);
    let harmless = b"-----BEGIN PUBLIC KEY-----, eyJ is no token, nor is eyJhbGciOiJSUzI1NiJ9.x.y";
    assert_eq!(leaks(harmless, &[]), Vec::<String>::new());
}
