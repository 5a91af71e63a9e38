//! The SHA-1 fingerprint by which Windows and Intune name a certificate.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// SHA-1 over a certificate's DER, always written as 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint([u8; 20]);

/// Not 40 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint is 40 hexadecimal digits")]
pub struct NotAThumbprint;

impl Thumbprint {
    /// Takes the digest; computing it is the business of whoever holds the certificate.
    pub fn from_digest(sha1: [u8; 20]) -> Self {
        Self(sha1)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Thumbprint {
    type Err = NotAThumbprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return Err(NotAThumbprint);
        }
        let mut sha1 = [0; 20];
        for (byte, pair) in sha1.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).ok_or(NotAThumbprint);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| NotAThumbprint)?;
        }
        Ok(Self(sha1))
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = NotAThumbprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        let text = "A9993E364706816ABA3E25717850C26C9CD0D89D";
        let thumbprint: Thumbprint = text.parse().expect("40 digits");
        assert_eq!(thumbprint.to_string(), text.to_lowercase());
    }

    #[test]
    fn other_lengths_and_letters_are_refused() {
        assert_eq!("a9".parse::<Thumbprint>(), Err(NotAThumbprint));
        assert_eq!("g".repeat(40).parse::<Thumbprint>(), Err(NotAThumbprint));
    }
}
