//! The `openssl` command line in a folder of its own, where it reads and writes files by their plain names.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;

pub(super) struct Desk(TempDir);

impl Desk {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    pub(super) fn write_base64(&self, name: &str, content: &str) {
        self.write(name, &STANDARD.decode(content).unwrap());
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// What it prints when it succeeds.
    pub(super) fn openssl(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        // It prints the names in a PFX in Latin-1.
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "openssl {}: {complaints}", arguments.join(" "));
        // `req -verify` says that it succeeded where others complain.
        if printed.is_empty() { complaints } else { printed }
    }

    /// What it complains about when it fails.
    pub(super) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "openssl {} succeeded", arguments.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let openssl = Command::new("openssl").args(arguments).current_dir(&self.0).stdin(Stdio::null()).output();
        openssl.expect("the openssl command line has to be installed")
    }
}
