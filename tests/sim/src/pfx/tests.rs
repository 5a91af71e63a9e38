use super::*;
use crate::device::openssl::{COMPATIBLE, Issued, MODERN};

const PASSWORD: &str = "correct horse battery";

fn refusal(options: &[&str]) -> String {
    let issued = Issued::rsa("anna@example.com");
    let file = issued.pfx(options, PASSWORD);
    Pfx::open(&file, PASSWORD).err().unwrap().to_string()
}

#[test]
fn both_profiles_as_openssl_writes_them_are_opened() {
    for (options, profile) in [(COMPATIBLE, Profile::Compatible), (MODERN, Profile::Modern)] {
        let issued = Issued::rsa("anna@example.com");
        let opened = Pfx::open(&issued.pfx(options, PASSWORD), PASSWORD).unwrap();
        assert_eq!(opened.profile, profile);
        assert_eq!(opened.leaf, issued.leaf());
        assert_eq!(opened.chain, [issued.issuing()]);
        assert_eq!(opened.private_key, issued.private_key());
    }
}

#[test]
fn a_wrong_password_and_a_changed_byte_fail_the_mac() {
    let issued = Issued::rsa("anna@example.com");
    let mut file = issued.pfx(MODERN, PASSWORD);
    let wrong = Pfx::open(&file, "correct horse batterx").err().unwrap();
    assert!(wrong.to_string().contains("wrong password"), "{wrong}");
    let place = file.len() / 2;
    file[place] ^= 1;
    let changed = Pfx::open(&file, PASSWORD).err().unwrap();
    assert!(changed.to_string().contains("changed file"), "{changed}");
}

#[test]
fn an_empty_password_is_refused() {
    let issued = Issued::rsa("anna@example.com");
    let error = Pfx::open(&issued.pfx(COMPATIBLE, ""), "").err().unwrap();
    assert!(error.to_string().contains("empty"), "{error}");
}

#[test]
fn weak_and_unknown_protection_is_refused() {
    let few = refusal(&["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-iter", "2000"]);
    assert!(few.contains("too few"), "{few}");
    let rc2 = refusal(&["-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1"]);
    assert!(rc2.contains("RC2"), "{rc2}");
    let mixed = refusal(&["-macalg", "sha1"]);
    assert!(mixed.contains("different profiles"), "{mixed}");
    let without_mac = refusal(&["-nomac"]);
    assert!(without_mac.contains("no MAC"), "{without_mac}");
    let plain = refusal(&["-certpbe", "NONE"]);
    assert!(plain.contains("not encrypted"), "{plain}");
    let aes128 = refusal(&["-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"]);
    assert!(aes128.contains("AES-256-CBC only"), "{aes128}");
    let sha512 = refusal(&["-macalg", "sha512"]);
    assert!(sha512.contains("not understood"), "{sha512}");
}

#[test]
fn bytes_that_are_no_pfx_are_refused() {
    for bytes in [&b""[..], b"AA==", b"\x30\x00", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
        assert!(Pfx::open(bytes, PASSWORD).is_err());
    }
}
