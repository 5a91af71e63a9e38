use super::*;
use crate::testing::{TestAuthority, at, bundle, chain, in_directory, now, openssl, pem, private_key, set_validity};

fn ders<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Vec<&'a [u8]> {
    certificates.into_iter().map(Certificate::der).collect()
}

#[test]
fn certificates_in_any_order_become_one_chain_that_openssl_accepts() {
    let root = TestAuthority::root("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let key = private_key();
    let leaf = lower.issue(&key);
    let orders: [[&[u8]; 4]; 3] = [
        [&leaf, &lower.der, &upper.der, &root.der],
        [&root.der, &upper.der, &lower.der, &leaf],
        [&upper.der, &leaf, &root.der, &lower.der],
    ];
    for order in orders {
        let chain = chain(&key, &order);
        assert_eq!(chain.leaf().der(), leaf);
        assert_eq!(ders(chain.intermediates()), [&lower.der, &upper.der]);
        assert_eq!(chain.root().unwrap().der(), root.der);
        assert!(chain.unused().is_empty());
        in_directory(|directory| {
            std::fs::write(directory.join("root.pem"), pem(&[&root.der])).unwrap();
            std::fs::write(directory.join("leaf.pem"), pem(&[chain.leaf().der()])).unwrap();
            std::fs::write(directory.join("between.pem"), pem(&ders(chain.intermediates()))).unwrap();
            let at = now().as_second();
            let verify = "verify -x509_strict -purpose smimesign -CAfile root.pem -untrusted between.pem";
            openssl(directory, &format!("{verify} -attime {at} leaf.pem"));
        });
    }
}

#[test]
fn a_kept_chain_is_read_again_as_it_was() {
    let root = TestAuthority::root("Root");
    let issuer = root.intermediate("Issuer");
    let key = private_key();
    let chain = chain(&key, &[&root.der, &issuer.der, &issuer.issue(&key)]);
    let again = crate::Bundle::parse(chain.to_pem().as_bytes()).unwrap();
    assert_eq!(again.chain_for(key.public_key_info(), now()), Some(chain));
}

#[test]
fn no_certificate_for_our_key_is_a_value() {
    let root = TestAuthority::root("Root");
    let others = bundle(&[&root.issue(&private_key()), &root.der]);
    assert_eq!(others.chain_for(private_key().public_key_info(), now()), None);
}

#[test]
fn an_issuer_that_is_missing_leaves_the_chain_open() {
    let root = TestAuthority::root("Root");
    let issuer = root.intermediate("Issuer");
    let key = private_key();
    let leaf = issuer.issue(&key);
    let without_root = chain(&key, &[&issuer.der, &leaf]);
    assert_eq!((without_root.intermediates().len(), without_root.root()), (1, None));
    let alone = chain(&key, &[&leaf, &root.der]);
    assert_eq!((alone.intermediates().len(), alone.root(), alone.unused().len()), (0, None, 1));
}

#[test]
fn strays_are_reported_and_not_used() {
    let root = TestAuthority::root("Root");
    let stray = TestAuthority::root("Stray");
    let key = private_key();
    let chain = chain(&key, &[&stray.der, &root.issue(&key), &root.der]);
    assert_eq!(ders(chain.unused()), [&stray.der]);
    assert_eq!(chain.root().unwrap().der(), root.der);
}

#[test]
fn the_name_of_an_issuer_is_not_enough() {
    let key = private_key();
    let real = TestAuthority::root("Issuer");
    let imposter = TestAuthority::root("Issuer");
    let leaf = real.issue(&key);
    let forged = chain(&key, &[&leaf, &imposter.der]);
    assert_eq!((forged.root(), forged.unused().len()), (None, 1));
    let both = chain(&key, &[&leaf, &imposter.der, &real.der]);
    assert_eq!(both.root().unwrap().der(), real.der);
}

#[test]
fn of_cross_signed_twins_the_self_signed_root_is_taken() {
    let old = TestAuthority::root("Old root");
    let new = TestAuthority::root("New root");
    let crossed = old.cross_sign(&new, |_| {});
    let issuer = new.intermediate("Issuer");
    let key = private_key();
    let leaf = issuer.issue(&key);
    let both = chain(&key, &[&old.der, &crossed, &new.der, &issuer.der, &leaf]);
    assert_eq!(ders(both.intermediates()), [&issuer.der]);
    assert_eq!(both.root().unwrap().der(), new.der);
    assert_eq!(both.unused().len(), 2);

    // Without the new root, the way over the old one is the only complete one.
    let over_old = chain(&key, &[&old.der, &crossed, &issuer.der, &leaf]);
    assert_eq!(ders(over_old.intermediates()), [&issuer.der, &crossed]);
    assert_eq!(over_old.root().unwrap().der(), old.der);
}

#[test]
fn an_expired_root_is_not_preferred_for_being_shorter() {
    let old = TestAuthority::root("Old root");
    let new = TestAuthority::root("New root");
    let issuer = new.intermediate("Issuer");
    let expired = new.cross_sign(&new, |params| {
        set_validity(params, "2010-01-01T00:00:00Z", "2020-05-30T10:48:38Z");
    });
    let crossed = old.cross_sign(&new, |_| {});
    let key = private_key();
    let leaf = issuer.issue(&key);
    let chain = chain(&key, &[&leaf, &issuer.der, &expired, &crossed, &old.der]);
    assert_eq!(ders(chain.intermediates()), [&issuer.der, &crossed]);
    assert_eq!(chain.root().unwrap().der(), old.der);
}

#[test]
fn authorities_that_sign_each_other_end_the_search() {
    let one = TestAuthority::root("One");
    let two = TestAuthority::root("Two");
    let (one_by_two, two_by_one) = (two.cross_sign(&one, |_| {}), one.cross_sign(&two, |_| {}));
    let key = private_key();
    let chain = chain(&key, &[&one_by_two, &two_by_one, &one.issue(&key)]);
    assert_eq!(ders(chain.intermediates()), [&one_by_two, &two_by_one]);
    assert_eq!(chain.root(), None);
}

#[test]
fn of_two_certificates_for_our_key_the_one_in_force_that_began_last_is_the_leaf() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let issue = |first, last| root.issue_with(&key, |params| set_validity(params, first, last));
    let old = issue("2025-01-01T00:00:00Z", "2026-12-31T00:00:00Z");
    let new = issue("2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z");
    let future = issue("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
    let all = bundle(&[&new, &old, &future, &root.der]);
    let leaf = |now| all.chain_for(key.public_key_info(), at(now)).unwrap().leaf().der().to_vec();
    assert_eq!(leaf("2026-06-15T12:00:00Z"), new);
    assert_eq!(leaf("2026-05-15T12:00:00Z"), old);
    assert_eq!(leaf("2028-05-15T12:00:00Z"), future);
}

#[test]
fn what_a_certificate_says_is_what_openssl_reads() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let chain = chain(&key, &[&root.issue(&key), &root.der]);
    let leaf = chain.leaf();
    assert_eq!(leaf.mailboxes(), ["anna@example.com"]);
    assert_eq!((leaf.not_before(), leaf.not_after()), (at("2026-01-01T00:00:00Z"), at("2027-12-31T23:59:59Z")));
    assert_eq!((leaf.subject(), leaf.issuer()), ("CN=anna@example.com", "CN=Root"));
    assert_eq!(format!("{leaf:?}"), format!("Certificate({})", leaf.thumbprint()));
    in_directory(|directory| {
        std::fs::write(directory.join("leaf.pem"), pem(&[leaf.der()])).unwrap();
        let print = |what: &str| openssl(directory, &format!("x509 -in leaf.pem -noout {what}")).to_lowercase();
        let digits = |text: String| text.trim().split_once('=').unwrap().1.replace(':', "");
        assert_eq!(digits(print("-fingerprint -sha1")), leaf.thumbprint().to_string());
        assert_eq!(digits(print("-fingerprint -sha256")), leaf.sha256());
        assert_eq!(digits(print("-serial")).trim_start_matches('0'), leaf.serial().trim_start_matches('0'));
    });
}

