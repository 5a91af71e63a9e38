//! The connector's public key: what is read is sound and has one stored form, and what is refused says why.

use pki::ConnectorKey;

pub fn read(bytes: &[u8]) {
    match ConnectorKey::parse(bytes) {
        Ok(key) => {
            assert!((2048..=16_384).contains(&key.bits()), "{} bits", key.bits());
            let stored = ConnectorKey::parse(key.to_blob_base64().as_bytes()).expect("the stored form is read");
            assert_eq!(stored.fingerprint(), key.fingerprint());
            assert_eq!(stored.to_blob_base64(), key.to_blob_base64());
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}
