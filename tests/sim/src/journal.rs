//! The memory of a simulated world: JSON lines, each written before the answer that it belongs to.
//!
//! A world survives the kill of its process, not the loss of power, so nothing is synced. Private
//! keys are written only [`Sealed`], so that a search for keys in a data folder stays meaningful.

use std::{
    collections::HashMap,
    fmt, fs, io,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An append-only journal; without a file it forgets. Clones write to the same file.
#[derive(Clone)]
pub struct Journal {
    file: Arc<Mutex<Option<fs::File>>>,
}

/// The last line that was written for one kind and key.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    pub kind: String,
    pub key: String,
    pub value: Value,
}

impl Journal {
    /// Opens or makes the file and returns what it holds: per kind and key the last line, in the
    /// order in which the keys first appeared.
    ///
    /// A last line without its line end was cut off by a kill. It is dropped, because the answer
    /// that it stands for was never sent.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds an unreadable line that is not the last.
    pub fn open(path: Option<&Path>) -> io::Result<(Self, Vec<Entry>)> {
        let Some(path) = path else {
            return Ok((Self { file: Arc::default() }, Vec::new()));
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            // Left in place, the torn line would swallow the next one.
            file.set_len(whole as u64)?;
            file.seek(io::SeekFrom::End(0))?;
        }
        let entries = last_of_each_key(&text[..whole])?;
        Ok((Self { file: Arc::new(Mutex::new(Some(file))) }, entries))
    }

    /// Writes one line, in one call to the operating system.
    ///
    /// # Errors
    /// When the value has no JSON form or the file refuses the line.
    pub fn append(&self, kind: &str, key: &str, value: &impl Serialize) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_mut() else { return Ok(()) };
        let mut line = serde_json::to_vec(&Line { kind, key, value })?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

#[derive(Serialize)]
struct Line<'a, T> {
    kind: &'a str,
    key: &'a str,
    value: &'a T,
}

fn last_of_each_key(text: &[u8]) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let entry: Entry = serde_json::from_slice(line)?;
        let place = *places.entry((entry.kind.clone(), entry.key.clone())).or_insert(entries.len());
        if place == entries.len() {
            entries.push(entry);
        } else {
            entries[place] = entry;
        }
    }
    Ok(entries)
}

/// Bytes under AES-256-GCM with a key made from the world's seed.
///
/// It hides a key from a search of the data folder and from nothing else: whoever has the seed
/// can open it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl Sealed {
    pub fn seal(seed: u64, bytes: &[u8]) -> Self {
        let mut sealed = bytes.to_vec();
        let nonce = sealing_key(seed)
            .seal_in_place_append_tag(Aad::empty(), &mut sealed)
            .expect("AES-GCM takes every input of this size");
        Self(STANDARD.encode([nonce.as_ref(), sealed.as_slice()].concat()))
    }

    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it was sealed under another seed or changed since.
    pub fn open(&self, seed: u64) -> io::Result<Vec<u8>> {
        let refused = || io::Error::new(io::ErrorKind::InvalidData, "sealed under another seed");
        let bytes = STANDARD.decode(&self.0).map_err(|_| refused())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut sealed = sealed.to_vec();
        let opened = sealing_key(seed).open_in_place(nonce, Aad::empty(), &mut sealed).map_err(|_| refused())?;
        Ok(opened.to_vec())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealed(..)")
    }
}

fn sealing_key(seed: u64) -> RandomizedNonceKey {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"simulated world")
        .extract(&seed.to_be_bytes())
        .expand(&[b"journal"], hkdf::HKDF_SHA256)
        .and_then(|expanded| expanded.fill(&mut key))
        .expect("HKDF-SHA256 yields 32 bytes");
    RandomizedNonceKey::new(&AES_256_GCM, &key).expect("the key has the length of AES-256")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_line_of_each_key_is_found_again_in_the_order_of_first_appearance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world/journal.jsonl");
        let (journal, entries) = Journal::open(Some(&path)).unwrap();
        assert!(entries.is_empty());
        journal.append("order", "b", &1).unwrap();
        journal.append("order", "a", &2).unwrap();
        journal.append("order", "b", &3).unwrap();
        journal.append("key", "b", &4).unwrap();

        let (_, entries) = Journal::open(Some(&path)).unwrap();
        let found: Vec<_> = entries.iter().map(|e| (e.kind.as_str(), e.key.as_str(), &e.value)).collect();
        assert_eq!(found, [("order", "b", &json!(3)), ("order", "a", &json!(2)), ("key", "b", &json!(4))]);
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (journal, _) = Journal::open(Some(&path)).unwrap();
        journal.append("order", "a", &1).unwrap();
        journal.append("order", "b", &2).unwrap();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();

        let (journal, entries) = Journal::open(Some(&path)).unwrap();
        assert_eq!(entries.len(), 1);
        journal.append("order", "c", &3).unwrap();
        let (_, entries) = Journal::open(Some(&path)).unwrap();
        assert_eq!(entries.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn an_unreadable_line_in_the_middle_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        fs::write(&path, "{\"kind\":\n{\"kind\":\"a\",\"key\":\"b\",\"value\":1}\n").unwrap();
        assert!(Journal::open(Some(&path)).is_err());
    }

    #[test]
    fn sealed_bytes_open_only_under_their_seed() {
        let sealed = Sealed::seal(7, b"a private key");
        assert_eq!(sealed.open(7).unwrap(), b"a private key");
        assert!(sealed.open(8).is_err());
        assert_ne!(sealed, Sealed::seal(7, b"a private key"), "each sealing has its own nonce");
        assert_eq!(format!("{sealed:?}"), "Sealed(..)");
    }
}
