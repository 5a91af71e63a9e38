//! A directory user as imported, and which of their addresses a certificate can be for.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::{Mailbox, PersonId, mailbox::NotAMailbox};

/// What the directory says. Only the import writes it, with the generation of the run that saw the person last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    pub user_principal_name: String,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub given_name: Option<String>,
    #[serde(default)]
    pub surname: Option<String>,
    /// The directory's `mail`, as it is.
    #[serde(default)]
    pub mail: Option<String>,
    /// The primary SMTP address, as it is.
    #[serde(default)]
    pub primary_smtp: Option<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    pub enabled: bool,
    pub guest: bool,
    /// Service plans that are enabled for this person.
    #[serde(default)]
    pub plans: Vec<Uuid>,
    /// The import run that saw this person last.
    pub generation: u64,
    /// Not seen by a later full run. The row stays, because certificates may.
    #[serde(default)]
    pub left: bool,
}

/// Why a person has no address for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// The directory names none.
    Missing,
    /// It names one that cannot be used.
    Unusable(String, NotAMailbox),
}

impl Person {
    /// The certificate's address: the primary SMTP address, else the directory's `mail`; the user principal name
    /// only where the integration opts in. Outlook matches the primary SMTP address, so nothing else is guessed.
    pub fn mailbox(&self, user_principal_name_allowed: bool) -> Result<Mailbox, NoAddress> {
        let upn = user_principal_name_allowed.then_some(self.user_principal_name.as_str());
        let text = [self.primary_smtp.as_deref(), self.mail.as_deref(), upn]
            .into_iter()
            .flatten()
            .find(|text| !text.trim().is_empty())
            .ok_or(NoAddress::Missing)?;
        text.parse().map_err(|problem| NoAddress::Unusable(text.to_owned(), problem))
    }

    /// What a list shows: the directory's display name, else the parts, else the user principal name.
    pub fn shown_name(&self) -> String {
        let parts = [self.given_name.as_deref(), self.surname.as_deref()];
        let joined = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        match &self.display_name {
            Some(name) if !name.trim().is_empty() => name.clone(),
            _ if !joined.is_empty() => joined,
            _ => self.user_principal_name.clone(),
        }
    }
}

/// A part of a person's name as it is written into a certificate: NFC, trimmed, absent when empty.
///
/// # Errors
///
/// A sentence when it holds what a certificate cannot: control characters, symbols such as emoji, or more than
/// 64 characters (X.520 `ub-name` for given name and surname in the S/MIME profile).
pub fn written_name(part: Option<&str>) -> Result<Option<String>, String> {
    let text: String = part.unwrap_or_default().trim().nfc().collect();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(odd) = text.chars().find(|character| !is_name_character(*character)) {
        return Err(format!("the name holds {odd:?}, which a certificate cannot"));
    }
    match text.chars().count() {
        0..=64 => Ok(Some(text)),
        count => Err(format!("the name has {count} characters; a certificate holds 64")),
    }
}

/// Letters and marks of any script, and the punctuation of names. NFC leaves a combining mark where no composed
/// letter exists, so marks (U+0300 to U+036F and others) have to pass: they are not alphanumeric.
fn is_name_character(character: char) -> bool {
    character.is_alphanumeric()
        || unicode_normalization::char::is_combining_mark(character)
        || matches!(character, ' ' | '-' | '\'' | '’' | 'ʼ' | '.' | ',' | '·' | '‐' | '(' | ')' | '/' | '&')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Person {
        Person {
            id: PersonId(Uuid::nil()),
            user_principal_name: "anna@corp.example.com".into(),
            display_name: None,
            given_name: Some("Anna".into()),
            surname: None,
            mail: Some("a.berg@example.com".into()),
            primary_smtp: Some("anna.berg@example.com".into()),
            aliases: vec![],
            enabled: true,
            guest: false,
            plans: vec![],
            generation: 1,
            left: false,
        }
    }

    #[test]
    fn the_primary_address_comes_before_mail_and_the_principal_name_only_when_allowed() {
        let mut person = anna();
        assert_eq!(person.mailbox(false).map(|m| m.to_string()), Ok("anna.berg@example.com".into()));
        person.primary_smtp = None;
        assert_eq!(person.mailbox(false).map(|m| m.to_string()), Ok("a.berg@example.com".into()));
        person.mail = Some(" ".into());
        assert_eq!(person.mailbox(false), Err(NoAddress::Missing));
        assert_eq!(person.mailbox(true).map(|m| m.to_string()), Ok("anna@corp.example.com".into()));
    }

    #[test]
    fn an_unusable_primary_address_is_not_silently_replaced_by_another() {
        let mut person = anna();
        person.primary_smtp = Some("anna berg@example.com".into());
        assert!(matches!(person.mailbox(true), Err(NoAddress::Unusable(..))));
    }

    #[test]
    fn names_of_many_scripts_are_written_and_symbols_are_not() {
        for name in ["Åsa", "Jörg-Peter", "O'Neill", "D’Arcy", "小泉", "שרה", "Nguyễn", "x\u{323}\u{307}"] {
            assert!(matches!(written_name(Some(name)), Ok(Some(_))), "{name}");
        }
        assert_eq!(written_name(Some("A\u{30a}sa")), Ok(Some("Åsa".into())));
        assert_eq!(written_name(Some("  ")), Ok(None));
        assert!(written_name(Some("Eva 😀")).is_err());
        assert!(written_name(Some("Eva\u{0}")).is_err());
        assert!(written_name(Some(&"a".repeat(65))).is_err());
    }
}
