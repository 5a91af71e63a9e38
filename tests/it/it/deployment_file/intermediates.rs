//! `sslcom.intermediates`: certificates of certification authorities, and nobody else's.

use std::process::Command;

use flow::FieldProblem;
use local::config::Config;

use super::{EXAMPLE, environment, problems};

/// A self-signed certificate, made by OpenSSL.
fn certificate(constraints: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let extension = format!("basicConstraints=critical,CA:{constraints}");
    let made = Command::new("openssl")
        .current_dir(folder.path())
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
        .args(["-subj", "/CN=Somebody", "-addext", &extension, "-keyout", "key.pem", "-out", "certificate.pem"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read_to_string(folder.path().join("certificate.pem")).unwrap()
}

fn with_intermediates(pem: &str) -> String {
    let changed = EXAMPLE.replace("#intermediates = \"\"", &format!("intermediates = '''\n{pem}'''"));
    assert_ne!(changed, EXAMPLE);
    changed
}

#[test]
fn several_authorities_one_below_the_other_are_read() {
    let both = certificate("TRUE") + &certificate("TRUE");
    let config = Config::read(&with_intermediates(&both), environment).unwrap();
    assert_eq!(config.deployment.intermediates.certificates().len(), 2);
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    let found = problems(&with_intermediates(&certificate("FALSE")));
    let [FieldProblem { field, problem, fix }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(field, "sslcom.intermediates");
    assert!(problem.contains("one of them is not of a certification authority"), "{problem}");
    assert!(fix.starts_with("paste SSL.com's intermediate certificates as PEM"), "{fix}");
}
