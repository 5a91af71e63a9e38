//! Which products may be bought, for how long, and at which price. SSL.com publishes no such list for S/MIME, so it is the
//! deployment's table, and a row that is not clear is refused when it is loaded.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::Error;

/// The longest life of an S/MIME certificate (CA/Browser Forum S/MIME Baseline Requirements, 6.3.2). A longer order is a
/// bundle of several certificates.
pub const LONGEST_CERTIFICATE_DAYS: u32 = 825;

/// SSL.com's number of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductCode(pub u32);

/// In configuration, `needs_person_name` and `needs_organisation` follow from the type, the currency is `USD` and a product
/// is enabled, unless the row says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub code: ProductCode,
    /// Shown to whoever buys.
    pub label: String,
    pub certificate_type: CertificateType,
    /// Whether the certificate names the person.
    pub needs_person_name: bool,
    /// Whether the certificate names the organisation.
    pub needs_organisation: bool,
    /// By duration, shortest first.
    pub offers: Vec<Offer>,
    /// ISO 4217.
    pub currency: String,
    pub enabled: bool,
}

/// One duration and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Sent as `period`; at most [`LONGEST_CERTIFICATE_DAYS`].
    pub days: u32,
    pub price_cents: u64,
}

/// What is verified about the subject (S/MIME Baseline Requirements, 7.1.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateType {
    Mailbox,
    Individual,
    /// A person and their organisation.
    Sponsor,
    Organisation,
}

/// Checked: codes and durations are unique, and an enabled product has a price.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Map<String, Value>>")]
pub struct ProductTable(Vec<Product>);

impl ProductTable {
    /// # Errors
    /// [`Error::Configuration`] naming the row and the field.
    pub fn new(products: Vec<Product>) -> Result<Self, Error> {
        let mut table = Self(Vec::with_capacity(products.len()));
        for (index, mut product) in products.into_iter().enumerate() {
            product.offers.sort_by_key(|offer| offer.days);
            let fault = product
                .fault()
                .or_else(|| table.find(product.code).map(|_| ("code", "is in an earlier row too".into())));
            if let Some((field, reason)) = fault {
                return Err(row_error(index, Some(product.code), field, reason));
            }
            table.0.push(product);
        }
        Ok(table)
    }

    pub fn find(&self, code: ProductCode) -> Option<&Product> {
        self.0.iter().find(|product| product.code == code)
    }

    pub fn enabled(&self) -> impl Iterator<Item = &Product> {
        self.0.iter().filter(|product| product.enabled)
    }

    /// What may be bought: an enabled product and one of its durations.
    pub fn offer(&self, code: ProductCode, days: u32) -> Option<(&Product, Offer)> {
        let product = self.find(code).filter(|product| product.enabled)?;
        Some((product, *product.offers.iter().find(|offer| offer.days == days)?))
    }
}

impl Product {
    fn fault(&self) -> Option<(&'static str, String)> {
        if self.code.0 == 0 {
            return Some(("code", "must not be 0".into()));
        }
        if self.label.trim().is_empty() {
            return Some(("label", "is empty".into()));
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(("currency", "is not a code of three capital letters".into()));
        }
        if self.enabled && self.offers.is_empty() {
            return Some(("offers", "are empty, so there is nothing to enable".into()));
        }
        let is_repeated =
            |(index, offer): (usize, &Offer)| self.offers[..index].iter().any(|other| other.days == offer.days);
        if self.offers.iter().enumerate().any(is_repeated) {
            return Some(("offers", "name a duration twice".into()));
        }
        self.offers.iter().find_map(|offer| offer.fault().map(|fault| ("offers", fault)))
    }

    fn read(index: usize, row: Map<String, Value>) -> Result<Self, Error> {
        let mut row = Row { index, code: None, fields: row };
        let code = row.required("code")?;
        row.code = Some(code);
        let certificate_type = row.required("certificate_type")?;
        let product = Self {
            code,
            label: row.required("label")?,
            certificate_type,
            needs_person_name: row.optional("needs_person_name")?.unwrap_or_else(|| certificate_type.names_a_person()),
            needs_organisation: row
                .optional("needs_organisation")?
                .unwrap_or_else(|| certificate_type.names_an_organisation()),
            offers: row.required("offers")?,
            currency: row.optional("currency")?.unwrap_or_else(|| "USD".to_owned()),
            enabled: row.optional("enabled")?.unwrap_or(true),
        };
        match row.fields.keys().next() {
            Some(unknown) => Err(row_error(index, Some(code), unknown, "is not a field of a product".into())),
            None => Ok(product),
        }
    }
}

