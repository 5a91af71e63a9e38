use proptest::prelude::*;
use x509_parser::prelude::{FromDer, X509CertificationRequest};

use super::*;
use crate::testing::{in_directory, mailbox, openssl, private_key};

/// What openssl reads in a request, after it has verified the signature.
fn read_by_openssl(key: &PrivateKey, subject: &Subject) -> String {
    let csr = certificate_request(key, subject).unwrap();
    in_directory(|directory| {
        std::fs::write(directory.join("csr.pem"), &csr.pem).unwrap();
        std::fs::write(directory.join("csr.der"), &csr.der).unwrap();
        openssl(directory, "req -in csr.der -inform DER -verify -noout");
        let print = "req -in csr.pem -verify -noout -text -nameopt utf8,sep_multiline,lname";
        openssl(directory, print)
    })
}

fn subject(given_name: &str, surname: &str) -> Result<Subject, Error> {
    Subject::new(mailbox("anna@example.com"), Some(given_name), Some(surname))
}

/// The names of a request's subject, one `name=value` each.
fn names(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| !line.contains("Subject:")).skip(1);
    lines.take_while(|line| !line.contains("Subject Public Key")).map(str::trim).collect()
}

#[test]
fn openssl_verifies_the_request_of_every_key_and_reads_the_mailbox_in_three_places() {
    for (algorithm, signature) in [
        (KeyAlgorithm::Rsa2048, "Signature Algorithm: sha256WithRSAEncryption"),
        (KeyAlgorithm::Rsa3072, "Signature Algorithm: sha256WithRSAEncryption"),
        (KeyAlgorithm::P256, "Signature Algorithm: ecdsa-with-SHA256"),
    ] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let text = read_by_openssl(&key, &subject("Anna", "Berg").unwrap());
        let expected =
            ["commonName=anna@example.com", "givenName=Anna", "surname=Berg", "emailAddress=anna@example.com"];
        assert_eq!(names(&text), expected);
        assert!(text.contains("email:anna@example.com"), "{text}");
        assert!(text.contains(signature), "{text}");
    }
}

