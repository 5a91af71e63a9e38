//! A directory user as imported, and which of their addresses a certificate can be for.

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
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

    /// What lists of people by name are ordered by and searched in.
    pub fn folded_name(&self) -> String {
        fold_case(&self.shown_name())
    }

    /// What lists of people by address are ordered by and searched in: the primary address, else the directory's
    /// `mail`; empty where there is neither.
    pub fn folded_shown_address(&self) -> String {
        let addresses = [&self.primary_smtp, &self.mail].into_iter().flatten().map(|address| address.trim());
        fold_case(addresses.into_iter().find(|address| !address.is_empty()).unwrap_or_default())
    }

    /// The primary SMTP address as it is compared with others.
    pub fn folded_primary(&self) -> Option<String> {
        self.primary_smtp.as_deref().and_then(fold_address)
    }

    /// The directory's `mail` as it is compared with others.
    pub fn folded_mail(&self) -> Option<String> {
        self.mail.as_deref().and_then(fold_address)
    }
}

/// Letter case removed, letter by letter: `str::to_lowercase` writes a sigma differently at the end of a word, so a
/// prefix would not be found in the longer text. Composed (NFC), because a directory has some names decomposed, and so do
/// keyboards of some systems.
pub fn fold_case(text: &str) -> String {
    // The two small sigmas are one letter, and have one capital.
    let one_sigma = |letter| if letter == 'ς' { 'σ' } else { letter };
    text.chars().flat_map(char::to_lowercase).map(one_sigma).nfc().collect()
}

/// As [`Mailbox::fold`], and for what is no mailbox at least without letter case.
fn fold_address(address: &str) -> Option<String> {
    let address = address.trim();
    (!address.is_empty())
        .then(|| address.parse::<Mailbox>().map_or_else(|_| fold_case(address), |mailbox| mailbox.fold()))
}

/// A part of a person's name as it is written into a certificate: NFC, trimmed, `None` when empty. A plan shows what an
/// order will say, because both ask here.
///
/// # Errors
///
/// Why it cannot be written: more than 64 characters (the common upper bound of X.520), or what is no part of a name.
pub fn written_name(part: Option<&str>) -> Result<Option<String>, &'static str> {
    let text: String = part.unwrap_or_default().trim().nfc().collect();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(reason) = text.chars().find_map(no_part_of_a_name) {
        return Err(reason);
    }
    if text.chars().count() > 64 {
        return Err("has more than 64 characters");
    }
    if has_marks_in_a_row(&text) {
        return Err("has more marks on one letter than can be read");
    }
    // Directories have `-` or `.` where a name is missing, and a CA must not certify it.
    if !text.chars().any(char::is_alphabetic) {
        return Err("has no letter");
    }
    Ok(Some(text))
}

/// No script puts as many marks on one letter.
const MOST_MARKS: usize = 8;

fn has_marks_in_a_row(text: &str) -> bool {
    let mut marks = 0;
    text.chars().any(|character| {
        marks = if is_combining_mark(character) { marks + 1 } else { 0 };
        marks > MOST_MARKS
    })
}

/// Why a character is no part of a name. Letters and marks of every script are welcome; what reorders, hides or decorates
/// text is not, because people and auditors have to read the name that was certified.
pub fn no_part_of_a_name(character: char) -> Option<&'static str> {
    match character {
        character if character.is_control() => Some("holds a control character"),
        '\u{2028}' | '\u{2029}' => Some("holds a line break"),
        '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{61c}'
        | '\u{feff}'
        | '\u{ad}'
        // Fillers, joiners and separators that are seen as nothing (Unicode, Default_Ignorable_Code_Point).
        | '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{3164}'
        | '\u{ffa0}' => Some("holds an invisible character"),
        '\u{20d0}'..='\u{20ff}' | '\u{2190}'..='\u{2bff}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f000}'..='\u{1faff}' => {
            Some("holds an emoji or another symbol")
        }
        '\u{fff0}'..='\u{fffd}' => Some("was damaged in the directory"),
        '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}' => {
            Some("holds a character without a meaning")
        }
        _ => None,
    }
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
    fn a_folded_prefix_is_a_prefix_of_the_folded_text() {
        for (prefix, text) in
            [("ÅSA", "Åsa Öberg"), ("ΟΔΟΣ", "Οδοσα"), ("ΟΔΟΣ", "Οδος"), ("STRASSE", "Strasse 1"), ("İ", "İpek")]
        {
            assert!(fold_case(text).starts_with(&fold_case(prefix)), "{prefix}");
        }
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

    #[test]
    fn a_name_is_found_whichever_way_it_was_composed() {
        let person = Person { display_name: Some("A\u{30a}sa O\u{308}berg".into()), ..anna() };
        assert!(person.folded_name().starts_with(&fold_case("ÅSA Ö")));
        let person = Person { display_name: Some("Åsa Öberg".into()), ..anna() };
        assert!(person.folded_name().starts_with(&fold_case("a\u{30a}sa o\u{308}")));
    }

    #[test]
    fn what_stands_for_a_missing_name_or_cannot_be_read_is_not_written() {
        for nothing in ["-", ".", "--", "- -", "'", "123"] {
            assert_eq!(written_name(Some(nothing)), Err("has no letter"), "{nothing}");
        }
        let marked = |marks| format!("Z{}a", "\u{323}".repeat(marks));
        assert!(matches!(written_name(Some(&marked(8))), Ok(Some(_))));
        assert_eq!(written_name(Some(&marked(10))), Err("has more marks on one letter than can be read"));
        for invisible in ["\u{3164}", "a\u{115f}", "\u{ffa0}x", "a\u{34f}b", "a\u{180e}b"] {
            assert_eq!(written_name(Some(invisible)), Err("holds an invisible character"), "{invisible:?}");
        }
        for meaningless in ["a\u{ffff}", "\u{fdd0}b"] {
            assert_eq!(written_name(Some(meaningless)), Err("holds a character without a meaning"), "{meaningless:?}");
        }
        // Names of several scripts need the joiners.
        assert!(matches!(written_name(Some("علی\u{200c}رضا")), Ok(Some(_))));
    }
}
