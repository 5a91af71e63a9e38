//! Subject public keys: which are accepted (S/MIME BR 6.1.5), and whether a signature is theirs.

use asn1::{Asn1Read, ObjectIdentifier, oid};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rcgen::SignatureAlgorithm;

use super::Problem;

/// A subject's public key: its algorithm and the bits of its subjectPublicKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub algorithm: KeyAlgorithm,
    pub bits: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    Rsa,
    P256,
    P384,
    P521,
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// Only the key's own half of the algorithm ends up in a certificate.
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.algorithm {
            KeyAlgorithm::Rsa => &rcgen::PKCS_RSA_SHA256,
            KeyAlgorithm::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
        }
    }
}

impl PublicKey {
    pub(super) fn read(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, Problem> {
        if info.bits.padding_bits() != 0 {
            return Err(Problem("its public key does not end at a byte"));
        }
        let bits = info.bits.as_bytes().to_vec();
        let algorithm = match &info.algorithm.algorithm {
            kind if *kind == RSA_ENCRYPTION => {
                must_be_null(info.algorithm.parameters.as_ref())?;
                must_be_strong(&bits)?;
                KeyAlgorithm::Rsa
            }
            kind if *kind == EC_PUBLIC_KEY => named_curve(info.algorithm.parameters.as_ref())?,
            _ => return Err(Problem("its key is neither RSA nor on a NIST curve")),
        };
        Ok(Self { algorithm, bits })
    }

    /// Checks a signature by this key.
    pub(super) fn verify(
        &self,
        algorithm: &AlgorithmIdentifier<'_>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Problem> {
        let is = |arc: ObjectIdentifier| algorithm.algorithm == arc;
        let verifier: &'static dyn VerificationAlgorithm = match self.algorithm {
            KeyAlgorithm::Rsa => {
                must_be_null(algorithm.parameters.as_ref())?;
                if is(oid!(1, 2, 840, 113549, 1, 1, 11)) {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                } else if is(oid!(1, 2, 840, 113549, 1, 1, 12)) {
                    &signature::RSA_PKCS1_2048_8192_SHA384
                } else if is(oid!(1, 2, 840, 113549, 1, 1, 13)) {
                    &signature::RSA_PKCS1_2048_8192_SHA512
                } else {
                    return Err(Problem("its signature is not RSA PKCS#1 v1.5 with SHA-2"));
                }
            }
            curve => {
                if algorithm.parameters.is_some() {
                    return Err(Problem("its ECDSA signature has parameters"));
                }
                match curve {
                    KeyAlgorithm::P256 if is(oid!(1, 2, 840, 10045, 4, 3, 2)) => &signature::ECDSA_P256_SHA256_ASN1,
                    KeyAlgorithm::P384 if is(oid!(1, 2, 840, 10045, 4, 3, 3)) => &signature::ECDSA_P384_SHA384_ASN1,
                    KeyAlgorithm::P521 if is(oid!(1, 2, 840, 10045, 4, 3, 4)) => &signature::ECDSA_P521_SHA512_ASN1,
                    _ => return Err(Problem("its ECDSA hash does not suit its curve")),
                }
            }
        };
        UnparsedPublicKey::new(verifier, &self.bits)
            .verify(signed, signature)
            .map_err(|_| Problem("its own signature does not hold"))
    }
}

#[derive(Asn1Read)]
pub(super) struct SubjectPublicKeyInfo<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    bits: asn1::BitString<'a>,
}

#[derive(Asn1Read)]
pub(super) struct AlgorithmIdentifier<'a> {
    algorithm: ObjectIdentifier,
    parameters: Option<asn1::Tlv<'a>>,
}

#[derive(Asn1Read)]
struct RsaPublicKey<'a> {
    modulus: asn1::BigUint<'a>,
    exponent: u64,
}

const RSA_ENCRYPTION: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 1, 1);
const EC_PUBLIC_KEY: ObjectIdentifier = oid!(1, 2, 840, 10045, 2, 1);

/// S/MIME BR 6.1.5: at least 2048 bits, a multiple of 8, and an odd exponent of at least 65537.
fn must_be_strong(bits: &[u8]) -> Result<(), Problem> {
    let key: RsaPublicKey<'_> = asn1::parse_single(bits).map_err(|_| Problem("its RSA key is unreadable"))?;
    let modulus = key.modulus.as_bytes();
    let first = modulus.iter().position(|byte| *byte != 0).unwrap_or(modulus.len());
    let modulus = &modulus[first..];
    let length = modulus.first().map_or(0, |byte| modulus.len() * 8 - byte.leading_zeros() as usize);
    if length < 2048 {
        return Err(Problem("its RSA key is shorter than 2048 bits"));
    }
    if !length.is_multiple_of(8) || key.exponent < 65537 || key.exponent.is_multiple_of(2) {
        return Err(Problem("its RSA key has an unusual modulus or exponent"));
    }
    Ok(())
}

fn named_curve(parameters: Option<&asn1::Tlv<'_>>) -> Result<KeyAlgorithm, Problem> {
    let curve: ObjectIdentifier =
        parameters.and_then(|curve| curve.parse().ok()).ok_or(Problem("its elliptic curve has no name"))?;
    match curve {
        curve if curve == oid!(1, 2, 840, 10045, 3, 1, 7) => Ok(KeyAlgorithm::P256),
        curve if curve == oid!(1, 3, 132, 0, 34) => Ok(KeyAlgorithm::P384),
        curve if curve == oid!(1, 3, 132, 0, 35) => Ok(KeyAlgorithm::P521),
        _ => Err(Problem("its elliptic curve is not P-256, P-384 or P-521")),
    }
}

fn must_be_null(parameters: Option<&asn1::Tlv<'_>>) -> Result<(), Problem> {
    parameters.and_then(|null| null.parse::<()>().ok()).ok_or(Problem("its RSA algorithm lacks the NULL parameters"))
}
