//! What SSL.com's prose about an order means.
//!
//! `order_status` is a sentence, not a code, and no list of its values is public. The table is therefore configuration, and
//! a sentence that is not in it means [`Stage::Unknown`], which ends nothing and causes nothing.

use serde::Deserialize;

use crate::Error;

/// A status as SSL.com wrote it, and what it was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStatus {
    /// Verbatim. Empty when the answer named no status.
    pub text: String,
    pub stage: Stage,
}

/// Where an order stands, as far as its status tells. Whether there is a certificate is told by the certificate alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Paid, and nothing else yet: a voucher.
    AwaitingCsr,
    AwaitingRegistrant,
    /// The mailbox or the organisation has to be validated, and the customer has to begin it.
    AwaitingValidation,
    /// SSL.com, or the person with the mailbox, has to act.
    Validating,
    Issued,
    Rejected,
    Revoked,
    Expired,
    Cancelled,
    Unknown,
}

/// Which text means which stage. The first row that fits counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<StatusRow>")]
pub struct StatusTable(Vec<StatusRow>);

/// `{"contains": "validating", "stage": "validating"}` or `{"is": "expired", "stage": "expired"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StatusRow {
    #[serde(flatten)]
    pub text: StatusMatch,
    pub stage: Stage,
}

/// Letter case, white space and a final full stop do not matter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusMatch {
    Contains(String),
    /// The whole text. For what ends an order: "validation expired" is not "expired".
    Is(String),
}

impl StatusTable {
    /// # Errors
    /// [`Error::Configuration`] for a row without text, which would fit every status.
    pub fn new(rows: Vec<StatusRow>) -> Result<Self, Error> {
        let mut normal = Vec::with_capacity(rows.len());
        for (index, StatusRow { text, stage }) in rows.into_iter().enumerate() {
            let text = match text {
                StatusMatch::Contains(text) => StatusMatch::Contains(normalised(&text)),
                StatusMatch::Is(text) => StatusMatch::Is(normalised(&text)),
            };
            let (StatusMatch::Contains(own) | StatusMatch::Is(own)) = &text;
            if own.is_empty() {
                return Err(Error::configuration(format!("status row {}", index + 1), "it has no text"));
            }
            normal.push(StatusRow { text, stage });
        }
        Ok(Self(normal))
    }

    pub fn read(&self, text: &str) -> OrderStatus {
        let normal = normalised(text);
        let row = self.0.iter().find(|row| match &row.text {
            StatusMatch::Contains(part) => normal.contains(part.as_str()),
            StatusMatch::Is(whole) => normal == *whole,
        });
        OrderStatus { text: text.to_owned(), stage: row.map_or(Stage::Unknown, |row| row.stage) }
    }
}

/// The texts of the `contains` rows were seen in the sandbox, 2026-06. The `is` rows are the usual words; nobody has
/// published having seen them.
impl Default for StatusTable {
    fn default() -> Self {
        let contains = [
            ("waiting on certificate signing request", Stage::AwaitingCsr),
            ("waiting on registrant", Stage::AwaitingRegistrant),
            ("waiting on validation", Stage::AwaitingValidation),
            ("validating, please wait", Stage::Validating),
        ];
        let is = [
            ("issued", Stage::Issued),
            ("rejected", Stage::Rejected),
            ("revoked", Stage::Revoked),
            ("expired", Stage::Expired),
            ("cancelled", Stage::Cancelled),
            ("canceled", Stage::Cancelled),
            ("refunded", Stage::Cancelled),
        ];
        let contains = contains.map(|(text, stage)| StatusRow { text: StatusMatch::Contains(text.to_owned()), stage });
        let is = is.map(|(text, stage)| StatusRow { text: StatusMatch::Is(text.to_owned()), stage });
        Self(contains.into_iter().chain(is).collect())
    }
}

impl TryFrom<Vec<StatusRow>> for StatusTable {
    type Error = Error;

    fn try_from(rows: Vec<StatusRow>) -> Result<Self, Error> {
        Self::new(rows)
    }
}

fn normalised(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut text = words.join(" ");
    text.truncate(text.trim_end_matches('.').len());
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn stage(text: &str) -> Stage {
        StatusTable::default().read(text).stage
    }

    #[test]
    fn every_text_that_was_seen_is_understood_with_and_without_its_suffix() {
        for (text, expected) in [
            ("unused. waiting on certificate signing request (csr)", Stage::AwaitingCsr),
            ("Unused. Waiting on certificate signing request (CSR) from customer", Stage::AwaitingCsr),
            ("waiting on registrant information from customer", Stage::AwaitingRegistrant),
            ("waiting on validation from customer", Stage::AwaitingValidation),
            ("  validating,\nplease  wait. ", Stage::Validating),
            ("Issued", Stage::Issued),
        ] {
            assert_eq!(stage(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unseen_sentence_is_unknown_even_when_it_holds_a_final_word() {
        for text in
            ["", "not issued", "validation expired", "refund requested", "to be revoked", "rejected mail, resend", "…"]
        {
            assert_eq!(stage(text), Stage::Unknown, "{text}");
        }
    }

    #[test]
    fn the_text_is_kept_verbatim() {
        assert_eq!(StatusTable::default().read(" On  HOLD. ").text, " On  HOLD. ");
    }

    #[test]
    fn the_first_row_that_fits_counts() {
        let rows = json!([
            { "contains": "reissue pending", "stage": "validating" },
            { "contains": "ISSUE", "stage": "issued" },
            { "is": "closed.", "stage": "cancelled" },
        ]);
        let table: StatusTable = serde_json::from_value(rows).unwrap();
        assert_eq!(table.read("Reissue pending").stage, Stage::Validating);
        assert_eq!(table.read("issued").stage, Stage::Issued);
        assert_eq!(table.read("Closed").stage, Stage::Cancelled);
        assert_eq!(table.read("closed by staff").stage, Stage::Unknown);
    }

    #[test]
    fn a_row_that_would_fit_everything_is_refused_by_its_number() {
        let rows = json!([{ "is": "expired", "stage": "expired" }, { "contains": " . ", "stage": "issued" }]);
        let error = serde_json::from_value::<StatusTable>(rows).unwrap_err();
        assert_eq!(error.to_string(), "status row 2 cannot be used: it has no text");
    }

    #[test]
    fn a_row_with_an_unknown_stage_or_no_text_is_refused() {
        for row in [json!({ "is": "x", "stage": "done" }), json!({ "stage": "issued" }), json!({ "is": "x" })] {
            assert!(serde_json::from_value::<StatusTable>(json!([row])).is_err());
        }
    }
}
