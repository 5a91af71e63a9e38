#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, process::Command};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::{csr::Problem, *};

/// A request as a well-made client makes it, and what a test changes about it.
struct Draft {
    key: KeyPair,
    parameters: CertificateParams,
}

fn draft(mailbox: &str) -> Draft {
    draft_with(KeyPair::generate().unwrap(), mailbox)
}

fn draft_with(key: KeyPair, mailbox: &str) -> Draft {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, mailbox);
    name.push(DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]), DnValue::Ia5String(mailbox.try_into().unwrap()));
    name.push(DnType::CustomDnType(vec![2, 5, 4, 42]), "Åsa");
    name.push(DnType::CustomDnType(vec![2, 5, 4, 4]), "Öberg-Groß");
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.subject_alt_names = vec![SanType::Rfc822Name(mailbox.try_into().unwrap())];
    Draft { key, parameters }
}

impl Draft {
    fn pem(&self) -> String {
        self.parameters.serialize_request(&self.key).unwrap().pem().unwrap()
    }

    fn read(&self) -> Result<SigningRequest, Problem> {
        SigningRequest::from_pem(&self.pem())
    }

    fn refusal(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

fn sponsored() -> Profile<'static> {
    Profile {
        certificate_type: CertificateType::SponsorValidated,
        generation: Generation::Multipurpose,
        usage: Usage::Dual,
        days: 365,
        organization: Some(Organization { name: "Exempel AB", identifier: "VATSE-556677889901", country: "SE" }),
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// The text that OpenSSL prints for a certificate.
fn openssl_text(der: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate.der");
    fs::write(&file, der).unwrap();
    let output = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus", "-in"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_request_made_by_rcgen_is_read() {
    let request = draft("asa@exempel.se").read().unwrap();
    assert_eq!(request.mailbox, Mailbox::Rfc822Name("asa@exempel.se".to_owned()));
    assert_eq!(request.given_name.as_deref(), Some("Åsa"));
    assert_eq!(request.surname.as_deref(), Some("Öberg-Groß"));
    assert_eq!(request.public_key.algorithm, KeyAlgorithm::P256);
    assert_eq!(request.usage, None);
}

#[test]
fn rsa_requests_are_read_and_short_keys_refused() {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let request = draft_with(key, "asa@exempel.se").read().unwrap();
    assert_eq!(request.public_key.algorithm, KeyAlgorithm::Rsa);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.csr");
    let made = Command::new("openssl")
        .args(["req", "-new", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=asa@exempel.se"])
        .args(["-keyout", "/dev/null", "-out"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success());
    let problem = SigningRequest::from_pem(&fs::read_to_string(&file).unwrap()).unwrap_err();
    assert_eq!(problem, Problem("its RSA key is shorter than 2048 bits"));
}

#[test]
fn a_request_made_by_openssl_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openssl.csr");
    let made = Command::new("openssl")
        .args(["req", "-new", "-newkey", "rsa:3072", "-nodes", "-utf8"])
        .args(["-subj", "/CN=bo@exempel.se/emailAddress=bo@exempel.se/GN=Bo"])
        .args(["-addext", "subjectAltName=email:bo@exempel.se"])
        .args(["-addext", "keyUsage=critical,keyEncipherment"])
        .args(["-addext", "extendedKeyUsage=emailProtection", "-keyout", "/dev/null", "-out"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let request = SigningRequest::from_pem(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(request.mailbox.as_str(), "bo@exempel.se");
    assert_eq!(Usage::from(request.usage.unwrap()), Usage::Encryption);
}

#[test]
fn a_changed_request_is_refused_by_its_own_signature() {
    let mut der = draft("asa@exempel.se").read().unwrap().der;
    let place = der.windows(4).position(|window| window == b"asa@").unwrap();
    der[place] = b'o';
    let problem = SigningRequest::from_der(der).unwrap_err();
    assert_eq!(problem, Problem("its own signature does not hold"));
}

#[test]
fn what_is_not_one_mailbox_named_three_times_is_refused() {
    let mut other_name = draft("asa@exempel.se");
    other_name.parameters.distinguished_name.push(DnType::CommonName, "Åsa Öberg");
    assert_eq!(other_name.refusal(), "its CN is not the mailbox");

    let mut no_email = draft("asa@exempel.se");
    let email = DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]);
    no_email.parameters.distinguished_name.remove(email);
    assert_eq!(no_email.refusal(), "its emailAddress is not the mailbox");

    let mut no_san = draft("asa@exempel.se");
    no_san.parameters.subject_alt_names.clear();
    assert_eq!(no_san.refusal(), "its SAN names no mailbox");

    let mut two = draft("asa@exempel.se");
    two.parameters.subject_alt_names.push(SanType::Rfc822Name("bo@exempel.se".try_into().unwrap()));
    assert_eq!(two.refusal(), "its SAN does not have exactly one name");

    let mut host = draft("asa@exempel.se");
    host.parameters.subject_alt_names = vec![SanType::DnsName("exempel.se".try_into().unwrap())];
    assert_eq!(host.refusal(), "its SAN has names other than mailboxes");

    let no_address = draft("exempel.se");
    assert_eq!(no_address.refusal(), "its SAN names no mailbox address");

    let long = format!("{}@exempel.se", "a".repeat(54));
    assert_eq!(draft(&long).refusal(), "its subject has a name longer than 64 characters");
}

#[test]
fn what_the_ca_does_not_take_from_a_request_is_refused() {
    let mut organization = draft("asa@exempel.se");
    organization.parameters.distinguished_name.push(DnType::OrganizationName, "Exempel AB");
    assert_eq!(organization.refusal(), "its subject names what the CA itself fills in");

    let mut authority = draft("asa@exempel.se");
    authority.parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert!(authority.refusal().starts_with("it asks for an extension"));

    let mut unknown = draft("asa@exempel.se");
    unknown.parameters.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0])];
    assert!(unknown.refusal().starts_with("it asks for an extension"));

    let mut server = draft("asa@exempel.se");
    server.parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(server.refusal(), "its extended key usage is not for mail");

    let edwards = draft_with(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), "asa@exempel.se");
    assert_eq!(edwards.refusal(), "its key is neither RSA nor on a NIST curve");
}

#[test]
fn text_that_is_no_pem_request_is_refused() {
    let pem = draft("asa@exempel.se").pem();
    for text in [
        String::new(),
        "garbage".to_owned(),
        STANDARD.encode(&pem),
        pem.replace('\n', "\r\n"),
        pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        format!("{pem}{pem}"),
    ] {
        assert!(SigningRequest::from_pem(&text).is_err(), "{text}");
    }
}

#[test]
fn a_mailbox_that_is_not_ascii_is_named_by_rfc_9598() {
    let address = "åsa@exempel.se";
    let mut international = draft("asa@exempel.se");
    let name = &mut international.parameters.distinguished_name;
    name.push(DnType::CommonName, address);
    name.remove(DnType::CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]));
    let oid = vec![1, 3, 6, 1, 5, 5, 7, 8, 9];
    international.parameters.subject_alt_names = vec![SanType::OtherName((oid.clone(), address.into()))];
    let request = international.read().unwrap();
    assert_eq!(request.mailbox, Mailbox::SmtpUtf8(address.to_owned()));

