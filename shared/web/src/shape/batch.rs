//! Plans, their prices, and what they say about each person.

use domain::{assessment::Assessment, batch::BatchStatus};
use flow::plan_batch::OfferedProduct;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Money, enrollment::Count, words::Purpose};

#[derive(Serialize, ToSchema)]
pub(crate) struct Batch {
    id: Uuid,
    #[schema(example = "ready")]
    status: &'static str,
    /// Why it was stopped.
    reason: Option<String>,
    purpose: Purpose,
    product: Product,
    /// People for whom an order is planned.
    planned: u32,
    left_out: u32,
    total: Money,
    requested_by: String,
    approved_by: Option<String>,
    created_at: Timestamp,
    /// Enrollments of the batch by state; only where one batch is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Vec<Count>>,
}

impl Batch {
    pub(crate) fn with_counts(self, counts: Vec<Count>) -> Self {
        Self { counts: Some(counts), ..self }
    }
}

/// What is bought.
#[derive(Serialize, ToSchema)]
pub(crate) struct Product {
    code: u32,
    days: u16,
    price: Money,
}

/// A product that a batch can ask for.
#[derive(Serialize, ToSchema)]
pub(crate) struct SoldProduct {
    code: u32,
    label: String,
    offers: Vec<Offer>,
}

/// How long a certificate of a product can live, and what it costs then.
#[derive(Serialize, ToSchema)]
pub(crate) struct Offer {
    days: u16,
    price: Money,
}

/// One person of a plan.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanPerson {
    person: Uuid,
    name: Option<String>,
    address: Option<String>,
    /// `null` until planning reaches this person.
    #[schema(example = "new")]
    assessment: Option<&'static str>,
    enrolled: bool,
    /// The assessment in a sentence.
    says: Option<String>,
    /// The enrollment that the plan made, or the one for which nothing new is bought.
    enrollment: Option<Uuid>,
}

impl PlanPerson {
    pub(crate) fn new(row: domain::batch::PlanRow, person: Option<&domain::Person>) -> Self {
        let mailbox = row.ground.as_ref().map(|ground| ground.mailbox.to_string());
        let known = person.and_then(|person| person.primary_smtp.clone().or_else(|| person.mail.clone()));
        let other = row.assessment.as_ref().and_then(other_enrollment);
        Self {
            person: row.person.0,
            name: person.map(domain::Person::shown_name),
            address: mailbox.or(known),
            assessment: row.assessment.as_ref().map(Assessment::as_str),
            enrolled: row.assessment.as_ref().is_some_and(Assessment::is_enrolled),
            says: row.assessment.as_ref().map(sentence),
            enrollment: row.enrollment.or(other).map(|id| id.0),
        }
    }
}

fn other_enrollment(assessment: &Assessment) -> Option<domain::EnrollmentId> {
    match assessment {
        Assessment::InProgress { enrollment } | Assessment::Covered { enrollment, .. } => Some(*enrollment),
        _ => None,
    }
}

fn sentence(assessment: &Assessment) -> String {
    match assessment {
        Assessment::New => "A certificate will be ordered.".into(),
        Assessment::Replaces { .. } => "A certificate will be ordered in place of the one that ends.".into(),
        Assessment::InProgress { .. } => "An enrollment for this address and purpose is under way.".into(),
        Assessment::Covered { until, .. } => format!("There is a valid certificate until {}.", day(*until)),
        Assessment::CoveredElsewhere { until, .. } => {
            format!("Intune has a certificate from another tool, valid until {}.", day(*until))
        }
        Assessment::NoLicence => "None of the licences that deliver certificates is assigned.".into(),
        Assessment::Guest => "A guest of the directory.".into(),
        Assessment::Disabled => "The account is disabled.".into(),
        Assessment::Left => "No longer in the directory.".into(),
        Assessment::NoAddress => "The directory has no mail address.".into(),
        Assessment::UnusableAddress { problem } => format!("The mail address cannot be used: {problem}."),
        Assessment::AddressTooLong { characters } => {
            format!("The mail address has {characters} characters; a certificate holds 64.")
        }
        Assessment::SharedAddress => "Somebody else has the same mail address.".into(),
        Assessment::DomainNotPrevalidated { domain } => {
            format!("{domain} is not among the domains that SSL.com has validated.")
        }
        Assessment::UnwritableName { field, problem } => format!("The {field} cannot be written: {problem}."),
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

impl From<domain::Batch> for Batch {
    fn from(batch: domain::Batch) -> Self {
        Self {
            id: batch.id.0,
            status: batch.status.as_str(),
            reason: match batch.status {
                BatchStatus::Stopped { reason } => Some(reason),
                _ => None,
            },
            purpose: batch.purpose.into(),
            product: batch.product.into(),
            planned: batch.planned,
            left_out: batch.left_out,
            total: batch.total.into(),
            requested_by: batch.requested_by,
            approved_by: batch.approved_by,
            created_at: batch.created_at,
            counts: None,
        }
    }
}

impl From<domain::enrollment::Product> for Product {
    fn from(product: domain::enrollment::Product) -> Self {
        Self { code: product.code, days: product.days, price: product.price.into() }
    }
}

impl From<OfferedProduct> for SoldProduct {
    fn from(product: OfferedProduct) -> Self {
        let offer = |(days, price): (u16, domain::Money)| Offer { days, price: price.into() };
        Self { code: product.code, label: product.label, offers: product.durations.into_iter().map(offer).collect() }
    }
}
