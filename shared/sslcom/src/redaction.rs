//! Keeps what a request carried in confidence out of what is kept of its answer. SSL.com may echo a field that it refuses.

use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::byte_serialize;

use crate::{Callback, Credentials};

/// The confidential texts of one request, each as it is and as it stands in a query.
pub(crate) struct Redaction(Vec<SecretString>);

/// In characters. A message is shown to a person and stored; nothing longer helps.
const LONGEST_MESSAGE: usize = 300;

const MARK: &str = "[redacted]";

/// Shorter parts of a callback are words such as `hooks`, not tokens.
const SHORTEST_TOKEN: usize = 16;

impl Redaction {
    pub(crate) fn of(credentials: &Credentials) -> Self {
        let mut redaction = Self(Vec::new());
        redaction.add(credentials.account_key.expose_secret());
        redaction.add(credentials.secret_key.expose_secret());
        redaction
    }

    /// The address and the parameters of a callback name the order by an unguessable token.
    pub(crate) fn and(mut self, callback: &Callback) -> Self {
        self.add(callback.url.as_str());
        self.add(callback.password.expose_secret());
        let segments = callback.url.path_segments().into_iter().flatten();
        let values = callback.parameters.values().map(String::as_str);
        for part in segments.chain(values).filter(|part| part.len() >= SHORTEST_TOKEN) {
            self.add(part);
        }
        self
    }

    fn add(&mut self, secret: &str) {
        let encoded: String = byte_serialize(secret.as_bytes()).collect();
        if encoded != secret {
            self.0.push(encoded.into());
        }
        if !secret.is_empty() {
            self.0.push(secret.into());
        }
    }

    /// One line of at most [`LONGEST_MESSAGE`] characters without any of the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut line = String::new();
        let mut length = 0;
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if length >= LONGEST_MESSAGE {
                line.push('…');
                break;
            }
            let secret = self.0.iter().map(ExposeSecret::expose_secret).filter(|secret| rest.starts_with(secret));
            if let Some(longest) = secret.map(str::len).max() {
                line.push_str(MARK);
                length += MARK.len();
                rest = &rest[longest..];
            } else {
                line.push(if next.is_control() { ' ' } else { next });
                length += 1;
                rest = &rest[next.len_utf8()..];
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn redaction() -> Redaction {
        let credentials = Credentials { account_key: "a1b2".into(), secret_key: "s+c/ret".into() };
        let callback = Callback {
            url: "https://app.example/hooks/sslcom/0123456789abcdef0123".parse().unwrap(),
            username: "ssl".into(),
            password: "hook-pw".into(),
            parameters: [("order".to_owned(), "fedcba9876543210".to_owned())].into(),
        };
        Redaction::of(&credentials).and(&callback)
    }

    #[test]
    fn secrets_are_taken_out_as_they_are_and_as_they_stand_in_a_query() {
        let text = "GET /certificates?account_key=a1b2&secret_key=s%2Bc%2Fret (s+c/ret)";
        let clean = redaction().clean(text);
        assert_eq!(clean, "GET /certificates?account_key=[redacted]&secret_key=[redacted] ([redacted])");
    }

    #[test]
    fn the_tokens_and_the_password_of_a_callback_are_taken_out_but_not_its_words() {
        let text =
            "https://app.example/hooks/sslcom/0123456789abcdef0123 hooks 0123456789abcdef0123 fedcba9876543210 hook-pw";
        assert_eq!(redaction().clean(text), "[redacted] hooks [redacted] [redacted] [redacted]");
    }

    #[test]
    fn a_message_becomes_one_line_of_bounded_length() {
        assert_eq!(redaction().clean("a\r\nb\tc\u{1b}[31m"), "a  b c [31m");
        assert_eq!(redaction().clean(&"é".repeat(301)), format!("{}…", "é".repeat(300)));
    }

    #[test]
    fn a_secret_at_the_place_of_the_cut_does_not_show_its_first_half() {
        let clean = redaction().clean(&format!("{}s+c/ret", "x".repeat(298)));
        assert_eq!(clean, format!("{}[redacted]", "x".repeat(298)));
    }

    #[test]
    fn an_empty_secret_redacts_nothing() {
        let credentials = Credentials { account_key: "".into(), secret_key: "".into() };
        assert_eq!(Redaction::of(&credentials).clean("plain"), "plain");
    }

    proptest! {
        #[test]
        fn no_arrangement_of_a_text_lets_a_secret_through(
            secret in "[AB]{2,6}",
            other in "[AB]{2,6}",
            text in "[AB\u{7}é ]{0,400}",
        ) {
            let credentials = Credentials { account_key: secret.clone().into(), secret_key: other.clone().into() };
            let clean = Redaction::of(&credentials).clean(&text);
            prop_assert!(!clean.contains(&secret) && !clean.contains(&other));
            prop_assert!(clean.chars().count() <= LONGEST_MESSAGE + MARK.len());
        }
    }
}
