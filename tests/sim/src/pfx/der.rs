//! The DER structures of a PFX file: RFC 7292, and RFC 8018 for its encryption.

use asn1::{Explicit, ObjectIdentifier, SetOf, Tlv};

use super::{LOCAL_KEY_ID, Refused};

#[derive(asn1::Asn1Read)]
pub(super) struct Outer<'a> {
    pub(super) version: u8,
    pub(super) auth_safe: ContentInfo<'a>,
    pub(super) mac: Option<MacData<'a>>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct ContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    #[explicit(0)]
    pub(super) content: Option<Tlv<'a>>,
}

impl<'a> ContentInfo<'a> {
    pub(super) fn content(&self) -> Result<&Tlv<'a>, Refused> {
        self.content.as_ref().ok_or_else(|| Refused::because("the content is missing"))
    }

    pub(super) fn octets(&self, expected: &ObjectIdentifier) -> Result<&'a [u8], Refused> {
        if self.content_type != *expected {
            return Err(Refused::because("the PFX is not protected by a password"));
        }
        Ok(self.content()?.parse()?)
    }
}

#[derive(asn1::Asn1Read)]
pub(super) struct MacData<'a> {
    pub(super) mac: DigestInfo<'a>,
    pub(super) salt: &'a [u8],
    #[default(1u64)]
    pub(super) iterations: u64,
}

#[derive(asn1::Asn1Read)]
pub(super) struct DigestInfo<'a> {
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    pub(super) digest: &'a [u8],
}

#[derive(asn1::Asn1Read)]
pub(crate) struct AlgorithmIdentifier<'a> {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) parameters: Option<Tlv<'a>>,
}

impl<'a> AlgorithmIdentifier<'a> {
    pub(crate) fn parameters(&self) -> Result<&Tlv<'a>, Refused> {
        self.parameters.as_ref().ok_or_else(|| Refused::because("an algorithm has no parameters"))
    }
}

#[derive(asn1::Asn1Read)]
pub(super) struct EncryptedData<'a> {
    pub(super) version: u8,
    pub(super) info: EncryptedContentInfo<'a>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct EncryptedContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    #[implicit(0)]
    pub(super) encrypted: Option<&'a [u8]>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct SafeBag<'a> {
    pub(super) bag_id: ObjectIdentifier,
    pub(super) value: Explicit<Tlv<'a>, 0>,
    pub(super) attributes: Option<SetOf<'a, Attribute<'a>>>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct Attribute<'a> {
    pub(super) kind: ObjectIdentifier,
    pub(super) values: SetOf<'a, Tlv<'a>>,
}

impl SafeBag<'_> {
    pub(super) fn local_key_id(&self) -> Result<Option<Vec<u8>>, Refused> {
        let Some(attributes) = self.attributes.clone() else { return Ok(None) };
        for mut attribute in attributes {
            if attribute.kind == LOCAL_KEY_ID
                && let Some(value) = attribute.values.next()
            {
                return Ok(Some(value.parse::<&[u8]>()?.to_vec()));
            }
        }
        Ok(None)
    }
}

#[derive(asn1::Asn1Read)]
pub(super) struct CertificateBag<'a> {
    pub(super) certificate_type: ObjectIdentifier,
    pub(super) value: Explicit<&'a [u8], 0>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct EncryptedPrivateKey<'a> {
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    pub(super) encrypted: &'a [u8],
}

#[derive(asn1::Asn1Read)]
pub(super) struct Pkcs12PbeParameters<'a> {
    pub(super) salt: &'a [u8],
    pub(super) iterations: u64,
}

#[derive(asn1::Asn1Read)]
pub(super) struct Pbes2Parameters<'a> {
    pub(super) derivation: AlgorithmIdentifier<'a>,
    pub(super) encryption: AlgorithmIdentifier<'a>,
}

#[derive(asn1::Asn1Read)]
pub(super) struct Pbkdf2Parameters<'a> {
    pub(super) salt: &'a [u8],
    pub(super) iterations: u64,
    pub(super) key_length: Option<u64>,
    pub(super) function: Option<AlgorithmIdentifier<'a>>,
}