impl Offer {
    fn fault(&self) -> Option<String> {
        match *self {
            Self { days: 0, .. } => Some("have a duration of 0 days".into()),
            Self { days, .. } if days > LONGEST_CERTIFICATE_DAYS => {
                Some(format!("have {days} days; a certificate lives {LONGEST_CERTIFICATE_DAYS} at most"))
            }
            Self { days, price_cents: 0 } => Some(format!("have no price for {days} days")),
            Self { .. } => None,
        }
    }
}

impl CertificateType {
    fn names_a_person(self) -> bool {
        matches!(self, Self::Individual | Self::Sponsor)
    }

    fn names_an_organisation(self) -> bool {
        matches!(self, Self::Sponsor | Self::Organisation)
    }
}

/// The codes that were seen in the sandbox in 2026-06, and the one price. The others are known but not enabled: nobody has
/// published what they cost.
impl Default for ProductTable {
    fn default() -> Self {
        let row = |code, label: &str, certificate_type: CertificateType, offers: &[Offer]| Product {
            code: ProductCode(code),
            label: label.to_owned(),
            certificate_type,
            needs_person_name: certificate_type.names_a_person(),
            needs_organisation: certificate_type.names_an_organisation(),
            enabled: !offers.is_empty(),
            offers: offers.to_vec(),
            currency: "USD".to_owned(),
        };
        Self(vec![
            row(300, "Personal Basic", CertificateType::Mailbox, &[]),
            row(301, "Personal Pro", CertificateType::Individual, &[]),
            row(302, "Personal Business", CertificateType::Sponsor, &[]),
            row(303, "Personal Enterprise", CertificateType::Sponsor, &[]),
            row(
                600,
                "Organization Only Email",
                CertificateType::Organisation,
                &[Offer { days: 365, price_cents: 3_800 }],
            ),
            row(700, "Personal ID + Organization Email", CertificateType::Sponsor, &[]),
        ])
    }
}

impl TryFrom<Vec<Map<String, Value>>> for ProductTable {
    type Error = Error;

