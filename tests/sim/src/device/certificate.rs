//! The fields of an X.509 certificate (RFC 5280) that a device looks at.

use asn1::{BigInt, BitString, ObjectIdentifier, SequenceOf, Tlv, X509GeneralizedTime, oid};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use jiff::{Timestamp, civil, tz::TimeZone};

use crate::pfx::{AlgorithmIdentifier, Refused};

/// A certificate that could be read.
pub(crate) struct Certificate<'a> {
    signed: Tlv<'a>,
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: BitString<'a>,
    fields: Fields<'a>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Refused> {
        let outer: Outer<'_> = asn1::parse_single(der)?;
        let fields: Fields<'_> = outer.signed.parse()?;
        if fields.version != Some(2) {
            return Err(Refused::because("a certificate with extensions has version 3"));
        }
        if fields.signature_algorithm.oid != outer.signature_algorithm.oid {
            return Err(Refused::because("a certificate names two signature algorithms"));
        }
        Ok(Self {
            signed: outer.signed,
            signature_algorithm: outer.signature_algorithm,
            signature: outer.signature,
            fields,
        })
    }

    pub(crate) fn not_before(&self) -> Timestamp {
        self.fields.validity.not_before.timestamp()
    }

    pub(crate) fn not_after(&self) -> Timestamp {
        self.fields.validity.not_after.timestamp()
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.fields.subject.full_data() == self.fields.issuer.full_data()
    }

    /// The `SubjectPublicKeyInfo` as DER.
    pub(crate) fn public_key_info(&self) -> &'a [u8] {
        self.fields.public_key.full_data()
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey<'a>, Refused> {
        let info: PublicKeyInfo<'_> = self.fields.public_key.parse()?;
        let bytes = info.key.as_bytes();
        if info.algorithm.oid == RSA {
            return Ok(PublicKey::Rsa(bytes));
        }
        if info.algorithm.oid != EC {
            return Err(Refused::because(format!("a key of type {} is not understood", info.algorithm.oid)));
        }
        match info.algorithm.parameters()?.parse::<ObjectIdentifier>()? {
            curve if curve == P256 => Ok(PublicKey::P256(bytes)),
            curve if curve == P384 => Ok(PublicKey::P384(bytes)),
            curve if curve == P521 => Ok(PublicKey::P521(bytes)),
            curve => Err(Refused::because(format!("the curve {curve} is not understood"))),
        }
    }

    /// The mailboxes in the subject alternative name.
    pub(crate) fn mailboxes(&self) -> Result<Vec<String>, Refused> {
        let Some(names) = self.extension(&SUBJECT_ALTERNATIVE_NAME)? else { return Ok(Vec::new()) };
        let mut mailboxes = Vec::new();
        for name in asn1::parse_single::<SequenceOf<'_, Tlv<'_>>>(names)? {
            match name.tag().as_u8() {
                Some(RFC822_NAME) => {
                    let text = std::str::from_utf8(name.data()).ok().filter(|text| text.is_ascii());
                    mailboxes.push(text.ok_or_else(|| Refused::because("an rfc822Name is not ASCII"))?.to_owned());
                }
                Some(OTHER_NAME) => mailboxes.extend(smtp_utf8_mailbox(name.data())?),
                _ => {}
            }
        }
        Ok(mailboxes)
    }

    pub(crate) fn is_authority(&self) -> Result<bool, Refused> {
        let Some(constraints) = self.extension(&BASIC_CONSTRAINTS)? else { return Ok(false) };
        Ok(asn1::parse_single::<BasicConstraints>(constraints)?.authority)
    }

    pub(crate) fn is_issued_by(&self, issuer: &Certificate<'_>) -> Result<bool, Refused> {
        if self.fields.issuer.full_data() != issuer.fields.subject.full_data() {
            return Ok(false);
        }
        let key = issuer.public_key()?;
        let verified = UnparsedPublicKey::new(self.verification(&key)?, key.bytes())
            .verify(self.signed.full_data(), self.signature.as_bytes());
        Ok(verified.is_ok())
    }

    fn verification(&self, key: &PublicKey<'_>) -> Result<&'static dyn VerificationAlgorithm, Refused> {
        let oid = &self.signature_algorithm.oid;
        let known: &[(&ObjectIdentifier, &'static dyn VerificationAlgorithm)] = match key {
            PublicKey::Rsa(_) => &[
                (&SHA256_WITH_RSA, &signature::RSA_PKCS1_2048_8192_SHA256),
                (&SHA384_WITH_RSA, &signature::RSA_PKCS1_2048_8192_SHA384),
                (&SHA512_WITH_RSA, &signature::RSA_PKCS1_2048_8192_SHA512),
            ],
            PublicKey::P256(_) => &[
                (&ECDSA_WITH_SHA256, &signature::ECDSA_P256_SHA256_ASN1),
                (&ECDSA_WITH_SHA384, &signature::ECDSA_P256_SHA384_ASN1),
            ],
            PublicKey::P384(_) => &[
                (&ECDSA_WITH_SHA256, &signature::ECDSA_P384_SHA256_ASN1),
                (&ECDSA_WITH_SHA384, &signature::ECDSA_P384_SHA384_ASN1),
            ],
            PublicKey::P521(_) => &[(&ECDSA_WITH_SHA512, &signature::ECDSA_P521_SHA512_ASN1)],
        };
        known
            .iter()
            .find_map(|(known, algorithm)| (*known == oid).then_some(*algorithm))
            .ok_or_else(|| Refused::because(format!("a signature by {oid} is not understood")))
    }

    fn extension(&self, wanted: &ObjectIdentifier) -> Result<Option<&'a [u8]>, Refused> {
        let Some(extensions) = self.fields.extensions.clone() else { return Ok(None) };
        let mut found = extensions.filter(|extension| extension.oid == *wanted);
        let first = found.next().map(|extension| extension.value);
        if found.next().is_some() {
            return Err(Refused::because("a certificate has an extension twice"));
        }
        Ok(first)
    }
}

