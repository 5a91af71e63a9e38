//! Writes a certificate and its chain in the forms that a CA might answer with.

use asn1::{ObjectIdentifier, oid};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::behaviour::Bundle;
use crate::ca::CertificateAuthority;

pub(super) fn render(form: Bundle, leaf: &[u8], ca: &CertificateAuthority) -> String {
    let (issuing, root) = (ca.issuing_der(), ca.root_der());
    match form {
        Bundle::LeafFirst => certificates(&[leaf, issuing]),
        Bundle::Shuffled => certificates(&[root, leaf, issuing]),
        Bundle::WithDuplicates => certificates(&[leaf, issuing, leaf, root, issuing, root]),
        Bundle::Pkcs7 => pem("PKCS7", &certificates_only(&[leaf, issuing, root])),
        Bundle::Base64 => STANDARD.encode([leaf, issuing].concat()),
        Bundle::MissingIntermediate => certificates(&[leaf]),
        Bundle::Huge => certificates(&[leaf, issuing]).repeat(500),
    }
}

/// RFC 7468: 64 characters a line, LF.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

fn certificates(ders: &[&[u8]]) -> String {
    ders.iter().map(|der| pem("CERTIFICATE", der)).collect()
}

/// A degenerate SignedData without signers, RFC 5652 5.1.
fn certificates_only(ders: &[&[u8]]) -> Vec<u8> {
    let signed_data = SignedData {
        version: 1,
        digest_algorithms: asn1::SetOfWriter::new(Vec::new()),
        content: ContentType { kind: oid!(1, 2, 840, 113549, 1, 7, 1) },
        certificates: asn1::SetOfWriter::new(
            ders.iter().map(|der| asn1::parse_single(der).expect("the CA writes DER")).collect(),
        ),
        signers: asn1::SetOfWriter::new(Vec::new()),
    };
    asn1::write_single(&ContentInfo { kind: oid!(1, 2, 840, 113549, 1, 7, 2), content: signed_data })
        .expect("parts of this size can be written")
}

type SetOf<'a> = asn1::SetOfWriter<'a, asn1::Tlv<'a>, Vec<asn1::Tlv<'a>>>;

#[derive(asn1::Asn1Write)]
struct ContentInfo<'a> {
    kind: ObjectIdentifier,
    #[explicit(0, required)]
    content: SignedData<'a>,
}

#[derive(asn1::Asn1Write)]
struct SignedData<'a> {
    version: u8,
    digest_algorithms: SetOf<'a>,
    content: ContentType,
    #[implicit(0, required)]
    certificates: SetOf<'a>,
    signers: SetOf<'a>,
}

#[derive(asn1::Asn1Write)]
struct ContentType {
    kind: ObjectIdentifier,
}
