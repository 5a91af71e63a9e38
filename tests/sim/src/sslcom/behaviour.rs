//! How this SSL.com answers where the real one is undocumented. The defaults are the likely truth.

use std::time::Duration;

/// The switches; each may be changed while the server runs.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub external_order_number: ExternalOrderNumber,
    /// The number of the first page of a listing. The vendor's text says 1 and counts as from 0.
    pub first_page: u32,
    pub state_field: StateField,
    /// `false`: the registrant's locality is refused, whatever it is.
    pub registrant_accepted: bool,
    pub key_usage: KeyUsage,
    /// Whether an order is matched to the organisation's EPKI agreement by itself.
    pub epki_automatic: bool,
    pub order_amount: OrderAmount,
    pub callback: Callback,
    /// Shown instead of the statuses that `unknown_status_of` names.
    pub unknown_status_text: Option<String>,
    pub unknown_status_of: StatusOf,
    pub bundle: Bundle,
    /// Refusals are answered with 200 instead of 4xx; the SDK reckons with it.
    pub errors_with_200: bool,
    /// The status of the refusal of an order that the funds do not cover.
    pub no_funds_status: u16,
    /// `false`: every listing is answered with HTML and 500.
    pub listing_available: bool,
    /// How long every answer takes, except that of a call above the limits.
    pub answers_after: Duration,
    /// SSL.com publishes none; above these every call is answered with 429 and not acted on.
    pub limits: Option<Limits>,
    /// So many seconds of `answers_after` and of the limits' window pass in one: what takes hours is then watched in
    /// minutes.
    pub speed: u32,
    /// `false`: orders without a request are shown only to who asks for `filter=vouchers`.
    pub vouchers_listed: bool,
    pub past_the_end: PastTheEnd,
    /// The person clicks the link in each validation mail that is sent from now on.
    pub clicks_by_themselves_after: Option<Duration>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            external_order_number: ExternalOrderNumber::Echoed,
            first_page: 1,
            state_field: StateField::Province,
            registrant_accepted: true,
            key_usage: KeyUsage::Dual,
            epki_automatic: true,
            order_amount: OrderAmount::Equal,
            callback: Callback::Json,
            unknown_status_text: None,
            unknown_status_of: StatusOf::Open,
            bundle: Bundle::LeafFirst,
            errors_with_200: false,
            no_funds_status: 200,
            listing_available: true,
            answers_after: Duration::ZERO,
            limits: None,
            speed: 1,
            vouchers_listed: true,
            past_the_end: PastTheEnd::Empty,
            clicks_by_themselves_after: None,
        }
    }
}

/// Calls of everybody together within a window; those that are refused count too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub calls: u32,
    pub window: Duration,
}

/// What can be done with the caller's own order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalOrderNumber {
    /// `search` finds it, and every answer carries it.
    Searchable,
    /// Every answer carries it.
    Echoed,
    /// Answers about one order carry it, listings do not.
    Retrieved,
    /// It is taken and never seen again.
    Forgotten,
}

/// The spelling of the registrant's state that is accepted; the other is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateField {
    /// `state_or_province`, as in the vendor's parameter text.
    Province,
    /// `state_or_providence`, as one public client reports.
    Providence,
}

/// The key usage of the certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    Dual,
    /// As the request's keyUsage extension asks; dual when it does not ask.
    AsRequested,
    Signing,
    Encryption,
}

/// What is charged, and what `order_amount` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderAmount {
    /// The price of the catalogue.
    Equal,
    /// So many cents more than the catalogue says.
    Different(u64),
    /// The price of the catalogue, said in words.
    Unreadable,
}

/// How the receiver that an order names is told that the certificate is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// Not at all.
    None,
    /// With GET, whatever method the order names.
    Get,
    /// With the order's method; a POST carries a form.
    Form,
    /// With the order's method; a POST carries JSON.
    Json,
    /// As `Json`, but while the order is still being validated.
    Early,
    /// As `Json`, two times.
    Twice,
}

/// Of which orders the status is not told in the usual words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOf {
    /// Of every order that can still become a certificate.
    Open,
    /// Of those of them that have their request.
    Submitted,
    /// Of those whose certificate is there.
    Issued,
}

/// What a page after the last one is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastTheEnd {
    /// An empty page.
    Empty,
    /// The last page once more.
    Repeats,
    /// 400.
    Refused,
}

/// What the `certificates` member holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bundle {
    /// The leaf, then the issuing CA, in PEM.
    LeafFirst,
    /// The root, the leaf, the issuing CA, in PEM.
    Shuffled,
    /// Everything two times, in PEM.
    WithDuplicates,
    /// One PKCS#7 with all three.
    Pkcs7,
    /// The leaf and the issuing CA, one after the other, as base64 of DER.
    Base64,
    /// The leaf alone.
    MissingIntermediate,
    /// The leaf and the issuing CA, again and again, for more than a megabyte.
    Huge,
}
