//! Certificates and PFX files for tests, the files written by the `openssl` command line.

use std::{fs, path::Path, process::Command};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SanType, SignatureAlgorithm,
};

/// Options of `openssl pkcs12` for the profile that every device opens.
pub(crate) const COMPATIBLE: &[&str] = &["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
/// What OpenSSL 3 writes by itself, named so that a change of its defaults is noticed.
pub(crate) const MODERN: &[&str] =
    &["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256", "-iter", "10000"];

/// A leaf with its key under an issuing CA under a root.
pub(crate) struct Issued {
    key: KeyPair,
    leaf: rcgen::Certificate,
    issuing: rcgen::Certificate,
    root: rcgen::Certificate,
}

impl Issued {
    pub(crate) fn rsa(address: &str) -> Self {
        Self::new(address, &PKCS_RSA_SHA256)
    }

    pub(crate) fn p256(address: &str) -> Self {
        Self::new(address, &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn p384(address: &str) -> Self {
        Self::new(address, &PKCS_ECDSA_P384_SHA384)
    }

    fn new(address: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let root_params = authority("Test Root");
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::from_params(&root_params, &root_key);

        let issuing_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let issuing_params = authority("Test Issuing");
        let issuing = issuing_params.signed_by(&issuing_key, &root_issuer).unwrap();
        let issuer = Issuer::from_params(&issuing_params, &issuing_key);

        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = named(address);
        params.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
        let leaf = params.signed_by(&key, &issuer).unwrap();
        Self { key, leaf, issuing, root }
    }

    pub(crate) fn leaf(&self) -> Vec<u8> {
        self.leaf.der().to_vec()
    }

    pub(crate) fn issuing(&self) -> Vec<u8> {
        self.issuing.der().to_vec()
    }

    pub(crate) fn root(&self) -> Vec<u8> {
        self.root.der().to_vec()
    }

    pub(crate) fn private_key(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    pub(crate) fn not_before(&self) -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    pub(crate) fn not_after(&self) -> Timestamp {
        "2027-01-01T00:00:00Z".parse().unwrap()
    }

    /// A PFX with the key, the leaf and the issuing CA.
    pub(crate) fn pfx(&self, options: &[&str], password: &str) -> Vec<u8> {
        self.pfx_with(&[self.issuing()], options, password)
    }

    pub(crate) fn pfx_with(&self, chain: &[Vec<u8>], options: &[&str], password: &str) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let key = write("key.pem", self.key.serialize_pem().as_bytes());
        let leaf = write("leaf.pem", self.leaf.pem().as_bytes());
        let mut arguments = vec!["-export".to_owned(), "-inkey".to_owned(), key, "-in".to_owned(), leaf];
        if !chain.is_empty() {
            let pems: String = chain.iter().map(|der| pem(der)).collect();
            arguments.extend(["-certfile".to_owned(), write("chain.pem", pems.as_bytes())]);
        }
        arguments.extend(["-passout".to_owned(), format!("pass:{password}")]);
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        openssl_pkcs12(&arguments, &folder.path().join("out.pfx"))
    }
}

fn openssl_pkcs12(arguments: &[String], out: &Path) -> Vec<u8> {
    let output = Command::new("openssl").arg("pkcs12").args(arguments).arg("-out").arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(out).unwrap()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|start| &text[start..text.len().min(start + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
