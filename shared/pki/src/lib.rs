//! Keys, certificate requests, chains, PFX files and sealed values.
//!
//! The only room that sees the bytes of a private key. It never touches a network, a clock, a file or a log: time comes in
//! as a value, and what goes out is either public or a type that redacts itself.

#![warn(clippy::cast_lossless, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod armor;
mod bundle;
mod certificate;
mod chain;
mod connector_key;
mod csr;
mod envelope;
mod error;
mod hash;
mod lint;
mod pfx;
mod private_key;
#[cfg(test)]
mod testing;

pub use bundle::Bundle;
pub use certificate::Certificate;
pub use chain::CertificateChain;
pub use connector_key::{
    ConnectorKey, ConnectorKeyContent, ConnectorKeyForm, ConnectorKeyProblem, ConnectorKeyWrapping,
};
pub use csr::{Csr, Subject, certificate_request, public_key_info_of_request};
pub use envelope::{DataKey, SealedBytes, SealingContext, open, open_private_key, seal, seal_private_key};
pub use error::Error;
pub use hash::{constant_time_eq, random_token, sha256_hex};
pub use lint::{Expectation, Finding, FindingCode, Severity, lint};
pub use pfx::{Pfx, PfxPassword, build_pfx};
pub use private_key::PrivateKey;