/// A public key: PKCS #1 for RSA, the uncompressed point for a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey<'a> {
    Rsa(&'a [u8]),
    P256(&'a [u8]),
    P384(&'a [u8]),
    P521(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Rsa(bytes) | Self::P256(bytes) | Self::P384(bytes) | Self::P521(bytes) => bytes,
        }
    }
}

/// RFC 9598: a mailbox with letters beside ASCII is an `otherName`.
fn smtp_utf8_mailbox(other_name: &[u8]) -> Result<Option<String>, Refused> {
    asn1::parse(other_name, |parser| {
        let kind: ObjectIdentifier = parser.read_element()?;
        let value: Tlv<'_> = parser.read_explicit_element(0)?;
        if kind != SMTP_UTF8_MAILBOX {
            return Ok(None);
        }
        Ok(Some(value.parse::<asn1::Utf8String<'_>>()?.as_str().to_owned()))
    })
}

#[derive(asn1::Asn1Read)]
struct Outer<'a> {
    signed: Tlv<'a>,
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: BitString<'a>,
}

#[derive(asn1::Asn1Read)]
#[expect(dead_code, reason = "DER has no optional reading order: what is skipped must be named")]
struct Fields<'a> {
    #[explicit(0)]
    version: Option<u8>,
    serial: BigInt<'a>,
    signature_algorithm: AlgorithmIdentifier<'a>,
    issuer: Tlv<'a>,
    validity: Validity,
    subject: Tlv<'a>,
    public_key: Tlv<'a>,
    #[implicit(1)]
    issuer_unique_id: Option<BitString<'a>>,
    #[implicit(2)]
    subject_unique_id: Option<BitString<'a>>,
    #[explicit(3)]
    extensions: Option<SequenceOf<'a, Extension<'a>>>,
}

#[derive(asn1::Asn1Read)]
struct Validity {
    not_before: Time,
    not_after: Time,
}

#[derive(asn1::Asn1Read)]
enum Time {
    Utc(asn1::UtcTime),
    Generalized(X509GeneralizedTime),
}

impl Time {
    fn timestamp(&self) -> Timestamp {
        let time = match self {
            Self::Utc(time) => time.as_datetime(),
            Self::Generalized(time) => time.as_datetime(),
        };
        let part = |value: u8| i8::try_from(value).unwrap_or(i8::MAX);
        i16::try_from(time.year())
            .ok()
            .and_then(|year| {
                civil::DateTime::new(
                    year,
                    part(time.month()),
                    part(time.day()),
                    part(time.hour()),
                    part(time.minute()),
                    part(time.second()),
                    0,
                )
                .ok()
            })
            .and_then(|time| TimeZone::UTC.to_timestamp(time).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

#[derive(asn1::Asn1Read)]
#[expect(dead_code, reason = "DER has no optional reading order: what is skipped must be named")]
struct Extension<'a> {
    oid: ObjectIdentifier,
    #[default(false)]
    critical: bool,
    value: &'a [u8],
}

#[derive(asn1::Asn1Read)]
#[expect(dead_code, reason = "DER has no optional reading order: what is skipped must be named")]
struct BasicConstraints {
    #[default(false)]
    authority: bool,
    path_length: Option<u64>,
}

#[derive(asn1::Asn1Read)]
struct PublicKeyInfo<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    key: BitString<'a>,
}

// Context-specific tags of GeneralName, RFC 5280 section 4.2.1.6.
const OTHER_NAME: u8 = 0xa0;
const RFC822_NAME: u8 = 0x81;

const BASIC_CONSTRAINTS: ObjectIdentifier = oid!(2, 5, 29, 19);
const EC: ObjectIdentifier = oid!(1, 2, 840, 10045, 2, 1);
const ECDSA_WITH_SHA256: ObjectIdentifier = oid!(1, 2, 840, 10045, 4, 3, 2);
const ECDSA_WITH_SHA384: ObjectIdentifier = oid!(1, 2, 840, 10045, 4, 3, 3);
const ECDSA_WITH_SHA512: ObjectIdentifier = oid!(1, 2, 840, 10045, 4, 3, 4);
const P256: ObjectIdentifier = oid!(1, 2, 840, 10045, 3, 1, 7);
const P384: ObjectIdentifier = oid!(1, 3, 132, 0, 34);
const P521: ObjectIdentifier = oid!(1, 3, 132, 0, 35);
const RSA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 1, 1);
const SHA256_WITH_RSA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 1, 11);
const SHA384_WITH_RSA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 1, 12);
const SHA512_WITH_RSA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 1, 13);
const SMTP_UTF8_MAILBOX: ObjectIdentifier = oid!(1, 3, 6, 1, 5, 5, 7, 8, 9);
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = oid!(2, 5, 29, 17);
