//! What a certificate is for. One certificate and person is one Intune record with one purpose.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The three purposes an operator can choose, in the words of the enrollment form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    General,
    Encryption,
    Signing,
}

impl Purpose {
    pub const ALL: [Self; 3] = [Self::General, Self::Encryption, Self::Signing];

    /// Old mail must stay readable, so keys that decrypt may be kept; a signing key never is.
    pub fn may_be_escrowed(self) -> bool {
        !matches!(self, Self::Signing)
    }

    /// Whether a certificate for this purpose has to allow signing.
    pub fn signs(self) -> bool {
        matches!(self, Self::General | Self::Signing)
    }

    /// Whether a certificate for this purpose has to allow encryption.
    pub fn encrypts(self) -> bool {
        matches!(self, Self::General | Self::Encryption)
    }

    /// The word of the stored form, of the API and of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Encryption => "encryption",
            Self::Signing => "signing",
        }
    }
}

/// The label the operator sees.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::General => "General Purpose",
            Self::Encryption => "SMIME Encryption",
            Self::Signing => "SMIME Signing",
        })
    }
}
