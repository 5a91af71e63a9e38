//! Finds the numbers of a key in whatever was pasted: taking off wrappings first, then telling what is inside.

use std::fmt;

use der::{Decode, Sequence, Tag, Tagged, asn1::UintRef};
use x509_parser::{
    oid_registry::OID_PKCS1_RSAENCRYPTION,
    prelude::{FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

use super::{ConnectorKeyProblem, blob, numbers::Numbers};
use crate::armor;

/// From what a key was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectorKeyForm {
    pub content: ConnectorKeyContent,
    pub wrapping: ConnectorKeyWrapping,
}

/// The structure that held the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorKeyContent {
    /// CNG's `RSAPUBLICBLOB`, what Export-IntunePublicKey writes.
    Blob,
    /// `SubjectPublicKeyInfo`, RFC 5280.
    PublicKeyInfo,
    /// `RSAPublicKey` of PKCS#1, RFC 8017.
    RsaPublicKey,
    /// An X.509 certificate, of which only the key counts.
    Certificate,
}

/// The outermost wrapping around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorKeyWrapping {
    Binary,
    Base64,
    Pem,
}

impl fmt::Display for ConnectorKeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.content {
            ConnectorKeyContent::Blob => "CNG key blob",
            ConnectorKeyContent::PublicKeyInfo => "public key (SubjectPublicKeyInfo)",
            ConnectorKeyContent::RsaPublicKey => "public key (PKCS#1)",
            ConnectorKeyContent::Certificate => "certificate",
        })?;
        f.write_str(match self.wrapping {
            ConnectorKeyWrapping::Binary => ", binary",
            ConnectorKeyWrapping::Base64 => ", base64",
            ConnectorKeyWrapping::Pem => ", PEM",
        })
    }
}

pub(super) fn read(input: &[u8]) -> Result<(Numbers, ConnectorKeyForm), ConnectorKeyProblem> {
    let (inner, wrapping) = unwrap(input)?;
    // `certutil -encode` puts a second wrapping around whatever file it is given, also around PEM.
    let (inner, _) = unwrap(&inner)?;
    let (numbers, content) = if blob::is_blob(&inner) {
        (blob::read(&inner)?, ConnectorKeyContent::Blob)
    } else if armor::is_der(&inner) {
        from_der(&inner)?
    } else {
        return Err(ConnectorKeyProblem::NotAKey);
    };
    Ok((numbers, ConnectorKeyForm { content, wrapping }))
}

/// Takes off one wrapping, if there is one.
fn unwrap(bytes: &[u8]) -> Result<(Vec<u8>, ConnectorKeyWrapping), ConnectorKeyProblem> {
    if blob::is_blob(bytes) || armor::is_der(bytes) {
        return Ok((bytes.to_vec(), ConnectorKeyWrapping::Binary));
    }
    let text = armor::text_of(bytes).ok_or(ConnectorKeyProblem::NotAKey)?;
    if text.trim().is_empty() {
        return Err(ConnectorKeyProblem::Empty);
    }
    if !armor::is_pem(&text) {
        let inner = armor::base64(&text).ok_or(ConnectorKeyProblem::NotAKey)?;
        return Ok((inner, ConnectorKeyWrapping::Base64));
    }
    let mut blocks = armor::pem_blocks(&text);
    if blocks.iter().any(|block| block.label.contains("PRIVATE KEY")) {
        return Err(ConnectorKeyProblem::PrivateKey);
    }
    let block = blocks.pop().ok_or(ConnectorKeyProblem::DamagedPem)?;
    if !blocks.is_empty() {
        return Err(ConnectorKeyProblem::Several);
    }
    if !matches!(block.label, "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" | "X509 CERTIFICATE") {
        return Err(ConnectorKeyProblem::OtherPem);
    }
    let inner = block.body.filter(|body| !body.is_empty()).ok_or(ConnectorKeyProblem::DamagedPem)?;
    Ok((inner, ConnectorKeyWrapping::Pem))
}

