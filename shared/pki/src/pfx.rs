//! PFX files (PKCS#12, RFC 7292) and their passwords. The library that writes them checks nothing, so what goes in is
//! checked by types: a chain is in order and verified, a password is random ASCII, and a pair is compared here. It also
//! frees a copy of the key without overwriting it, which is why every binary has an allocator that zeroes on free.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::PfxProfile;
use p12_keystore::{EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKeyChain};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{CertificateChain, Error, PrivateKey, hash};

/// Shown by some devices beside the key. Whose it is stands in the certificate.
const FRIENDLY_NAME: &str = "S/MIME";

/// A PFX file. Whoever also has its password has the private key.
pub struct Pfx(Zeroizing<Vec<u8>>);

/// The password of one PFX file, made anew for each upload and never stored.
pub struct PfxPassword(Zeroizing<String>);

impl Pfx {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In one line, as Graph's `encryptedPfxBlob` takes it.
    pub fn to_base64(&self) -> SecretString {
        SecretString::from(BASE64_STANDARD.encode(&*self.0))
    }
}

impl fmt::Debug for Pfx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pfx([redacted])")
    }
}

impl PfxPassword {
    /// Characters of a password: 190 bits. OAEP with SHA-512 under a 2048-bit key holds 126 bytes.
    pub const LENGTH: usize = 32;

    /// Letters and digits only: the Certificate Connector reads the password as ASCII and refuses others.
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    pub fn random() -> Self {
        let mut password = Zeroizing::new(String::with_capacity(Self::LENGTH));
        let mut random = Zeroizing::new([0_u8; 64]);
        while password.len() < Self::LENGTH {
            hash::fill_random(random.as_mut_slice());
            // Four times 62 fits into a byte; the rest is thrown away so that every character is equally likely.
            let fair = random.iter().filter(|byte| **byte < 248).map(|byte| usize::from(*byte) % 62);
            let missing = Self::LENGTH - password.len();
            password.extend(fair.take(missing).map(|at| char::from(Self::ALPHABET[at])));
        }
        Self(password)
    }

    /// The password itself: for sealing it, and for the one showing to a person who recovers an escrowed key.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PfxPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PfxPassword([redacted])")
    }
}

