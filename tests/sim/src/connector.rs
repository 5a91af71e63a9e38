//! The certificate connector on a tenant's own server: the only one who has the private key.
//!
//! The key opens PFX passwords and nothing else. It is found by its exact provider and key name, as
//! Windows finds it, so a record with a typo in either is dead although Graph accepted it.

pub(crate) mod delivery;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{
        KeySize, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
        OaepPrivateDecryptingKey, PrivateDecryptingKey,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use delivery::{Delivery, Outcome};

use crate::{
    journal::{Entry, Journal, Sealed},
    pfx::Refused,
};

/// The provider that nearly every connector server uses.
pub const SOFTWARE_PROVIDER: &str = "Microsoft Software Key Storage Provider";
/// The key name in Microsoft's documentation.
pub const DOCUMENTED_KEY_NAME: &str = "PFXEncryptionKey";

/// The padding of a sealed password. PKCS #1 v1.5 and OAEP with SHA-1 were removed from Microsoft's
/// tool in 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PaddingScheme {
    OaepSha256,
    OaepSha384,
    OaepSha512,
}

impl PaddingScheme {
    fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::OaepSha256 => &OAEP_SHA256_MGF1SHA256,
            Self::OaepSha384 => &OAEP_SHA384_MGF1SHA384,
            Self::OaepSha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }
}

/// One tenant's connector. Clones are the same connector.
#[derive(Clone)]
pub struct Connector {
    tenant: Uuid,
    seed: u64,
    journal: Journal,
    state: Arc<Mutex<State>>,
}

struct State {
    keys: Vec<Key>,
    last_connection: Timestamp,
    running: bool,
}

struct Key {
    provider_name: String,
    key_name: String,
    private: PrivateDecryptingKey,
}

#[derive(Serialize, Deserialize)]
struct JournaledKey {
    provider_name: String,
    key_name: String,
    private: Sealed,
}

impl Connector {
    /// A running connector with the key that an earlier run journaled, or else a new one.
    ///
    /// # Errors
    /// When the journaled key cannot be opened, or no key of that size is made.
    pub(crate) fn new(seed: u64, tenant: Uuid, bits: u32, journal: Journal, entries: &[Entry]) -> io::Result<Self> {
        let state = State { keys: Vec::new(), last_connection: Timestamp::now(), running: true };
        let connector = Self { tenant, seed, journal, state: Arc::new(Mutex::new(state)) };
        let prefix = format!("{tenant}/");
        for entry in entries {
            if entry.kind == JOURNAL_KIND && entry.key.starts_with(&prefix) {
                let key: JournaledKey = serde_json::from_value(entry.value.clone())?;
                let private = PrivateDecryptingKey::from_pkcs8(&key.private.open(seed)?).map_err(io::Error::other)?;
                connector.lock().put(key.provider_name, key.key_name, private);
            }
        }
        if connector.lock().keys.is_empty() {
            connector.create_key(SOFTWARE_PROVIDER, DOCUMENTED_KEY_NAME, bits)?;
        }
        Ok(connector)
    }

