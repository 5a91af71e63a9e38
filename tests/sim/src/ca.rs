//! A two-tier S/MIME CA: a root, an issuing CA, and subscriber certificates with the profile of the
//! CA/B Forum S/MIME Baseline Requirements 7.1.

pub mod csr;

use std::{io, time::Duration};

use asn1::oid;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType, SerialNumber,
};
use serde::{Deserialize, Serialize};

use crate::journal::Sealed;
use csr::{KeyAlgorithm, Mailbox, RequestedUsage, SigningRequest};

/// The longest life that the CA gives: under the 825 days of S/MIME BR 6.3.2, of which no CA should
/// use the last.
pub const LONGEST_DAYS: u32 = 824;

const DAY: Duration = Duration::from_secs(86_400);

/// What the CA signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    /// A P-384 root and a P-256 issuing CA; made in no time.
    #[default]
    EllipticCurve,
    /// RSA with 3072 bits for both; makes start-up some seconds slower.
    Rsa,
}

/// The certificate types of S/MIME BR 7.1.6.1; the discriminant is the T of 2.23.140.1.5.T.G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateType {
    MailboxValidated = 1,
    OrganizationValidated = 2,
    SponsorValidated = 3,
    IndividualValidated = 4,
}

/// The generations that may still be issued; the discriminant is the G of 2.23.140.1.5.T.G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Also allows clientAuth.
    Multipurpose = 2,
    Strict = 3,
}

/// What the key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Dual,
    Signing,
    Encryption,
}

impl From<RequestedUsage> for Usage {
    fn from(requested: RequestedUsage) -> Self {
        match (requested.signing, requested.encryption) {
            (true, false) => Self::Signing,
            (false, true) => Self::Encryption,
            _ => Self::Dual,
        }
    }
}

/// What the CA itself has verified and decided for one certificate.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    pub certificate_type: CertificateType,
    pub generation: Generation,
    pub usage: Usage,
    /// Cut at [`LONGEST_DAYS`].
    pub days: u32,
    pub organization: Option<Organization<'a>>,
}

/// The verified organisation of an OV or SV certificate.
#[derive(Clone, Copy, Debug)]
pub struct Organization<'a> {
    pub name: &'a str,
    /// organizationIdentifier, e.g. `VATSE-556677889901` (S/MIME BR 7.1.4.2.2 d).
    pub identifier: &'a str,
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
}

/// A subscriber certificate as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Lower-case hexadecimal, 32 digits.
    pub serial: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// DER in base64.
    certificate: String,
}

impl Issued {
    pub fn der(&self) -> Vec<u8> {
        STANDARD.decode(&self.certificate).expect("only the CA writes it, from DER")
    }
}

/// Why the CA refuses to sign.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// S/MIME BR 7.1.4.2.5: a sponsor-validated certificate names a person.
    #[error("it names no person: givenName and surname are both missing")]
    NoPerson,
    #[error("the certificate type needs a verified organisation")]
    NoOrganization,
    #[error("it has a name that no certificate can carry")]
    Name,
    #[error("the CA cannot sign")]
    Signing(#[source] rcgen::Error),
}

/// The CA with its keys.
pub struct CertificateAuthority {
    kind: KeyKind,
    root: Tier,
    issuing: Tier,
}

struct Tier {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

/// The journaled form of a CA: its certificates, and its keys sealed.
#[derive(Serialize, Deserialize)]
pub struct Stored {
    kind: KeyKind,
    root: StoredTier,
    issuing: StoredTier,
}

#[derive(Serialize, Deserialize)]
struct StoredTier {
    key: Sealed,
    certificate: String,
}

impl CertificateAuthority {
    /// Makes both keys and certificates, valid from a day before `now`.
    pub fn generate(kind: KeyKind, now: Timestamp) -> Self {
        let root_key = kind.generate(Level::Root);
        let root_parameters = authority_parameters(Level::Root, now);
        let root_certificate = root_parameters.self_signed(&root_key).expect("the root's names and key are its own");
        let root = Issuer::new(root_parameters, root_key);

        let issuing_key = kind.generate(Level::Issuing);
        let issuing_parameters = authority_parameters(Level::Issuing, now);
        let issuing_certificate =
            issuing_parameters.signed_by(&issuing_key, &root).expect("the issuing CA's names and key are its own");
        Self {
            kind,
            root: Tier { issuer: root, certificate: root_certificate.der().to_vec() },
            issuing: Tier {
                issuer: Issuer::new(issuing_parameters, issuing_key),
                certificate: issuing_certificate.der().to_vec(),
            },
        }
    }

