//! The key of one certificate: generated here, used here, and leaving only as PKCS#8 into the envelope or the PFX.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use domain::KeyAlgorithm;
use zeroize::Zeroizing;

use crate::Error;

/// A private key. AWS-LC keeps it and overwrites it on drop; `Debug` shows the algorithm and nothing else.
pub struct PrivateKey {
    pair: Pair,
    algorithm: KeyAlgorithm,
    public_key_info: Vec<u8>,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl PrivateKey {
    /// Makes a new key with the system's randomness. An RSA key costs 50 to 200 ms of processor time.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, Error> {
        let failed = |_| Error::library("key generation");
        let rsa = |size| RsaKeyPair::generate(size).map(Pair::Rsa).map_err(failed);
        Self::from_pair(match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048)?,
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072)?,
            KeyAlgorithm::P256 => Pair::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?),
        })
    }

    /// Reads what [`PrivateKey::pkcs8`] wrote. The numbers are checked against each other.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Error> {
        let pair = if let Ok(pair) = RsaKeyPair::from_pkcs8(pkcs8) {
            Pair::Rsa(pair)
        } else {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
                .map(Pair::P256)
                .map_err(|_| Error::NotAPrivateKey)?
        };
        Self::from_pair(pair)
    }

    fn from_pair(pair: Pair) -> Result<Self, Error> {
        let algorithm = match &pair {
            Pair::Rsa(pair) => match pair.public_modulus_len() {
                256 => KeyAlgorithm::Rsa2048,
                384 => KeyAlgorithm::Rsa3072,
                _ => return Err(Error::NotAPrivateKey),
            },
            Pair::P256(_) => KeyAlgorithm::P256,
        };
        let public_key_info: Result<PublicKeyX509Der<'_>, _> = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::P256(pair) => pair.public_key().as_der(),
        };
        let public_key_info = public_key_info.map_err(|_| Error::library("writing the public key"))?.as_ref().to_vec();
        Ok(Self { pair, algorithm, public_key_info })
    }

    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half as DER `SubjectPublicKeyInfo` (RFC 5280 4.1.2.7): what a certificate is matched by.
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The private half as PKCS#8 DER (RFC 5208). The caller holds the only copy, and it is overwritten on drop.
    pub fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |_| Error::library("writing the private key");
        Ok(Zeroizing::new(match &self.pair {
            Pair::Rsa(pair) => {
                let document: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                document.as_ref().to_vec()
            }
            Pair::P256(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
        }))
    }

    /// Signs with SHA-256: PKCS#1 v1.5 for RSA, ECDSA in its DER form for P-256.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |_| Error::library("signing");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::P256(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;
    use crate::testing::{in_directory, openssl};

    const ALL: [KeyAlgorithm; 3] = [KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa3072, KeyAlgorithm::P256];

    #[test]
    fn a_key_survives_pkcs8() {
        for algorithm in ALL {
            let key = PrivateKey::generate(algorithm).unwrap();
            let again = PrivateKey::from_pkcs8(&key.pkcs8().unwrap()).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.public_key_info(), key.public_key_info());
        }
    }

    #[test]
    fn openssl_finds_every_key_sound_and_agrees_on_its_public_half() {
        for algorithm in ALL {
            let key = PrivateKey::generate(algorithm).unwrap();
            in_directory(|directory| {
                std::fs::write(directory.join("key.der"), key.pkcs8().unwrap()).unwrap();
                openssl(directory, "pkey -inform DER -in key.der -check -noout");
                openssl(directory, "pkey -inform DER -in key.der -pubout -outform DER -out public.der");
                assert_eq!(std::fs::read(directory.join("public.der")).unwrap(), key.public_key_info());
            });
        }
    }

    #[test]
    fn two_keys_are_never_the_same() {
        let key = || PrivateKey::generate(KeyAlgorithm::P256).unwrap();
        assert_ne!(key().public_key_info(), key().public_key_info());
    }

    #[test]
    fn debug_shows_no_number_of_the_key() {
        let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey { algorithm: Rsa2048, .. }");
    }

    #[test]
    fn other_keys_and_other_bytes_are_refused() {
        in_directory(|directory| {
            for kind in [
                "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
                "-algorithm ED25519",
                "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            ] {
                openssl(directory, &format!("genpkey {kind} -outform DER -out other.pem"));
                openssl(directory, "pkcs8 -topk8 -nocrypt -inform DER -in other.pem -outform DER -out other.der");
                let other = std::fs::read(directory.join("other.der")).unwrap();
                assert_eq!(PrivateKey::from_pkcs8(&other).unwrap_err(), Error::NotAPrivateKey, "{kind}");
            }
        });
        assert_eq!(PrivateKey::from_pkcs8(b"").unwrap_err(), Error::NotAPrivateKey);
        assert_eq!(PrivateKey::from_pkcs8(b"\x30\x03\x02\x01\x00").unwrap_err(), Error::NotAPrivateKey);
    }
}
