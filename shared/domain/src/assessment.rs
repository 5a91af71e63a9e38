//! What a plan says about one person: enrolled, or left out and why. It touches nothing.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    EnrollmentId, Person, Purpose,
    batch::PersonGround,
    integration::Settings,
    mailbox::NotAMailbox,
    person::{NoAddress, written_name},
};

/// One person's place in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "assessment", rename_all = "snake_case")]
pub enum Assessment {
    /// An order will be placed.
    New,
    /// An order will be placed; it takes over from this one, whose certificate or order came to its end.
    Replaces {
        enrollment: EnrollmentId,
    },
    /// An enrollment for the same address and purpose is under way.
    InProgress {
        enrollment: EnrollmentId,
    },
    /// There is a valid certificate of ours.
    Covered {
        enrollment: EnrollmentId,
        until: Timestamp,
    },
    /// There is a valid Intune record that we did not make: the person comes from another tool.
    CoveredElsewhere {
        record: String,
        until: Timestamp,
    },
    NoLicence,
    Guest,
    Disabled,
    Left,
    NoAddress,
    UnusableAddress {
        problem: String,
    },
    AddressTooLong {
        characters: u32,
    },
    SharedAddress,
    DomainNotPrevalidated {
        domain: String,
    },
    UnwritableName {
        field: String,
        problem: String,
    },
}

impl Assessment {
    /// Whether the plan buys for this person.
    pub fn is_enrolled(&self) -> bool {
        matches!(self, Self::New | Self::Replaces { .. })
    }

    /// The word of the API and of filters.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replaces { .. } => "replaces",
            Self::InProgress { .. } => "in_progress",
            Self::Covered { .. } => "covered",
            Self::CoveredElsewhere { .. } => "covered_elsewhere",
            Self::NoLicence => "no_licence",
            Self::Guest => "guest",
            Self::Disabled => "disabled",
            Self::Left => "left",
            Self::NoAddress => "no_address",
            Self::UnusableAddress { .. } => "unusable_address",
            Self::AddressTooLong { .. } => "address_too_long",
            Self::SharedAddress => "shared_address",
            Self::DomainNotPrevalidated { .. } => "domain_not_prevalidated",
            Self::UnwritableName { .. } => "unwritable_name",
        }
    }
}

/// What is known beside the person.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    pub settings: &'a Settings,
    pub purpose: Purpose,
    /// Whether the product writes the person's name into the certificate.
    pub needs_name: bool,
    /// Whether orders for domains that are not pre-validated wait for a click of the person.
    pub clicks_accepted: bool,
    /// How many people of the directory have the same folded address.
    pub people_with_address: u32,
    pub claim: ClaimHolder,
    /// The latest end of an Intune record for this purpose that is not ours.
    pub foreign_record: Option<(String, Timestamp)>,
    pub today: Date,
    pub now: Timestamp,
}

/// What the enrollment that holds the claim amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimHolder {
    Nobody,
    /// It is still moving, or waits for a person.
    UnderWay(EnrollmentId),
    /// It is imported and valid until then.
    Valid(EnrollmentId, Timestamp),
    /// Its order or certificate came to its end; a new one may name it.
    Ended(EnrollmentId),
}

/// How long before its end a certificate may be replaced by a new one.
const RENEWAL_DAYS: i64 = 30;

/// Says what the plan does about this person, and on which of their fields that stands.
pub fn assess(person: &Person, ground: &Ground<'_>) -> (Assessment, Option<PersonGround>) {
    match subject(person, ground) {
        Err(left_out) => (left_out, None),
        Ok(fields) => (coverage(ground), Some(fields)),
    }
}

fn coverage(ground: &Ground<'_>) -> Assessment {
    let renewable = |until: Timestamp| until.duration_since(ground.now).as_hours() <= RENEWAL_DAYS * 24;
    match (&ground.claim, &ground.foreign_record) {
        (ClaimHolder::UnderWay(enrollment), _) => Assessment::InProgress { enrollment: *enrollment },
        (ClaimHolder::Valid(enrollment, until), _) if !renewable(*until) => {
            Assessment::Covered { enrollment: *enrollment, until: *until }
        }
        (ClaimHolder::Valid(enrollment, _) | ClaimHolder::Ended(enrollment), _) => {
            Assessment::Replaces { enrollment: *enrollment }
        }
        (ClaimHolder::Nobody, Some((record, until))) if *until > ground.now => {
            Assessment::CoveredElsewhere { record: record.clone(), until: *until }
        }
        (ClaimHolder::Nobody, _) => Assessment::New,
    }
}

/// The fields for the certificate, or the first reason for which there can be none.
fn subject(person: &Person, ground: &Ground<'_>) -> Result<PersonGround, Assessment> {
    if person.left {
        return Err(Assessment::Left);
    }
    if person.guest {
        return Err(Assessment::Guest);
    }
    if !person.enabled {
        return Err(Assessment::Disabled);
    }
    let plans = &ground.settings.licence_plans;
    if !plans.is_empty() && !person.plans.iter().any(|plan| plans.contains(plan)) {
        return Err(Assessment::NoLicence);
    }
    let mailbox = person.mailbox(ground.settings.user_principal_name_allowed).map_err(|problem| match problem {
        NoAddress::Missing => Assessment::NoAddress,
        NoAddress::Unusable(_, NotAMailbox::TooLong(characters)) => {
            Assessment::AddressTooLong { characters: u32::try_from(characters).unwrap_or(u32::MAX) }
        }
        NoAddress::Unusable(_, problem) => Assessment::UnusableAddress { problem: problem.to_string() },
    })?;
    if mailbox.domain().ends_with(".onmicrosoft.com") {
        let problem = "a public CA cannot validate a domain of Microsoft's".to_owned();
        return Err(Assessment::UnusableAddress { problem });
    }
    if ground.people_with_address > 1 {
        return Err(Assessment::SharedAddress);
    }
    if !ground.clicks_accepted && !ground.settings.is_prevalidated(mailbox.domain(), ground.today) {
        return Err(Assessment::DomainNotPrevalidated { domain: mailbox.domain().to_owned() });
    }
    let name = |field: &str, part: Option<&str>| {
        written_name(part).map_err(|problem| Assessment::UnwritableName {
            field: field.to_owned(),
            problem: format!("the {field} {problem}"),
        })
    };
    let fields = if ground.needs_name {
        PersonGround {
            given_name: name("given name", person.given_name.as_deref())?,
            surname: name("surname", person.surname.as_deref())?,
            mailbox,
        }
    } else {
        PersonGround { given_name: None, surname: None, mailbox }
    };
    if ground.needs_name && fields.given_name.is_none() && fields.surname.is_none() {
        let problem = "the directory has neither given name nor surname, and the product needs one".to_owned();
        return Err(Assessment::UnwritableName { field: "name".to_owned(), problem });
    }
    Ok(fields)
}
