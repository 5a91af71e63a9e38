//! Who buys, for whom, and what is sold.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use crate::ca::{CertificateType, Generation};

/// A funded API account.
#[derive(Clone)]
pub struct Account {
    pub account_key: String,
    pub secret_key: String,
    pub funds_cents: u64,
    /// The product codes that this account may order.
    pub products: Vec<u32>,
    /// The name of the organisation (the team) that it belongs to.
    pub organisation: Option<String>,
}

impl Account {
    /// The name under which the journal knows the account: the key itself is a credential and is not written anywhere.
    pub(super) fn id(&self) -> String {
        account_id(&self.account_key)
    }
}

pub(super) fn account_id(account_key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, account_key.as_bytes());
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// An organisation that the CA has verified.
#[derive(Clone, Debug)]
pub struct Organisation {
    pub name: String,
    /// organizationIdentifier of S/MIME BR 7.1.4.2.2 d, e.g. `VATSE-556677889901`.
    pub identifier: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The EPKI agreement is active: people of this organisation need no identity check of their own.
    pub epki_agreement: bool,
    pub domains: Vec<PrevalidatedDomain>,
}

/// An e-mail domain whose control was shown beforehand.
#[derive(Clone, Debug)]
pub struct PrevalidatedDomain {
    pub domain: String,
    pub validated_on: Date,
}

impl Organisation {
    /// A British organisation with an active EPKI agreement, and with this domain validated on that day.
    pub fn with_agreement(name: &str, domain: &str, validated_on: Date) -> Self {
        Self {
            name: name.to_owned(),
            identifier: "VATGB-123456789".to_owned(),
            country: "GB".to_owned(),
            epki_agreement: true,
            domains: vec![PrevalidatedDomain { domain: domain.to_owned(), validated_on }],
        }
    }

    /// Whether the domain's control was shown and is not too old: 398 days, S/MIME BR 4.2.1.
    pub(super) fn has_validated(&self, domain: &str, now: Timestamp) -> bool {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.domains.iter().any(|known| {
            known.domain.eq_ignore_ascii_case(domain)
                && known.validated_on.checked_add(398.days()).is_ok_and(|last| today <= last)
        })
    }
}

/// One row of the price list.
#[derive(Clone, Debug)]
pub struct Product {
    pub code: u32,
    pub name: &'static str,
    pub certificate_type: CertificateType,
    pub generation: Generation,
    /// Price in US cents per allowed period in days.
    pub prices: BTreeMap<u32, u64>,
}

impl Product {
    /// The S/MIME products with the names and codes that public sources give. Only the 38 dollars
    /// of 600 were seen (in the sandbox); the other prices are made up.
    pub fn catalogue() -> Vec<Self> {
        const PERSONAL: &[u32] = &[365, 730, 1095, 1461, 1826];
        const BUSINESS: &[u32] = &[365, 730, 1095];
        let row = |code, name, certificate_type, generation, periods: &[u32], cents_per_year| Self {
            code,
            name,
            certificate_type,
            generation,
            prices: periods.iter().map(|days| (*days, u64::from(days / 365) * cents_per_year)).collect(),
        };
        use CertificateType::{IndividualValidated, MailboxValidated, OrganizationValidated, SponsorValidated};
        use Generation::{Multipurpose, Strict};
        vec![
            row(300, "personal-basic", MailboxValidated, Strict, PERSONAL, 20_00),
            row(301, "personal-pro", IndividualValidated, Multipurpose, PERSONAL, 30_00),
            row(302, "personal-business", SponsorValidated, Multipurpose, PERSONAL, 60_00),
            row(303, "personal-enterprise", SponsorValidated, Multipurpose, PERSONAL, 90_00),
            row(600, "ov-smime", OrganizationValidated, Multipurpose, BUSINESS, 38_00),
            row(700, "iv-ov-smime", SponsorValidated, Multipurpose, BUSINESS, 76_00),
        ]
    }

    /// Whether the certificate names an organisation, which then has to be verified.
    pub(super) fn names_organisation(&self) -> bool {
        matches!(self.certificate_type, CertificateType::OrganizationValidated | CertificateType::SponsorValidated)
    }

    /// Whether the certificate names a person, whose name then has to be in the request.
    pub(super) fn names_person(&self) -> bool {
        matches!(self.certificate_type, CertificateType::SponsorValidated | CertificateType::IndividualValidated)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_validated_domain_counts_for_398_days() {
        let organisation = Organisation {
            name: "Exempel AB".to_owned(),
            identifier: "VATSE-556677889901".to_owned(),
            country: "SE".to_owned(),
            epki_agreement: true,
            domains: vec![PrevalidatedDomain {
                domain: "exempel.se".to_owned(),
                validated_on: jiff::civil::date(2026, 1, 1),
            }],
        };
        let on = |day: &str| format!("{day}T12:00:00Z").parse().unwrap();
        assert!(organisation.has_validated("Exempel.SE", on("2027-02-03")));
        assert!(!organisation.has_validated("exempel.se", on("2027-02-04")));
        assert!(!organisation.has_validated("sub.exempel.se", on("2026-01-02")));
    }
}
