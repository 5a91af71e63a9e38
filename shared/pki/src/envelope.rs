//! Sealed values: AES-256-GCM under a data key, bound to where they belong. A row that is copied to another person,
//! integration or purpose does not open, and neither does one of which a bit changed.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{EnrollmentId, IntegrationId};
use zeroize::Zeroizing;

use crate::{Error, PrivateKey};

/// The format of [`SealedBytes`]: version, nonce, ciphertext with its tag.
const FORMAT: u8 = 1;
const TAG_LENGTH: usize = 16;

/// Set before the bound fields, so that no other use of the same key can produce the same associated data.
const ASSOCIATED_DATA_LABEL: &[u8] = b"intune-smime sealed value";

/// A key that a vault made, for the values of one integration. Nonces are random, so one key is for at most 2³² values
/// (NIST SP 800-38D 8.3).
pub struct DataKey(Zeroizing<[u8; 32]>);

/// Where a sealed value belongs. All of it is needed, unchanged, to open the value again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingContext {
    pub integration: IntegrationId,
    /// The id of the one thing inside the integration that the value is of.
    pub subject: String,
    /// What the value is, such as `private-key`.
    pub purpose: &'static str,
    /// Of the value's own format; a new format is a new version.
    pub version: u8,
}

/// A sealed value. Public: without the data key it says nothing but its length.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes {
    nonce: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
}

impl DataKey {
    pub const LENGTH: usize = 32;

    /// Takes the bytes over; the caller's copy should be a zeroizing one.
    pub fn new(bytes: Zeroizing<[u8; Self::LENGTH]>) -> Self {
        Self(bytes)
    }

    /// For vaults that hand out slices.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; Self::LENGTH]);
        if bytes.len() != Self::LENGTH {
            return Err(Error::DataKeyLength { found: bytes.len() });
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.as_slice()).map_err(|_| Error::library("preparing the data key"))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

impl SealingContext {
    /// Of a value that belongs to one enrollment.
    pub fn of_enrollment(integration: IntegrationId, enrollment: EnrollmentId, purpose: &'static str) -> Self {
        Self { integration, subject: enrollment.to_string(), purpose, version: 1 }
    }

    /// Of a value that the whole integration shares.
    pub fn of_integration(integration: IntegrationId, purpose: &'static str) -> Self {
        Self { integration, subject: integration.to_string(), purpose, version: 1 }
    }

    /// Every field behind its length, so that no two contexts are the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let integration = self.integration.0.as_bytes().as_slice();
        let version = [self.version];
        let mut data = Vec::new();
        for field in
            [ASSOCIATED_DATA_LABEL, &[FORMAT], integration, self.subject.as_bytes(), self.purpose.as_bytes(), &version]
        {
            data.extend((field.len() as u64).to_be_bytes());
            data.extend(field);
        }
        data
    }
}

impl SealedBytes {
    /// One byte of version, twelve of nonce, then the ciphertext with its 16 bytes of tag.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[FORMAT], self.nonce.as_slice(), &self.ciphertext].concat()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (version, rest) = bytes.split_first().ok_or(Error::DoesNotOpen)?;
        if *version != FORMAT {
            return Err(Error::UnknownVersion { found: *version, known: FORMAT });
        }
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(Error::DoesNotOpen)?;
        if ciphertext.len() < TAG_LENGTH {
            return Err(Error::DoesNotOpen);
        }
        Ok(Self { nonce: *nonce, ciphertext: ciphertext.to_vec() })
    }

    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.to_bytes())
    }

    pub fn from_base64(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&BASE64_STANDARD.decode(text).map_err(|_| Error::DoesNotOpen)?)
    }
}

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBytes({} bytes)", self.ciphertext.len())
    }
}

/// Seals `plaintext` for `context`.
pub fn seal(key: &DataKey, context: &SealingContext, plaintext: &[u8]) -> Result<SealedBytes, Error> {
    let failed = |_| Error::library("sealing");
    // With room for the tag from the start: a vector that grew would leave the plaintext behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_LENGTH));
    buffer.extend_from_slice(plaintext);
    let associated_data = Aad::from(context.associated_data());
    let nonce = key.cipher()?.seal_in_place_append_tag(associated_data, &mut *buffer).map_err(failed)?;
    Ok(SealedBytes { nonce: *nonce.as_ref(), ciphertext: std::mem::take(&mut *buffer) })
}

/// Opens what was sealed for exactly this context.
pub fn open(key: &DataKey, context: &SealingContext, sealed: &SealedBytes) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut buffer = Zeroizing::new(sealed.ciphertext.clone());
    let associated_data = Aad::from(context.associated_data());
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let length =
        key.cipher()?.open_in_place(nonce, associated_data, &mut buffer).map_err(|_| Error::DoesNotOpen)?.len();
    buffer.truncate(length);
    Ok(buffer)
}

/// Seals the PKCS#8 form of a private key.
pub fn seal_private_key(
    key: &DataKey,
    context: &SealingContext,
    private_key: &PrivateKey,
) -> Result<SealedBytes, Error> {
    seal(key, context, &private_key.pkcs8()?)
}

