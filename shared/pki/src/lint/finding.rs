//! What a check can find. The code decides how serious a finding is, so one kind is never judged in two ways.

/// One thing that is wrong or remarkable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// For the operator. Holds names from the certificate, so it is no text for a log.
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, no reason to stop.
    Note,
    /// Not imported unless a person accepts it.
    Refuse,
}

impl Finding {
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

macro_rules! finding_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// What a finding is, in a form that can be stored and counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($(#[$doc])* $name,)*
        }

        impl FindingCode {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word of the stored form and of the API.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }
        }
    };
}

finding_codes! {
    OtherKey = "other_key", Refuse;
    WeakKey = "weak_key", Refuse;
    MailboxMissing = "mailbox_missing", Refuse;
    /// Some programs look at the first address only.
    MailboxNotFirst = "mailbox_not_first", Note;
    OtherMailboxes = "other_mailboxes", Note;
    NotYetValid = "not_yet_valid", Refuse;
    Expired = "expired", Refuse;
    TooLong = "too_long", Refuse;
    IsAuthority = "is_authority", Refuse;
    NoEmailProtection = "no_email_protection", Refuse;
    ForbiddenUse = "forbidden_use", Refuse;
    /// Allowed until 2027-07-01 by BR 7.1.2.3 f.
    ExtraUse = "extra_use", Note;
    PurposeNotAllowed = "purpose_not_allowed", Refuse;
    MoreThanThePurpose = "more_than_the_purpose", Note;
    NoKeyUsage = "no_key_usage", Note;
    LegacyPolicy = "legacy_policy", Refuse;
    NoPolicy = "no_policy", Note;
    SeveralPolicies = "several_policies", Note;
    WeakSignature = "weak_signature", Refuse;
    IssuerMissing = "issuer_missing", Refuse;
    IssuerSignatureWrong = "issuer_signature_wrong", Refuse;
    IssuerNotAuthority = "issuer_not_authority", Refuse;
    IssuerPathTooLong = "issuer_path_too_long", Refuse;
    IssuerNotInForce = "issuer_not_in_force", Refuse;
    IssuerNotForEmail = "issuer_not_for_email", Refuse;
    IssuerWeakKey = "issuer_weak_key", Refuse;
    UnusedCertificates = "unused_certificates", Note;
}
