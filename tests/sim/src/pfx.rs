//! Opens a PFX file (PKCS #12, RFC 7292) the way a strict device would.
//!
//! Two profiles are understood: 3DES with an HMAC-SHA1 MAC, and AES-256 with PBKDF2-HMAC-SHA256 and
//! an HMAC-SHA256 MAC. Everything else is refused, and so is a mix of the two.

mod der;

use std::{fmt, num::NonZeroU32};

use asn1::{ObjectIdentifier, SequenceOf, oid};
use aws_lc_rs::{
    cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    digest, hmac, pbkdf2,
};
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _, block_padding::Pkcs7};

pub(crate) use der::AlgorithmIdentifier;
use der::{
    CertificateBag, ContentInfo, EncryptedData, EncryptedPrivateKey, MacData, Outer, Pbes2Parameters, Pbkdf2Parameters,
    Pkcs12PbeParameters, SafeBag,
};

/// Fewer rounds make the password the weak point.
const LEAST_ITERATIONS: u64 = 2_048;
/// More rounds than any writer uses would only keep the device busy.
const MOST_ITERATIONS: u64 = 1_000_000;

/// What a PFX file holds: one private key with its certificate, and the certificates above it.
pub struct Pfx {
    pub profile: Profile,
    /// The private key as PKCS #8 DER.
    pub private_key: Vec<u8>,
    /// The certificate that the file itself ties to the key by `localKeyId`, as DER.
    pub leaf: Vec<u8>,
    /// The other certificates as DER, in the order of the file.
    pub chain: Vec<Vec<u8>>,
}

/// How the file is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `pbeWithSHAAnd3-KeyTripleDES-CBC` and HMAC-SHA1: every device opens it.
    Compatible,
    /// PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA256, and HMAC-SHA256: newer devices open it.
    Modern,
}

/// Why something was not accepted, as a sentence for whoever reads the judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl Refused {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<asn1::ParseError> for Refused {
    fn from(error: asn1::ParseError) -> Self {
        Self(format!("not DER of the expected form: {error}"))
    }
}

impl Pfx {
    /// Opens the file after checking its MAC.
    ///
    /// # Errors
    /// When the password is empty or wrong, the file was changed, or it uses anything beside the
    /// two profiles.
    pub fn open(file: &[u8], password: &str) -> Result<Self, Refused> {
        if password.is_empty() {
            return Err(Refused::because("the PFX password is empty"));
        }
        let outer: Outer<'_> = asn1::parse_single(file)?;
        if outer.version != 3 {
            return Err(Refused::because("a PFX file has version 3"));
        }
        let content = outer.auth_safe.octets(&DATA)?;
        let profile = check_mac(outer.mac.as_ref(), content, password)?;
        let mut bags = Bags::default();
        for safe in asn1::parse_single::<SequenceOf<'_, ContentInfo<'_>>>(content)? {
            let decrypted;
            let safe_contents = if safe.content_type == DATA {
                safe.octets(&DATA)?
            } else {
                decrypted = decrypt_safe(&safe, password, profile)?;
                &decrypted
            };
            let encrypted = safe.content_type != DATA;
            for bag in asn1::parse_single::<SequenceOf<'_, SafeBag<'_>>>(safe_contents)? {
                bags.take(&bag, encrypted, password, profile)?;
            }
        }
        bags.into_pfx(profile)
    }
}

