//! A device that got a PFX and its password: it installs the certificate or says why it cannot.
//!
//! It believes nothing that it can compute. The public key comes from the private key, the
//! thumbprint from the certificate, and the key must sign and decrypt for the certificate.

mod certificate;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
pub(crate) mod openssl;

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::{self, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey},
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _, UnparsedPublicKey,
    },
};
use jiff::Timestamp;

use crate::pfx::{Pfx, Refused};
use certificate::{Certificate, PublicKey};

/// What the record and the directory say about the certificate in the PFX.
pub struct Expected<'a> {
    /// SHA-1 of the leaf, 40 lower-case hexadecimal digits.
    pub thumbprint: &'a str,
    /// The person's primary SMTP address.
    pub address: &'a str,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// Opens the PFX and installs its certificate.
///
/// # Errors
/// Whatever would keep the certificate from working on a device, as one sentence.
pub fn install(file: &[u8], password: &str, expected: &Expected<'_>) -> Result<(), Refused> {
    check(&Pfx::open(file, password)?, expected)
}

fn check(pfx: &Pfx, expected: &Expected<'_>) -> Result<(), Refused> {
    let found = thumbprint(&pfx.leaf);
    if found != expected.thumbprint {
        return Err(Refused::because(format!(
            "the certificate's thumbprint is {found}, the record says {}",
            expected.thumbprint
        )));
    }
    let leaf = Certificate::parse(&pfx.leaf)?;
    check_fields(&leaf, expected)?;
    check_chain(&leaf, &pfx.chain)?;
    match leaf.public_key()? {
        PublicKey::Rsa(public) => check_rsa(&pfx.private_key, public, leaf.public_key_info()),
        PublicKey::P256(public) => check_ec(
            &pfx.private_key,
            public,
            &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            &signature::ECDSA_P256_SHA256_ASN1,
        ),
        PublicKey::P384(public) => check_ec(
            &pfx.private_key,
            public,
            &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            &signature::ECDSA_P384_SHA384_ASN1,
        ),
        PublicKey::P521(public) => check_ec(
            &pfx.private_key,
            public,
            &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
            &signature::ECDSA_P521_SHA512_ASN1,
        ),
    }
}

/// SHA-1 of a DER certificate as Intune writes it: 40 lower-case hexadecimal digits.
pub fn thumbprint(certificate: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check_fields(leaf: &Certificate<'_>, expected: &Expected<'_>) -> Result<(), Refused> {
    if leaf.is_authority()? {
        return Err(Refused::because("the certificate with the key is a CA"));
    }
    let mailboxes = leaf.mailboxes()?;
    // Outlook matches the primary SMTP address of the account.
    if !mailboxes.iter().any(|mailbox| mailbox.eq_ignore_ascii_case(expected.address)) {
        return Err(Refused::because(format!(
            "the certificate is for {mailboxes:?}, the person's primary address is {}",
            expected.address
        )));
    }
    if leaf.not_before() != expected.not_before || leaf.not_after() != expected.not_after {
        return Err(Refused::because(format!(
            "the certificate is valid from {} to {}, the record says from {} to {}",
            leaf.not_before(),
            leaf.not_after(),
            expected.not_before,
            expected.not_after
        )));
    }
    Ok(())
}

/// Walks from the leaf upwards. The root may be missing, the issuing CA may not, and nothing that
/// is no part of the path may be in the file.
fn check_chain(leaf: &Certificate<'_>, chain: &[Vec<u8>]) -> Result<(), Refused> {
    let mut above = chain.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<_>, _>>()?;
    if above.is_empty() {
        return Err(Refused::because("the PFX holds no CA certificate"));
    }
    let mut above_current = |current: &Certificate<'_>| -> Result<Option<_>, Refused> {
        for (place, candidate) in above.iter().enumerate() {
            if current.is_issued_by(candidate)? {
                return Ok(Some(above.swap_remove(place)));
            }
        }
        Ok(None)
    };
    let mut top =
        above_current(leaf)?.ok_or_else(|| Refused::because("no CA certificate in the PFX signed the certificate"))?;
    while let Some(next) = above_current(&top)? {
        if !top.is_authority()? {
            return Err(Refused::because("an issuer in the PFX is not a CA"));
        }
        top = next;
    }
    if !top.is_authority()? {
        return Err(Refused::because("an issuer in the PFX is not a CA"));
    }
    if top.is_self_issued() && !top.is_issued_by(&top)? {
        return Err(Refused::because("the root's own signature is wrong"));
    }
    if !above.is_empty() {
        return Err(Refused::because("the PFX holds a certificate that is no part of the chain"));
    }
    Ok(())
}

/// What is signed and encrypted to see that the two halves of a key belong together.
const PROBE: &[u8] = b"a message of no importance";

fn check_rsa(private_key: &[u8], public: &[u8], public_info: &[u8]) -> Result<(), Refused> {
    let unusable = || Refused::because("the private key is no usable RSA key");
    let pair = rsa::KeyPair::from_pkcs8(private_key).map_err(|_| unusable())?;
    if pair.public_key().as_ref() != public {
        return Err(mismatch());
    }
    let mut signed = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), PROBE, &mut signed).map_err(|_| unusable())?;
    UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, public)
        .verify(PROBE, &signed)
        .map_err(|_| mismatch())?;

    // Mail is still enciphered with PKCS #1 v1.5 by most clients.
    let decrypted = PublicEncryptingKey::from_der(public_info)
        .ok()
        .and_then(|key| Pkcs1PublicEncryptingKey::new(key).ok())
        .and_then(|key| {
            let mut sealed = vec![0; key.ciphertext_size()];
            let length = key.encrypt(PROBE, &mut sealed).ok()?.len();
            sealed.truncate(length);
            let key = PrivateDecryptingKey::from_pkcs8(private_key).ok()?;
            let key = Pkcs1PrivateDecryptingKey::new(key).ok()?;
            let mut opened = vec![0; key.min_output_size()];
            key.decrypt(&sealed, &mut opened).ok().map(|opened| opened == PROBE)
        });
    if decrypted == Some(true) { Ok(()) } else { Err(mismatch()) }
}

