use std::{fs, path::Path, sync::LazyLock};

use proptest::prelude::*;

use super::*;
use crate::{
    armor,
    testing::{in_directory, openssl, try_openssl},
};

/// A key pair that openssl made, in every public form that openssl and certutil write.
struct Pair {
    private: Vec<u8>,
    private_pkcs1: Vec<u8>,
    info: Vec<u8>,
    pkcs1: Vec<u8>,
    certificate: Vec<u8>,
    pfx: Vec<u8>,
    blob: Vec<u8>,
}

impl Pair {
    fn of_bits(bits: usize) -> Self {
        in_directory(|directory| {
            openssl(directory, &format!("genrsa -out key.pem {bits}"));
            openssl(directory, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out private.der");
            openssl(directory, "rsa -in key.pem -traditional -outform DER -out private-pkcs1.der");
            openssl(directory, "pkey -in key.pem -pubout -outform DER -out info.der");
            openssl(directory, "rsa -in key.pem -RSAPublicKey_out -outform DER -out pkcs1.der");
            openssl(directory, "req -x509 -key key.pem -subj /CN=connector -days 9 -out certificate.pem");
            openssl(directory, "x509 -in certificate.pem -outform DER -out certificate.der");
            openssl(directory, "pkcs12 -export -inkey key.pem -in certificate.pem -passout pass:x -out key.pfx");
            let modulus = openssl(directory, "rsa -in key.pem -noout -modulus");
            let modulus = modulus.trim().strip_prefix("Modulus=").unwrap();
            let modulus: Vec<u8> = (0..modulus.len() / 2)
                .map(|at| u8::from_str_radix(&modulus[at * 2..at * 2 + 2], 16).unwrap())
                .collect();
            let read = |name| fs::read(directory.join(name)).unwrap();
            Self {
                private: read("private.der"),
                private_pkcs1: read("private-pkcs1.der"),
                info: read("info.der"),
                pkcs1: read("pkcs1.der"),
                certificate: read("certificate.der"),
                pfx: read("key.pfx"),
                blob: blob_of(b"RSA1", bits, &[1, 0, 1], &modulus),
            }
        })
    }

    fn modulus(&self) -> &[u8] {
        &self.blob[27..]
    }
}

static PAIR: LazyLock<Pair> = LazyLock::new(|| Pair::of_bits(2048));

fn blob_of(magic: &[u8; 4], bits: usize, exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let words = [bits, exponent.len(), modulus.len(), 0, 0].map(|word| u32::try_from(word).unwrap().to_le_bytes());
    [magic.as_slice(), words.as_flattened(), exponent, modulus].concat()
}

fn base64_of(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn problem(input: impl AsRef<[u8]>) -> ConnectorKeyProblem {
    ConnectorKey::parse(input.as_ref()).unwrap_err()
}

#[test]
fn every_form_of_one_key_gives_the_same_key() {
    let pair = &*PAIR;
    let lines =
        base64_of(&pair.blob).as_bytes().chunks(76).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n");
    let certutil = armor::to_pem("CERTIFICATE", &pair.blob).replace('\n', "\r\n");
    let info_pem = armor::to_pem("PUBLIC KEY", &pair.info);
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("CNG key blob, binary", pair.blob.clone()),
        ("CNG key blob, base64", base64_of(&pair.blob).into()),
        ("CNG key blob, base64", lines.clone().into()),
        ("CNG key blob, base64", format!("\u{feff}{lines}\r\n").into()),
        ("CNG key blob, base64", format!("\"{}\"", base64_of(&pair.blob)).into()),
        ("CNG key blob, base64", base64_of(&pair.blob).trim_end_matches('=').into()),
        ("CNG key blob, base64", utf16(&lines)),
        ("CNG key blob, PEM", certutil.clone().into()),
        ("CNG key blob, PEM", utf16(&certutil)),
        ("public key (SubjectPublicKeyInfo), PEM", info_pem.clone().into()),
        ("public key (SubjectPublicKeyInfo), PEM", info_pem.replace('\n', "\r\n").into()),
        ("public key (SubjectPublicKeyInfo), PEM", armor::to_pem("CERTIFICATE", info_pem.as_bytes()).into()),
        ("public key (SubjectPublicKeyInfo), base64", base64_of(info_pem.as_bytes()).into()),
        ("public key (SubjectPublicKeyInfo), base64", base64_of(&pair.info).into()),
        ("public key (SubjectPublicKeyInfo), binary", pair.info.clone()),
        ("public key (PKCS#1), PEM", armor::to_pem("RSA PUBLIC KEY", &pair.pkcs1).into()),
        ("public key (PKCS#1), binary", pair.pkcs1.clone()),
        ("certificate, PEM", armor::to_pem("CERTIFICATE", &pair.certificate).into()),
        ("certificate, binary", pair.certificate.clone()),
    ];
    for (form, input) in forms {
        let key = ConnectorKey::parse(&input).unwrap_or_else(|problem| panic!("{form}: {problem}"));
        assert_eq!(key.form().to_string(), form);
        assert_eq!(key.bits(), 2048);
        assert_eq!(key.fingerprint(), hash::sha256_hex(&pair.info));
        assert_eq!(key.to_blob_base64(), base64_of(&pair.blob));
    }
}

#[test]
fn larger_keys_have_the_lengths_and_beginnings_that_are_known() {
    for (bits, length, beginning) in [
        (2048, 380, "UlNBMQAIAAADAAAAAAEAAAAAAAAAAAAAAQAB"),
        (3072, 548, "UlNBMQAMAAADAAAAgAEAAAAAAAAAAAAAAQAB"),
        (4096, 720, "UlNBMQAQAAADAAAAAAIAAAAAAAAAAAAAAQAB"),
    ] {
        let key = ConnectorKey::parse(&Pair::of_bits(bits).info).unwrap();
        let text = key.to_blob_base64();
        assert_eq!((key.bits(), text.len()), (bits, length));
        assert!(text.starts_with(beginning), "{text}");
        assert_eq!(ConnectorKey::parse(text.as_bytes()).unwrap().fingerprint(), key.fingerprint());
    }
}

#[test]
fn openssl_opens_a_sealed_password_with_every_padding() {
    let key = ConnectorKey::parse(&PAIR.blob).unwrap();
    let password = PfxPassword::random();
    for (padding, digest, other) in [
        (SealingPadding::OaepSha256, "sha256", "sha512"),
        (SealingPadding::OaepSha384, "sha384", "sha256"),
        (SealingPadding::OaepSha512, "sha512", "sha256"),
    ] {
        let sealed = key.seal_password(&password, padding).unwrap();
        assert_eq!(sealed.len(), 344);
        assert_ne!(sealed, key.seal_password(&password, padding).unwrap());
        in_directory(|directory| {
            fs::write(directory.join("private.der"), &PAIR.private).unwrap();
            fs::write(directory.join("sealed"), BASE64_STANDARD.decode(&sealed).unwrap()).unwrap();
            assert!(open_by_openssl(directory, digest, digest));
            assert_eq!(fs::read_to_string(directory.join("opened")).unwrap(), password.expose());
            assert!(!open_by_openssl(directory, other, other));
            assert!(!open_by_openssl(directory, digest, "sha1"), "the mask uses the same digest");
        });
    }
}

fn open_by_openssl(directory: &Path, digest: &str, mask_digest: &str) -> bool {
    let options =
        format!("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{digest} -pkeyopt rsa_mgf1_md:{mask_digest}");
    let open = format!("pkeyutl -decrypt -keyform DER -inkey private.der -in sealed -out opened {options}");
    try_openssl(directory, &open).1
}

#[test]
fn a_private_key_in_any_form_is_called_one() {
    let pair = &*PAIR;
    for input in [
        blob_of(b"RSA2", 2048, &[1, 0, 1], pair.modulus()),
        blob_of(b"RSA3", 2048, &[1, 0, 1], pair.modulus()),
        base64_of(&blob_of(b"RSA3", 2048, &[1, 0, 1], pair.modulus())).into(),
        b"RSA3".to_vec(),
        b"\x07\x02\x00\x00\x00\xa4\x00\x00RSA2".to_vec(),
        pair.private.clone(),
        pair.private_pkcs1.clone(),
        base64_of(&pair.private).into(),
        armor::to_pem("PRIVATE KEY", &pair.private).into(),
        armor::to_pem("RSA PRIVATE KEY", &pair.private_pkcs1).into(),
        armor::to_pem("CERTIFICATE", &pair.private).into(),
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----".to_vec(),
        [armor::to_pem("PUBLIC KEY", &pair.info), armor::to_pem("PRIVATE KEY", &pair.private)].concat().into(),
    ] {
        assert_eq!(problem(input), ConnectorKeyProblem::PrivateKey);
    }
    assert_eq!(problem(&pair.pfx), ConnectorKeyProblem::Pfx);
    assert_eq!(problem(base64_of(&pair.pfx)), ConnectorKeyProblem::Pfx);
}

#[test]
fn what_is_not_a_key_says_what_it_is() {
    assert_eq!(problem(""), ConnectorKeyProblem::Empty);
    assert_eq!(problem(" \r\n"), ConnectorKeyProblem::Empty);
    assert_eq!(problem("\u{feff}"), ConnectorKeyProblem::Empty);
    assert_eq!(problem("PFXEncryptionKey"), ConnectorKeyProblem::NotAKey);
    assert_eq!(problem("the key"), ConnectorKeyProblem::NotAKey);
    assert_eq!(problem([0xff; 20]), ConnectorKeyProblem::NotAKey);
    assert_eq!(problem(vec![b'A'; ConnectorKey::LARGEST_INPUT + 1]), ConnectorKeyProblem::TooLarge);
    assert_eq!(problem("-----BEGIN PUBLIC KEY-----\nMIIB"), ConnectorKeyProblem::DamagedPem);
    assert_eq!(problem("-----BEGIN "), ConnectorKeyProblem::DamagedPem);
    assert_eq!(problem(armor::to_pem("CERTIFICATE REQUEST", b"")), ConnectorKeyProblem::OtherPem);
    let info = armor::to_pem("PUBLIC KEY", &PAIR.info);
    assert_eq!(problem(info.repeat(2)), ConnectorKeyProblem::Several);
    assert_eq!(problem(b"\x06\x02\x00\x00\x00\xa4\x00\x00RSA1"), ConnectorKeyProblem::CryptoApiBlob);
    assert_eq!(problem(b"KDBM\x01\x00\x00\x00"), ConnectorKeyProblem::OtherBlob);
    assert_eq!(problem(b"ECS1\x20\x00\x00\x00"), ConnectorKeyProblem::NotRsa);
    in_directory(|directory| {
        openssl(directory, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem");
        openssl(directory, "pkey -in key.pem -pubout -out public.pem");
        assert_eq!(problem(fs::read(directory.join("public.pem")).unwrap()), ConnectorKeyProblem::NotRsa);
        assert_eq!(problem(fs::read(directory.join("key.pem")).unwrap()), ConnectorKeyProblem::PrivateKey);
    });
}

#[test]
fn a_key_that_was_cut_or_extended_is_refused() {
    let pair = &*PAIR;
    for (length, expected) in [(283, pair.blob.clone()), (294, pair.info.clone()), (270, pair.pkcs1.clone())] {
        let found = length - 1;
        assert_eq!(problem(&expected[..expected.len() - 1]), ConnectorKeyProblem::CutOff { expected: length, found });
        assert_eq!(problem([&expected, &b"\r\n"[..]].concat()), ConnectorKeyProblem::Trailing { extra: 2 });
    }
    assert_eq!(problem(&pair.blob[..20]), ConnectorKeyProblem::CutOff { expected: 24, found: 20 });
}

#[test]
fn a_blob_whose_header_does_not_fit_its_numbers_is_refused() {
    let pair = &*PAIR;
    let with = |at: usize, byte: u8| {
        let mut blob = pair.blob.clone();
        blob[at] = byte;
        problem(blob)
    };
    assert_eq!(with(5, 0x04), ConnectorKeyProblem::BitLength { announced: 1024, found: 2048 });
    assert_eq!(with(7, 0xff), ConnectorKeyProblem::TooManyBits { bits: 0xff00_0800 });
    assert_eq!(with(15, 0xff), ConnectorKeyProblem::CutOff { expected: 24 + 3 + 0xff00_0100, found: 283 });
    assert_eq!(with(16, 1), ConnectorKeyProblem::PrimesAnnounced);
    assert_eq!(with(20, 1), ConnectorKeyProblem::PrimesAnnounced);
    assert_eq!(with(26, 0), ConnectorKeyProblem::ExponentEven);
    assert_eq!(with(282, 0), ConnectorKeyProblem::ModulusEven);
    let padded = blob_of(b"RSA1", 2048, &[1, 0, 1], &[&[0], pair.modulus()].concat());
    assert_eq!(problem(padded), ConnectorKeyProblem::BitLength { announced: 2048, found: 2048 });
    let short = &pair.modulus()[..128];
    assert_eq!(problem(blob_of(b"RSA1", 1024, &[1, 0, 1], short)), ConnectorKeyProblem::TooFewBits { bits: 1024 });
    assert_eq!(problem(blob_of(b"RSA1", 2048, &[1], pair.modulus())), ConnectorKeyProblem::ExponentTooSmall);
    assert_eq!(problem(blob_of(b"RSA1", 2048, &[1; 9], pair.modulus())), ConnectorKeyProblem::ExponentTooLarge);
}

/// A key of 2048 bits that was made once, so that the factor is known.
#[test]
fn a_modulus_in_little_endian_order_is_refused() {
    let mut modulus = include_bytes!("../../fixtures/modulus-2048.bin").to_vec();
    assert!(ConnectorKey::parse(&blob_of(b"RSA1", 2048, &[1, 0, 1], &modulus)).is_ok());
    modulus.reverse();
    let problem = problem(blob_of(b"RSA1", 2048, &[1, 0, 1], &modulus));
    assert!(matches!(problem, ConnectorKeyProblem::SmallFactor { .. }), "{problem}");
}

#[test]
fn the_largest_key_that_is_read_has_16384_bits() {
    // Any number without small factors passes for a modulus; making a real one of this size takes minutes.
    let key = (1..=u16::MAX).find_map(|end| {
        let modulus = [[0xa5; 2046].as_slice(), &end.to_be_bytes()].concat();
        ConnectorKey::parse(&blob_of(b"RSA1", 16_384, &[1, 0, 1], &modulus)).ok()
    });
    let key = key.unwrap();
    assert_eq!(key.bits(), 16_384);
    let sealed = key.seal_password(&PfxPassword::random(), SealingPadding::OaepSha512).unwrap();
    assert_eq!(BASE64_STANDARD.decode(sealed).unwrap().len(), 2048);
}

#[test]
fn debug_shows_the_fingerprint() {
    let key = ConnectorKey::parse(&PAIR.blob).unwrap();
    assert_eq!(format!("{key:?}"), format!("ConnectorKey(2048 bits, {})", key.fingerprint()));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
        for input in [bytes.clone(), text.into(), base64_of(&bytes).into(), armor::to_pem("PUBLIC KEY", &bytes).into()] {
            prop_assert!(ConnectorKey::parse(&input).is_err());
        }
        for beginning in [&b"RSA1"[..], b"\x30\x82", b"\x30\x82\x01\x00\x02", b"\xff\xfe", b"\xfe\xff"] {
            prop_assert!(ConnectorKey::parse(&[beginning, &bytes].concat()).is_err());
        }
    }

    /// Changed bytes of the modulus may leave a number that could be one; nothing else may pass as another key.
    #[test]
    fn a_damaged_key_is_refused_or_reads_as_it_is_written(at in 0..294_usize, byte: u8) {
        for whole in [&PAIR.blob, &PAIR.info] {
            let mut damaged = whole.clone();
            let at = at % damaged.len();
            damaged[at] = byte;
            if let Ok(key) = ConnectorKey::parse(&damaged) {
                let again = ConnectorKey::parse(key.to_blob_base64().as_bytes()).unwrap();
                prop_assert_eq!(again.fingerprint(), key.fingerprint());
            }
        }
    }
}
