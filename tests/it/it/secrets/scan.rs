//! Looks for secrets in bytes: those that are known, in every form in which a program might write them, and keys and
//! tokens of any owner by the form that they always have.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{
    Engine,
    engine::{GeneralPurpose, general_purpose},
};
use url::form_urlencoded;

/// Something that is to be found nowhere.
#[derive(Clone)]
pub(super) struct Secret {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    /// A password, a token or the like.
    pub(super) fn text(name: &str, text: &str) -> Self {
        let mut forms = encodings(text.as_bytes());
        let in_a_form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        forms.push(("in an address", in_a_form.replace('+', "%20").into_bytes()));
        forms.push(("in a form", in_a_form.into_bytes()));
        Self { name: name.to_owned(), forms }
    }

    pub(super) fn bytes(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), forms: encodings(bytes) }
    }

    /// Parts of the private numbers of this key, long enough for none to be there by chance.
    pub(super) fn private_key(name: &str, pkcs8: &[u8]) -> Vec<Self> {
        let scalar = pkcs8.windows(5).position(|window| window == [2, 1, 1, 4, 32]);
        let parts: Vec<_> = match scalar {
            // RFC 5915: version 1, then the number itself.
            Some(at) if pkcs8.len() < 200 => vec![&pkcs8[at + 5..at + 37]],
            // RFC 8017 A.1.2: what follows the modulus and the public exponent is private.
            _ => pkcs8[AFTER_PUBLIC_PART..].chunks_exact(32).step_by(3).collect(),
        };
        parts.into_iter().map(|part| Self { name: name.to_owned(), forms: encodings(part) }).collect()
    }

    /// The private numbers as AWS-LC holds them in memory: the lowest byte first.
    pub(super) fn private_key_in_memory(name: &str, pkcs8: &[u8]) -> Vec<Self> {
        let turned = |secret: &Self| {
            let mut bytes = secret.forms[0].1.clone();
            bytes.reverse();
            Self { name: name.to_owned(), forms: vec![("the lowest byte first", bytes)] }
        };
        let parts = Self::private_key(name, pkcs8);
        let turned: Vec<_> = parts.iter().map(turned).collect();
        parts.into_iter().chain(turned).collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What each form is called, and how the secret looks in it.
    pub(super) fn forms(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.forms.iter().map(|(form, bytes)| (*form, bytes.as_slice()))
    }
}

/// Of an RSA key of 2048 bits in PKCS#8.
const AFTER_PUBLIC_PART: usize = 310;

/// The bytes as they are, in hexadecimal, and in base64 wherever in a longer text they begin.
pub(super) fn encodings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("in capital hexadecimal", hexadecimal.to_uppercase().into_bytes()),
        ("in hexadecimal", hexadecimal.into_bytes()),
    ];
    for offset in 0..3 {
        forms.push(("in base64", within_base64(bytes, offset, &general_purpose::STANDARD_NO_PAD)));
        forms.push(("in base64url", within_base64(bytes, offset, &general_purpose::URL_SAFE_NO_PAD)));
    }
    forms
}

/// The characters that follow from these bytes alone when so many others stand before them.
fn within_base64(bytes: &[u8], offset: usize, engine: &GeneralPurpose) -> Vec<u8> {
    let shifted = [&vec![0; offset], bytes].concat();
    let text = engine.encode(&shifted).into_bytes();
    // A character holds six bits: the first whole one after the offset, and the last that ends with the bytes.
    text[(offset * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec()
}

/// The names of everything secret in these bytes.
pub(super) fn leaks(bytes: &[u8], secrets: &[Secret]) -> Vec<String> {
    let structures: Vec<_> = STRUCTURES
        .iter()
        .flat_map(|(name, structure)| encodings(structure).into_iter().map(|(_, form)| (*name, form)))
        .collect();
    let structures = structures.iter().map(|(name, form)| (*name, &form[..]));
    let mut found = found(bytes, &known(secrets).chain(structures).collect::<Vec<_>>());
    for at in 0..bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"eyJ") && is_token(rest) {
            found.insert("an access token");
        }
        if rest.starts_with(b"PRIVATE KEY-----") {
            found.insert("a PEM key");
        }
    }
    found.into_iter().map(str::to_owned).collect()
}

/// The names of those of these secrets that are in the bytes, each with its form.
pub(super) fn known_leaks(bytes: &[u8], secrets: &[Secret]) -> BTreeSet<String> {
    let forms = secrets.iter().flat_map(|secret| {
        let named = |(form, bytes): &(&str, Vec<u8>)| (format!("{} {form}", secret.name), bytes.clone());
        secret.forms.iter().map(named)
    });
    let forms: Vec<_> = forms.collect();
    let needles: Vec<_> = forms.iter().map(|(name, form)| (name.as_str(), &form[..])).collect();
    found(bytes, &needles).into_iter().map(str::to_owned).collect()
}

fn known(secrets: &[Secret]) -> impl Iterator<Item = (&str, &[u8])> {
    secrets.iter().flat_map(|secret| secret.forms.iter().map(|(_, form)| (secret.name.as_str(), &form[..])))
}

fn found<'a>(bytes: &[u8], needles: &[(&'a str, &[u8])]) -> BTreeSet<&'a str> {
    // Most places are settled by one look at two bytes, and most of the rest by the needles that begin with them.
    let mut beginnings: Vec<Vec<usize>> = vec![Vec::new(); 1 << 16];
    for (at, (_, needle)) in needles.iter().enumerate() {
        beginnings[beginning(needle)].push(at);
    }
    let mut found = BTreeSet::new();
    for at in 0..bytes.len().saturating_sub(1) {
        for needle in &beginnings[beginning(&bytes[at..])] {
            let (name, needle) = needles[*needle];
            if bytes[at..].starts_with(needle) {
                found.insert(name);
            }
        }
    }
    found
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// What a private key begins with, whoever's it is.
const STRUCTURES: [(&str, &[u8]); 5] = [
    // PKCS#8 (RFC 5958): version 0, rsaEncryption, no parameters, an octet string.
    ("an RSA key", b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04"),
    // PKCS#1 (RFC 8017): version 0, then a modulus of 2048 or 3072 bits.
    ("an RSA key", b"\x02\x01\x00\x02\x82\x01\x01\x00"),
    ("an RSA key", b"\x02\x01\x00\x02\x82\x01\x81\x00"),
    // PKCS#8: version 0, id-ecPublicKey on prime256v1.
    (
        "a P-256 key",
        b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04",
    ),
    // RFC 5915: version 1, a number of 32 bytes, and its length around it.
    ("a P-256 key", b"\x30\x77\x02\x01\x01\x04\x20"),
];

/// RFC 7519: three parts in base64url, of which two are JSON objects.
fn is_token(text: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let end = text.iter().position(|byte| !is_of_token(byte)).unwrap_or(text.len());
    let parts: Vec<_> = text[..end].split(|byte| *byte == b'.').collect();
    matches!(parts[..], [_, claims, signature, ..] if claims.starts_with(b"eyJ") && signature.len() >= 16)
}

/// The names of everything secret in the files of this folder, each with its file.
pub(super) fn leaks_in_folder(folder: &Path, secrets: &[Secret]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks_in_folder(&path, secrets));
        } else {
            let names = leaks(&fs::read(&path).unwrap(), secrets);
            found.extend(names.into_iter().map(|name| format!("{name} in {}", path.display())));
        }
    }
    found
}
