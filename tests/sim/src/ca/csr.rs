//! Reads certificate signing requests (PKCS#10, RFC 2986) as strictly as a public S/MIME CA must.
//!
//! Whatever is not understood is refused: an attribute, an extension, an algorithm, a second name.

mod key;

use asn1::{Asn1Read, ObjectIdentifier, oid};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::key::{AlgorithmIdentifier, SubjectPublicKeyInfo};
pub use self::key::{KeyAlgorithm, PublicKey};

/// A request whose own signature holds.
#[derive(Clone, Debug)]
pub struct SigningRequest {
    pub der: Vec<u8>,
    pub public_key: PublicKey,
    pub mailbox: Mailbox,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    /// What the request asks to use the key for, if it says so.
    pub usage: Option<RequestedUsage>,
}

/// The one mailbox of a request, in the form in which its SAN names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailbox {
    Rfc822Name(String),
    /// RFC 9598, for a local part that is not ASCII.
    SmtpUtf8(String),
}

impl Mailbox {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Rfc822Name(address) | Self::SmtpUtf8(address) => address,
        }
    }
}

/// The two key usages of S/MIME that a request can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedUsage {
    pub signing: bool,
    pub encryption: bool,
}

/// Why a request is refused, in one clause.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Problem(pub &'static str);

impl SigningRequest {
    /// Reads PEM with LF line ends, as `openssl req` writes it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_pem(text: &str) -> Result<Self, Problem> {
        let body = text
            .trim_end_matches('\n')
            .strip_prefix("-----BEGIN CERTIFICATE REQUEST-----\n")
            .and_then(|rest| rest.strip_suffix("\n-----END CERTIFICATE REQUEST-----"))
            .ok_or(Problem("it is not a PEM certificate request"))?;
        if body.lines().any(|line| line.is_empty() || line.len() > 76) {
            return Err(Problem("its PEM lines are empty or too long"));
        }
        let der = STANDARD.decode(body.replace('\n', "")).map_err(|_| Problem("its PEM body is not base64"))?;
        Self::from_der(der)
    }

    /// # Errors
    /// The first thing that is wrong.
    pub fn from_der(der: Vec<u8>) -> Result<Self, Problem> {
        let request: CertificationRequest<'_> =
            asn1::parse_single(&der).map_err(|_| Problem("it is not DER of PKCS#10"))?;
        let info: CertificationRequestInfo<'_> =
            request.info.parse().map_err(|_| Problem("its content is not PKCS#10"))?;
        if info.version != 0 {
            return Err(Problem("its version is not 0"));
        }
        let public_key = PublicKey::read(&info.public_key)?;
        public_key.verify(&request.signature_algorithm, request.info.full_data(), request.signature.as_bytes())?;
        let subject = Subject::read(info.subject)?;
        let extensions = Extensions::read(info.attributes)?;
        let mailbox = extensions.mailbox.ok_or(Problem("its SAN names no mailbox"))?;
        subject.must_name(&mailbox)?;
        Ok(Self {
            public_key,
            mailbox,
            given_name: subject.given_name,
            surname: subject.surname,
            usage: extensions.usage,
            der,
        })
    }
}

#[derive(Asn1Read)]
struct CertificationRequest<'a> {
    info: asn1::Tlv<'a>,
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: asn1::BitString<'a>,
}

#[derive(Asn1Read)]
struct CertificationRequestInfo<'a> {
    version: u8,
    subject: Name<'a>,
    public_key: SubjectPublicKeyInfo<'a>,
    #[implicit(0)]
    attributes: Option<asn1::SetOf<'a, Attribute<'a>>>,
}

type Name<'a> = asn1::SequenceOf<'a, asn1::SetOf<'a, AttributeTypeAndValue<'a>>>;

#[derive(Asn1Read)]
struct AttributeTypeAndValue<'a> {
    kind: ObjectIdentifier,
    value: asn1::Tlv<'a>,
}

#[derive(Asn1Read)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    values: asn1::SetOf<'a, asn1::Tlv<'a>>,
}

