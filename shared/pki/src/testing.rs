//! The independent judge of the tests, the openssl command line, and certificates made by `rcgen`.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{path::Path, process::Command, time::Duration};

use der::{Encode, asn1::ObjectIdentifier};
use domain::{KeyAlgorithm, Mailbox};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SubjectPublicKeyInfo,
};
use x509_cert::ext::pkix::{CertificatePolicies, certpolicy::PolicyInformation};

use crate::{Bundle, CertificateChain, PrivateKey, armor};

pub(crate) const ADDRESS: &str = "anna@example.com";

/// Runs `test` in a directory that is removed afterwards.
pub(crate) fn in_directory<T>(test: impl FnOnce(&Path) -> T) -> T {
    test(tempfile::tempdir().unwrap().path())
}

/// Runs openssl with arguments that are separated by spaces: what it printed to both streams, and whether it succeeded.
pub(crate) fn try_openssl(directory: &Path, arguments: &str) -> (String, bool) {
    let output = Command::new("openssl").current_dir(directory).args(arguments.split(' ')).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

/// What openssl printed; a panic if it failed.
pub(crate) fn openssl(directory: &Path, arguments: &str) -> String {
    let (text, succeeded) = try_openssl(directory, arguments);
    assert!(succeeded, "openssl {arguments}\n{text}");
    text
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A moment inside the validity of everything that is made here by default.
pub(crate) fn now() -> Timestamp {
    at("2026-06-15T12:00:00Z")
}

pub(crate) fn private_key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::P256).unwrap()
}

pub(crate) fn set_validity(params: &mut CertificateParams, first: &str, last: &str) {
    let date = |text| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at(text).as_second().try_into().unwrap());
    params.not_before = date(first);
    params.not_after = date(last);
}

pub(crate) fn rfc822_name(address: &str) -> SanType {
    SanType::Rfc822Name(address.try_into().unwrap())
}

pub(crate) fn policies(oids: &[&str]) -> CustomExtension {
    let policy = |oid: &&str| PolicyInformation {
        policy_identifier: ObjectIdentifier::new_unwrap(oid),
        policy_qualifiers: None,
    };
    let content = CertificatePolicies(oids.iter().map(policy).collect()).to_der().unwrap();
    CustomExtension::from_oid_content(&[2, 5, 29, 32], content)
}

/// A certification authority with a P-256 key.
pub(crate) struct TestAuthority {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) der: Vec<u8>,
}

impl TestAuthority {
    pub(crate) fn root(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    pub(crate) fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer()).unwrap().der().to_vec();
        Self { params, key, der }
    }

    /// A second certificate for the name and key of `other`.
    pub(crate) fn cross_sign(&self, other: &Self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = other.params.clone();
        change(&mut params);
        params.signed_by(&other.key, &self.issuer()).unwrap().der().to_vec()
    }

    /// A good general-purpose certificate for `key`, for [`ADDRESS`].
    pub(crate) fn issue(&self, key: &PrivateKey) -> Vec<u8> {
        self.issue_with(key, |_| {})
    }

    pub(crate) fn issue_with(&self, key: &PrivateKey, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, ADDRESS);
        params.subject_alt_names = vec![rfc822_name(ADDRESS)];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.key_usages = match key.algorithm() {
            KeyAlgorithm::P256 => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement],
            _ => vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment],
        };
        params.custom_extensions = vec![policies(&["2.23.140.1.5.1.3"])];
        set_validity(&mut params, "2026-01-01T00:00:00Z", "2027-12-31T23:59:59Z");
        change(&mut params);
        let public_key = SubjectPublicKeyInfo::from_der(key.public_key_info()).unwrap();
        params.signed_by(&public_key, &self.issuer()).unwrap().der().to_vec()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
    params
}

pub(crate) fn pem(certificates: &[&[u8]]) -> String {
    certificates.iter().map(|der| armor::to_pem("CERTIFICATE", der)).collect()
}

pub(crate) fn bundle(certificates: &[&[u8]]) -> Bundle {
    Bundle::parse(pem(certificates).as_bytes()).unwrap()
}

pub(crate) fn chain(key: &PrivateKey, certificates: &[&[u8]]) -> CertificateChain {
    bundle(certificates).chain_for(key.public_key_info(), now()).unwrap()
}
