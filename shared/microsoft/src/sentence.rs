//! Makes a text that came from outside fit for an error and a log: one line, short, nothing that looks like a key.

const LONGEST_TEXT: usize = 300;

/// No word of a sentence is this long; tokens, PFX blobs and sealed passwords are.
const LONGEST_WORD: usize = 100;

/// One line of at most 300 characters. Addresses lose their query, long words are replaced.
pub(crate) fn sentence(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        let word = if word.contains("://") { word.split(['?', '#']).next().unwrap_or_default() } else { word };
        line.push_str(if word.chars().count() > LONGEST_WORD { "[redacted]" } else { word });
    }
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The same without this secret, which was sent along and may be repeated in an answer.
pub(crate) fn sentence_without(secret: &str, text: &str) -> String {
    match secret {
        "" => sentence(text),
        secret => sentence(&text.replace(secret, "[redacted]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_sent_along_is_not_repeated_however_short_it_is() {
        assert_eq!(
            sentence_without("t0k", "Bearer t0k, at https://fef.example/t0k"),
            "Bearer [redacted], at https://fef.example/[redacted]"
        );
        assert_eq!(sentence_without("", "nothing was sent"), "nothing was sent");
    }

    #[test]
    fn line_ends_and_control_characters_become_single_spaces() {
        assert_eq!(sentence(" AADSTS1:\r\n bad\u{1b}[31m  things\0"), "AADSTS1: bad [31m things");
    }

    #[test]
    fn long_words_and_queries_do_not_survive() {
        let text = format!("token {} at https://fef.example/x?sig=abc, sorry", "A".repeat(101));
        assert_eq!(sentence(&text), "token [redacted] at https://fef.example/x sorry");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = sentence(&"äö ".repeat(1000));
        assert_eq!(cut.chars().count(), LONGEST_TEXT + 1);
        assert!(cut.ends_with('…'));
    }
}