/// Writes the private key, its certificate and the intermediates; the root stays out, devices trust their own copy.
///
/// Refuses a chain whose leaf is for another key.
pub fn build_pfx(
    key: &PrivateKey,
    chain: &CertificateChain,
    password: &PfxPassword,
    profile: PfxProfile,
) -> Result<Pfx, Error> {
    if chain.leaf().public_key_info() != key.public_key_info() {
        return Err(Error::OtherKey);
    }
    let failed = |_| Error::library("writing the PFX");
    let certificates = std::iter::once(chain.leaf()).chain(chain.intermediates());
    let certificates = certificates.map(|certificate| p12_keystore::Certificate::from_der(certificate.der()));
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    // The same identifier as OpenSSL and Windows use: devices find the key's certificate by it.
    let local_key_id = hash::sha1(chain.leaf().der());
    let key = p12_keystore::PrivateKey::from_der(&key.pkcs8()?).map_err(failed)?;
    let entry = PrivateKeyChain::new(local_key_id.as_slice(), key, certificates);

    let mut store = KeyStore::new();
    store.add_entry(FRIENDLY_NAME, KeyStoreEntry::PrivateKeyChain(entry));
    let (encryption, mac, iterations) = match profile {
        PfxProfile::Compatible => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1, 2048),
        PfxProfile::Modern => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256, 10_000),
    };
    let pfx = store
        .writer(password.expose())
        .encryption_algorithm(encryption)
        .encryption_iterations(iterations)
        .mac_algorithm(mac)
        .mac_iterations(iterations)
        .write()
        .map_err(failed)?;
    Ok(Pfx(Zeroizing::new(pfx)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use domain::KeyAlgorithm;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::testing::{TestAuthority, chain, in_directory, openssl, pem, private_key, try_openssl};

    const PROFILES: [PfxProfile; 2] = [PfxProfile::Compatible, PfxProfile::Modern];

    #[test]
    fn openssl_opens_both_profiles_and_finds_the_key_beside_its_certificate() {
        let root = TestAuthority::root("Root");
        let issuer = root.intermediate("Issuer");
        for (algorithm, profile) in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256]
            .into_iter()
            .flat_map(|key| PROFILES.map(|profile| (key, profile)))
        {
            let key = PrivateKey::generate(algorithm).unwrap();
            let leaf = issuer.issue(&key);
            let chain = chain(&key, &[&root.der, &issuer.der, &leaf]);
            let password = PfxPassword::random();
            let pfx = build_pfx(&key, &chain, &password, profile).unwrap();
            in_directory(|directory| {
                std::fs::write(directory.join("file.pfx"), pfx.as_bytes()).unwrap();
                std::fs::write(directory.join("password"), password.expose()).unwrap();
                std::fs::write(directory.join("wrong"), PfxPassword::random().expose()).unwrap();
                let open = "pkcs12 -in file.pfx -passin file:password -nodes";
                openssl(directory, &format!("{open} -nocerts -out key.pem"));
                openssl(directory, "pkey -in key.pem -pubout -outform DER -out public.der");
                assert_eq!(std::fs::read(directory.join("public.der")).unwrap(), key.public_key_info());

                let certificates = openssl(directory, &format!("{open} -nokeys"));
                let expected = pem(&[&leaf, &issuer.der]);
                let found: Vec<_> = crate::Bundle::parse(certificates.as_bytes()).unwrap().certificates().to_vec();
                assert_eq!(pem(&found.iter().map(crate::Certificate::der).collect::<Vec<_>>()), expected, "no root");

                let id = format!("localKeyID: {}", spaced(chain.leaf().thumbprint().to_string()));
                let everything = openssl(directory, open);
                assert_eq!(everything.matches(&id).count(), 2, "{everything}");
                let (_, opened) = try_openssl(directory, "pkcs12 -in file.pfx -passin file:wrong -nodes");
                assert!(!opened);
            });
        }
    }

    fn spaced(hex: String) -> String {
        let pairs: Vec<_> = hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
        pairs.join(" ")
    }

    #[test]
    fn profiles_are_the_algorithms_that_devices_were_tested_with() {
        let root = TestAuthority::root("Root");
        let key = private_key();
        let chain = chain(&key, &[&root.issue(&key), &root.der]);
        let password = PfxPassword::random();
        for (profile, lines) in [
            (
                PfxProfile::Compatible,
                [
                    "MAC: sha1, Iteration 2048",
                    "PKCS7 Encrypted data: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
                    "Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
                ],
            ),
            (
                PfxProfile::Modern,
                [
                    "MAC: sha256, Iteration 10000",
                    "PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256",
                    "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256",
                ],
            ),
        ] {
            let pfx = build_pfx(&key, &chain, &password, profile).unwrap();
            in_directory(|directory| {
                std::fs::write(directory.join("file.pfx"), pfx.as_bytes()).unwrap();
                std::fs::write(directory.join("password"), password.expose()).unwrap();
                let text = openssl(directory, "pkcs12 -in file.pfx -passin file:password -info -noout");
                for line in lines {
                    assert!(text.contains(line), "{line}\n{text}");
                }
            });
        }
    }

    #[test]
    fn a_certificate_for_another_key_is_refused() {
        let root = TestAuthority::root("Root");
        let key = private_key();
        let chain = chain(&key, &[&root.issue(&key), &root.der]);
        let built = build_pfx(&private_key(), &chain, &PfxPassword::random(), PfxProfile::Compatible);
        assert_eq!(built.unwrap_err(), Error::OtherKey);
    }

    #[test]
    fn a_name_beyond_the_basic_plane_does_not_keep_a_pfx_from_being_written() {
        let root = TestAuthority::root("𠮷 Root");
        let key = private_key();
        let chain = chain(&key, &[&root.issue(&key), &root.der]);
        for profile in PROFILES {
            build_pfx(&key, &chain, &PfxPassword::random(), profile).unwrap();
        }
    }

    #[test]
    fn passwords_are_32_letters_and_digits_and_use_all_of_them() {
        let passwords: BTreeSet<String> = (0..200).map(|_| PfxPassword::random().expose().to_owned()).collect();
        assert_eq!(passwords.len(), 200);
        assert!(passwords.iter().all(|password| password.len() == 32));
        let used: BTreeSet<u8> = passwords.iter().flat_map(|password| password.bytes()).collect();
        assert_eq!(used, PfxPassword::ALPHABET.iter().copied().collect());
    }

    #[test]
    fn debug_shows_neither_file_nor_password() {
        let root = TestAuthority::root("Root");
        let key = private_key();
        let chain = chain(&key, &[&root.issue(&key), &root.der]);
        let password = PfxPassword::random();
        let pfx = build_pfx(&key, &chain, &password, PfxProfile::Compatible).unwrap();
        assert_eq!(format!("{password:?} {pfx:?}"), "PfxPassword([redacted]) Pfx([redacted])");
        assert_eq!(BASE64_STANDARD.decode(pfx.to_base64().expose_secret()).unwrap(), pfx.as_bytes());
    }
}
