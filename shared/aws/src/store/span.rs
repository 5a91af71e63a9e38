//! Part of a list, by the text that it is sorted by.

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// From one text to another, both included.
    Rising { from: String, to: String },
    /// From the last text before this one, falling.
    FallingFrom(String),
}

impl Span {
    /// What begins with this text and comes after `after`.
    pub(super) fn beginning(prefix: &str, after: &str) -> Self {
        let from = if after < prefix { prefix.to_owned() } else { following(after) };
        Self::Rising { from, to: format!("{prefix}{}", char::MAX) }
    }

    /// Everything.
    pub(super) fn all() -> Self {
        Self::beginning("", "")
    }

    /// Everything up to this text, which is included.
    pub(super) fn rising_to(to: String) -> Self {
        Self::Rising { from: following(""), to }
    }

    /// Whether DynamoDB can be asked at all: an empty text and one of more than 1,024 bytes are in no list, and a
    /// cursor may hold anything.
    pub(super) fn is_empty(&self) -> bool {
        const LONGEST: usize = 1_024;
        match self {
            Self::Rising { from, to } => from > to || from.len() > LONGEST,
            Self::FallingFrom(from) => from.is_empty() || from.len() > LONGEST,
        }
    }

    pub(super) fn after(&self, sort: &str) -> Self {
        match self {
            Self::Rising { to, .. } => Self::Rising { from: following(sort), to: to.clone() },
            Self::FallingFrom(_) => Self::FallingFrom(sort.to_owned()),
        }
    }
}

/// The least text that comes after this one.
fn following(text: &str) -> String {
    format!("{text}\u{0}")
}
