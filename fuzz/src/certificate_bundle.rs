//! The certificates that a CA sends: whatever is read can be ordered, compared with the order, and read again from the
//! form in which it is kept.

use domain::{Mailbox, Purpose};
use jiff::Timestamp;
use pki::{Bundle, Expectation, lint};

pub fn read(bytes: &[u8]) {
    let Ok(bundle) = Bundle::parse(bytes) else { return };
    assert!(bundle.certificates().len() <= Bundle::MOST);
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
    let mailbox: Mailbox = "anna@contoso.example".parse().expect("an address");
    for certificate in bundle.certificates() {
        let public_key_info = certificate.public_key_info();
        let chain = bundle.chain_for(public_key_info, now).expect("the certificate is for its own key");
        assert_eq!(chain.leaf().public_key_info(), public_key_info);
        for purpose in [Purpose::General, Purpose::Encryption, Purpose::Signing] {
            let expected = Expectation { public_key_info, mailbox: &mailbox, purpose, now, longest_days: 825 };
            for finding in lint(&chain, &expected) {
                assert!(!finding.sentence.is_empty());
            }
        }
        let kept = Bundle::parse(chain.to_pem().as_bytes()).expect("what is kept is read again");
        let again = kept.chain_for(public_key_info, now).expect("the same chain");
        assert_eq!(again.to_pem(), chain.to_pem());
    }
}
