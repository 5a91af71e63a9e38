//! What a CA sends back: certificates in any order, in any of the usual wrappings, with strays and duplicates.

use der::{Decode, Tag, TagNumber, asn1::ObjectIdentifier};
use jiff::Timestamp;

use crate::{Certificate, CertificateChain, Error, armor};

/// `id-signedData`, RFC 5652.
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTEXT_0: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The distinct certificates of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    certificates: Vec<Certificate>,
}

impl Bundle {
    /// Bytes that are read at most.
    pub const LARGEST: usize = 256 * 1024;
    /// Distinct certificates that are read at most. A leaf has two or three above it; cross-signed ones add a few.
    pub const MOST: usize = 20;

    /// Reads PEM (LF or CRLF, also with the `\n` of a copied JSON string), base64 of DER or of PEM, DER certificates one
    /// after the other, and certs-only PKCS#7 in DER, base64 or PEM. White space alone is an empty bundle: not issued yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > Self::LARGEST {
            return Err(Error::Bundle { reason: "the answer is larger than 256 KiB" });
        }
        let mut found = unwrap(bytes, Layers::Two)?;
        let mut seen = std::collections::HashSet::new();
        found.retain(|der| seen.insert(der.clone()));
        if found.len() > Self::MOST {
            return Err(Error::Bundle { reason: "there are more than 20 of them" });
        }
        let certificates = found.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        Ok(Self { certificates })
    }

    /// Reads certificates of certification authorities, which somebody looked up beforehand; nobody else's is taken.
    pub fn of_authorities(bytes: &[u8]) -> Result<Self, Error> {
        let bundle = Self::parse(bytes)?;
        match bundle.certificates.iter().all(|certificate| certificate.authority.is_some()) {
            true => Ok(bundle),
            false => Err(Error::Bundle { reason: "one of them is not of a certification authority" }),
        }
    }

    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificate for our key and those above it. `None`: the CA has not sent one for this key (yet); if there are
    /// [`Bundle::certificates`] all the same, they are somebody else's.
    ///
    /// `now` decides between several: certificates in force are preferred, among leaves the one that began last.
    pub fn chain_for(&self, public_key_info: &[u8], now: Timestamp) -> Option<CertificateChain> {
        CertificateChain::build(&self.certificates, public_key_info, now)
    }

    /// As [`Bundle::chain_for`]; where what was sent does not reach a root, `known` certificates make the chain longer.
    pub fn chain_completed_by(&self, known: &Self, public_key_info: &[u8], now: Timestamp) -> Option<CertificateChain> {
        CertificateChain::completed(&self.certificates, &known.certificates, public_key_info, now)
    }
}

/// How many wrappings may still be taken off: base64 of PEM of DER is the most that was seen.
#[derive(Clone, Copy)]
enum Layers {
    Two,
    One,
}

fn unwrap(bytes: &[u8], layers: Layers) -> Result<Vec<Vec<u8>>, Error> {
    if armor::is_der(bytes) {
        return from_der(bytes);
    }
    let text = armor::text_of(bytes).ok_or(Error::Bundle { reason: "they are neither DER nor text" })?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if armor::is_pem(&text) {
        return from_pem(&text);
    }
    let inner = armor::base64(&text).ok_or(Error::Bundle { reason: "they are neither PEM nor base64" })?;
    match layers {
        Layers::Two => unwrap(&inner, Layers::One),
        Layers::One => Err(Error::Bundle { reason: "they are wrapped more than twice" }),
    }
}

fn from_pem(text: &str) -> Result<Vec<Vec<u8>>, Error> {
    let mut found = Vec::new();
    for block in armor::pem_blocks(text) {
        if matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "CMS") {
            let body = block.body.ok_or(Error::Bundle { reason: "a PEM block is damaged or has no end" })?;
            found.extend(from_der(&body)?);
        }
    }
    if found.is_empty() {
        return Err(Error::Bundle { reason: "no PEM block is a certificate" });
    }
    Ok(found)
}

/// Certificates one after the other, or one PKCS#7.
fn from_der(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let elements = armor::elements(bytes).ok_or(Error::Bundle { reason: "the DER is damaged or cut off" })?;
    match elements.as_slice() {
        [] => Err(Error::Bundle { reason: "a PEM block is empty" }),
        [one] => match signed_data(one) {
            Some(certificates) => certificates.ok_or(Error::Bundle { reason: "the PKCS#7 holds no certificates" }),
            None => Ok(vec![one.to_vec()]),
        },
        several => Ok(several.iter().map(|element| element.to_vec()).collect()),
    }
}

