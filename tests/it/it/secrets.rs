//! Nothing secret is ever written in clear: neither into the data folder, nor into the log at its finest, nor to the
//! vendors' folders; and what was used is not kept in memory. The program itself runs, with a log of every level, and
//! vendors that fail on the way.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

#[cfg(target_os = "linux")]
mod memory;
mod relay;
mod scan;

use std::collections::BTreeSet;

use domain::KeyAlgorithm;
use serde_json::json;
use sim::{faults::Fault, graph::record::Record, pfx::Pfx};
use tempfile::TempDir;

use self::{
    relay::Relay,
    scan::{Secret, leaks, leaks_in_folder},
};
use crate::{
    program::{Program, REDIRECT_URI, Serving},
    world::{
        PATIENCE, holds_in_time,
        operator::{Operator, TOKEN},
        vendors::{ACCOUNT_KEY, SECRET_KEY, Shop, Vendors},
    },
};

const PEOPLE: usize = 4;

#[tokio::test]
async fn nothing_secret_is_in_the_data_folder_the_log_or_a_message() {
    let run = Run::to_the_devices().await;
    let secrets = run.secrets();
    let log = run.program.killed();
    for event in ["pfx.imported", "order.unclear", "order.found", "step.postponed"] {
        assert!(contains(&log, event.as_bytes()), "the log does not tell of {event}");
    }
    assert_eq!(leaks(&log, &secrets), Vec::<String>::new(), "in the log");
    assert_eq!(leaks_in_folder(&run.folder.path().join("application"), &secrets), Vec::<String>::new());
    // Where and with what it calls back, SSL.com has to write down.
    let (told, confided): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|it| it.name().starts_with("a callback's"));
    assert_eq!(leaks_in_folder(&run.folder.path().join("vendors"), &confided), Vec::<String>::new());

    let secrets = [told, confided].concat();
    for secret in &secrets {
        for (form, bytes) in secret.forms() {
            let planted = [b"before ".as_slice(), bytes, b" after"].concat();
            assert!(leaks(&planted, &secrets).contains(&secret.name().to_owned()), "{} as {form}", secret.name());
        }
    }
}

/// As a core of the process would show it. What it needs to go on may be there: the Vault's key, and for some minutes the
/// client secret and SSL.com's keys, which the Vault's cache holds. What is done with is gone: private keys, PFX files and
/// their passwords, the code of the sign-in, and what SSL.com was told about its callbacks.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_memory_of_the_program_holds_nothing_that_it_is_done_with() {
    let run = Run::to_the_devices().await;
    let memory = memory::written_by(run.program.process());
    let found = |secrets: &[Secret]| -> BTreeSet<String> {
        memory.iter().flat_map(|part| scan::known_leaks(part, secrets)).collect()
    };
    let size: usize = memory.iter().map(Vec::len).sum();
    assert!(size > 1 << 20, "{size} bytes were read");
    let needed = [
        Secret::text("the client secret", &run.vendors.organisation.client_secret),
        Secret::text("SSL.com's secret key", SECRET_KEY),
        Secret::bytes("the Vault's key", &std::fs::read(run.folder.path().join("application/vault.key")).unwrap()),
    ];
    for needed in needed {
        let name = format!("{} as it is", needed.name());
        assert!(found(&[needed]).contains(&name), "{name} is there, and a search that does not find it proves nothing");
    }

    let mut done_with = vec![Secret::text("the authorization code", &run.authorization_code)];
    for (token, password) in run.relay.secrets() {
        done_with.push(Secret::text("a callback's token", &token));
        done_with.push(Secret::text("a callback's password", &password));
    }
    for record in run.vendors.microsoft.records() {
        let password = password(&run.vendors, &record);
        let key = Pfx::open(&record.pfx, &password).unwrap().private_key;
        done_with.extend(Secret::private_key_in_memory("a private key", &key));
        done_with.push(Secret::text("a PFX password", &password));
        done_with.extend(record.pfx.chunks_exact(64).map(|part| Secret::bytes("a PFX file", part)));
    }
    assert_eq!(found(&done_with), BTreeSet::new());
}

