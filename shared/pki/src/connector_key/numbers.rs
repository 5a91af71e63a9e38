//! The two numbers of an RSA public key, and whether they can be one. Libraries accept many that cannot.

use rsa::{BigUint, RsaPublicKey};

use super::ConnectorKeyProblem;
use crate::certificate::bit_length;

pub(super) const FEWEST_BITS: usize = 2048;
pub(super) const MOST_BITS: usize = 16_384;
const LARGEST_EXPONENT: u64 = 1 << 33;

/// Trial division ends here. A damaged modulus is a random odd number, and seven of eight have a factor below.
const TRIAL_DIVISION_BELOW: u16 = 10_000;

/// Big-endian, without leading zeros.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
}

impl Numbers {
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Self {
        Self { modulus: without_leading_zeros(modulus), exponent: without_leading_zeros(exponent) }
    }

    pub(super) fn bits(&self) -> usize {
        bit_length(&self.modulus)
    }

    /// Refuses numbers that cannot be an RSA key of a connector, and those that are too small for one.
    pub(super) fn to_key(&self) -> Result<RsaPublicKey, ConnectorKeyProblem> {
        self.check_exponent()?;
        let bits = self.bits();
        if bits < FEWEST_BITS {
            return Err(ConnectorKeyProblem::TooFewBits { bits });
        }
        if bits > MOST_BITS {
            return Err(ConnectorKeyProblem::TooManyBits { bits });
        }
        if is_even(&self.modulus) {
            return Err(ConnectorKeyProblem::ModulusEven);
        }
        if let Some(factor) = small_factor(&self.modulus) {
            return Err(ConnectorKeyProblem::SmallFactor { factor });
        }
        RsaPublicKey::new_with_max_size(self.to_modulus(), self.to_exponent(), MOST_BITS)
            .map_err(|_| ConnectorKeyProblem::Useless)
    }

    fn check_exponent(&self) -> Result<(), ConnectorKeyProblem> {
        if self.exponent.len() > 8 {
            return Err(ConnectorKeyProblem::ExponentTooLarge);
        }
        let exponent = self.exponent.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        match exponent {
            LARGEST_EXPONENT.. => Err(ConnectorKeyProblem::ExponentTooLarge),
            0..3 => Err(ConnectorKeyProblem::ExponentTooSmall),
            _ if is_even(&self.exponent) => Err(ConnectorKeyProblem::ExponentEven),
            _ => Ok(()),
        }
    }

    fn to_modulus(&self) -> BigUint {
        BigUint::from_bytes_be(&self.modulus)
    }

    fn to_exponent(&self) -> BigUint {
        BigUint::from_bytes_be(&self.exponent)
    }
}

fn without_leading_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|last| last % 2 == 0)
}

fn small_factor(modulus: &[u8]) -> Option<u16> {
    let remainder = |divisor: u16| {
        let divisor = u32::from(divisor);
        modulus.iter().fold(0_u32, |remainder, byte| ((remainder << 8) | u32::from(*byte)) % divisor)
    };
    odd_primes(TRIAL_DIVISION_BELOW).into_iter().find(|prime| remainder(*prime) == 0)
}

/// The sieve of Eratosthenes, without the 2.
fn odd_primes(below: u16) -> Vec<u16> {
    let mut is_composite = vec![false; usize::from(below)];
    let mut primes = Vec::new();
    for candidate in (3..below).step_by(2) {
        let at = usize::from(candidate);
        if !is_composite[at] {
            primes.push(candidate);
            is_composite.iter_mut().skip(at * at).step_by(at).for_each(|composite| *composite = true);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(modulus: &[u8], exponent: &[u8]) -> ConnectorKeyProblem {
        Numbers::new(modulus, exponent).to_key().expect_err("not a key")
    }

    #[test]
    fn primes_are_found_by_the_sieve() {
        assert_eq!(odd_primes(32), [3, 5, 7, 11, 13, 17, 19, 23, 29, 31]);
        assert_eq!(odd_primes(10_000).len(), 1228);
    }

    #[test]
    fn an_exponent_is_odd_and_neither_too_small_nor_too_large() {
        let modulus = [0xff; 256];
        for (exponent, expected) in [
            (&[][..], ConnectorKeyProblem::ExponentTooSmall),
            (&[0, 0], ConnectorKeyProblem::ExponentTooSmall),
            (&[1], ConnectorKeyProblem::ExponentTooSmall),
            (&[1, 0, 0], ConnectorKeyProblem::ExponentEven),
            (&[2, 0, 0, 0, 1], ConnectorKeyProblem::ExponentTooLarge),
            (&[1; 9], ConnectorKeyProblem::ExponentTooLarge),
        ] {
            assert_eq!(problem(&modulus, exponent), expected, "{exponent:?}");
        }
    }

    #[test]
    fn a_modulus_is_odd_without_small_factor_and_of_an_accepted_size() {
        let mut even = [0xff; 256];
        even[255] = 0xfe;
        assert_eq!(problem(&even, &[3]), ConnectorKeyProblem::ModulusEven);
        // 2^2048 - 1 is divisible by 3.
        assert_eq!(problem(&[0xff; 256], &[1, 0, 1]), ConnectorKeyProblem::SmallFactor { factor: 3 });
        assert_eq!(problem(&[0xff; 128], &[1, 0, 1]), ConnectorKeyProblem::TooFewBits { bits: 1024 });
        assert_eq!(problem(&[0x7f; 256], &[1, 0, 1]), ConnectorKeyProblem::TooFewBits { bits: 2047 });
        assert_eq!(problem(&[0xff; 2049], &[1, 0, 1]), ConnectorKeyProblem::TooManyBits { bits: 16_392 });
        assert_eq!(problem(&[], &[1, 0, 1]), ConnectorKeyProblem::TooFewBits { bits: 0 });
    }
}
