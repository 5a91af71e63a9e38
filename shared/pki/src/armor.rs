//! The wrappings in which keys and certificates travel as text: PEM, bare base64, and the encodings of Windows tools.
//! Everything here reads what somebody else sent or pasted, so nothing panics and nothing grows beyond its input.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use der::{AnyRef, Decode, Reader, SliceReader, Tag};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One `BEGIN`…`END` block.
pub(crate) struct PemBlock<'a> {
    pub(crate) label: &'a str,
    /// `None` if the lines between are not base64, or the block has no end.
    pub(crate) body: Option<Vec<u8>>,
}

/// Reads UTF-8, or UTF-16 as Windows PowerShell writes it, each with or without a byte order mark.
pub(crate) fn text_of(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => str::from_utf8(rest).ok().map(str::to_owned),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [1..=255, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..=255, ..] => utf16(bytes, u16::from_be_bytes),
        _ => str::from_utf8(bytes).ok().map(str::to_owned),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

pub(crate) fn is_pem(text: &str) -> bool {
    text.contains(BEGIN)
}

/// The blocks in their order; text between them (as `openssl s_client` or a CA's mail puts there) is passed over.
pub(crate) fn pem_blocks(text: &str) -> Vec<PemBlock<'_>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((label, after)) = after.split_once(DASHES) else {
            break;
        };
        match after.split_once(END) {
            Some((body, after)) => {
                blocks.push(PemBlock { label, body: base64(body) });
                rest = after;
            }
            None => {
                blocks.push(PemBlock { label, body: None });
                break;
            }
        }
    }
    blocks
}

/// Base64 with any white space, any padding, and the quotes and `\n` of a JSON string that was copied as it stood.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut digits = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                'n' | 'r' | 't' => {}
                '/' => digits.push('/'),
                _ => return None,
            },
            '"' => {}
            character if character.is_whitespace() => {}
            character => digits.push(character),
        }
    }
    LENIENT.decode(digits).ok()
}

/// PEM in lines of 64 characters that end in LF on every system.
pub(crate) fn to_pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut pem = format!("{BEGIN}{label}{DASHES}\n");
    for line in body.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem + END + label + DASHES + "\n"
}

/// Whether the bytes begin as a DER `SEQUENCE`. A text that begins with `0` has the same first byte, but hardly its own
/// length in the second.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, 0x80..=0x84, ..] => true,
        [0x30, length, value @ ..] => usize::from(*length) == value.len(),
        _ => false,
    }
}

/// The elements that stand one after the other in `bytes`, each with its header. `None` unless they fill it.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut elements = Vec::new();
    if bytes.is_empty() {
        return Some(elements);
    }
    let mut reader = SliceReader::new(bytes).ok()?;
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes().ok()?);
    }
    Some(elements)
}

/// The value inside one element.
pub(crate) fn value_of(element: &[u8], tag: Tag) -> Option<&[u8]> {
    let element = AnyRef::from_der(element).ok()?;
    (der::Tagged::tag(&element) == tag).then(|| element.value())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_read_in_the_encodings_of_windows() {
        let little: Vec<u8> = "AB".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "AB".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            b"AB".to_vec(),
            b"\xef\xbb\xbfAB".to_vec(),
            little.clone(),
            big.clone(),
            [b"\xff\xfe".as_slice(), &little].concat(),
            [b"\xfe\xff".as_slice(), &big].concat(),
        ] {
            assert_eq!(text_of(&bytes).as_deref(), Some("AB"), "{bytes:?}");
        }
        assert_eq!(text_of(b"\xff\xfeA"), None);
        assert_eq!(text_of(b"\xc3\x28"), None);
    }

    #[test]
    fn a_block_without_end_or_with_other_characters_has_no_body() {
        let blocks = pem_blocks(
            "-----BEGIN A-----\nAAAA\n-----END A-----\n-----BEGIN B-----\n!\n-----END B-----\n-----BEGIN C-----\nAAAA",
        );
        let bodies: Vec<_> = blocks.iter().map(|block| (block.label, block.body.clone())).collect();
        assert_eq!(bodies, [("A", Some(vec![0, 0, 0])), ("B", None), ("C", None)]);
    }

    #[test]
    fn base64_of_a_json_string_is_read() {
        assert_eq!(base64(r#""AAAA\nAA\/+\r\n""#), base64("AAAAAA/+"));
        assert_eq!(base64("AAA="), base64("AAA"));
        assert_eq!(base64(r"AA\u0041A"), None);
    }

    #[test]
    fn pem_has_lines_of_64_characters_and_no_carriage_return() {
        let pem = to_pem("X", &[0; 60]);
        assert_eq!(pem, format!("-----BEGIN X-----\n{}\n{}\n-----END X-----\n", "A".repeat(64), "A".repeat(16)));
    }

    proptest! {
        #[test]
        fn pem_is_read_as_it_was_written(der in proptest::collection::vec(any::<u8>(), 0..300), carriage_return: bool) {
            let pem = to_pem("CERTIFICATE", &der);
            let pem = if carriage_return { pem.replace('\n', "\r\n") } else { pem };
            let blocks = pem_blocks(&pem);
            prop_assert_eq!(blocks.len(), 1);
            prop_assert_eq!(blocks[0].body.as_ref().unwrap(), &der);
        }

        #[test]
        fn any_bytes_are_walked_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(elements) = elements(&bytes) {
                prop_assert_eq!(elements.concat(), bytes);
            }
        }
    }
}