    fn try_from(rows: Vec<Map<String, Value>>) -> Result<Self, Error> {
        let products = rows.into_iter().enumerate().map(|(index, row)| Product::read(index, row));
        Self::new(products.collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for ProductCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A row of the configuration. Its fields are taken one by one, so that an error can name them.
struct Row {
    index: usize,
    code: Option<ProductCode>,
    fields: Map<String, Value>,
}

impl Row {
    fn required<T: DeserializeOwned>(&mut self, field: &str) -> Result<T, Error> {
        self.optional(field)?.ok_or_else(|| row_error(self.index, self.code, field, "is missing".into()))
    }

    fn optional<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.fields.remove(field) else { return Ok(None) };
        let read = serde_json::from_value(value);
        read.map(Some).map_err(|fault| row_error(self.index, self.code, field, format!("cannot be read: {fault}")))
    }
}

fn row_error(index: usize, code: Option<ProductCode>, field: &str, reason: String) -> Error {
    let row = index + 1;
    let setting = code.map_or_else(|| format!("product row {row}"), |code| format!("product row {row} (code {code})"));
    Error::configuration(setting, format!("{field} {reason}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn good() -> Value {
        let offers = json!([{ "days": 730, "price_cents": 7_000 }, { "days": 365, "price_cents": 3_800 }]);
        json!({ "code": 700, "label": "IV+OV", "certificate_type": "sponsor", "offers": offers })
    }

    fn parse(rows: Value) -> Result<ProductTable, String> {
        serde_json::from_value(rows).map_err(|error: serde_json::Error| error.to_string())
    }

    fn refusal_of(field: &str, value: Value) -> String {
        let mut row = good();
        row[field] = value;
        parse(json!([row])).unwrap_err()
    }

    #[test]
    fn a_short_row_is_completed_and_its_offers_are_sorted() {
        let table = parse(json!([good()])).unwrap();
        let product = table.find(ProductCode(700)).unwrap();
        assert!(product.needs_person_name && product.needs_organisation && product.enabled);
        assert_eq!(product.currency, "USD");
        assert_eq!(product.offers.iter().map(|offer| offer.days).collect::<Vec<_>>(), [365, 730]);
        assert_eq!(table.offer(ProductCode(700), 730).unwrap().1.price_cents, 7_000);
        assert_eq!(table.offer(ProductCode(700), 366), None);
    }

    #[test]
    fn a_disabled_product_is_known_but_cannot_be_bought() {
        let mut row = good();
        row["enabled"] = json!(false);
        let table = parse(json!([row])).unwrap();
        assert!(table.find(ProductCode(700)).is_some());
        assert_eq!(table.offer(ProductCode(700), 365), None);
        assert_eq!(table.enabled().count(), 0);
    }

    #[test]
    fn a_refusal_names_the_row_and_the_field() {
        for (field, value, reason) in [
            ("label", json!(" "), "label is empty"),
            ("label", json!(7), "label cannot be read: invalid type: integer `7`, expected a string"),
            ("currency", json!("usd"), "currency is not a code of three capital letters"),
            ("offers", json!([]), "offers are empty, so there is nothing to enable"),
            (
                "offers",
                json!([{ "days": 1095, "price_cents": 1 }]),
                "offers have 1095 days; a certificate lives 825 at most",
            ),
            (
                "offers",
                json!([{ "days": 826, "price_cents": 1 }]),
                "offers have 826 days; a certificate lives 825 at most",
            ),
            ("offers", json!([{ "days": 0, "price_cents": 1 }]), "offers have a duration of 0 days"),
            ("offers", json!([{ "days": 365, "price_cents": 0 }]), "offers have no price for 365 days"),
            ("offers", json!([{ "days": 365 }]), "offers cannot be read: missing field `price_cents`"),
            (
                "offers",
                json!([{ "days": 365, "price_cents": 1 }, { "days": 365, "price_cents": 2 }]),
                "offers name a duration twice",
            ),
            ("enabeld", json!(true), "enabeld is not a field of a product"),
        ] {
            assert_eq!(refusal_of(field, value), format!("product row 1 (code 700) cannot be used: {reason}"));
        }
        assert!(
            refusal_of("certificate_type", json!("domain"))
                .contains("(code 700) cannot be used: certificate_type cannot be read")
        );
        assert!(refusal_of("offers", json!([{ "days": 365, "price_cents": 38.5 }])).contains("offers cannot be read"));
    }

    #[test]
    fn a_code_must_be_there_be_a_number_and_be_unique() {
        assert_eq!(refusal_of("code", json!(0)), "product row 1 (code 0) cannot be used: code must not be 0");
        assert!(refusal_of("code", json!("x")).starts_with("product row 1 cannot be used: code cannot be read"));
        let missing = parse(json!([good(), { "label": "x" }])).unwrap_err();
        assert_eq!(missing, "product row 2 cannot be used: code is missing");
        let twice = parse(json!([good(), good()])).unwrap_err();
        assert_eq!(twice, "product row 2 (code 700) cannot be used: code is in an earlier row too");
    }

    #[test]
    fn the_default_rows_keep_the_rules_of_the_table() {
        let default = ProductTable::default();
        assert_eq!(ProductTable::new(default.0.clone()).unwrap(), default);
        let codes: Vec<_> = default.0.iter().map(|product| product.code.0).collect();
        assert_eq!(codes, [300, 301, 302, 303, 600, 700]);
        let enabled: Vec<_> = default.enabled().map(|product| product.code.0).collect();
        assert_eq!(enabled, [600]);
    }

    #[test]
    fn the_longest_duration_of_a_certificate_is_accepted() {
        let mut row = good();
        row["offers"] = json!([{ "days": 825, "price_cents": 1 }]);
        assert!(parse(json!([row])).is_ok());
    }
}
