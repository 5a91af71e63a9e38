//! OpenSSL's command line as the judge: every request is well signed, every PFX opens with the unsealed password and holds
//! the leaf's key and no other. And a scan of everything that was stored for what must never be there in clear.

use std::{fs, path::Path, process::Command};

use serde_json::json;
use sim::connector::PaddingScheme;

use super::world::{Options, World};

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("the openssl command line");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_accepts_every_request_and_opens_every_pfx_which_holds_one_key_the_leafs() {
    for (algorithm, profile) in [("rsa2048", "compatible"), ("p256", "modern")] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = json!({ "key_algorithm": algorithm, "pfx_profile": profile });
        let world = World::start(&data, Options { people: 2, settings, ..Options::default() }).await;
        let batch = world.plan("general").await;
        world.approve(&batch).await;
        world.rest(&batch, "imported", 2).await;
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let rows = world.flow.rows(world.integration.parse().unwrap());
        let mut passwords = Vec::new();
        for row in world.enrollments("imported").await {
            use ports::{Attachment, IntegrationStore};
            let id = row["id"].as_str().unwrap().parse().unwrap();
            let request = rows.attachment(id, Attachment::CertificateRequest).await.unwrap().unwrap();
            fs::write(file("request.pem"), request).unwrap();
            assert!(openssl(&["req", "-in", &file("request.pem"), "-noout", "-verify"]).contains("verify OK"));
        }
        for record in world.microsoft.records() {
            let connector = world.microsoft.connector();
            let (provider, key_name) = (connector.provider_name(), connector.key_name());
            let sealed = &record.encrypted_pfx_password;
            let password = connector.decrypt(&provider, &key_name, PaddingScheme::OaepSha512, sealed).unwrap();
            let password = String::from_utf8(password).unwrap();
            fs::write(file("record.pfx"), &record.pfx).unwrap();
            let pass = format!("pass:{password}");
            let open = |more: &[&str]| {
                let first = ["pkcs12", "-in", &file("record.pfx"), "-passin", &pass, "-nodes"].map(str::to_owned);
                let all: Vec<_> = first.into_iter().chain(more.iter().map(|text| (*text).to_owned())).collect();
                openssl(&all.iter().map(String::as_str).collect::<Vec<_>>())
            };
            fs::write(file("key.pem"), open(&["-nocerts"])).unwrap();
            fs::write(file("leaf.pem"), open(&["-clcerts", "-nokeys"])).unwrap();
            let keys = fs::read_to_string(file("key.pem")).unwrap();
            assert_eq!(keys.matches("PRIVATE KEY-----").count(), 2, "one key, with a begin and an end");
            let public = |text: String| text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            let of_key = public(openssl(&["pkey", "-in", &file("key.pem"), "-pubout"]));
            let of_leaf = public(openssl(&["x509", "-in", &file("leaf.pem"), "-noout", "-pubkey"]));
            assert_eq!(of_key, of_leaf);
            passwords.push(password);
            passwords.push(keys.lines().nth(3).unwrap_or("no key").to_owned());
        }
        let mut secrets = vec!["sim-secret".to_owned(), "sim-account".to_owned(), "PRIVATE KEY".to_owned()];
        secrets.push(world.settings()["client_secret"].as_str().unwrap().to_owned());
        secrets.extend(passwords);
        assert_eq!(found_in(&data, &secrets), Vec::<String>::new());
        for secret in &secrets {
            fs::write(data.join("planted"), format!("before {secret} after")).unwrap();
            let planted = std::slice::from_ref(secret);
            assert_eq!(found_in(&data, planted), planted, "the scan finds what is there");
        }
    }
}

/// Which of the secrets stand in a file of the folder: as they are, in base64, or in hexadecimal.
fn found_in(folder: &Path, secrets: &[String]) -> Vec<String> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        for secret in secrets {
            let base64 = BASE64_STANDARD.encode(secret);
            let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let forms = [secret.as_bytes(), base64.trim_end_matches('=').as_bytes(), hexadecimal.as_bytes()];
            if forms.into_iter().any(holds) {
                found.push(secret.clone());
            }
        }
    }
    found
}