#[test]
fn an_issuer_that_was_not_sent_is_taken_from_the_known_ones() {
    let root = TestAuthority::root("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let key = private_key();
    let leaf = lower.issue(&key);
    let stranger = TestAuthority::root("Stranger").der;
    let completed = |sent: &[&[u8]], known: &[&[u8]]| {
        bundle(sent).chain_completed_by(&bundle(known), key.public_key_info(), now()).unwrap()
    };
    let whole = completed(&[&leaf], &[&upper.der, &stranger, &lower.der]);
    assert_eq!(ders(whole.intermediates()), [&lower.der, &upper.der]);
    assert!(whole.unused().is_empty(), "nobody sent what is only known");
    let upwards = completed(&[&lower.der, &stranger, &leaf], &[&root.der, &upper.der]);
    assert_eq!(ders(upwards.intermediates()), [&lower.der, &upper.der]);
    assert_eq!(upwards.root().unwrap().der(), root.der);
    assert_eq!(ders(upwards.unused()), [&stranger]);
    let alone = completed(&[&leaf], &[&upper.der]);
    assert!(alone.intermediates().is_empty() && alone.root().is_none(), "a chain has no gap");
}

#[test]
fn a_chain_that_was_sent_whole_stays_as_it_was_sent() {
    let root = TestAuthority::root("Root");
    let issuer = root.intermediate("Issuer");
    let key = private_key();
    let sent = bundle(&[&issuer.issue(&key), &issuer.der, &root.der]);
    let twin = TestAuthority::root("Another root").cross_sign(&issuer, |_| {});
    let known = bundle(&[&twin]);
    let info = key.public_key_info();
    assert_eq!(sent.chain_completed_by(&known, info, now()), sent.chain_for(info, now()));
}

#[test]
fn the_known_ones_never_bring_the_leaf() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let known = bundle(&[&root.issue(&key), &root.der]);
    assert_eq!(bundle(&[&root.der]).chain_completed_by(&known, key.public_key_info(), now()), None);
}

#[test]
fn only_authorities_are_read_as_authorities() {
    let root = TestAuthority::root("Root");
    let read = |ders: &[&[u8]]| crate::Bundle::of_authorities(pem(ders).as_bytes());
    assert_eq!(read(&[&root.der]).unwrap().certificates().len(), 1);
    let refused = read(&[&root.der, &root.issue(&private_key())]).unwrap_err();
    assert_eq!(refused.to_string(), "the certificates cannot be read: one of them is not of a certification authority");
}
