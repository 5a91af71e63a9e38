//! PKCS#10 requests (RFC 2986). The CA takes the mailbox from here: from emailAddress and the subject alternative name,
//! and it treats the common name as one more item to validate, so the common name is the mailbox (seen in the sandbox,
//! 2026-06). Names are pushed one by one and never parsed from a string, in which `a,O=evil` would be two names.

use std::fmt;

use der::{
    Any, Decode, Encode,
    asn1::{BitString, Ia5StringRef, ObjectIdentifier, OctetString, SetOfVec, Utf8StringRef},
};
use domain::{KeyAlgorithm, Mailbox, person::written_name};
use x509_cert::{
    AlgorithmIdentifier, SubjectPublicKeyInfo,
    attr::{Attribute, AttributeTypeAndValue},
    ext::{
        Extension,
        pkix::{
            SubjectAltName,
            name::{GeneralName, OtherName},
        },
    },
    name::{Name, RdnSequence, RelativeDistinguishedName},
    request::{CertReq, CertReqInfo, ExtensionReq, Version},
};

use crate::{Error, PrivateKey, armor, certificate::SMTP_UTF8_MAILBOX};

const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SURNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.4");
const GIVEN_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.42");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Who a certificate is for, in names that can be written into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    mailbox: Mailbox,
    given_name: Option<String>,
    surname: Option<String>,
}

/// A certificate request.
#[derive(Clone, PartialEq, Eq)]
pub struct Csr {
    /// PEM whose lines end in LF: SSL.com answers CRLF with 500 (seen in the sandbox, 2026-06).
    pub pem: String,
    pub der: Vec<u8>,
}

impl Subject {
    /// Takes names as the directory has them: trimmed, composed (NFC), and dropped when nothing is left. A name that is too
    /// long or holds what is no part of a name is refused, naming the field, and never shortened.
    pub fn new(mailbox: Mailbox, given_name: Option<&str>, surname: Option<&str>) -> Result<Self, Error> {
        Ok(Self {
            mailbox,
            given_name: given_name.map_or(Ok(None), |text| name("given name", text))?,
            surname: surname.map_or(Ok(None), |text| name("surname", text))?,
        })
    }

    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn name(&self) -> der::Result<Name> {
        let mailbox = self.mailbox.to_string();
        let mut names = RdnSequence::default();
        let mut push = |oid, value| {
            let name = AttributeTypeAndValue { oid, value };
            RelativeDistinguishedName::try_from(vec![name]).map(|name| names.push(name))
        };
        push(COMMON_NAME, Any::encode_from(&Utf8StringRef::new(&mailbox)?)?)?;
        for (oid, name) in [(GIVEN_NAME, &self.given_name), (SURNAME, &self.surname)] {
            if let Some(name) = name {
                push(oid, Any::encode_from(&Utf8StringRef::new(name)?)?)?;
            }
        }
        if self.mailbox.is_ascii() {
            push(EMAIL_ADDRESS, Any::encode_from(&Ia5StringRef::new(&mailbox)?)?)?;
        }
        Name::from_der(&names.to_der()?)
    }

    /// `rfc822Name`, or for a local part beyond ASCII the `SmtpUTF8Mailbox` of RFC 9598, which keeps the domain in A-labels.
    fn alternative_name(&self) -> der::Result<SubjectAltName> {
        let mailbox = self.mailbox.to_string();
        Ok(SubjectAltName(vec![if self.mailbox.is_ascii() {
            GeneralName::Rfc822Name(Ia5StringRef::new(&mailbox)?.into())
        } else {
            GeneralName::OtherName(OtherName {
                type_id: ObjectIdentifier::new_unwrap(SMTP_UTF8_MAILBOX),
                value: Any::encode_from(&Utf8StringRef::new(&mailbox)?)?,
            })
        }]))
    }
}

/// Names are personal data: `Debug` leaves them out.
impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// A request holds the subject's names: `Debug` leaves them out.
impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csr").finish_non_exhaustive()
    }
}

/// Asks for a certificate for `key`, signed by it with SHA-256.
pub fn certificate_request(key: &PrivateKey, subject: &Subject) -> Result<Csr, Error> {
    let failed = |_| Error::library("writing the certificate request");
    let info = request_info(key, subject).map_err(failed)?;
    let signature = key.sign(&info.to_der().map_err(failed)?)?;
    let algorithm = match key.algorithm() {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => {
            AlgorithmIdentifier { oid: SHA256_WITH_RSA, parameters: Some(Any::null()) }
        }
        KeyAlgorithm::P256 => AlgorithmIdentifier { oid: ECDSA_WITH_SHA256, parameters: None },
    };
    let signature = BitString::from_bytes(&signature).map_err(failed)?;
    let der = CertReq { info, algorithm, signature }.to_der().map_err(failed)?;
    Ok(Csr { pem: armor::to_pem(CERTIFICATE_REQUEST, &der), der })
}

/// DER `SubjectPublicKeyInfo` of a kept request in PEM: with it a certificate is recognised while its key stays sealed.
pub fn public_key_info_of_request(pem: &[u8]) -> Result<Vec<u8>, Error> {
    let text = armor::text_of(pem).ok_or(Error::NotARequest)?;
    let [block] = armor::pem_blocks(&text).try_into().map_err(|_| Error::NotARequest)?;
    let der = block.body.filter(|_| block.label == CERTIFICATE_REQUEST).ok_or(Error::NotARequest)?;
    let request = CertReq::from_der(&der).map_err(|_| Error::NotARequest)?;
    request.info.public_key.to_der().map_err(|_| Error::NotARequest)
}

fn request_info(key: &PrivateKey, subject: &Subject) -> der::Result<CertReqInfo> {
    let alternative_name = Extension {
        extn_id: SUBJECT_ALT_NAME,
        critical: false,
        extn_value: OctetString::new(subject.alternative_name()?.to_der()?)?,
    };
    Ok(CertReqInfo {
        version: Version::V1,
        subject: subject.name()?,
        public_key: SubjectPublicKeyInfo::from_der(key.public_key_info())?,
        attributes: SetOfVec::try_from(vec![Attribute::try_from(ExtensionReq(vec![alternative_name]))?])?,
    })
}

fn name(field: &'static str, text: &str) -> Result<Option<String>, Error> {
    written_name(Some(text)).map_err(|reason| Error::Name { field, reason })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