/// The program and its vendors after the work is done.
struct Run {
    program: Program,
    vendors: Vendors,
    relay: Relay,
    authorization_code: String,
    folder: TempDir,
}

impl Run {
    async fn to_the_devices() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let intune = sim::graph::behaviour::Behaviour::default();
        let journal = folder.path().join("vendors");
        let vendors = Vendors::start(PEOPLE, Shop::default(), intune, REDIRECT_URI, &journal).await;
        let relay = Relay::start().await;
        let serving = Serving { listen: "127.0.0.1:0", public_url: Some(relay.address().to_owned()), log: "trace" };
        let program = Program::serve(&folder.path().join("application"), &vendors, serving);
        relay.leads_to(program.base_url());
        let authorization_code = work(&program, &vendors).await;
        Self { program, vendors, relay, authorization_code, folder }
    }

    fn secrets(&self) -> Vec<Secret> {
        let mut secrets = vec![
            Secret::text("the client secret", &self.vendors.organisation.client_secret),
            Secret::text("SSL.com's account key", ACCOUNT_KEY),
            Secret::text("SSL.com's secret key", SECRET_KEY),
            Secret::text("the API token", TOKEN),
            Secret::text("the authorization code", &self.authorization_code),
        ];
        for (token, password) in self.relay.secrets() {
            secrets.push(Secret::text("a callback's token", &token));
            secrets.push(Secret::text("a callback's password", &password));
        }
        for record in self.vendors.microsoft.records() {
            let password = password(&self.vendors, &record);
            secrets.push(Secret::text("a PFX password", &password));
            let key = Pfx::open(&record.pfx, &password).unwrap().private_key;
            secrets.extend(Secret::private_key("a private key", &key));
        }
        secrets
    }
}

/// From the settings to the devices, with every vendor failing once where a secret is at hand. Answers the code of the
/// sign-in.
async fn work(program: &Program, vendors: &Vendors) -> String {
    let faults = vendors.microsoft.faults();
    let mut operator = Operator::new(program.base_url());
    let mut settings = vendors.settings();
    settings["key_algorithm"] = json!("rsa2048");
    operator.create_integration(&settings).await;
    let authorization_code = authorize(&operator).await;
    faults.next("entra.token", Fault::FailBefore(503));
    import(&operator).await;

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
    tokio::time::timeout(PATIENCE, delivered).await.expect("the devices open everything");
    // Also what is refused, with everything wrong in it.
    settings["client_secret"] = json!([vendors.organisation.client_secret]);
    settings["sslcom_secret_key"] = json!({ "key": SECRET_KEY });
    assert_eq!(operator.send(reqwest::Method::PUT, "", Some(settings)).await.status, 422);
    // A job after all the others: what they held, they have let go.
    import(&operator).await;
    authorization_code
}

/// Presses Authorize, signs in, and answers the code by which Entra sent the browser back.
async fn authorize(operator: &Operator) -> String {
    let begun = operator.begin(&operator.authorize_link().await).await.unwrap();
    let back = operator.sign_in(&begun).await;
    let (status, page) = operator.come_back(&back, Some(&begun.cookie)).await;
    assert_eq!(status, 303, "{page}");
    let back = url::Url::parse(&back).unwrap();
    back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

async fn import(operator: &Operator) {
    operator.post("/people/import", json!({})).await.done();
    assert!(holds_in_time(async || operator.get("/people/import").await["running"] == false).await);
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
fn a_key_is_found_in_memory_whichever_end_of_its_numbers_comes_first() {
    let pkcs8 = pki::PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap().pkcs8().unwrap();
    let secrets = Secret::private_key_in_memory("a private key", &pkcs8);
    let mut turned = pkcs8.to_vec();
    turned.reverse();
    for (bytes, form) in [(&pkcs8[..], "as it is"), (&turned, "the lowest byte first")] {
        assert_eq!(scan::known_leaks(bytes, &secrets), BTreeSet::from([format!("a private key {form}")]));
    }
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
