//! Digests, comparison in constant time, and random tokens.

use aws_lc_rs::{constant_time, digest, rand};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// SHA-256 as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Compares without telling by its duration where the first difference is. The lengths are not hidden.
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// 256 random bits as 43 characters of base64url, for what must not be guessed and fits into a path.
pub fn random_token() -> SecretString {
    let mut bits = Zeroizing::new([0; 32]);
    fill_random(bits.as_mut_slice());
    SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bits.as_slice()))
}

pub(crate) fn fill_random(bytes: &mut [u8]) {
    rand::fill(bytes).expect("AWS-LC aborts the process rather than return without randomness");
}

pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().try_into().expect("SHA-1 has 20 bytes")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4, the one-block message "abc".
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn only_equal_bytes_of_equal_length_are_equal() {
        assert!(constant_time_eq(b"token", b"token"));
        assert!(constant_time_eq(b"", b""));
        assert!(!constant_time_eq(b"token", b"tokem"));
        assert!(!constant_time_eq(b"token", b"token-"));
    }

    #[test]
    fn tokens_are_43_url_safe_characters_and_never_the_same() {
        let tokens: BTreeSet<String> = (0..64).map(|_| random_token().expose_secret().to_owned()).collect();
        assert_eq!(tokens.len(), 64);
        for token in tokens {
            assert_eq!(token.len(), 43);
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }
    }
}
