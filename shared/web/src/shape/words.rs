//! The words of the API for what domain calls by variants. Written out so that a new variant has to be named here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $domain:path { $($variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name { $($variant),+ }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                use $domain as Word;
                match word { $(Word::$variant => Self::$variant),+ }
            }
        }
    )+};
}

words! {
    /// What an operator may do. Each of viewer, operator, approver, admin may do what the ones before it may.
    Role of domain::operator::Role { Viewer, Operator, Approver, Recovery, Admin }

    /// What a certificate is for.
    Purpose of domain::Purpose { General, Encryption, Signing }

    /// Which of Microsoft's clouds.
    Cloud of domain::integration::Cloud { Global, UsGovL4, UsGovL5, China }

    /// The key of a certificate.
    KeyAlgorithm of domain::KeyAlgorithm { Rsa2048, Rsa3072, P256 }

    /// How a PFX file is encrypted.
    PfxProfile of domain::PfxProfile { Compatible, Modern }

    /// The digest of the OAEP padding under which a PFX password is sealed.
    Padding of domain::keys::SealingPadding { OaepSha256, OaepSha384, OaepSha512 }

    /// Where an enrollment stands.
    StateName of domain::enrollment::StateName {
        Planned, Requested, Buying, Bought, Validating, Issued, Importing, Imported,
        Unsure, Blocked, Held, Rejected, Expired, Failed, Cancelled,
    }

    /// What SSL.com holds.
    AtCa of domain::enrollment::CaFacet { None, Active, Revoked, Expired }

    /// What Intune holds.
    AtIntune of domain::enrollment::IntuneFacet { Absent, Present, Removing }

    /// What became of the private key.
    KeyFate of domain::enrollment::KeyFacet { None, Sealed, Retained, Escrowed, Destroyed }

    /// How a preflight row came about.
    RowKind of flow::preflight::RowKind { Checked, Attested }

    /// How a preflight row came out.
    RowStatus of flow::preflight::RowStatus { Good, Warning, Bad }
}

impl From<Purpose> for domain::Purpose {
    fn from(word: Purpose) -> Self {
        match word {
            Purpose::General => Self::General,
            Purpose::Encryption => Self::Encryption,
            Purpose::Signing => Self::Signing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_stored_form_and_of_filters() {
        for state in domain::enrollment::StateName::ALL {
            let word = serde_json::to_value(StateName::from(state)).ok();
            assert_eq!(word, Some(state.as_str().into()));
        }
        for purpose in domain::Purpose::ALL {
            let word = serde_json::to_value(Purpose::from(purpose)).ok();
            assert_eq!(word, Some(purpose.as_str().into()));
            assert_eq!(domain::Purpose::from(Purpose::from(purpose)), purpose);
        }
        let cloud = domain::integration::Cloud::UsGovL4;
        assert_eq!(serde_json::to_value(cloud).ok(), serde_json::to_value(Cloud::from(cloud)).ok());
    }
}
