use domain::KeyAlgorithm;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::*;
use crate::{
    PrivateKey,
    testing::{ADDRESS, TestAuthority, at, chain, mailbox, now, policies, private_key, rfc822_name, set_validity},
};

fn codes_of(chain: &CertificateChain, key: &PrivateKey, purpose: Purpose) -> Vec<FindingCode> {
    let expected = Expectation {
        public_key_info: key.public_key_info(),
        mailbox: &mailbox("Anna@EXAMPLE.com"),
        purpose,
        now: now(),
        longest_days: 825,
    };
    lint(chain, &expected).iter().map(|finding| finding.code).collect()
}

/// The findings about a certificate that is good but for one change.
fn findings_after(change: impl FnOnce(&mut CertificateParams)) -> Vec<FindingCode> {
    findings_for(Purpose::General, change)
}

fn findings_for(purpose: Purpose, change: impl FnOnce(&mut CertificateParams)) -> Vec<FindingCode> {
    let root = TestAuthority::root("Root");
    let issuer = root.intermediate("Issuer");
    let key = private_key();
    let leaf = issuer.issue_with(&key, change);
    codes_of(&chain(&key, &[&leaf, &issuer.der, &root.der]), &key, purpose)
}

#[test]
fn a_good_certificate_has_no_finding() {
    assert_eq!(findings_after(|_| {}), []);
    let root = TestAuthority::root("Root");
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).expect("a key");
    assert_eq!(codes_of(&chain(&key, &[&root.issue(&key), &root.der]), &key, Purpose::General), []);
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let chain = chain(&key, &[&root.issue(&key), &root.der]);
    assert_eq!(codes_of(&chain, &private_key(), Purpose::General), [FindingCode::OtherKey]);
}

#[test]
fn the_mailbox_has_to_be_in_it_and_should_be_first() {
    let names = |addresses: &'static [&str]| {
        findings_after(|params| params.subject_alt_names = addresses.iter().map(|name| rfc822_name(name)).collect())
    };
    assert_eq!(names(&[]), [FindingCode::MailboxMissing]);
    assert_eq!(names(&["bert@example.com"]), [FindingCode::MailboxMissing, FindingCode::OtherMailboxes]);
    assert_eq!(names(&["bert@example.com", ADDRESS]), [FindingCode::MailboxNotFirst, FindingCode::OtherMailboxes]);
    assert_eq!(names(&[ADDRESS, "bert@example.com"]), [FindingCode::OtherMailboxes]);
    assert_eq!(names(&["ANNA@Example.COM"]), []);
    assert_eq!(names(&["not an address", ADDRESS]), [FindingCode::MailboxNotFirst, FindingCode::OtherMailboxes]);
}

#[test]
fn a_mailbox_beyond_ascii_is_found_in_its_other_name() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let wanted = mailbox("jörg@müller.example");
    let name = rcgen::SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 9], wanted.to_string().into()));
    let leaf = root.issue_with(&key, |params| params.subject_alt_names = vec![name]);
    let chain = chain(&key, &[&leaf, &root.der]);
    assert_eq!(chain.leaf().mailboxes(), ["jörg@xn--mller-kva.example"]);
    let expected = Expectation {
        public_key_info: key.public_key_info(),
        mailbox: &wanted,
        purpose: Purpose::General,
        now: now(),
        longest_days: 825,
    };
    assert_eq!(lint(&chain, &expected), []);
}

#[test]
fn a_certificate_is_in_force_with_some_tolerance_for_clocks() {
    let dates = |first, last| findings_after(|params| set_validity(params, first, last));
    assert_eq!(dates("2026-06-15T12:09:00Z", "2027-01-01T00:00:00Z"), []);
    assert_eq!(dates("2026-06-15T12:11:00Z", "2027-01-01T00:00:00Z"), [FindingCode::NotYetValid]);
    assert_eq!(dates("2026-01-01T00:00:00Z", "2026-06-15T12:00:00Z"), []);
    assert_eq!(dates("2026-01-01T00:00:00Z", "2026-06-15T11:59:59Z"), [FindingCode::Expired]);
}

