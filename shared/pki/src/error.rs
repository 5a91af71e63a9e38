//! Why something could not be made or opened, divided by who has to act. No variant carries key material.

/// What keeps this room from doing what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The directory holds a name that cannot be certified; somebody has to change it there.
    #[error("the {field} {reason}")]
    Name { field: &'static str, reason: &'static str },
    /// What the CA sent is not a set of certificates. Nothing may be imported from it.
    #[error("the certificates cannot be read: {reason}")]
    Bundle { reason: &'static str },
    /// Private key and certificate are not a pair; a PFX of them would be useless on every device.
    #[error("the certificate is for another key")]
    OtherKey,
    /// Damaged, sealed under another data key, or copied from another integration, enrollment or purpose.
    #[error("the sealed value does not open here")]
    DoesNotOpen,
    /// Written by a release that this one does not know.
    #[error("the sealed value has the format version {found}; this release reads version {known}")]
    UnknownVersion { found: u8, known: u8 },
    /// The bytes are not a private key of a supported kind.
    #[error("not a PKCS#8 private key for RSA-2048, RSA-3072 or P-256")]
    NotAPrivateKey,
    /// What was kept as a certificate request is none.
    #[error("not one PKCS#10 certificate request in PEM")]
    NotARequest,
    /// A data key is exactly 32 bytes.
    #[error("a data key has 32 bytes, not {found}")]
    DataKeyLength { found: usize },
    /// A cryptographic library failed without fault of the input. Worth one more try, then a person.
    #[error("{step} failed in the cryptographic library")]
    Library { step: &'static str },
}

impl Error {
    pub(crate) fn library(step: &'static str) -> Self {
        Self::Library { step }
    }
}
