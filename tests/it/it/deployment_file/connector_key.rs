//! The connector's public key in a deployment file: every wrong thing that people paste has a sentence of its own.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{EXAMPLE, environment, only_problem};

/// Of a key of 2048 bits whose private half was thrown away.
const MODULUS: &[u8; 256] = include_bytes!("../../../../shared/pki/fixtures/modulus-2048.bin");

/// openssl ecparam -name prime256v1 -genkey -noout | openssl req -x509 -key /dev/stdin -subj /CN=connector -days 3650
const EC_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBfDCCASOgAwIBAgIUD/bUdwquhcLrEnWCs3h2hgb27ZkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJY29ubmVjdG9yMB4XDTI2MTEyMjIxMDIzOVoXDTM2MTExOTIx
MDIzOVowFDESMBAGA1UEAwwJY29ubmVjdG9yMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE9Qz5KAOjAqQ0OIlkehkS2V9R12xe+dg2sYsbiLA9lOvhTaOi+XfO6CMk
k4GnhQXw8ZTH0L2ptdxnVkBHdZ6bl6NTMFEwHQYDVR0OBBYEFMc2GgCQuE/C419U
kqGr+qhLtqSdMB8GA1UdIwQYMBaAFMc2GgCQuE/C419UkqGr+qhLtqSdMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgRu93FFTCSwmzQTnMSbV/48mm
O4ddvaznQPWjWTG6NtsCICxbDhASa7ZFgFs6q/k1qXB83d9D/ENJkxHX7E18nJI9
-----END CERTIFICATE-----
";

#[test]
fn each_wrong_key_has_its_own_sentence() {
    let private = "this is the private key and must not leave the connector server";
    let whole = blob(b"RSA1", 2048, &[1, 0, 1], MODULUS);
    let mut even = *MODULUS;
    even[255] &= 0xfe;
    let mut little_endian = *MODULUS;
    little_endian.reverse();
    for (key, sentence) in [
        (base64(&blob(b"RSA2", 2048, &[1, 0, 1], MODULUS)), private),
        (base64(&blob(b"RSA3", 2048, &[1, 0, 1], MODULUS)), private),
        (pem("PRIVATE KEY"), private),
        (pem("RSA PRIVATE KEY"), private),
        (pem("ENCRYPTED PRIVATE KEY"), private),
        (base64(b"\x06\x02\x00\x00\x00\xa4\x00\x00RSA1"), "this is the old CryptoAPI PUBLICKEYBLOB"),
        (base64(b"\x07\x02\x00\x00\x00\xa4\x00\x00RSA2"), private),
        (base64(&blob(b"KDBM", 2048, &[1, 0, 1], MODULUS)), "this is a key blob, but not one of an RSA public key"),
        (base64(&blob(b"RSA9", 2048, &[1, 0, 1], MODULUS)), "this is neither a key file nor base64 nor PEM"),
        (base64(&whole[..whole.len() - 1]), "the key is cut off: it has 282 of 283 bytes"),
        (base64(&[&whole[..], b"\r\n"].concat()), "2 bytes follow the end of the key"),
        (base64(&blob(b"RSA1", 2048, &[1, 0, 1], &even)), "the modulus is even"),
        (base64(&blob(b"RSA1", 2048, &[1, 0, 1], &little_endian)), "the modulus is divisible by"),
        (base64(&blob(b"RSA1", 2048, &[1], MODULUS)), "the public exponent is smaller than 3"),
        (base64(&blob(b"RSA1", 2048, &[1, 0, 0], MODULUS)), "the public exponent is even"),
        (base64(&blob(b"RSA1", 1024, &[1, 0, 1], &MODULUS[..128])), "the key has 1024 bits"),
        (base64(&blob(b"RSA1", 4096, &[1, 0, 1], MODULUS)), "the blob says 4096 bits but its modulus has 2048"),
        (String::new(), "nothing was pasted"),
        ("PFXEncryptionKey".to_owned(), "this is neither a key file nor base64 nor PEM"),
        (pem("CERTIFICATE REQUEST"), "a PEM block of this kind is not a public key"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n".to_owned(), "the PEM block is damaged or has no end"),
        (EC_CERTIFICATE.to_owned(), "this is not an RSA key"),
        (EC_CERTIFICATE.repeat(2), "there is more than one key or certificate"),
        ("A".repeat(65_537), "this is larger than any public key"),
    ] {
        let found = only_problem(&with_key(&key));
        assert_eq!(found.field, "integration[0].intune_public_key");
        assert!(found.problem.starts_with(sentence), "{key}: {}", found.problem);
        assert!(found.fix.contains("Export-IntunePublicKey"), "{}", found.fix);
    }
}

#[test]
fn a_good_key_is_taken_from_the_file_as_well_as_from_the_environment() {
    let lines = good().as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n");
    for key in [good(), lines.clone(), format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----")] {
        assert!(local::config::Config::read(&with_key(&key), environment).is_ok(), "{key}");
    }
}

/// Base64 of the blob that Export-IntunePublicKey writes.
pub(super) fn good() -> String {
    base64(&blob(b"RSA1", 2048, &[1, 0, 1], MODULUS))
}

fn with_key(key: &str) -> String {
    EXAMPLE.replacen("\"env:INTUNE_PUBLIC_KEY\"", &format!("'''{key}'''"), 1)
}

/// A `BCRYPT_RSAKEY_BLOB` (bcrypt.h): magic, bits, two lengths that count and two that are zero, exponent, modulus.
fn blob(magic: &[u8; 4], bits: u32, exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    let words = [bits, length(exponent), length(modulus), 0, 0].map(u32::to_le_bytes);
    [magic.as_slice(), words.as_flattened(), exponent, modulus].concat()
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n")
}