#[test]
fn the_last_second_of_825_days_counts() {
    let dates = |last| findings_after(|params| set_validity(params, "2026-01-01T00:00:00Z", last));
    assert_eq!(dates("2028-04-04T23:59:59Z"), []);
    assert_eq!(dates("2028-04-05T00:00:00Z"), [FindingCode::TooLong]);
}

#[test]
fn only_a_certificate_for_mail_is_taken() {
    use ExtendedKeyUsagePurpose as Use;
    let uses = |uses: Vec<Use>| findings_after(|params| params.extended_key_usages = uses);
    assert_eq!(uses(vec![]), [FindingCode::NoEmailProtection]);
    assert_eq!(uses(vec![Use::ClientAuth]), [FindingCode::NoEmailProtection, FindingCode::ExtraUse]);
    assert_eq!(uses(vec![Use::EmailProtection, Use::ClientAuth]), [FindingCode::ExtraUse]);
    for forbidden in [Use::ServerAuth, Use::CodeSigning, Use::TimeStamping, Use::Any] {
        assert_eq!(uses(vec![Use::EmailProtection, forbidden]), [FindingCode::ForbiddenUse]);
    }
}

#[test]
fn key_usage_has_to_allow_the_purpose_by_the_kind_of_key() {
    use KeyUsagePurpose as Bit;
    use Purpose::{Encryption, General, Signing};
    const REFUSED: FindingCode = FindingCode::PurposeNotAllowed;
    const MORE: FindingCode = FindingCode::MoreThanThePurpose;
    let (sign, agree, wrap) = (Bit::DigitalSignature, Bit::KeyAgreement, Bit::KeyEncipherment);
    for (purpose, bits, expected) in [
        (General, vec![sign, agree], vec![]),
        (General, vec![sign], vec![REFUSED]),
        (General, vec![sign, wrap], vec![REFUSED]),
        (General, vec![Bit::CrlSign], vec![REFUSED, REFUSED]),
        (Signing, vec![sign], vec![]),
        (Signing, vec![sign, agree], vec![MORE]),
        (Signing, vec![agree], vec![REFUSED, MORE]),
        (Encryption, vec![agree], vec![]),
        (Encryption, vec![sign, agree], vec![MORE]),
        (Encryption, vec![sign], vec![MORE, REFUSED]),
        (Encryption, vec![], vec![FindingCode::NoKeyUsage]),
    ] {
        assert_eq!(findings_for(purpose, |params| params.key_usages = bits.clone()), expected, "{purpose:?} {bits:?}");
    }
}

#[test]
fn the_policy_is_one_and_not_legacy() {
    let named = |oids: &[&str]| findings_after(|params| params.custom_extensions = vec![policies(oids)]);
    assert_eq!(named(&["2.23.140.1.5.1.2"]), []);
    assert_eq!(named(&["2.23.140.1.5.3.3", "1.3.6.1.4.1.38064.1.3.1"]), []);
    assert_eq!(named(&["2.23.140.1.5.2.1"]), [FindingCode::LegacyPolicy]);
    assert_eq!(named(&["1.3.6.1.4.1.38064.1.3.1"]), [FindingCode::NoPolicy]);
    assert_eq!(named(&["2.23.140.1.5.1.2", "2.23.140.1.5.3.2"]), [FindingCode::SeveralPolicies]);
    assert_eq!(findings_after(|params| params.custom_extensions.clear()), [FindingCode::NoPolicy]);
}

