use std::process::{Command, Stdio};

use super::*;

fn connector(journal: Journal, entries: &[Entry]) -> Connector {
    Connector::new(5, Uuid::from_u128(1), 2048, journal, entries).unwrap()
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut child =
        Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn the_blob_has_the_documented_layout() {
    let connector = connector(Journal::open(None).unwrap().0, &[]);
    let text = connector.public_key_blob_base64();
    assert!(text.starts_with("UlNBMQAIAAADAAAAAAEAAAAAAAAAAAAAAQAB"), "{text}");
    assert_eq!((connector.public_key_blob().len(), text.len()), (283, 380));
    connector.create_key("Other Provider", "big", 4096).unwrap();
    let text = connector.public_key_blob_base64();
    assert!(text.starts_with("UlNBMQAQAAADAAAAAAIAAAAAAAAAAAAAAQAB"), "{text}");
    assert_eq!(connector.key_name(), "big");
    assert!(connector.create_key("p", "small", 1024).is_err());
}

#[test]
fn what_openssl_seals_to_either_pem_is_opened_by_exact_names_and_padding_only() {
    let connector = connector(Journal::open(None).unwrap().0, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    for pem in [connector.public_key_pem(), connector.public_key_pkcs1_pem()] {
        std::fs::write(&path, pem).unwrap();
        let sealed = openssl(
            &[
                "pkeyutl",
                "-encrypt",
                "-pubin",
                "-inkey",
                path.to_str().unwrap(),
                "-pkeyopt",
                "rsa_padding_mode:oaep",
                "-pkeyopt",
                "rsa_oaep_md:sha512",
                "-pkeyopt",
                "rsa_mgf1_md:sha512",
            ],
            b"a word",
        );
        let sealed = STANDARD.encode(sealed);
        let open = |provider, key, padding| connector.decrypt(provider, key, padding, &sealed);
        let (provider, key) = (SOFTWARE_PROVIDER, DOCUMENTED_KEY_NAME);
        assert_eq!(open(provider, key, PaddingScheme::OaepSha512).unwrap(), b"a word");
        assert!(open(provider, key, PaddingScheme::OaepSha256).is_err());
        assert!(open(provider, "pfxencryptionkey", PaddingScheme::OaepSha512).is_err());
        assert!(open("Microsoft Primitive Provider", key, PaddingScheme::OaepSha512).is_err());
    }
}

#[test]
fn the_key_survives_a_restart_and_its_file_does_not_show_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (journal, entries) = Journal::open(Some(&path)).unwrap();
    let first = connector(journal, &entries);
    first.create_key(SOFTWARE_PROVIDER, DOCUMENTED_KEY_NAME, 2048).unwrap();
    let (journal, entries) = Journal::open(Some(&path)).unwrap();
    let again = connector(journal, &entries);
    assert_eq!(again.public_key_blob(), first.public_key_blob());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("PRIVATE KEY"), "a key lies open");
    // So long that what is sealed does not hold it by chance.
    for key in &first.lock().keys {
        let der: Pkcs8V1Der<'_> = key.private.as_der().unwrap();
        assert!(!text.contains(&STANDARD.encode(der.as_ref())[..40]), "{} lies open", key.key_name);
    }
}
