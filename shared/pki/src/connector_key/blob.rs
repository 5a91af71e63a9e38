//! The CNG key blob (`BCRYPT_RSAKEY_BLOB`, bcrypt.h): the binary file that Export-IntunePublicKey writes.
//!
//! Six little-endian words (magic, bits, three lengths that count, one that does not) and two big-endian numbers.

use super::{
    ConnectorKeyProblem,
    numbers::{MOST_BITS, Numbers},
};

const PUBLIC_MAGIC: &[u8; 4] = b"RSA1";
const HEADER: usize = 24;

/// Bytes that begin a blob of any kind: CNG's magics, and the `bType`, `bVersion` and `reserved` of the old CryptoAPI.
pub(super) fn is_blob(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'R', b'S', b'A', b'1'..=b'3', ..]
            | [b'E', b'C', b'S' | b'K', b'1'..=b'6' | b'P' | b'V', ..]
            | [b'D', b'S' | b'P', b'P' | b'B', b'B' | b'V', ..]
            | [b'K', b'D', b'B', b'M', ..]
            | [0x06 | 0x07, 0x02, 0, 0, ..]
    )
}

/// Reads a public blob that fills `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<Numbers, ConnectorKeyProblem> {
    match bytes {
        [b'R', b'S', b'A', b'1', ..] => {}
        [b'R', b'S', b'A', b'2' | b'3', ..] | [0x07, ..] => {
            return Err(ConnectorKeyProblem::PrivateKey);
        }
        [0x06, ..] => return Err(ConnectorKeyProblem::CryptoApiBlob),
        [b'E', ..] => return Err(ConnectorKeyProblem::NotRsa),
        _ => return Err(ConnectorKeyProblem::OtherBlob),
    }
    let Some((header, body)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(ConnectorKeyProblem::CutOff { expected: HEADER as u64, found: bytes.len() as u64 });
    };
    let (words, _) = header.as_chunks::<4>();
    let word = |at: usize| u32::from_le_bytes(words[at]);
    let (bits, exponent_length, modulus_length) = (word(1), word(2), word(3));
    if (word(4), word(5)) != (0, 0) {
        return Err(ConnectorKeyProblem::PrimesAnnounced);
    }
    if bits as usize > MOST_BITS {
        return Err(ConnectorKeyProblem::TooManyBits { bits: bits as usize });
    }
    let expected = HEADER as u64 + u64::from(exponent_length) + u64::from(modulus_length);
    let found = bytes.len() as u64;
    if found < expected {
        return Err(ConnectorKeyProblem::CutOff { expected, found });
    }
    if found > expected {
        return Err(ConnectorKeyProblem::Trailing { extra: found - expected });
    }
    let (exponent, modulus) = body.split_at(exponent_length as usize);
    let numbers = Numbers::new(modulus, exponent);
    if numbers.bits() != bits as usize || modulus.len() != (bits as usize).div_ceil(8) {
        return Err(ConnectorKeyProblem::BitLength { announced: bits, found: numbers.bits() });
    }
    Ok(numbers)
}

/// Writes the blob as CNG does: no leading zeros, no primes.
pub(super) fn write(numbers: &Numbers) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).expect("a checked key has at most 16384 bits").to_le_bytes();
    let mut blob = PUBLIC_MAGIC.to_vec();
    for word in [numbers.bits(), numbers.exponent.len(), numbers.modulus.len(), 0, 0] {
        blob.extend(length(word));
    }
    blob.extend(&numbers.exponent);
    blob.extend(&numbers.modulus);
    blob
}

#[cfg(test)]
mod tests {
    use rsa::{BigUint, RsaPublicKey, pkcs8::EncodePublicKey};

    use super::*;
    use crate::hash::sha256_hex;

    /// The modulus of the unit test in microsoft/Intune-Resource-Access: a pattern of 2042 bits, not a key, but the bytes
    /// around it are as .NET writes them. The header there says 2048.
    fn pattern() -> (Vec<u8>, Vec<u8>) {
        let modulus: Vec<u8> = (0..256_u32).map(|at| u8::try_from((at + 2) % 10).expect("one digit")).collect();
        let header =
            b"RSA1\x00\x08\x00\x00\x03\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01";
        (modulus.clone(), [header.as_slice(), &modulus].concat())
    }

    #[test]
    fn the_layout_is_that_of_the_reference_implementation() {
        let (modulus, blob) = pattern();
        assert_eq!(blob.len(), 283);
        assert_eq!(sha256_hex(&blob), "ad9b32649ef0545a372f93e40570dc40438870db5228c801eda78d54a03bef5a");
        let key = RsaPublicKey::new_unchecked(BigUint::from_bytes_be(&modulus), BigUint::from(65_537_u32));
        let der = key.to_public_key_der().expect("a public key is written");
        assert_eq!(sha256_hex(der.as_bytes()), "d752f9b70e7f019a189cb1135e7a7e1a3aae49c4638c558a104b99a295ba3c10");

        let mut written = write(&Numbers::new(&modulus, &[1, 0, 1]));
        assert_eq!(&written[4..8], 2042_u32.to_le_bytes());
        written[4..8].copy_from_slice(&2048_u32.to_le_bytes());
        assert_eq!(written, blob);
    }

    #[test]
    fn a_modulus_shorter_than_announced_is_refused() {
        let (_, blob) = pattern();
        assert_eq!(read(&blob).err(), Some(ConnectorKeyProblem::BitLength { announced: 2048, found: 2042 }));
    }
}