/// Opens what [`seal_private_key`] sealed.
pub fn open_private_key(key: &DataKey, context: &SealingContext, sealed: &SealedBytes) -> Result<PrivateKey, Error> {
    PrivateKey::from_pkcs8(&open(key, context, sealed)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use domain::KeyAlgorithm;
    use proptest::prelude::*;

    use super::*;

    const INTEGRATION: &str = "018f0000-0000-7000-8000-000000000001";
    const ENROLLMENT: &str = "018f0000-0000-7000-8000-000000000002";
    const OTHER: &str = "018f0000-0000-7000-8000-000000000003";

    fn data_key(byte: u8) -> DataKey {
        DataKey::new(Zeroizing::new([byte; 32]))
    }

    fn context() -> SealingContext {
        SealingContext::of_enrollment(INTEGRATION.parse().unwrap(), ENROLLMENT.parse().unwrap(), "private-key")
    }

    #[test]
    fn a_sealed_private_key_opens_where_it_belongs() {
        let private_key = PrivateKey::generate(KeyAlgorithm::P256).unwrap();
        let sealed = seal_private_key(&data_key(1), &context(), &private_key).unwrap();
        let stored = SealedBytes::from_base64(&sealed.to_base64()).unwrap();
        let opened = open_private_key(&data_key(1), &context(), &stored).unwrap();
        assert_eq!(opened.public_key_info(), private_key.public_key_info());
    }

    #[test]
    fn a_row_copied_elsewhere_does_not_open() {
        let sealed = seal(&data_key(1), &context(), b"secret").unwrap();
        let elsewhere = [
            SealingContext { integration: OTHER.parse().unwrap(), ..context() },
            SealingContext { subject: OTHER.into(), ..context() },
            SealingContext { purpose: "refresh-token", ..context() },
            SealingContext { version: 2, ..context() },
            // The same letters, divided in another place.
            SealingContext { subject: format!("{ENROLLMENT}p"), purpose: "rivate-key", ..context() },
        ];
        for context in elsewhere {
            assert_eq!(open(&data_key(1), &context, &sealed).unwrap_err(), Error::DoesNotOpen, "{context:?}");
        }
        assert_eq!(open(&data_key(2), &context(), &sealed).unwrap_err(), Error::DoesNotOpen);
    }

    #[test]
    fn no_bit_can_change() {
        let bytes = seal(&data_key(1), &context(), b"secret").unwrap().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let opened = SealedBytes::from_bytes(&damaged).and_then(|sealed| open(&data_key(1), &context(), &sealed));
            assert!(opened.is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            let opened =
                SealedBytes::from_bytes(&bytes[..length]).and_then(|sealed| open(&data_key(1), &context(), &sealed));
            assert_eq!(opened.unwrap_err(), Error::DoesNotOpen, "{length} bytes");
        }
    }

    #[test]
    fn an_unknown_version_is_refused_by_its_number() {
        let mut bytes = seal(&data_key(1), &context(), b"secret").unwrap().to_bytes();
        bytes[0] = 7;
        assert_eq!(SealedBytes::from_bytes(&bytes), Err(Error::UnknownVersion { found: 7, known: 1 }));
    }

    /// Sealed by the first release; it has to open for as long as rows of that release exist.
    #[test]
    fn a_value_of_the_first_release_still_opens() {
        let stored = include_str!("../fixtures/sealed-v1.txt").trim_end();
        let opened = open(&data_key(1), &context(), &SealedBytes::from_base64(stored).unwrap()).unwrap();
        assert_eq!(opened.as_slice(), b"sealed by the first release");
    }

    #[test]
    fn one_value_sealed_twice_differs_and_debug_shows_no_key() {
        let seal = || seal(&data_key(1), &context(), b"secret").unwrap();
        assert_ne!(seal(), seal());
        assert_eq!(format!("{:?}", data_key(0x41)), "DataKey([redacted])");
        assert_eq!(format!("{:?}", seal()), "SealedBytes(22 bytes)");
    }

    #[test]
    fn a_data_key_has_32_bytes() {
        assert!(DataKey::from_slice(&[1; 32]).is_ok());
        assert_eq!(DataKey::from_slice(&[1; 16]).unwrap_err(), Error::DataKeyLength { found: 16 });
    }

    proptest! {
        #[test]
        fn anything_sealed_opens_unchanged(plaintext in proptest::collection::vec(any::<u8>(), 0..500)) {
            let sealed = seal(&data_key(1), &context(), &plaintext).unwrap();
            prop_assert_eq!(SealedBytes::from_bytes(&sealed.to_bytes()).unwrap(), sealed.clone());
            let opened = open(&data_key(1), &context(), &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext);
        }

        #[test]
        fn no_bytes_open_that_were_not_sealed(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            let opened = SealedBytes::from_bytes(&bytes).and_then(|sealed| open(&data_key(1), &context(), &sealed));
            prop_assert!(opened.is_err());
            let marked = [&[FORMAT], bytes.as_slice()].concat();
            let opened = SealedBytes::from_bytes(&marked).and_then(|sealed| open(&data_key(1), &context(), &sealed));
            prop_assert!(opened.is_err());
            prop_assert!(SealedBytes::from_base64(&text).is_err());
        }
    }
}