/// Tells the structures apart by the tags of their first fields, so that a private key is called one before anything
/// about it is called damaged.
fn from_der(bytes: &[u8]) -> Result<(Numbers, ConnectorKeyContent), ConnectorKeyProblem> {
    const SEQUENCE: Option<Tag> = Some(Tag::Sequence);
    const INTEGER: Option<Tag> = Some(Tag::Integer);
    const OCTETS: Option<Tag> = Some(Tag::OctetString);
    const BITS: Option<Tag> = Some(Tag::BitString);

    let (outer, rest) = first_element(bytes)?;
    if !rest.is_empty() {
        return Err(ConnectorKeyProblem::Trailing { extra: rest.len() as u64 });
    }
    let fields =
        armor::value_of(outer, Tag::Sequence).and_then(armor::elements).ok_or(ConnectorKeyProblem::DamagedDer)?;
    let tags: Vec<_> = fields.iter().map(|field| der::AnyRef::from_der(field).ok().map(|field| field.tag())).collect();
    match tags.as_slice() {
        [INTEGER, INTEGER] => Ok((from_rsa_public_key(outer)?, ConnectorKeyContent::RsaPublicKey)),
        [SEQUENCE, BITS] => Ok((from_public_key_info(outer)?, ConnectorKeyContent::PublicKeyInfo)),
        [SEQUENCE, SEQUENCE, BITS] => Ok((from_certificate(outer)?, ConnectorKeyContent::Certificate)),
        // PKCS#1, PKCS#8, SEC1 and encrypted PKCS#8.
        [INTEGER, INTEGER, INTEGER, ..]
        | [INTEGER, SEQUENCE, OCTETS, ..]
        | [INTEGER, OCTETS, ..]
        | [SEQUENCE, OCTETS] => Err(ConnectorKeyProblem::PrivateKey),
        [INTEGER, SEQUENCE, ..] => Err(ConnectorKeyProblem::Pfx),
        _ => Err(ConnectorKeyProblem::NotAKey),
    }
}

fn first_element(bytes: &[u8]) -> Result<(&[u8], &[u8]), ConnectorKeyProblem> {
    let (_, rest) = der::AnyRef::from_der_partial(bytes).map_err(|_| cut_off(bytes))?;
    Ok(bytes.split_at(bytes.len() - rest.len()))
}

/// The outer header says how long the whole should be.
fn cut_off(bytes: &[u8]) -> ConnectorKeyProblem {
    let found = bytes.len() as u64;
    let lengths = match bytes {
        [_, form @ 0x81..=0x84, lengths @ ..] => lengths.get(..usize::from(form & 0x0f)),
        _ => None,
    };
    let Some(lengths) = lengths else {
        return ConnectorKeyProblem::DamagedDer;
    };
    let value = lengths.iter().fold(0_u64, |length, byte| (length << 8) | u64::from(*byte));
    match 2 + lengths.len() as u64 + value {
        expected if expected > found => ConnectorKeyProblem::CutOff { expected, found },
        _ => ConnectorKeyProblem::DamagedDer,
    }
}

#[derive(Sequence)]
struct RsaPublicKeyFields<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn from_rsa_public_key(bytes: &[u8]) -> Result<Numbers, ConnectorKeyProblem> {
    let key = RsaPublicKeyFields::from_der(bytes).map_err(|_| ConnectorKeyProblem::DamagedDer)?;
    Ok(Numbers::new(key.modulus.as_bytes(), key.exponent.as_bytes()))
}

fn from_public_key_info(bytes: &[u8]) -> Result<Numbers, ConnectorKeyProblem> {
    let (_, info) = SubjectPublicKeyInfo::from_der(bytes).map_err(|_| ConnectorKeyProblem::DamagedDer)?;
    from_parsed(&info)
}

fn from_certificate(bytes: &[u8]) -> Result<Numbers, ConnectorKeyProblem> {
    let (_, certificate) = X509Certificate::from_der(bytes).map_err(|_| ConnectorKeyProblem::DamagedDer)?;
    from_parsed(certificate.public_key())
}

fn from_parsed(info: &SubjectPublicKeyInfo<'_>) -> Result<Numbers, ConnectorKeyProblem> {
    if info.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
        return Err(ConnectorKeyProblem::NotRsa);
    }
    from_rsa_public_key(&info.subject_public_key.data)
}
