//! The corpus of the fuzz targets, read once more by what is compiled here: a finding that was mended stays mended.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{collections::BTreeSet, fs, path::PathBuf};

/// What each target does with bytes. libFuzzer's own part is in `fuzz/fuzz_targets` and needs another compiler.
#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "there it is a crate")]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("certificate_bundle", targets::certificate_bundle::read),
    ("connector_key", targets::connector_key::read),
    ("graph_answers", targets::graph_answers::read),
    ("sslcom_answers", targets::sslcom_answers::read),
    ("webhook", targets::webhook::read),
];

const MOST_FILES: usize = 50;
const MOST_BYTES: usize = 200 * 1024;

#[test]
fn every_input_of_the_corpus_is_read_as_it_must_be() {
    let (mut files, mut bytes) = (0, 0);
    for (target, read) in TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{target}");
        for input in inputs {
            read(&input);
            files += 1;
            bytes += input.len();
        }
    }
    assert!(files <= MOST_FILES && bytes <= MOST_BYTES, "{files} files, {bytes} bytes: keep the corpus small");
}

#[test]
fn every_target_is_replayed() {
    let manifest: toml::Table = fs::read_to_string(folder().join("Cargo.toml")).unwrap().parse().unwrap();
    let binaries = manifest["bin"].as_array().unwrap().iter();
    let binaries: BTreeSet<_> = binaries.map(|binary| binary["name"].as_str().unwrap()).collect();
    assert_eq!(binaries, TARGETS.map(|(name, _)| name).into());
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder().join("corpus").join(target)).unwrap();
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