#[test]
fn an_authority_is_no_leaf() {
    let codes = findings_after(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(codes, [FindingCode::IsAuthority]);
}

#[test]
fn a_missing_issuer_and_a_wrong_signature_are_told_apart() {
    let real = TestAuthority::root("Issuer");
    let key = private_key();
    let leaf = real.issue_with(&key, |params| params.use_authority_key_identifier_extension = false);
    let imposter = TestAuthority::root("Issuer");
    let alone = chain(&key, &[&leaf]);
    assert_eq!(codes_of(&alone, &key, Purpose::General), [FindingCode::IssuerMissing]);
    let forged = chain(&key, &[&leaf, &imposter.der]);
    let expected = [FindingCode::IssuerSignatureWrong, FindingCode::UnusedCertificates];
    assert_eq!(codes_of(&forged, &key, Purpose::General), expected);
}

#[test]
fn issuers_have_to_be_authorities_for_mail_in_force() {
    let root = TestAuthority::root("Root");
    let key = private_key();
    let under = |change: &dyn Fn(&mut CertificateParams)| {
        let issuer = root.intermediate_with("Issuer", change);
        let below = issuer.intermediate("Below");
        codes_of(&chain(&key, &[&below.issue(&key), &below.der, &issuer.der, &root.der]), &key, Purpose::General)
    };
    assert_eq!(under(&|_| {}), []);
    assert_eq!(under(&|params| params.is_ca = IsCa::ExplicitNoCa), [FindingCode::IssuerNotAuthority]);
    assert_eq!(under(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]), [FindingCode::IssuerNotAuthority]);
    let path = |longest| under(&move |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(longest)));
    assert_eq!(path(0), [FindingCode::IssuerPathTooLong]);
    assert_eq!(path(1), []);
    let uses = |uses: Vec<_>| under(&move |params| params.extended_key_usages = uses.clone());
    assert_eq!(uses(vec![ExtendedKeyUsagePurpose::ServerAuth]), [FindingCode::IssuerNotForEmail]);
    assert_eq!(uses(vec![ExtendedKeyUsagePurpose::EmailProtection]), []);
    let expired = under(&|params| set_validity(params, "2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z"));
    // The path in force ends below the expired one, which is then reported as unused.
    assert_eq!(expired, [FindingCode::UnusedCertificates]);
    let direct = root.intermediate_with("Issuer", |params| {
        set_validity(params, "2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    });
    let codes = codes_of(&chain(&key, &[&direct.issue(&key), &direct.der, &root.der]), &key, Purpose::General);
    assert_eq!(codes, [FindingCode::IssuerNotInForce]);
}

/// Made with openssl, because rcgen refuses to make them.
#[test]
fn sha1_and_short_keys_are_refused() {
    use crate::testing::{in_directory, openssl};
    let key = PrivateKey::generate(KeyAlgorithm::Rsa2048).expect("a key");
    let chain = in_directory(|directory| {
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).expect("a file");
        let read = |name: &str| std::fs::read(directory.join(name)).expect("a file");
        write("key.der", &key.pkcs8().expect("PKCS#8"));
        write("leaf.ext", format!("subjectAltName=email:{ADDRESS}\nextendedKeyUsage=emailProtection\n").as_bytes());
        openssl(directory, "genrsa -out root.key 1024");
        openssl(directory, "req -x509 -key root.key -subj /CN=Root -days 20000 -out root.pem");
        openssl(directory, "pkey -inform DER -in key.der -out key.pem");
        openssl(directory, "req -new -key key.pem -subj /CN=leaf -out leaf.csr");
        let sign = "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile leaf.ext -days 800";
        openssl(directory, &format!("{sign} -sha1 -out leaf.pem"));
        crate::Bundle::parse(&[read("leaf.pem"), read("root.pem")].concat())
            .expect("two certificates")
            .chain_for(key.public_key_info(), now())
            .expect("a leaf")
    });
    let expected = Expectation {
        public_key_info: key.public_key_info(),
        mailbox: &mailbox(ADDRESS),
        purpose: Purpose::General,
        now: chain.leaf().not_before(),
        longest_days: 825,
    };
    let codes: Vec<_> = lint(&chain, &expected).iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&FindingCode::IssuerWeakKey), "{codes:?}");
    assert!(codes.contains(&FindingCode::WeakSignature), "{codes:?}");
}

#[test]
fn codes_are_distinct_words_and_findings_are_sentences() {
    let words: std::collections::BTreeSet<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), FindingCode::ALL.len());
    let key = private_key();
    let root = TestAuthority::root("Root");
    let leaf = root.issue_with(&key, |params| *params = CertificateParams::default());
    let expected = Expectation {
        public_key_info: key.public_key_info(),
        mailbox: &mailbox(ADDRESS),
        purpose: Purpose::General,
        now: at("1970-01-01T00:00:00Z"),
        longest_days: 825,
    };
    let findings = lint(&chain(&key, &[&leaf]), &expected);
    assert!(findings.iter().any(|finding| finding.severity() == Severity::Refuse));
    for finding in findings {
        assert!(finding.sentence.ends_with('.'), "{finding:?}");
    }
}