    let ca = CertificateAuthority::generate(KeyKind::EllipticCurve, now());
    let issued = ca.issue(&request, &sponsored(), now()).unwrap();
    let text = openssl_text(&issued.der());
    assert!(text.contains("SmtpUTF8Mailbox") || text.contains("othername"), "{text}");
    assert!(!text.contains("emailAddress"), "{text}");

    international.parameters.subject_alt_names = vec![SanType::OtherName((oid, "asa@exempel.se".into()))];
    assert_eq!(international.refusal(), "its SmtpUTF8Mailbox is plain ASCII");
}

#[test]
fn a_sponsored_certificate_has_the_profile_of_the_baseline_requirements() {
    let ca = CertificateAuthority::generate(KeyKind::EllipticCurve, now());
    let request = draft("asa@exempel.se").read().unwrap();
    let issued = ca.issue(&request, &sponsored(), now()).unwrap();
    let text = openssl_text(&issued.der());
    for expected in [
        "organizationIdentifier=VATSE-556677889901",
        "O=Exempel AB",
        "C=SE",
        "GN=Åsa",
        "SN=Öberg-Groß",
        "CN=asa@exempel.se",
        "emailAddress=asa@exempel.se",
        "email:asa@exempel.se",
        "Digital Signature, Key Agreement\n",
        "E-mail Protection, TLS Web Client Authentication\n",
        "Policy: 2.23.140.1.5.3.2\n",
        "X509v3 Authority Key Identifier",
        "X509v3 Subject Key Identifier",
        "URI:http://ca.sim.example/issuing.crl",
        "CA Issuers - URI:http://ca.sim.example/issuing.cer",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    assert!(!text.contains("CA:TRUE"), "{text}");
    assert_eq!(issued.serial.len(), 32);
    let serial = issued.serial.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    assert!(text.contains(&serial.collect::<Vec<_>>().join(":")), "{text}");
}

#[test]
fn other_types_generations_usages_and_keys_show_in_the_certificate() {
    let ca = CertificateAuthority::generate(KeyKind::EllipticCurve, now());
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let request = draft_with(key, "asa@exempel.se").read().unwrap();
    let mailbox_only = Profile {
        certificate_type: CertificateType::MailboxValidated,
        generation: Generation::Strict,
        organization: None,
        ..sponsored()
    };
    let text = |usage| {
        let issued = ca.issue(&request, &Profile { usage, ..mailbox_only }, now()).unwrap();
        openssl_text(&issued.der())
    };
    let dual = text(Usage::Dual);
    assert!(dual.contains("Digital Signature, Key Encipherment\n"), "{dual}");
    assert!(dual.contains("E-mail Protection\n"), "{dual}");
    assert!(dual.contains("Policy: 2.23.140.1.5.1.3\n"), "{dual}");
    assert!(!dual.contains("GN="), "{dual}");
    assert!(text(Usage::Signing).contains("            Digital Signature\n"));
    assert!(text(Usage::Encryption).contains("            Key Encipherment\n"));
}

#[test]
fn the_chain_verifies_and_no_certificate_lives_825_days() {
    for kind in [KeyKind::EllipticCurve, KeyKind::Rsa] {
        let ca = CertificateAuthority::generate(kind, now());
        let request = draft("asa@exempel.se").read().unwrap();
        let profile = Profile { days: 1095, ..sponsored() };
        let issued = ca.issue(&request, &profile, now()).unwrap();
        let life = issued.not_after.duration_since(issued.not_before);
        assert_eq!(life.as_secs(), 824 * 86_400);

        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, der: &[u8]| {
            let path = folder.path().join(name);
            let text = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
            fs::write(&path, text).unwrap();
            path
        };
        let verified = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile"])
            .arg(file("root.pem", ca.root_der()))
            .arg("-untrusted")
            .arg(file("issuing.pem", ca.issuing_der()))
            .arg(file("leaf.pem", &issued.der()))
            .output()
            .unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

#[test]
fn a_stored_ca_goes_on_under_its_seed_and_hides_its_keys() {
    let ca = CertificateAuthority::generate(KeyKind::EllipticCurve, now());
    let text = serde_json::to_string(&ca.store(7)).unwrap();
    let stored: Stored = serde_json::from_str(&text).unwrap();
    assert!(CertificateAuthority::restore(&stored, 8).is_err());
    let again = CertificateAuthority::restore(&stored, 7).unwrap();
    assert_eq!(again.root_der(), ca.root_der());
    assert_eq!(again.issuing.issuer.key().public_key_raw(), ca.issuing.issuer.key().public_key_raw());
    let key = STANDARD.encode(ca.issuing.issuer.key().serialized_der());
    assert!(!text.contains(&key[..40]));
}

#[test]
fn a_type_that_names_a_person_or_an_organisation_needs_one() {
    let ca = CertificateAuthority::generate(KeyKind::EllipticCurve, now());
    let mut nameless = draft("info@exempel.se");
    for oid in [vec![2, 5, 4, 42], vec![2, 5, 4, 4]] {
        nameless.parameters.distinguished_name.remove(DnType::CustomDnType(oid));
    }
    let request = nameless.read().unwrap();
    assert!(matches!(ca.issue(&request, &sponsored(), now()), Err(Refusal::NoPerson)));
    let unknown = Profile { organization: None, ..sponsored() };
    assert!(matches!(ca.issue(&request, &unknown, now()), Err(Refusal::NoOrganization)));
}
