//! The public key of an organisation's Intune Certificate Connector, which only ever seals PFX passwords.
//!
//! Nothing in Graph tells when this key is wrong: records are accepted and no device can open them. So every form that
//! administrators paste is read, and everything doubtful is refused with what to do about it.

mod blob;
mod numbers;
mod problem;
mod reading;

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::keys::SealingPadding;
use rsa::{
    Oaep, RsaPublicKey,
    pkcs8::EncodePublicKey,
    rand_core::{self, CryptoRng, RngCore},
};
use sha2_for_oaep::{Sha256, Sha384, Sha512};

use self::{numbers::Numbers, reading::read};
pub use self::{
    problem::ConnectorKeyProblem,
    reading::{ConnectorKeyContent, ConnectorKeyForm, ConnectorKeyWrapping},
};
use crate::{Error, PfxPassword, hash};

/// An RSA public key that was found sound and has sealed once.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorKey {
    key: RsaPublicKey,
    numbers: Numbers,
    fingerprint: String,
    form: ConnectorKeyForm,
}

impl ConnectorKey {
    /// Bytes that are read at most: four times the largest key as UTF-16 base64.
    pub const LARGEST_INPUT: usize = 64 * 1024;

    /// Reads the file or text that the connector's administrator has.
    pub fn parse(input: &[u8]) -> Result<Self, ConnectorKeyProblem> {
        if input.len() > Self::LARGEST_INPUT {
            return Err(ConnectorKeyProblem::TooLarge);
        }
        let (numbers, form) = read(input)?;
        let key = numbers.to_key()?;
        let public_key_info = key.to_public_key_der().map_err(|_| ConnectorKeyProblem::Useless)?;
        let fingerprint = hash::sha256_hex(public_key_info.as_bytes());
        let key = Self { key, numbers, fingerprint, form };
        // What cannot seal now could not seal a password after money was spent.
        key.seal(b"trial", SealingPadding::OaepSha512).map_err(|_| ConnectorKeyProblem::Useless)?;
        Ok(key)
    }

    /// SHA-256 of the DER `SubjectPublicKeyInfo` in lower-case hexadecimal: the same for every form of one key.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Length of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.numbers.bits()
    }

    /// What it was read from, to show beside the fingerprint.
    pub fn form(&self) -> ConnectorKeyForm {
        self.form
    }

    /// The one form in which a key is stored: base64 of the CNG blob, in one line.
    pub fn to_blob_base64(&self) -> String {
        BASE64_STANDARD.encode(blob::write(&self.numbers))
    }

    /// Seals a PFX password as Graph's `encryptedPfxPassword`: RSA-OAEP with one digest for both hash and mask, an empty
    /// label, and base64 in one line. Big-endian as RSA has it, unlike the old CryptoAPI.
    pub fn seal_password(&self, password: &PfxPassword, padding: SealingPadding) -> Result<String, Error> {
        let sealed =
            self.seal(password.expose().as_bytes(), padding).map_err(|_| Error::library("sealing the password"))?;
        Ok(BASE64_STANDARD.encode(sealed))
    }

    fn seal(&self, plaintext: &[u8], padding: SealingPadding) -> rsa::Result<Vec<u8>> {
        let padding = match padding {
            SealingPadding::OaepSha256 => Oaep::new::<Sha256>(),
            SealingPadding::OaepSha384 => Oaep::new::<Sha384>(),
            SealingPadding::OaepSha512 => Oaep::new::<Sha512>(),
        };
        self.key.encrypt(&mut AwsLcRandom, padding, plaintext)
    }
}

/// AWS-LC's generator behind the trait that `rsa` asks for.
struct AwsLcRandom;

impl CryptoRng for AwsLcRandom {}

impl RngCore for AwsLcRandom {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        hash::fill_random(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl fmt::Debug for ConnectorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectorKey({} bits, {})", self.bits(), self.fingerprint)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