    pub fn store(&self, seed: u64) -> Stored {
        let tier = |tier: &Tier| StoredTier {
            key: Sealed::seal(seed, tier.issuer.key().serialized_der()),
            certificate: STANDARD.encode(&tier.certificate),
        };
        Stored { kind: self.kind, root: tier(&self.root), issuing: tier(&self.issuing) }
    }

    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it was stored by a world with another seed, or changed.
    pub fn restore(stored: &Stored, seed: u64) -> io::Result<Self> {
        let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "no CA is stored here");
        let tier = |tier: &StoredTier, level| -> io::Result<Tier> {
            let certificate = STANDARD
                .decode(&tier.certificate)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let key = KeyPair::try_from(tier.key.open(seed)?).map_err(invalid)?;
            // An issuer signs with its name and key only; its dates stand in its certificate.
            let parameters = authority_parameters(level, Timestamp::UNIX_EPOCH);
            Ok(Tier { issuer: Issuer::new(parameters, key), certificate })
        };
        Ok(Self {
            kind: stored.kind,
            root: tier(&stored.root, Level::Root)?,
            issuing: tier(&stored.issuing, Level::Issuing)?,
        })
    }

    pub fn root_der(&self) -> &[u8] {
        &self.root.certificate
    }

    pub fn issuing_der(&self) -> &[u8] {
        &self.issuing.certificate
    }

    /// Signs a certificate that is valid from `now`, to the second.
    ///
    /// # Errors
    /// When the profile wants a person or an organisation that is not there.
    pub fn issue(&self, request: &SigningRequest, profile: &Profile<'_>, now: Timestamp) -> Result<Issued, Refusal> {
        let serial = serial_number();
        let begin = now.as_second().unsigned_abs();
        let end = begin + u64::from(profile.days.min(LONGEST_DAYS)) * DAY.as_secs();

        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject(request, profile)?;
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
        parameters.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(begin);
        parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
        parameters.subject_alt_names = vec![alternative_name(&request.mailbox)?];
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = key_usages(profile.usage, request.public_key.algorithm);
        parameters.extended_key_usages = match profile.generation {
            Generation::Strict => vec![ExtendedKeyUsagePurpose::EmailProtection],
            Generation::Multipurpose => {
                vec![ExtendedKeyUsagePurpose::EmailProtection, ExtendedKeyUsagePurpose::ClientAuth]
            }
        };
        parameters.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![published("issuing.crl")] }];
        parameters.custom_extensions = vec![
            policy(profile.certificate_type, profile.generation),
            authority_information(&published("issuing.cer")),
        ];
        let certificate = parameters.signed_by(&request.public_key, &self.issuing.issuer).map_err(Refusal::Signing)?;
        let second = |seconds: u64| Timestamp::from_second(seconds.cast_signed()).expect("within two years of now");
        Ok(Issued {
            serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            not_before: second(begin),
            not_after: second(end),
            certificate: STANDARD.encode(certificate.der()),
        })
    }
}

#[derive(Clone, Copy)]
enum Level {
    Root,
    Issuing,
}

impl KeyKind {
    fn generate(self, level: Level) -> KeyPair {
        let key = match (self, level) {
            (Self::EllipticCurve, Level::Root) => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            (Self::EllipticCurve, Level::Issuing) => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            (Self::Rsa, _) => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
        };
        key.expect("aws-lc-rs makes keys of all these kinds")
    }
}

/// `.example` is reserved (RFC 2606): nothing is published, and nobody else can publish it.
fn published(file: &str) -> String {
    format!("http://ca.sim.example/{file}")
}

fn authority_parameters(level: Level, now: Timestamp) -> CertificateParams {
    let (common_name, years) = match level {
        Level::Root => ("Simulated SSL.com Client Root CA", 20),
        Level::Issuing => ("Simulated SSL.com S/MIME Issuing CA", 10),
    };
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, printable("US"));
    name.push(DnType::OrganizationName, "Simulated SSL.com");
    name.push(DnType::CommonName, common_name);

    let begin = Duration::from_secs(now.as_second().unsigned_abs()).saturating_sub(DAY);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial_number()));
    parameters.not_before = rcgen::date_time_ymd(1970, 1, 1) + begin;
    parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + begin + DAY * 365 * years;
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    match level {
        Level::Root => parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        Level::Issuing => {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            parameters.use_authority_key_identifier_extension = true;
            parameters.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::EmailProtection, ExtendedKeyUsagePurpose::ClientAuth];
            parameters.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![published("root.crl")] }];
            parameters.custom_extensions = vec![
                // anyPolicy: the issuing CA belongs to the root's own operator (BR 7.1.6.3).
                policies(&oid!(2, 5, 29, 32, 0)),
                authority_information(&published("root.cer")),
            ];
        }
    }
    parameters
}