#[derive(Asn1Read)]
struct Extension<'a> {
    kind: ObjectIdentifier,
    #[default(false)]
    _critical: bool,
    value: &'a [u8],
}

#[derive(Asn1Read)]
enum GeneralName<'a> {
    #[implicit(0)]
    OtherName(OtherName<'a>),
    #[implicit(1)]
    Rfc822Name(asn1::IA5String<'a>),
}

#[derive(Asn1Read)]
struct OtherName<'a> {
    kind: ObjectIdentifier,
    #[explicit(0, required)]
    value: asn1::Tlv<'a>,
}

#[derive(Default)]
struct Subject {
    common_name: Option<String>,
    email_address: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
}

impl Subject {
    fn read(name: Name<'_>) -> Result<Self, Problem> {
        let mut subject = Self::default();
        for relative_name in name {
            let mut attributes = relative_name;
            let attribute = attributes.next().ok_or(Problem("its subject has an empty name"))?;
            if attributes.next().is_some() {
                return Err(Problem("its subject has a name of several values"));
            }
            let place = match &attribute.kind {
                kind if *kind == oid!(2, 5, 4, 3) => &mut subject.common_name,
                kind if *kind == oid!(1, 2, 840, 113549, 1, 9, 1) => &mut subject.email_address,
                kind if *kind == oid!(2, 5, 4, 42) => &mut subject.given_name,
                kind if *kind == oid!(2, 5, 4, 4) => &mut subject.surname,
                _ => return Err(Problem("its subject names what the CA itself fills in")),
            };
            let text = directory_string(&attribute.value)?;
            if place.replace(text).is_some() {
                return Err(Problem("its subject names one thing twice"));
            }
        }
        Ok(subject)
    }

    /// SSL.com takes the CN as a validation item of its own and the mailbox from emailAddress and
    /// SAN, so the three must agree. Seen in the sandbox 2026-06.
    fn must_name(&self, mailbox: &Mailbox) -> Result<(), Problem> {
        if self.common_name.as_deref() != Some(mailbox.as_str()) {
            return Err(Problem("its CN is not the mailbox"));
        }
        // ub-common-name of RFC 5280.
        if mailbox.as_str().chars().count() > 64 {
            return Err(Problem("its CN is longer than 64 characters"));
        }
        match (mailbox, &self.email_address) {
            (Mailbox::Rfc822Name(address), Some(email)) if address == email => Ok(()),
            (Mailbox::SmtpUtf8(_), None) => Ok(()),
            _ => Err(Problem("its emailAddress is not the mailbox")),
        }
    }
}

fn directory_string(value: &asn1::Tlv<'_>) -> Result<String, Problem> {
    let text = value
        .parse::<asn1::Utf8String<'_>>()
        .map(|text| text.as_str())
        .or_else(|_| value.parse::<asn1::PrintableString<'_>>().map(|text| text.as_str()))
        .or_else(|_| value.parse::<asn1::IA5String<'_>>().map(|text| text.as_str()))
        .map_err(|_| Problem("its subject has a name in an unusual string type"))?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Problem("its subject has an empty name or control characters"));
    }
    if text.chars().any(is_hidden) {
        return Err(Problem("its subject has characters that are not seen or that turn others around"));
    }
    // S/MIME Baseline Requirements, 7.1.4.2: no value that only says that there is none.
    if !text.chars().any(char::is_alphabetic) {
        return Err(Problem("its subject has a name without a letter"));
    }
    if text.chars().count() > 64 {
        return Err(Problem("its subject has a name longer than 64 characters"));
    }
    Ok(text.to_owned())
}

/// The controls of bidirectional text (UAX 9), spaces without width, fillers, and what is set aside for private use.
fn is_hidden(character: char) -> bool {
    matches!(u32::from(character),
        0x00ad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x180e | 0x200b | 0x200e | 0x200f | 0x2028..=0x202e | 0x2060..=0x206f
        | 0x3164 | 0xe000..=0xf8ff | 0xfeff | 0xffa0 | 0xfff9..=0xffff | 0xf0000..=0x10_ffff)
}