    /// Makes a key pair, as an administrator does on the connector's server. One that has these
    /// names already is lost, and with it every record that was sealed to it.
    ///
    /// # Errors
    /// When the size is not 2048, 3072 or 4096 bits, or the journal refuses the key.
    pub fn create_key(&self, provider_name: &str, key_name: &str, bits: u32) -> io::Result<()> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "2048, 3072 or 4096 bits")),
        };
        let private = PrivateDecryptingKey::generate(size).map_err(io::Error::other)?;
        let der: Pkcs8V1Der<'_> = private.as_der().map_err(io::Error::other)?;
        let journaled = JournaledKey {
            provider_name: provider_name.to_owned(),
            key_name: key_name.to_owned(),
            private: Sealed::seal(self.seed, der.as_ref()),
        };
        let key = format!("{}/{provider_name}/{key_name}", self.tenant);
        self.journal.append(JOURNAL_KIND, &key, &journaled)?;
        self.lock().put(provider_name.to_owned(), key_name.to_owned(), private);
        Ok(())
    }

    /// The provider of the newest key.
    pub fn provider_name(&self) -> String {
        self.lock().newest().provider_name.clone()
    }

    /// The name of the newest key.
    pub fn key_name(&self) -> String {
        self.lock().newest().key_name.clone()
    }

    /// The newest public key as `Export-IntunePublicKey` writes it: an `RSAPUBLICBLOB`, which is
    /// `BCRYPT_RSAKEY_BLOB` with both numbers big-endian (Win32 documentation, bcrypt.h).
    pub fn public_key_blob(&self) -> Vec<u8> {
        let info = self.public_key_info();
        let Numbers { modulus, exponent } = numbers(&info);
        let little_endian = |number: usize| u32::try_from(number).expect("a key has few bytes").to_le_bytes();
        [
            b"RSA1".as_slice(),
            &little_endian(modulus.len() * 8),
            &little_endian(exponent.len()),
            &little_endian(modulus.len()),
            &little_endian(0),
            &little_endian(0),
            exponent,
            modulus,
        ]
        .concat()
    }

    /// The blob as the operator pastes it: base64 in one line.
    pub fn public_key_blob_base64(&self) -> String {
        STANDARD.encode(self.public_key_blob())
    }

    /// The newest public key as DER `SubjectPublicKeyInfo`.
    pub fn public_key_info(&self) -> Vec<u8> {
        let public = self.lock().newest().private.public_key();
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = public.as_der().expect("an RSA key has a DER form");
        der.as_ref().to_vec()
    }

    /// The newest public key as the tool's PEM format: `BEGIN PUBLIC KEY` with LF line ends.
    pub fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_key_info())
    }

    /// The newest public key as PKCS #1: `BEGIN RSA PUBLIC KEY`.
    pub fn public_key_pkcs1_pem(&self) -> String {
        pem("RSA PUBLIC KEY", pkcs1(&self.public_key_info()))
    }

    /// What the administrator's PowerShell answers to a sealed word, e.g. for a canary.
    ///
    /// # Errors
    /// When there is no such key, or the word was sealed to another one or with another padding.
    pub fn decrypt(
        &self,
        provider_name: &str,
        key_name: &str,
        padding: PaddingScheme,
        sealed_base64: &str,
    ) -> Result<Vec<u8>, Refused> {
        let sealed =
            STANDARD.decode(sealed_base64).map_err(|_| Refused::because("the sealed password is not base64"))?;
        let private = {
            let state = self.lock();
            let key = state.keys.iter().find(|key| key.provider_name == provider_name && key.key_name == key_name);
            let key =
                key.ok_or_else(|| Refused::because(format!("no key {key_name:?} in provider {provider_name:?}")))?;
            key.private.clone()
        };
        let key = OaepPrivateDecryptingKey::new(private).map_err(|_| Refused::because("the key does not decrypt"))?;
        let mut opened = vec![0; key.min_output_size()];
        let length = key
            .decrypt(padding.algorithm(), &sealed, &mut opened, None)
            .map_err(|_| Refused::because("the password was sealed to another key or padding"))?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    /// The server goes down; records wait. See [`Tenant::start_connector`](crate::microsoft::Tenant::start_connector).
    pub fn stop(&self) {
        let mut state = self.lock();
        state.running = false;
        state.last_connection = Timestamp::now();
    }

    pub fn is_running(&self) -> bool {
        self.lock().running
    }

    pub(crate) fn set_running(&self) {
        self.lock().running = true;
    }

    /// When it last spoke to Intune.
    pub(crate) fn last_connection(&self) -> Timestamp {
        let state = self.lock();
        if state.running { Timestamp::now() } else { state.last_connection }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn newest(&self) -> &Key {
        self.keys.last().expect("a connector is made with a key")
    }

    fn put(&mut self, provider_name: String, key_name: String, private: PrivateDecryptingKey) {
        self.keys.retain(|key| key.provider_name != provider_name || key.key_name != key_name);
        self.keys.push(Key { provider_name, key_name, private });
    }
}

const JOURNAL_KIND: &str = "connector-key";

#[derive(asn1::Asn1Read)]
struct PublicKeyInfo<'a> {
    #[expect(dead_code, reason = "the field must be read to get to the next")]
    algorithm: asn1::Tlv<'a>,
    key: asn1::BitString<'a>,
}

#[derive(asn1::Asn1Read)]
struct RsaPublicKey<'a> {
    modulus: asn1::BigUint<'a>,
    exponent: asn1::BigUint<'a>,
}

/// The two numbers of an RSA public key, big-endian without leading zeros.
pub(crate) struct Numbers<'a> {
    pub(crate) modulus: &'a [u8],
    pub(crate) exponent: &'a [u8],
}

fn numbers(public_key_info: &[u8]) -> Numbers<'_> {
    pkcs1_numbers(pkcs1(public_key_info))
}

/// Takes a PKCS #1 `RSAPublicKey` of our own making apart.
pub(crate) fn pkcs1_numbers(der: &[u8]) -> Numbers<'_> {
    let key: RsaPublicKey<'_> = asn1::parse_single(der).expect("a key of our own is DER");
    let unsigned = |bytes: &'_ [u8]| -> usize { usize::from(bytes.first() == Some(&0)) };
    let (modulus, exponent) = (key.modulus.as_bytes(), key.exponent.as_bytes());
    Numbers { modulus: &modulus[unsigned(modulus)..], exponent: &exponent[unsigned(exponent)..] }
}

fn pkcs1(public_key_info: &[u8]) -> &[u8] {
    let info: PublicKeyInfo<'_> = asn1::parse_single(public_key_info).expect("a key of our own is DER");
    info.key.as_bytes()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    lines.extend(text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()));
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod key_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests;