#[derive(Default)]
struct Bags {
    keys: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    certificates: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Bags {
    fn take(&mut self, bag: &SafeBag<'_>, encrypted: bool, password: &str, profile: Profile) -> Result<(), Refused> {
        let local_key_id = bag.local_key_id()?;
        if bag.bag_id == SHROUDED_KEY_BAG {
            let shrouded: EncryptedPrivateKey<'_> = bag.value.as_inner().parse()?;
            let key = decrypt(&shrouded.algorithm, shrouded.encrypted, password, profile)?;
            self.keys.push((key, local_key_id));
            return Ok(());
        }
        if bag.bag_id != CERTIFICATE_BAG {
            return Err(Refused::because(format!("a bag of type {} is not understood", bag.bag_id)));
        }
        if !encrypted {
            return Err(Refused::because("the certificates are not encrypted"));
        }
        let certificate: CertificateBag<'_> = bag.value.as_inner().parse()?;
        if certificate.certificate_type != X509_CERTIFICATE {
            return Err(Refused::because("a certificate is not an X.509 certificate"));
        }
        self.certificates.push((certificate.value.as_inner().to_vec(), local_key_id));
        Ok(())
    }

    fn into_pfx(mut self, profile: Profile) -> Result<Pfx, Refused> {
        let Some((private_key, key_id)) = self.keys.pop() else {
            return Err(Refused::because("the PFX holds no private key"));
        };
        if !self.keys.is_empty() {
            return Err(Refused::because("the PFX holds more than one private key"));
        }
        let key_id = key_id.ok_or_else(|| Refused::because("the key has no localKeyId"))?;
        let (mut leaves, others): (Vec<_>, Vec<_>) =
            self.certificates.into_iter().partition(|(_, id)| id.as_ref() == Some(&key_id));
        let Some((leaf, _)) = leaves.pop() else {
            return Err(Refused::because("no certificate has the localKeyId of the key"));
        };
        if !leaves.is_empty() {
            return Err(Refused::because("two certificates have the localKeyId of the key"));
        }
        let chain = others.into_iter().map(|(certificate, _)| certificate).collect();
        Ok(Pfx { profile, private_key, leaf, chain })
    }
}

fn check_mac(mac: Option<&MacData<'_>>, content: &[u8], password: &str) -> Result<Profile, Refused> {
    let mac = mac.ok_or_else(|| Refused::because("the PFX has no MAC"))?;
    let (profile, hash, algorithm) = match &mac.mac.algorithm.oid {
        oid if *oid == SHA1 => {
            (Profile::Compatible, &digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)
        }
        oid if *oid == SHA256 => (Profile::Modern, &digest::SHA256, hmac::HMAC_SHA256),
        other => return Err(Refused::because(format!("a MAC by {other} is not understood"))),
    };
    let iterations = checked_iterations(mac.iterations)?;
    let key = pkcs12_key(hash, MAC_KEY, password, mac.salt, iterations, hash.output_len());
    hmac::verify(&hmac::Key::new(algorithm, &key), content, mac.mac.digest)
        .map_err(|_| Refused::because("the MAC does not match: wrong password or changed file"))?;
    Ok(profile)
}

fn decrypt_safe(safe: &ContentInfo<'_>, password: &str, profile: Profile) -> Result<Vec<u8>, Refused> {
    if safe.content_type != ENCRYPTED_DATA {
        return Err(Refused::because(format!("content of type {} is not understood", safe.content_type)));
    }
    let encrypted: EncryptedData<'_> = safe.content()?.parse()?;
    let info = &encrypted.info;
    if encrypted.version != 0 || info.content_type != DATA {
        return Err(Refused::because("encrypted content of this kind is not understood"));
    }
    let bytes = info.encrypted.ok_or_else(|| Refused::because("the encrypted content is missing"))?;
    decrypt(&info.algorithm, bytes, password, profile)
}

fn decrypt(
    algorithm: &AlgorithmIdentifier<'_>,
    bytes: &[u8],
    password: &str,
    profile: Profile,
) -> Result<Vec<u8>, Refused> {
    let (found, plain) = match &algorithm.oid {
        oid if *oid == PBE_SHA1_3DES => (Profile::Compatible, decrypt_3des(algorithm, bytes, password)?),
        oid if *oid == PBES2 => (Profile::Modern, decrypt_pbes2(algorithm, bytes, password)?),
        oid if *oid == PBE_SHA1_RC2_40 || *oid == PBE_SHA1_RC2_128 => {
            return Err(Refused::because("RC2 protects nothing"));
        }
        other => return Err(Refused::because(format!("encryption by {other} is not understood"))),
    };
    if found != profile {
        return Err(Refused::because("the encryption and the MAC are of different profiles"));
    }
    Ok(plain)
}

fn decrypt_3des(algorithm: &AlgorithmIdentifier<'_>, bytes: &[u8], password: &str) -> Result<Vec<u8>, Refused> {
    let parameters: Pkcs12PbeParameters<'_> = algorithm.parameters()?.parse()?;
    let iterations = checked_iterations(parameters.iterations)?;
    let derive = |purpose, length| {
        let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        pkcs12_key(hash, purpose, password, parameters.salt, iterations, length)
    };
    let mut plain = bytes.to_vec();
    let length =
        cbc::Decryptor::<des::TdesEde3>::new_from_slices(&derive(ENCRYPTION_KEY, 24), &derive(INITIAL_VECTOR, 8))
            .expect("3DES has a key of 24 and a block of 8 bytes")
            .decrypt_padded::<Pkcs7>(&mut plain)
            .map_err(|_| Refused::because("the encrypted content has no valid padding"))?
            .len();
    plain.truncate(length);
    Ok(plain)
}

fn decrypt_pbes2(algorithm: &AlgorithmIdentifier<'_>, bytes: &[u8], password: &str) -> Result<Vec<u8>, Refused> {
    let parameters: Pbes2Parameters<'_> = algorithm.parameters()?.parse()?;
    if parameters.derivation.oid != PBKDF2 || parameters.encryption.oid != AES_256_CBC {
        return Err(Refused::because("PBES2 is understood with PBKDF2 and AES-256-CBC only"));
    }
    let derivation: Pbkdf2Parameters<'_> = parameters.derivation.parameters()?.parse()?;
    if derivation.function.as_ref().is_none_or(|function| function.oid != HMAC_WITH_SHA256) {
        return Err(Refused::because("PBKDF2 is understood with HMAC-SHA256 only"));
    }
    if derivation.key_length.is_some_and(|length| length != 32) {
        return Err(Refused::because("an AES-256 key has 32 bytes"));
    }
    let iterations = checked_iterations(derivation.iterations)?;
    let vector: &[u8] = parameters.encryption.parameters()?.parse()?;
    let vector: [u8; 16] = vector.try_into().map_err(|_| Refused::because("an AES initial vector has 16 bytes"))?;
    let mut key = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        NonZeroU32::new(iterations).expect("at least LEAST_ITERATIONS"),
        derivation.salt,
        password.as_bytes(),
        &mut key,
    );
    let key = UnboundCipherKey::new(&AES_256, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .expect("AES-256 takes 32 bytes");
    let mut plain = bytes.to_vec();
    let length = key
        .decrypt(&mut plain, DecryptionContext::Iv128(vector.into()))
        .map_err(|_| Refused::because("the encrypted content has no valid padding"))?
        .len();
    plain.truncate(length);
    Ok(plain)
}

fn checked_iterations(iterations: u64) -> Result<u32, Refused> {
    if iterations < LEAST_ITERATIONS {
        return Err(Refused::because(format!("{iterations} iterations are too few")));
    }
    if iterations > MOST_ITERATIONS {
        return Err(Refused::because(format!("{iterations} iterations are too many")));
    }
    u32::try_from(iterations).map_err(|_| Refused::because("too many iterations"))
}

// The diversifiers of RFC 7292, appendix B.3.
const ENCRYPTION_KEY: u8 = 1;
const INITIAL_VECTOR: u8 = 2;
const MAC_KEY: u8 = 3;

/// RFC 7292, appendix B.2, with the variable names of the RFC.
fn pkcs12_key(
    hash: &'static digest::Algorithm,
    diversifier: u8,
    password: &str,
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Vec<u8> {
    let v = hash.block_len();
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().cycle().take(bytes.len().div_ceil(v) * v).collect() };
    let mut i = [filled(salt), filled(&password)].concat();
    let d = vec![diversifier; v];
    let mut key = Vec::with_capacity(length);
    while key.len() < length {
        let mut a = digest::digest(hash, &[d.as_slice(), &i].concat());
        for _ in 1..iterations {
            a = digest::digest(hash, a.as_ref());
        }
        key.extend_from_slice(a.as_ref());
        let b: Vec<u8> = a.as_ref().iter().copied().cycle().take(v).collect();
        for block in i.chunks_exact_mut(v) {
            add_plus_one(block, &b);
        }
    }
    key.truncate(length);
    key
}

/// `block = (block + b + 1) mod 2^(8v)`, both big-endian.
fn add_plus_one(block: &mut [u8], b: &[u8]) {
    let mut carry = 1;
    for (byte, added) in block.iter_mut().zip(b).rev() {
        let sum = u16::from(*byte) + u16::from(*added) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

const AES_256_CBC: ObjectIdentifier = oid!(2, 16, 840, 1, 101, 3, 4, 1, 42);
const CERTIFICATE_BAG: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 12, 10, 1, 3);
const DATA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 7, 1);
const ENCRYPTED_DATA: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 7, 6);
const HMAC_WITH_SHA256: ObjectIdentifier = oid!(1, 2, 840, 113549, 2, 9);
const LOCAL_KEY_ID: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 9, 21);
const PBES2: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 5, 13);
const PBE_SHA1_3DES: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 12, 1, 3);
const PBE_SHA1_RC2_128: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 12, 1, 5);
const PBE_SHA1_RC2_40: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 12, 1, 6);
const PBKDF2: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 5, 12);
const SHA1: ObjectIdentifier = oid!(1, 3, 14, 3, 2, 26);
const SHA256: ObjectIdentifier = oid!(2, 16, 840, 1, 101, 3, 4, 2, 1);
const SHROUDED_KEY_BAG: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 12, 10, 1, 2);
const X509_CERTIFICATE: ObjectIdentifier = oid!(1, 2, 840, 113549, 1, 9, 22, 1);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