#[derive(Default)]
struct Extensions {
    mailbox: Option<Mailbox>,
    usage: Option<RequestedUsage>,
}

impl Extensions {
    fn read(attributes: Option<asn1::SetOf<'_, Attribute<'_>>>) -> Result<Self, Problem> {
        let mut found = Self::default();
        for attribute in attributes.into_iter().flatten() {
            // extensionRequest of RFC 2985.
            if attribute.kind != oid!(1, 2, 840, 113549, 1, 9, 14) {
                return Err(Problem("it has an attribute other than extensionRequest"));
            }
            let values: Vec<_> = attribute.values.collect();
            let [value] = values.as_slice() else {
                return Err(Problem("its extensionRequest does not have one value"));
            };
            let extensions: asn1::SequenceOf<'_, Extension<'_>> =
                value.parse().map_err(|_| Problem("its extensions are unreadable"))?;
            for extension in extensions {
                found.take(&extension)?;
            }
        }
        Ok(found)
    }

    fn take(&mut self, extension: &Extension<'_>) -> Result<(), Problem> {
        if extension.kind == oid!(2, 5, 29, 17) {
            let mailbox = only_mailbox(extension.value)?;
            if self.mailbox.replace(mailbox).is_some() {
                return Err(Problem("it has two SANs"));
            }
        } else if extension.kind == oid!(2, 5, 29, 15) {
            let bits: asn1::BitString<'_> =
                asn1::parse_single(extension.value).map_err(|_| Problem("its key usage is unreadable"))?;
            self.usage = Some(RequestedUsage {
                signing: bits.has_bit_set(0),
                encryption: bits.has_bit_set(2) || bits.has_bit_set(4),
            });
        } else if extension.kind == oid!(2, 5, 29, 37) {
            only_mail_purposes(extension.value)?;
        } else {
            return Err(Problem("it asks for an extension that no S/MIME certificate takes from it"));
        }
        Ok(())
    }
}

fn only_mailbox(san: &[u8]) -> Result<Mailbox, Problem> {
    let names: asn1::SequenceOf<'_, GeneralName<'_>> =
        asn1::parse_single(san).map_err(|_| Problem("its SAN has names other than mailboxes"))?;
    let names: Vec<_> = names.collect();
    let [name] = names.as_slice() else {
        return Err(Problem("its SAN does not have exactly one name"));
    };
    let mailbox = match name {
        GeneralName::Rfc822Name(address) => Mailbox::Rfc822Name(address.as_str().to_owned()),
        GeneralName::OtherName(other) if other.kind == oid!(1, 3, 6, 1, 5, 5, 7, 8, 9) => {
            let address: asn1::Utf8String<'_> =
                other.value.parse().map_err(|_| Problem("its SmtpUTF8Mailbox is not a UTF8String"))?;
            // RFC 9598: an ASCII local part belongs in an rfc822Name.
            if address.as_str().is_ascii() {
                return Err(Problem("its SmtpUTF8Mailbox is plain ASCII"));
            }
            Mailbox::SmtpUtf8(address.as_str().to_owned())
        }
        GeneralName::OtherName(_) => return Err(Problem("its SAN has an unknown otherName")),
    };
    let plain = |part: &str| !part.is_empty() && !part.contains(['@', ' ', '<', '>', ',']);
    match mailbox.as_str().split_once('@') {
        Some((local, domain)) if plain(local) && plain(domain) && domain.contains('.') => Ok(mailbox),
        _ => Err(Problem("its SAN names no mailbox address")),
    }
}

fn only_mail_purposes(eku: &[u8]) -> Result<(), Problem> {
    let purposes: asn1::SequenceOf<'_, ObjectIdentifier> =
        asn1::parse_single(eku).map_err(|_| Problem("its extended key usage is unreadable"))?;
    for purpose in purposes {
        if purpose != oid!(1, 3, 6, 1, 5, 5, 7, 3, 4) && purpose != oid!(1, 3, 6, 1, 5, 5, 7, 3, 2) {
            return Err(Problem("its extended key usage is not for mail"));
        }
    }
    Ok(())
}
