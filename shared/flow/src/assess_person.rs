//! One person's place in a plan, from what the store knows of them, and the enrollment that follows from it.

use std::collections::HashMap;

use domain::{
    Batch, Claim, Enrollment, EnrollmentId, Integration, Person, PersonId,
    assessment::{Assessment, ClaimHolder, Ground, assess},
    batch::PersonGround,
    claim,
    enrollment::{State, Subject},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ports::{EnrollmentFilter, IntegrationStore, Platform, PlatformError};
use uuid::Uuid;

use crate::Flow;

/// Enrollments of one person read at once.
const CHUNK: usize = 100;

/// What the plan says about one person, from what the store knows.
pub(crate) async fn assessed<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    integration: &Integration,
    batch: &Batch,
    person: &Person,
) -> Result<(Assessment, Option<PersonGround>), PlatformError> {
    let now = flow.now();
    let settings = &integration.settings;
    let mailbox = person.mailbox(settings.user_principal_name_allowed).ok();
    let (people_with_address, claim, foreign_record) = match &mailbox {
        None => (0, ClaimHolder::Nobody, None),
        Some(mailbox) => {
            let claim = Claim {
                integration: integration.id,
                person: person.id,
                mailbox: mailbox.fold(),
                purpose: batch.purpose,
            };
            (
                rows.people_with_address(&mailbox.fold()).await?,
                holder(rows, &claim, now).await?,
                foreign_record(rows, person.id, batch).await?,
            )
        }
    };
    let product = flow.deployment.products.find(sslcom::ProductCode(batch.product.code));
    let ground = Ground {
        settings,
        purpose: batch.purpose,
        needs_name: product.is_some_and(|product| product.needs_person_name),
        clicks_accepted: flow.deployment.clicks_accepted,
        people_with_address,
        claim,
        foreign_record,
        today: now.to_zoned(TimeZone::UTC).date(),
        now,
    };
    Ok(assess(person, &ground))
}

async fn holder<S: IntegrationStore>(rows: &S, wanted: &Claim, now: Timestamp) -> Result<ClaimHolder, PlatformError> {
    let Some(id) = rows.claim(wanted).await? else { return Ok(ClaimHolder::Nobody) };
    let Some(row) = rows.enrollment(id).await? else { return Ok(ClaimHolder::Nobody) };
    if claim::is_released(&row) {
        return Ok(ClaimHolder::Ended(id));
    }
    Ok(match (&row.state, &row.certificate) {
        (State::Imported { .. }, Some(certificate)) if certificate.not_after > now => {
            ClaimHolder::Valid(id, certificate.not_after)
        }
        _ if claim::may_be_replaced(&row) => ClaimHolder::Ended(id),
        _ => ClaimHolder::UnderWay(id),
    })
}

/// The clocks of those who asked for a plan and of those who list for it may differ by less than this.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// The Intune record for this purpose that is valid longest and was not made by an enrollment of ours. Every plan lists
/// the records first, so one that was not seen since the plan was asked for is gone.
async fn foreign_record<S: IntegrationStore>(
    rows: &S,
    person: PersonId,
    batch: &Batch,
) -> Result<Option<(String, Timestamp)>, PlatformError> {
    let listed_from = batch.created_at.saturating_sub(CLOCKS_DIFFER).unwrap_or(Timestamp::MIN);
    let mut records = rows.intune_records(person).await?;
    records.retain(|record| record.purpose == batch.purpose && record.seen_at >= listed_from);
    if records.is_empty() {
        return Ok(None);
    }
    let mut ours = HashMap::new();
    let mut after = None;
    loop {
        let page = rows.enrollments(&EnrollmentFilter::Person(person), after, CHUNK).await?;
        ours.extend(page.items.into_iter().filter_map(|row| Some((row.certificate?.thumbprint.to_string(), row.id))));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let foreign = records.into_iter().filter(|record| !ours.contains_key(&record.thumbprint));
    Ok(foreign.max_by_key(|record| record.not_after).map(|record| (record.id, record.not_after)))
}

/// The enrollment to be. Its id follows from batch and person, so that planning twice makes one.
pub(crate) fn enrollment<P: Platform>(
    flow: &Flow<P>,
    integration: &Integration,
    batch: &Batch,
    person: &Person,
    ground: &PersonGround,
    assessment: &Assessment,
) -> Enrollment {
    let now = flow.now();
    let id = EnrollmentId(Uuid::new_v5(&batch.id.0, person.id.0.as_bytes()));
    let replaces = match assessment {
        Assessment::Replaces { enrollment } => Some(*enrollment),
        _ => None,
    };
    Enrollment {
        id,
        integration: integration.id,
        batch: batch.id,
        person: person.id,
        subject: Subject {
            mailbox: ground.mailbox.clone(),
            given_name: ground.given_name.clone(),
            surname: ground.surname.clone(),
        },
        purpose: batch.purpose,
        product: batch.product.clone(),
        key_algorithm: integration.settings.key_algorithm,
        replaces,
        state: State::Planned,
        ca: Default::default(),
        intune: Default::default(),
        key: Default::default(),
        attempt: 0,
        purchase: None,
        voucher: None,
        surplus: Vec::new(),
        certificate: None,
        due_at: None,
        request_until: None,
        called_back_at: None,
        failures: 0,
        note: None,
        created_at: now,
        changed_at: now,
        version: 0,
        written_by: None,
    }
}