/// S/MIME BR 7.1.4.2: the CA takes from the request what it can verify, the rest is its own.
fn subject(request: &SigningRequest, profile: &Profile<'_>) -> Result<DistinguishedName, Refusal> {
    let mut name = DistinguishedName::new();
    let with_organization =
        matches!(profile.certificate_type, CertificateType::OrganizationValidated | CertificateType::SponsorValidated);
    if with_organization {
        let organization = profile.organization.ok_or(Refusal::NoOrganization)?;
        name.push(DnType::CountryName, printable(organization.country));
        name.push(DnType::OrganizationName, organization.name);
        name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), organization.identifier);
    }
    let with_person =
        matches!(profile.certificate_type, CertificateType::SponsorValidated | CertificateType::IndividualValidated);
    if with_person {
        if request.given_name.is_none() && request.surname.is_none() {
            return Err(Refusal::NoPerson);
        }
        if let Some(given_name) = &request.given_name {
            name.push(DnType::CustomDnType(vec![2, 5, 4, 42]), given_name);
        }
        if let Some(surname) = &request.surname {
            name.push(DnType::CustomDnType(vec![2, 5, 4, 4]), surname);
        }
    }
    name.push(DnType::CommonName, request.mailbox.as_str());
    if let Mailbox::Rfc822Name(address) = &request.mailbox {
        let address = address.as_str().try_into().map_err(|_| Refusal::Name)?;
        name.push(DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]), DnValue::Ia5String(address));
    }
    Ok(name)
}

fn alternative_name(mailbox: &Mailbox) -> Result<SanType, Refusal> {
    Ok(match mailbox {
        Mailbox::Rfc822Name(address) => SanType::Rfc822Name(address.as_str().try_into().map_err(|_| Refusal::Name)?),
        Mailbox::SmtpUtf8(address) => SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 9], address.as_str().into())),
    })
}

/// S/MIME BR 7.1.2.3 e: the bits depend on the algorithm of the subject's key.
fn key_usages(usage: Usage, algorithm: KeyAlgorithm) -> Vec<KeyUsagePurpose> {
    let encryption = match algorithm {
        KeyAlgorithm::Rsa => KeyUsagePurpose::KeyEncipherment,
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => KeyUsagePurpose::KeyAgreement,
    };
    match usage {
        Usage::Dual => vec![KeyUsagePurpose::DigitalSignature, encryption],
        Usage::Signing => vec![KeyUsagePurpose::DigitalSignature],
        Usage::Encryption => vec![encryption],
    }
}

fn policy(certificate_type: CertificateType, generation: Generation) -> CustomExtension {
    let arcs = format!("2.23.140.1.5.{}.{}", certificate_type as u8, generation as u8);
    policies(&asn1::ObjectIdentifier::from_string(&arcs).expect("the arcs are small numbers"))
}

/// certificatePolicies of RFC 5280 4.2.1.4 with one policy and no qualifier.
fn policies(policy: &asn1::ObjectIdentifier) -> CustomExtension {
    let content = asn1::write_single(&asn1::SequenceOfWriter::new([asn1::SequenceWriter::new(&|information| {
        information.write_element(policy)
    })]));
    CustomExtension::from_oid_content(&[2, 5, 29, 32], content.expect("an OID can be written"))
}

/// authorityInfoAccess of RFC 5280 4.2.2.1 with one caIssuers address.
fn authority_information(issuer: &str) -> CustomExtension {
    let issuer = asn1::IA5String::new(issuer).expect("the addresses are ASCII");
    let content = asn1::write_single(&asn1::SequenceOfWriter::new([asn1::SequenceWriter::new(&|description| {
        description.write_element(&oid!(1, 3, 6, 1, 5, 5, 7, 48, 2))?;
        // uniformResourceIdentifier [6]
        description.write_implicit_element(&issuer, 6)
    })]));
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content.expect("an address can be written"))
}

fn printable(text: &str) -> DnValue {
    text.try_into().map_or_else(|_| DnValue::Utf8String(text.to_owned()), DnValue::PrintableString)
}

/// 127 random bits (S/MIME BR 7.1 wants at least 64), positive and never with a leading zero byte.
fn serial_number() -> [u8; 16] {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).expect("the operating system has randomness");
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

#[cfg(test)]
mod tests;