#[test]
fn pem_lines_end_in_lf() {
    let csr = certificate_request(&private_key(), &subject("Anna", "Berg").unwrap()).unwrap();
    assert!(csr.pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    assert!(csr.pem.ends_with("\n-----END CERTIFICATE REQUEST-----\n"));
    assert!(!csr.pem.contains('\r'));
}

#[test]
fn names_of_every_script_are_written_as_they_are() {
    for (given_name, surname) in [
        ("Åsa", "Öberg-Jäger"),
        ("Jürgen", "Groß"),
        ("Seán", "O'Neill"),
        ("Zoë", "D\u{2019}Arcy"),
        ("太郎", "山田"),
        ("𠮷", "𠮷野家"),
        ("יעל", "כהן"),
        ("محمد", "العربي"),
        ("नरेन्द्र", "शर्मा"),
        ("Anna, MBA", "Berg/O=evil+C=XX"),
        ("Anna\\", "\"Berg\" #1"),
    ] {
        let text = read_by_openssl(&private_key(), &subject(given_name, surname).unwrap());
        let expected = [
            "commonName=anna@example.com".to_owned(),
            format!("givenName={given_name}"),
            format!("surname={surname}"),
            "emailAddress=anna@example.com".to_owned(),
        ];
        assert_eq!(names(&text), expected);
    }
}

#[test]
fn decomposed_names_are_composed() {
    let text = read_by_openssl(&private_key(), &subject("A\u{30a}sa", "O\u{308}berg").unwrap());
    assert_eq!(names(&text)[1..3], ["givenName=Åsa", "surname=Öberg"]);
}

#[test]
fn a_local_part_beyond_ascii_goes_into_the_name_of_rfc_9598_and_nowhere_else() {
    let subject = Subject::new(mailbox("jörg@müller.example"), None, None).unwrap();
    let text = read_by_openssl(&private_key(), &subject);
    assert_eq!(names(&text), ["commonName=jörg@xn--mller-kva.example"]);
    assert!(text.contains("SmtpUTF8Mailbox"), "{text}");
    assert!(!text.contains("email:"), "{text}");
    let csr = certificate_request(&private_key(), &subject).unwrap();
    // 1.3.6.1.5.5.7.8.9, then the mailbox as [0] UTF8String.
    let other_name =
        [b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09\xa0\x1d\x0c\x1b", "jörg@xn--mller-kva.example".as_bytes()];
    let other_name = other_name.concat();
    assert!(csr.der.windows(other_name.len()).any(|window| window == other_name));
}

#[test]
fn names_that_are_empty_are_left_out() {
    let text = read_by_openssl(&private_key(), &subject(" \t", "").unwrap());
    assert_eq!(names(&text), ["commonName=anna@example.com", "emailAddress=anna@example.com"]);
}

#[test]
fn a_name_is_at_most_64_characters_after_composing() {
    assert!(subject(&"é".repeat(64), "").is_ok());
    assert!(subject(&"e\u{301}".repeat(64), "").is_ok());
    let too_long = Error::Name { field: "surname", reason: "has more than 64 characters" };
    assert_eq!(subject("Anna", &"x".repeat(65)), Err(too_long.clone()));
    assert_eq!(too_long.to_string(), "the surname has more than 64 characters");
}

#[test]
fn what_is_no_name_is_refused_with_its_field() {
    for (text, reason) in [
        ("Anna\u{0}", "holds a control character"),
        ("An\nna", "holds a control character"),
        ("An\u{202e}na", "holds an invisible character"),
        ("An\u{200b}na", "holds an invisible character"),
        ("Anna 😀", "holds an emoji or another symbol"),
        ("Anna ❤\u{fe0f}", "holds an emoji or another symbol"),
        ("Anna 👩\u{200d}💻", "holds an emoji or another symbol"),
        ("Ann\u{fffd}", "was damaged in the directory"),
        ("Anna\u{e000}", "holds a character without a meaning"),
        ("Anna\u{e0041}", "holds a character without a meaning"),
    ] {
        assert_eq!(subject(text, "Berg"), Err(Error::Name { field: "given name", reason }), "{text:?}");
        assert_eq!(subject("Anna", text), Err(Error::Name { field: "surname", reason }), "{text:?}");
    }
}

#[test]
fn a_kept_request_tells_whose_key_it_is_for() {
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let pem = certificate_request(&key, &subject("Anna", "Berg").unwrap()).unwrap().pem;
        assert_eq!(public_key_info_of_request(pem.as_bytes()).unwrap(), key.public_key_info());
        let others = [&pem[..99], &pem.repeat(2), &pem.replace("REQUEST", "X"), "", "\u{0}"];
        for other in others {
            assert_eq!(public_key_info_of_request(other.as_bytes()), Err(Error::NotARequest), "{other}");
        }
    }
    assert_eq!(public_key_info_of_request(b"\xff"), Err(Error::NotARequest));
}

#[test]
fn debug_shows_no_name() {
    let subject = subject("Anna", "Berg").unwrap();
    let csr = certificate_request(&private_key(), &subject).unwrap();
    assert_eq!(format!("{subject:?} {csr:?}"), "Subject { .. } Csr { .. }");
}

proptest! {
    #[test]
    fn any_bytes_are_no_request(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(public_key_info_of_request(&bytes).is_err());
        prop_assert!(public_key_info_of_request(armor::to_pem(CERTIFICATE_REQUEST, &bytes).as_bytes()).is_err());
    }

    #[test]
    fn any_name_is_refused_or_read_back_as_one_name(given_name in "\\PC{0,70}", surname in "[ -~]{0,70}") {
        let Ok(subject) = subject(&given_name, &surname) else { return Ok(()) };
        let csr = certificate_request(&private_key(), &subject).unwrap();
        let (rest, read) = X509CertificationRequest::from_der(&csr.der).unwrap();
        prop_assert!(rest.is_empty());
        let names: Vec<_> = read
            .certification_request_info
            .subject
            .iter_rdn()
            .map(|rdn| rdn.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>())
            .collect();
        let expected = [Some("anna@example.com"), subject.given_name.as_deref(), subject.surname.as_deref(), Some("anna@example.com")];
        let expected: Vec<_> = expected.into_iter().flatten().map(|name| vec![name.to_owned()]).collect();
        prop_assert_eq!(names, expected);
    }
}
