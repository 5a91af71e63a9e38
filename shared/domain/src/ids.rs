//! Identifiers as types, so that a person's id cannot be handed over where a batch's is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// One organisation's connection. Everything else belongs to exactly one.
    IntegrationId
}
id! {
    /// The object id of a directory user, as Entra gives it.
    PersonId
}
id! {
    /// What an operator asked for in one go.
    BatchId
}
id! {
    /// One person and one certificate, from the request to the Intune record.
    EnrollmentId
}
