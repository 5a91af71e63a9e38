//! What is wrong with a certificate before anybody imports it. A [`Severity::Refuse`] holds the enrollment for a person;
//! a [`Severity::Note`] is only shown. The rules are the S/MIME Baseline Requirements of the CA/Browser Forum ("BR"),
//! read as a customer reads them: what would not work, or what the customer did not order.

mod finding;

use domain::{Mailbox, Purpose};
use jiff::Timestamp;

pub use self::finding::{Finding, FindingCode, Severity};
use crate::{
    Certificate, CertificateChain,
    certificate::{ExtendedUses, KeyKind},
};

/// What was ordered, and when it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// DER `SubjectPublicKeyInfo` of the key that the enrollment keeps.
    pub public_key_info: &'a [u8],
    pub mailbox: &'a Mailbox,
    pub purpose: Purpose,
    pub now: Timestamp,
    /// Days of validity at most; BR 6.3.2 says 825.
    pub longest_days: u16,
}

/// Clocks differ; a certificate that begins within this many seconds is in force.
const CLOCK_DIFFERENCE_SECONDS: i64 = 600;
const SECONDS_PER_DAY: i64 = 86_400;
const SMALLEST_RSA_BITS: usize = 2048;

/// `2.23.140.1.5.T.G`: the CA/Browser Forum's S/MIME policies by type of validation and generation (BR 7.1.6.1).
const SMIME_POLICIES: &str = "2.23.140.1.5.";

// Bits of KeyUsage, RFC 5280 4.2.1.3.
const DIGITAL_SIGNATURE: u16 = 1 << 0;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const KEY_AGREEMENT: u16 = 1 << 4;
const KEY_CERT_SIGN: u16 = 1 << 5;