/// The certificates of a `SignedData` (RFC 5652 5.1), signed or not. The outer `None`: it is something else.
///
/// Their order is not checked: OpenSSL writes the SET unsorted, which strict DER forbids.
fn signed_data(element: &[u8]) -> Option<Option<Vec<Vec<u8>>>> {
    let content_info = armor::elements(armor::value_of(element, Tag::Sequence)?)?;
    let (kind, rest) = content_info.split_first()?;
    if ObjectIdentifier::from_der(kind).ok()? != SIGNED_DATA {
        return None;
    }
    let certificates = || {
        let [content] = rest else { return None };
        let signed_data = armor::elements(armor::value_of(armor::value_of(content, CONTEXT_0)?, Tag::Sequence)?)?;
        let certificates = signed_data.iter().find_map(|field| armor::value_of(field, CONTEXT_0))?;
        Some(armor::elements(certificates)?.into_iter().map(<[u8]>::to_vec).collect())
    };
    Some(certificates())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{TestAuthority, in_directory, now, openssl, pem, private_key};

    fn ders(bytes: &[u8]) -> Vec<Vec<u8>> {
        let bundle = Bundle::parse(bytes).unwrap();
        bundle.certificates().iter().map(|certificate| certificate.der().to_vec()).collect()
    }

    fn reason(bytes: &[u8]) -> &'static str {
        match Bundle::parse(bytes) {
            Err(Error::Bundle { reason }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_wrapping_gives_the_same_certificates() {
        let root = TestAuthority::root("Root");
        let leaf = root.issue(&private_key());
        let both = [leaf.clone(), root.der.clone()];
        let text = pem(&[&leaf, &root.der]);
        let with_remarks = format!("subject=/CN=anna\n{}\nissuer:\n{}", pem(&[&leaf]), pem(&[&root.der]));
        let from_json = format!("\"{}\"", text.replace('\n', "\\r\\n"));
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [
            text.as_bytes(),
            text.replace('\n', "\r\n").as_bytes(),
            with_remarks.as_bytes(),
            from_json.as_bytes(),
            &utf16,
            text.replace("CERTIFICATE-", "X509 CERTIFICATE-").as_bytes(),
            both.concat().as_slice(),
            BASE64_STANDARD.encode(both.concat()).as_bytes(),
            BASE64_STANDARD.encode(&text).as_bytes(),
        ] {
            assert_eq!(ders(bytes), both, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn pkcs7_of_openssl_is_read() {
        let root = TestAuthority::root("Root");
        let leaf = root.issue(&private_key());
        in_directory(|directory| {
            std::fs::write(directory.join("both.pem"), pem(&[&root.der, &leaf])).unwrap();
            openssl(directory, "crl2pkcs7 -nocrl -certfile both.pem -out both.p7b");
            openssl(directory, "crl2pkcs7 -nocrl -certfile both.pem -outform DER -out both.der");
            let der = std::fs::read(directory.join("both.der")).unwrap();
            let p7b = std::fs::read(directory.join("both.p7b")).unwrap();
            for bytes in [&p7b, &der, BASE64_STANDARD.encode(&der).as_bytes()] {
                assert_eq!(ders(bytes), [root.der.clone(), leaf.clone()]);
            }
            std::fs::write(directory.join("none.pem"), "").unwrap();
            openssl(directory, "crl2pkcs7 -nocrl -outform DER -out none.der");
            let none = std::fs::read(directory.join("none.der")).unwrap();
            assert_eq!(Bundle::parse(&none).unwrap_err(), Error::Bundle { reason: "the PKCS#7 holds no certificates" });
        });
    }

    #[test]
    fn duplicates_are_dropped() {
        let root = TestAuthority::root("Root").der;
        assert_eq!(ders(pem(&[&root, &root]).as_bytes()), [root]);
    }

    #[test]
    fn white_space_is_an_order_that_is_not_issued() {
        for blank in ["", " \r\n\t", "\u{feff}\n"] {
            let bundle = Bundle::parse(blank.as_bytes()).unwrap();
            assert_eq!(bundle.chain_for(private_key().public_key_info(), now()), None);
        }
    }

    #[test]
    fn what_is_no_bundle_says_why() {
        let root = TestAuthority::root("Root").der;
        let text = pem(&[&root]);
        assert_eq!(reason(&vec![b'A'; Bundle::LARGEST + 1]), "the answer is larger than 256 KiB");
        assert_eq!(reason(b"<html>Bad gateway</html>"), "they are neither PEM nor base64");
        assert_eq!(reason(b"\xff\x00\xff"), "they are neither DER nor text");
        assert_eq!(reason(&root[..root.len() - 1]), "the DER is damaged or cut off");
        assert_eq!(reason(&text.as_bytes()[..200]), "a PEM block is damaged or has no end");
        assert_eq!(
            reason(text.replace("CERTIFICATE", "CERTIFICATE REQUEST").as_bytes()),
            "no PEM block is a certificate"
        );
        assert_eq!(reason(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), "a PEM block is empty");
        assert_eq!(
            reason(armor::to_pem("CERTIFICATE", &[0x30, 0]).as_bytes()),
            "one of them is not an X.509 certificate"
        );
        let many: String = (0..21).map(|_| pem(&[&TestAuthority::root("Root").der])).collect();
        assert_eq!(reason(many.as_bytes()), "there are more than 20 of them");
        let wrapped = BASE64_STANDARD.encode(BASE64_STANDARD.encode(BASE64_STANDARD.encode(&root)));
        assert_eq!(reason(wrapped.as_bytes()), "they are wrapped more than twice");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,200}") {
            let _ = Bundle::parse(&bytes);
            let _ = Bundle::parse(text.as_bytes());
            let _ = Bundle::parse(armor::to_pem("CERTIFICATE", &bytes).as_bytes());
            let _ = Bundle::parse(&[&[0x30, 0x82, 0, 200], bytes.as_slice()].concat());
        }

        #[test]
        fn a_certificate_with_damaged_bytes_is_read_or_refused(at in 0..500_usize, byte: u8, length in 1..500_usize) {
            static DER: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| TestAuthority::root("Root").issue(&private_key()));
            let mut damaged = DER.clone();
            let at = at % damaged.len();
            damaged[at] = byte;
            if let Ok(bundle) = Bundle::parse(&damaged) {
                let info = bundle.certificates()[0].public_key_info().to_vec();
                prop_assert!(bundle.chain_for(&info, now()).is_some());
            }
            let _ = Bundle::parse(&damaged[..length.min(damaged.len())]);
        }
    }
}