fn check_ec(
    private_key: &[u8],
    public: &[u8],
    signing: &'static EcdsaSigningAlgorithm,
    verification: &'static EcdsaVerificationAlgorithm,
) -> Result<(), Refused> {
    let pair = EcdsaKeyPair::from_pkcs8(signing, private_key)
        .map_err(|_| Refused::because("the private key is no key on the certificate's curve"))?;
    if pair.public_key().as_ref() != public {
        return Err(mismatch());
    }
    let signed =
        pair.sign(&SystemRandom::new(), PROBE).map_err(|_| Refused::because("the private key does not sign"))?;
    UnparsedPublicKey::new(verification, public).verify(PROBE, signed.as_ref()).map_err(|_| mismatch())
}

fn mismatch() -> Refused {
    Refused::because("the private key does not match the certificate")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::openssl::{COMPATIBLE, Issued, MODERN};
    use super::*;

    const PASSWORD: &str = "correct horse battery";
    const ADDRESS: &str = "anna@example.com";

    fn installed(issued: &Issued, file: &[u8]) -> Result<(), String> {
        install_as(issued, file, |_| {})
    }

    fn install_as(issued: &Issued, file: &[u8], change: impl FnOnce(&mut Expected<'_>)) -> Result<(), String> {
        let thumbprint = thumbprint(&issued.leaf());
        let mut expected = Expected {
            thumbprint: &thumbprint,
            address: ADDRESS,
            not_before: issued.not_before(),
            not_after: issued.not_after(),
        };
        change(&mut expected);
        install(file, PASSWORD, &expected).map_err(|refused| refused.to_string())
    }

    #[test]
    fn rsa_and_curves_in_both_profiles_are_installed() {
        for issued in [Issued::rsa(ADDRESS), Issued::p256(ADDRESS), Issued::p384(ADDRESS)] {
            for profile in [COMPATIBLE, MODERN] {
                assert_eq!(installed(&issued, &issued.pfx(profile, PASSWORD)), Ok(()));
            }
        }
    }

    #[test]
    fn the_root_may_be_included() {
        let issued = Issued::p256(ADDRESS);
        let file = issued.pfx_with(&[issued.issuing(), issued.root()], COMPATIBLE, PASSWORD);
        assert_eq!(installed(&issued, &file), Ok(()));
    }

    #[test]
    fn a_chain_that_does_not_reach_from_the_leaf_upwards_is_refused() {
        let issued = Issued::p256(ADDRESS);
        let other = Issued::p256(ADDRESS);
        let refusal =
            |chain: &[Vec<u8>]| installed(&issued, &issued.pfx_with(chain, COMPATIBLE, PASSWORD)).unwrap_err();
        assert!(refusal(&[]).contains("no CA certificate"));
        assert!(refusal(&[issued.root()]).contains("signed the certificate"));
        assert!(refusal(&[other.issuing()]).contains("signed the certificate"));
        assert!(refusal(&[issued.issuing(), other.issuing()]).contains("no part of the chain"));
    }

    #[test]
    fn what_the_record_and_the_directory_say_must_be_true() {
        let issued = Issued::p256(ADDRESS);
        let file = issued.pfx(COMPATIBLE, PASSWORD);
        let refusal = |change: fn(&mut Expected<'_>)| install_as(&issued, &file, change).unwrap_err();
        assert!(refusal(|e| e.thumbprint = "00").contains("thumbprint"));
        assert!(refusal(|e| e.address = "bertil@example.com").contains("primary address"));
        let later = |time: Timestamp| time + jiff::SignedDuration::from_secs(1);
        let moved = install_as(&issued, &file, |e| e.not_after = later(e.not_after)).unwrap_err();
        assert!(moved.contains("valid from"), "{moved}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let issued = [Issued::rsa(ADDRESS), Issued::p256(ADDRESS), Issued::p384(ADDRESS)];
        let others = [Issued::rsa(ADDRESS), Issued::p256(ADDRESS), Issued::p384(ADDRESS)];
        for (place, issued) in issued.iter().enumerate() {
            // OpenSSL refuses to write such a file, so the key is exchanged after opening.
            let mut pfx = Pfx::open(&issued.pfx(COMPATIBLE, PASSWORD), PASSWORD).unwrap();
            let thumbprint = thumbprint(&pfx.leaf);
            let expected = Expected {
                thumbprint: &thumbprint,
                address: ADDRESS,
                not_before: issued.not_before(),
                not_after: issued.not_after(),
            };
            assert_eq!(check(&pfx, &expected), Ok(()));
            for (other_place, other) in others.iter().enumerate() {
                pfx.private_key = other.private_key();
                let refused = check(&pfx, &expected).unwrap_err();
                if place == other_place {
                    assert_eq!(refused, mismatch());
                }
            }
        }
    }
}
