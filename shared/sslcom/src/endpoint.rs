//! Where SSL.com is reached and how it is spoken to: deployment configuration, never a setting of an organisation, because
//! credentials are sent there.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

use crate::Error;

/// What differs between SSL.com's environments, and what its public documents leave open.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `https://sws.sslpki.com`, or `https://sws-test.sslpki.com` for the sandbox, which charges nothing (SSL.com, "SWS API
    /// Introduction").
    pub base_url: Url,

    #[serde(default = "ten_seconds", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub connect_timeout: Duration,

    /// For the answer to a purchase, from the first byte sent to the last byte read. Public clients wait up to 500 s.
    #[serde(default = "five_minutes", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub create_timeout: Duration,

    /// For every other answer.
    #[serde(default = "one_minute", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub answer_timeout: Duration,

    #[serde(default)]
    pub state_field: StateField,

    /// The number of a listing's first page. The vendor's own example ("`per_page` 10, page 5 gives 51-60") contradicts
    /// its "1-based".
    #[serde(default = "one")]
    pub first_page: u32,

    /// How a mailbox is named among the items to validate; `{address}` stands for it. Seen in the sandbox, 2026-06.
    #[serde(default = "email_item")]
    pub mailbox_validation_item: String,

    /// What is longer is not read to its end.
    #[serde(default = "four_mebibytes")]
    pub max_answer_bytes: usize,
}

/// The registrant's state in requests: Apiary says `state_or_province`, while the OpenAPI document of 2026 has
/// `state_or_providence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateField {
    #[default]
    StateOrProvince,
    StateOrProvidence,
}

/// The API keys of one SSL.com account or team. They are sent with every call (SSL.com Apiary).
#[derive(Clone, Debug)]
pub struct Credentials {
    pub account_key: SecretString,
    pub secret_key: SecretString,
}

impl Endpoint {
    /// The likely truth about everything but the address.
    pub fn at(base_url: Url) -> Self {
        Self {
            base_url,
            connect_timeout: ten_seconds(),
            create_timeout: five_minutes(),
            answer_timeout: one_minute(),
            state_field: StateField::default(),
            first_page: one(),
            mailbox_validation_item: email_item(),
            max_answer_bytes: four_mebibytes(),
        }
    }

    /// An endpoint that a client may use: https, or http that does not leave this machine, and bounded in every way.
    pub(crate) fn accepted(self) -> Result<Self, Error> {
        let url = &self.base_url;
        let is_protected = match url.scheme() {
            "https" => url.has_host(),
            "http" => self.is_loopback(),
            _ => false,
        };
        if !is_protected {
            return Err(Error::configuration("base_url", "it must be https (http only on this machine)"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::configuration("base_url", "it must have no user, query or fragment"));
        }
        for (setting, timeout) in [
            ("connect_timeout", self.connect_timeout),
            ("create_timeout", self.create_timeout),
            ("answer_timeout", self.answer_timeout),
        ] {
            if timeout.is_zero() {
                return Err(Error::configuration(setting, "it must not be zero"));
            }
        }
        if self.max_answer_bytes == 0 {
            return Err(Error::configuration("max_answer_bytes", "it must not be zero"));
        }
        if !self.mailbox_validation_item.contains(ADDRESS) {
            return Err(Error::configuration("mailbox_validation_item", "it must contain {address}"));
        }
        Ok(self)
    }

    pub(crate) fn is_loopback(&self) -> bool {
        match self.base_url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The base address with more path segments, each percent-encoded.
    pub(crate) fn under<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base_url.clone();
        url.path_segments_mut().expect("an http address has path segments").pop_if_empty().extend(segments);
        url
    }

    pub(crate) fn validation_item(&self, mailbox: &str) -> String {
        self.mailbox_validation_item.replace(ADDRESS, mailbox)
    }
}

impl StateField {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::StateOrProvince => Self::StateOrProvidence,
            Self::StateOrProvidence => Self::StateOrProvince,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StateOrProvince => "state_or_province",
            Self::StateOrProvidence => "state_or_providence",
        }
    }
}

const ADDRESS: &str = "{address}";

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn one_minute() -> Duration {
    Duration::from_secs(60)
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

fn one() -> u32 {
    1
}

fn email_item() -> String {
    format!("email:{ADDRESS}")
}

fn four_mebibytes() -> usize {
    4 << 20
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    fn reason(endpoint: Endpoint) -> String {
        endpoint.accepted().unwrap_err().to_string()
    }

    fn at(url: &str) -> Endpoint {
        Endpoint::at(url.parse().unwrap())
    }

    #[test]
    fn plain_http_is_accepted_on_this_machine_only() {
        for good in
            ["https://sws.sslpki.com", "http://127.0.0.1:4000", "http://localhost:4000/sws", "http://[::1]:4000"]
        {
            assert!(at(good).accepted().is_ok(), "{good}");
        }
        for bad in ["http://sws.sslpki.com", "http://localhost.example.com", "http://10.0.0.1", "file:///sws"] {
            assert!(reason(at(bad)).starts_with("base_url cannot be used: it must be https"), "{bad}");
        }
    }

    #[test]
    fn an_address_with_credentials_or_a_query_is_refused_without_being_repeated() {
        for odd in
            ["https://user:pass@sws.example", "https://sws.example/?account_key=pass", "https://sws.example/#pass"]
        {
            assert_eq!(reason(at(odd)), "base_url cannot be used: it must have no user, query or fragment");
        }
    }

    #[test]
    fn what_is_unbounded_or_without_an_address_is_refused() {
        let sandbox = at("https://sws-test.sslpki.com");
        let endless = Endpoint { create_timeout: Duration::ZERO, ..sandbox.clone() };
        assert_eq!(reason(endless), "create_timeout cannot be used: it must not be zero");
        let nothing = Endpoint { max_answer_bytes: 0, ..sandbox.clone() };
        assert_eq!(reason(nothing), "max_answer_bytes cannot be used: it must not be zero");
        let nobody = Endpoint { mailbox_validation_item: "email".into(), ..sandbox };
        assert_eq!(reason(nobody), "mailbox_validation_item cannot be used: it must contain {address}");
    }

    #[test]
    fn only_the_address_must_be_configured() {
        let endpoint: Endpoint = serde_json::from_value(json!({ "base_url": "https://sws-test.sslpki.com" })).unwrap();
        assert_eq!(endpoint.create_timeout, Duration::from_secs(300));
        assert_eq!(endpoint.state_field, StateField::StateOrProvince);
        assert_eq!(endpoint.first_page, 1);
        assert!(serde_json::from_value::<Endpoint>(json!({})).is_err());
    }

    #[test]
    fn durations_are_written_for_people_and_misspelt_settings_are_refused() {
        let configured = json!({
            "base_url": "https://sws.sslpki.com",
            "create_timeout": "8m 20s",
            "state_field": "state_or_providence",
            "first_page": 0,
        });
        let endpoint: Endpoint = serde_json::from_value(configured).unwrap();
        assert_eq!(endpoint.create_timeout, Duration::from_secs(500));
        assert_eq!(endpoint.state_field.name(), "state_or_providence");
        let misspelt = json!({ "base_url": "https://sws.sslpki.com", "create_time_out": "1m" });
        assert!(serde_json::from_value::<Endpoint>(misspelt).is_err());
    }

    #[test]
    fn segments_are_appended_below_a_prefix_and_encoded() {
        let url = at("https://proxy.example/sws/").under(["certificate", "co-1/../x?y"]);
        assert_eq!(url.as_str(), "https://proxy.example/sws/certificate/co-1%2F..%2Fx%3Fy");
    }
}
