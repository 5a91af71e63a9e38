//! Reads single fields and collects what is wrong with them. Each reader answers something, so that the next field is read
//! too.

use domain::person::no_part_of_a_name;
use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::countries;
use crate::FieldProblem;

/// Client secrets and SSL.com's keys have some tens.
const LONGEST_SECRET: usize = 512;

/// The shortest national numbers, with a country's code.
const FEWEST_DIGITS: usize = 5;

#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<FieldProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) {
        self.0.push(FieldProblem::new(field, problem, fix));
    }

    pub(super) fn text(&mut self, field: &str, text: &str, longest: usize) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.add(field, "it is missing", "fill it in");
        } else if text.chars().count() > longest {
            self.add(field, format!("it is longer than {longest} characters"), "shorten it");
        } else if text.chars().any(char::is_control) {
            self.add(field, "it holds control characters", "type it again");
        }
        text.to_owned()
    }

    pub(super) fn date(&mut self, field: &str, text: Option<&str>) -> Option<Date> {
        text.map(str::parse).transpose().unwrap_or_else(|_| {
            self.add(field, "it is not a date", "write it as YYYY-MM-DD");
            None
        })
    }

    pub(super) fn guid(&mut self, field: &str, text: &str, fix: &str) -> Uuid {
        match text.trim() {
            "" => self.add(field, "it is missing", fix),
            text => match Uuid::parse_str(text) {
                Ok(id) if !id.is_nil() => return id,
                _ => self.add(field, "it is not a GUID", fix),
            },
        }
        Uuid::nil()
    }

    pub(super) fn guids(&mut self, field: &str, texts: &[String], fix: &str) -> Vec<Uuid> {
        let rows = texts.iter().enumerate();
        let ids: Vec<_> = rows.map(|(row, text)| self.guid(&format!("{field}[{row}]"), text, fix)).collect();
        let known: Vec<_> = ids.iter().filter(|id| !id.is_nil()).collect();
        self.repeated(&known, |row| format!("{field}[{row}]"));
        ids
    }

    /// A text that a person reads in an order or a certificate: what hides, reorders or decorates is refused.
    pub(super) fn legible(&mut self, field: &str, text: &str, longest: usize) -> String {
        let text = self.text(field, text, longest);
        if let Some(reason) = text.chars().filter(|it| !it.is_control()).find_map(no_part_of_a_name) {
            self.add(field, format!("it {reason}"), "type it again");
        }
        text
    }

    /// What is pasted often ends with a line break, and nothing that is a secret has white space at its ends.
    pub(super) fn secret(&mut self, field: &str, secret: Option<&SecretString>) -> Option<SecretString> {
        let text = secret.map(|secret| secret.expose_secret().trim()).filter(|text| !text.is_empty())?;
        if text.chars().any(|it| it.is_control() || no_part_of_a_name(it).is_some()) {
            self.add(field, "it holds control or invisible characters", "copy it again, and nothing beside it");
        } else if text.chars().count() > LONGEST_SECRET {
            self.add(
                field,
                format!("it is longer than {LONGEST_SECRET} characters"),
                "copy it again, and nothing else",
            );
        }
        Some(SecretString::from(text))
    }

    pub(super) fn phone(&mut self, field: &str, text: &str) -> String {
        let text = self.legible(field, text, 32);
        if !text.is_empty() && text.chars().filter(char::is_ascii_digit).count() < FEWEST_DIGITS {
            self.add(field, "it is not a telephone number", "write it with the country's code, as in +49 30 1234567");
        }
        text
    }

    pub(super) fn country(&mut self, field: &str, text: &str) -> String {
        let code = text.trim().to_ascii_uppercase();
        match code.as_str() {
            "" => self.add(field, "it is missing", "use ISO 3166-1 alpha-2, such as DE or US"),
            "UK" => self.add(field, "ISO 3166-1 has no country UK", "write GB for the United Kingdom"),
            "EL" => self.add(field, "ISO 3166-1 has no country EL", "write GR for Greece"),
            code if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                self.add(field, "it is not a two-letter country code", "use ISO 3166-1 alpha-2, such as DE or US");
            }
            code if !countries::is_country(code) => {
                self.add(
                    field,
                    format!("ISO 3166-1 has no country {code}"),
                    "use ISO 3166-1 alpha-2, such as DE or US",
                );
            }
            _ => {}
        }
        code
    }

    /// Names the rows of a list that are in it already.
    pub(super) fn repeated<T: PartialEq>(&mut self, rows: &[T], field: impl Fn(usize) -> String) {
        for (row, value) in rows.iter().enumerate() {
            if rows[..row].contains(value) {
                self.add(field(row), "it is in the list already", "name each once");
            }
        }
    }

    pub(super) fn range<T: Copy + PartialOrd + std::fmt::Display>(
        &mut self,
        field: &str,
        given: Option<T>,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let value = given.unwrap_or(default);
        if value < least || value > most {
            self.add(field, format!("{value} is out of range"), format!("use {least} to {most}"));
        }
        value
    }
}
