//! One X.509 certificate (RFC 5280), read once. What cannot be read whole is refused, so later checks never guess.

use std::fmt;

use der::{Decode, Tag, asn1::Utf8StringRef};
use domain::Thumbprint;
use jiff::Timestamp;
use x509_parser::{
    extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension},
    oid_registry::{OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA},
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    time::ASN1Time,
};

use crate::{Error, armor, hash};

/// `id-on-SmtpUTF8Mailbox`, RFC 9598.
pub(crate) const SMTP_UTF8_MAILBOX: &str = "1.3.6.1.5.5.7.8.9";

/// A certificate as somebody sent it. Nothing about it is trusted yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: String,
    subject: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key_info: Vec<u8>,
    mailboxes: Vec<String>,
    pub(crate) subject_name: Vec<u8>,
    pub(crate) issuer_name: Vec<u8>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) key: KeyKind,
    pub(crate) signed_with_sha1: bool,
    pub(crate) authority: Option<Authority>,
    /// The bits of `KeyUsage`, bit 0 (digitalSignature) lowest.
    pub(crate) key_usage: Option<u16>,
    pub(crate) extended_uses: Option<ExtendedUses>,
    pub(crate) policies: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa { bits: usize },
    EllipticCurve,
    Other,
}

/// What `basicConstraints` with `cA` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) longest_path: Option<u32>,
}

/// The `extKeyUsage` extension, as far as somebody decides by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtendedUses {
    pub(crate) email_protection: bool,
    pub(crate) any: bool,
    pub(crate) server_auth: bool,
    pub(crate) code_signing: bool,
    pub(crate) time_stamping: bool,
    pub(crate) others: bool,
}

impl Certificate {
    /// Reads exactly one DER certificate.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Error> {
        let unreadable = |_| Error::Bundle { reason: "one of them is not an X.509 certificate" };
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| unreadable(()))?;
        if !rest.is_empty() {
            return Err(Error::Bundle { reason: "something follows the end of a certificate" });
        }
        let extensions = parsed.extensions_map().map_err(|_| unreadable(()))?;
        let mut authority_key_id = None;
        let mut subject_key_id = None;
        let mut policies = Vec::new();
        let mut mailboxes = Vec::new();
        for extension in extensions.values() {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::CertificatePolicies(found) => {
                    policies = found.iter().map(|policy| policy.policy_id.to_id_string()).collect();
                }
                ParsedExtension::SubjectAlternativeName(names) => {
                    mailboxes = names.general_names.iter().filter_map(mailbox_of).collect();
                }
                ParsedExtension::ParseError { .. } => return Err(unreadable(())),
                _ => {}
            }
        }
        let authority = parsed.basic_constraints().map_err(|_| unreadable(()))?.filter(|found| found.value.ca);
        let key_usage = parsed.key_usage().map_err(|_| unreadable(()))?.map(|found| found.value.flags);
        let extended = parsed.extended_key_usage().map_err(|_| unreadable(()))?;
        let algorithm = &parsed.signature_algorithm.algorithm;
        Ok(Self {
            der: der.to_vec(),
            serial: hash::hex(match parsed.raw_serial() {
                [0, rest @ ..] if !rest.is_empty() => rest,
                serial => serial,
            }),
            subject: printable(&parsed.subject().to_string()),
            issuer: printable(&parsed.issuer().to_string()),
            not_before: timestamp(parsed.validity().not_before)?,
            not_after: timestamp(parsed.validity().not_after)?,
            public_key_info: parsed.public_key().raw.to_vec(),
            mailboxes,
            subject_name: parsed.subject().as_raw().to_vec(),
            issuer_name: parsed.issuer().as_raw().to_vec(),
            subject_key_id,
            authority_key_id,
            key: key_kind(&parsed),
            signed_with_sha1: *algorithm == OID_PKCS1_SHA1WITHRSA || *algorithm == OID_SHA1_WITH_RSA,
            authority: authority.map(|found| Authority { longest_path: found.value.path_len_constraint }),
            key_usage,
            extended_uses: extended.map(|found| extended_uses(found.value)),
            policies,
        })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Lower-case hexadecimal without leading zero bytes.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// For people to read; control characters are replaced. Names are compared by their DER, never by this.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// As [`Certificate::subject`], of who signed it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second in which it is valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// DER `SubjectPublicKeyInfo`.
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The `rfc822Name` and `SmtpUTF8Mailbox` entries of the subject alternative name, in their order.
    pub fn mailboxes(&self) -> &[String] {
        &self.mailboxes
    }

    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::from_digest(hash::sha1(&self.der))
    }

    /// SHA-256 of the DER in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        hash::sha256_hex(&self.der)
    }

    pub fn is_valid_at(&self, moment: Timestamp) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }

    pub(crate) fn names_itself_as_issuer(&self) -> bool {
        self.subject_name == self.issuer_name
    }

    /// Whether `issuer` bears the name and key identifier that this certificate gives for its issuer.
    pub(crate) fn claims_issuer(&self, issuer: &Self) -> bool {
        let same_key_id = match (&self.authority_key_id, &issuer.subject_key_id) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        self.issuer_name == issuer.subject_name && same_key_id
    }

    /// Whether `issuer`'s key made this certificate's signature.
    pub(crate) fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok((_, certificate)), Ok((_, issuer))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        certificate.verify_signature(Some(issuer.public_key())).is_ok()
    }
}

/// By its thumbprint only: a subject is personal data and does not belong into a log.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint())
    }
}

fn mailbox_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(mailbox) => Some(printable(mailbox)),
        GeneralName::OtherName(kind, value) if kind.to_id_string() == SMTP_UTF8_MAILBOX => {
            let inner = armor::value_of(value, Tag::ContextSpecific { constructed: true, number: der::TagNumber(0) })?;
            Utf8StringRef::from_der(inner).ok().map(|mailbox| printable(mailbox.as_str()))
        }
        _ => None,
    }
}

fn key_kind(certificate: &X509Certificate<'_>) -> KeyKind {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => KeyKind::Rsa { bits: bit_length(key.modulus) },
        Ok(PublicKey::EC(_)) => KeyKind::EllipticCurve,
        _ => KeyKind::Other,
    }
}

/// The length of a big-endian number without its leading zeros.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let Some(first) = number.iter().position(|byte| *byte != 0) else {
        return 0;
    };
    let unused = number[first].leading_zeros() as usize;
    (number.len() - first) * 8 - unused
}

fn extended_uses(found: &ExtendedKeyUsage<'_>) -> ExtendedUses {
    ExtendedUses {
        email_protection: found.email_protection,
        any: found.any,
        server_auth: found.server_auth,
        code_signing: found.code_signing,
        time_stamping: found.time_stamping,
        others: found.client_auth || found.ocsp_signing || !found.other.is_empty(),
    }
}

fn timestamp(time: ASN1Time) -> Result<Timestamp, Error> {
    Timestamp::from_second(time.timestamp()).map_err(|_| Error::Bundle { reason: "one of them has an impossible date" })
}

fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
