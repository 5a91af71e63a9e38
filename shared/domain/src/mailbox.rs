//! The address that a certificate is for.
//!
//! Stored as it is written into a CSR: the domain as A-labels in lower case, the local part as given (NFC).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// `local@domain`, at most 64 characters: the certificate's common name holds no more (X.520 ub-common-name).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    local: String,
    domain: String,
}

/// Why a text cannot be the mailbox of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAMailbox {
    #[error("an address has one @ with something on both sides")]
    Shape,
    #[error("the part before the @ holds a character that an address cannot have")]
    Local,
    #[error("the part after the @ is not a domain name")]
    Domain,
    #[error("the address has {0} characters; a certificate's common name holds 64")]
    TooLong(usize),
}

impl Mailbox {
    pub const LONGEST: usize = 64;

    /// The part before the @.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the @, as A-labels in lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether the address can stand in an `rfc822Name`; if not, it needs a `SmtpUTF8Mailbox` (RFC 9598).
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii()
    }

    /// The form under which two spellings of one mailbox are the same: mail systems that a directory
    /// describes do not tell `Anna@` from `anna@`, and a claim must not either.
    pub fn fold(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }
}

impl FromStr for Mailbox {
    type Err = NotAMailbox;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text: String = text.trim().nfc().collect();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAMailbox::Shape)?;
        if local.is_empty() || domain.is_empty() {
            return Err(NotAMailbox::Shape);
        }
        let dots_in_place = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if !dots_in_place || !local.chars().all(is_local_character) {
            return Err(NotAMailbox::Local);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| NotAMailbox::Domain)?;
        if !domain.contains('.') || domain.ends_with('.') {
            return Err(NotAMailbox::Domain);
        }
        let mailbox = Self { local: local.to_owned(), domain };
        let length = mailbox.to_string().chars().count();
        if length > Self::LONGEST {
            return Err(NotAMailbox::TooLong(length));
        }
        Ok(mailbox)
    }
}

/// RFC 5321 `Dot-string` characters and RFC 6531's UTF-8; quoted local parts are not written by directories.
fn is_local_character(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character)
    } else {
        character.is_alphanumeric()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = NotAMailbox;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<String, NotAMailbox> {
        text.parse::<Mailbox>().map(|mailbox| mailbox.to_string())
    }

    #[test]
    fn the_domain_becomes_a_labels_in_lower_case() {
        assert_eq!(read("Jörg.Groß@Müller.Example"), Ok("Jörg.Groß@xn--mller-kva.example".into()));
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_mailbox() {
        assert_eq!(read("a\u{30a}sa@example.com"), read("\u{e5}sa@example.com"));
    }

    #[test]
    fn what_cannot_be_an_address_says_why() {
        assert_eq!(read("nobody"), Err(NotAMailbox::Shape));
        assert_eq!(read("@example.com"), Err(NotAMailbox::Shape));
        assert_eq!(read("a b@example.com"), Err(NotAMailbox::Local));
        assert_eq!(read("a..b@example.com"), Err(NotAMailbox::Local));
        assert_eq!(read("a\n@example.com"), Err(NotAMailbox::Local));
        assert_eq!(read("a😀@example.com"), Err(NotAMailbox::Local));
        assert_eq!(read("a@localhost"), Err(NotAMailbox::Domain));
        assert_eq!(read("a@exa mple.com"), Err(NotAMailbox::Domain));
        assert_eq!(read(&format!("{}@example.com", "a".repeat(53))), Err(NotAMailbox::TooLong(65)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_reading_is_stable(text in ".{0,80}") {
            if let Ok(mailbox) = text.parse::<Mailbox>() {
                prop_assert_eq!(mailbox.to_string().parse::<Mailbox>(), Ok(mailbox));
            }
        }
    }
}
