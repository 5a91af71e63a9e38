//! Choices about keys and PFX files that are settings, not cryptography.

use serde::{Deserialize, Serialize};

/// The key of a certificate. RSA is the safe choice for mail clients; P-256 is opt-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    #[default]
    Rsa2048,
    Rsa3072,
    P256,
}

/// How a PFX file is encrypted. The device opens it, so the oldest device decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PfxProfile {
    /// 3DES and HMAC-SHA1: opened by everything. The random password is what protects the file.
    #[default]
    Compatible,
    /// AES-256 and HMAC-SHA256: refused by Android 13, older Apple systems and Windows Server 2016.
    Modern,
}

/// The digest of the OAEP padding that seals a PFX password. Weaker paddings are not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SealingPadding {
    OaepSha256,
    OaepSha384,
    #[default]
    OaepSha512,
}