/// Compares a certificate and its chain with what was ordered. No finding at all is the usual answer.
pub fn lint(chain: &CertificateChain, expected: &Expectation<'_>) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    let leaf = chain.leaf();
    findings.key(leaf, expected);
    findings.mailboxes(leaf, expected.mailbox);
    findings.dates(leaf, expected);
    findings.extended_uses(leaf);
    findings.key_usage(leaf, expected.purpose);
    findings.policies(leaf);
    findings.issuers(chain, expected.now);
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, code: FindingCode, sentence: impl Into<String>) {
        self.0.push(Finding { code, sentence: sentence.into() });
    }

    fn key(&mut self, leaf: &Certificate, expected: &Expectation<'_>) {
        if leaf.public_key_info() != expected.public_key_info {
            self.add(FindingCode::OtherKey, "The certificate is for another key than the one that was made for it.");
        }
        if let Some(bits) = weak_rsa(leaf) {
            self.add(
                FindingCode::WeakKey,
                format!("The key has {bits} bits; at least {SMALLEST_RSA_BITS} are needed."),
            );
        }
        if leaf.authority.is_some() {
            self.add(FindingCode::IsAuthority, "The certificate is one of a certification authority.");
        }
    }

    fn mailboxes(&mut self, leaf: &Certificate, wanted: &Mailbox) {
        let is_wanted = |found: &String| found.parse::<Mailbox>().is_ok_and(|found| found.fold() == wanted.fold());
        match leaf.mailboxes().iter().position(is_wanted) {
            None => self.add(FindingCode::MailboxMissing, format!("The certificate is not for {wanted}.")),
            Some(0) => {}
            Some(_) => self.add(FindingCode::MailboxNotFirst, format!("{wanted} is not the first address in it.")),
        }
        let others: Vec<_> = leaf.mailboxes().iter().filter(|found| !is_wanted(found)).map(String::as_str).collect();
        if !others.is_empty() {
            self.add(FindingCode::OtherMailboxes, format!("It is also for {}.", others.join(", ")));
        }
    }

    fn dates(&mut self, leaf: &Certificate, expected: &Expectation<'_>) {
        let (first, last) = (leaf.not_before(), leaf.not_after());
        if first.as_second() > expected.now.as_second().saturating_add(CLOCK_DIFFERENCE_SECONDS) {
            self.add(FindingCode::NotYetValid, format!("The certificate begins at {first}."));
        }
        if last < expected.now {
            self.add(FindingCode::Expired, format!("The certificate ended at {last}."));
        }
        // The last second counts, and any second above counts as one more day (BR 6.3.2).
        let seconds = last.as_second().saturating_sub(first.as_second()).saturating_add(1);
        if seconds > i64::from(expected.longest_days) * SECONDS_PER_DAY {
            let days = seconds.saturating_add(SECONDS_PER_DAY - 1) / SECONDS_PER_DAY;
            let most = expected.longest_days;
            self.add(FindingCode::TooLong, format!("It is valid for {days} days; {most} are allowed."));
        }
    }

    fn extended_uses(&mut self, leaf: &Certificate) {
        let none = ExtendedUses::default();
        let uses = leaf.extended_uses.as_ref().unwrap_or(&none);
        if !uses.email_protection {
            self.add(FindingCode::NoEmailProtection, "The certificate is not meant for e-mail (emailProtection).");
        }
        let forbidden = [
            (uses.server_auth, "TLS servers"),
            (uses.code_signing, "code signing"),
            (uses.time_stamping, "time stamping"),
            (uses.any, "any use"),
        ];
        for (_, what) in forbidden.iter().filter(|(found, _)| *found) {
            self.add(
                FindingCode::ForbiddenUse,
                format!("It is also meant for {what}, which a mail certificate must not be."),
            );
        }
        if uses.others {
            self.add(FindingCode::ExtraUse, "It is meant for more than e-mail.");
        }
    }

    fn key_usage(&mut self, leaf: &Certificate, purpose: Purpose) {
        let Some(usage) = leaf.key_usage else {
            return self.add(FindingCode::NoKeyUsage, "It does not say what its key may be used for.");
        };
        // Encryption wraps the message key with RSA and agrees on it with elliptic curves (BR 7.1.2.3 e).
        let (encryption, encryption_bit) = match leaf.key {
            KeyKind::EllipticCurve => (KEY_AGREEMENT, "keyAgreement"),
            KeyKind::Rsa { .. } | KeyKind::Other => (KEY_ENCIPHERMENT, "keyEncipherment"),
        };
        let uses = [
            (purpose.signs(), DIGITAL_SIGNATURE, "digitalSignature", "signing"),
            (purpose.encrypts(), encryption, encryption_bit, "encryption"),
        ];
        for (wanted, bit, name, what) in uses {
            match (wanted, usage & bit != 0) {
                (true, false) => {
                    self.add(FindingCode::PurposeNotAllowed, format!("It does not allow {what} ({name} is missing)."));
                }
                (false, true) => {
                    self.add(
                        FindingCode::MoreThanThePurpose,
                        format!("It allows {what} although {purpose} was ordered."),
                    );
                }
                (true, true) | (false, false) => {}
            }
        }
    }

    fn policies(&mut self, leaf: &Certificate) {
        let smime: Vec<_> = leaf.policies.iter().filter_map(|policy| policy.strip_prefix(SMIME_POLICIES)).collect();
        if smime.iter().any(|policy| policy.ends_with(".1")) {
            self.add(
                FindingCode::LegacyPolicy,
                "It follows a legacy profile, which is barred since 2025-07-15 (BR 7.1.6.1).",
            );
        }
        match smime.len() {
            0 => self.add(FindingCode::NoPolicy, "It does not name an S/MIME policy of the CA/Browser Forum."),
            1 => {}
            count => {
                self.add(FindingCode::SeveralPolicies, format!("It names {count} S/MIME policies instead of one."))
            }
        }
    }

    fn issuers(&mut self, chain: &CertificateChain, now: Timestamp) {
        let leaf = chain.leaf();
        let issuers: Vec<_> = chain.members().skip(1).collect();
        if issuers.is_empty() {
            let named = chain.unused().iter().any(|other| leaf.claims_issuer(other));
            if named {
                self.add(
                    FindingCode::IssuerSignatureWrong,
                    "The certificate was not signed by the issuer that came with it.",
                );
            } else {
                self.add(FindingCode::IssuerMissing, "The certificate of its issuer did not come with it.");
            }
        }
        for (below, issuer) in issuers.iter().enumerate() {
            let name = issuer.subject();
            match issuer.authority {
                None => self.add(FindingCode::IssuerNotAuthority, format!("{name} is not a certification authority.")),
                Some(authority) => {
                    // `below` counts the intermediates under this one; the leaf does not count (RFC 5280 4.2.1.9).
                    if authority.longest_path.is_some_and(|longest| (longest as usize) < below) {
                        self.add(
                            FindingCode::IssuerPathTooLong,
                            format!("{name} may not stand so far above the certificate."),
                        );
                    }
                }
            }
            if issuer.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) {
                self.add(FindingCode::IssuerNotAuthority, format!("{name} may not sign certificates."));
            }
            if !issuer.is_valid_at(now) {
                self.add(FindingCode::IssuerNotInForce, format!("{name} is not valid now."));
            }
            if issuer.extended_uses.as_ref().is_some_and(|uses| !uses.email_protection && !uses.any) {
                self.add(FindingCode::IssuerNotForEmail, format!("{name} may not issue certificates for e-mail."));
            }
            if let Some(bits) = weak_rsa(issuer) {
                self.add(FindingCode::IssuerWeakKey, format!("The key of {name} has {bits} bits."));
            }
        }
        // A root is trusted for its key; nobody relies on its own signature.
        let signed = std::iter::once(leaf).chain(chain.intermediates());
        for certificate in signed.filter(|certificate| certificate.signed_with_sha1) {
            self.add(FindingCode::WeakSignature, format!("{} is signed with SHA-1.", certificate.subject()));
        }
        if !chain.unused().is_empty() {
            let count = chain.unused().len();
            self.add(
                FindingCode::UnusedCertificates,
                format!("{count} of the certificates that came with it are not of its chain."),
            );
        }
    }
}

fn weak_rsa(certificate: &Certificate) -> Option<usize> {
    match certificate.key {
        KeyKind::Rsa { bits } if bits < SMALLEST_RSA_BITS => Some(bits),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
