//! Where each kind of row is in the table, and in which lists it stands. ARCHITECTURE.md has the same as a table, with
//! what asks for it.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Batch, BatchId, Claim, Enrollment, EnrollmentId, IntegrationId, Person, PersonId, batch::PlanRow,
    enrollment::StateName,
};
use jiff::{Timestamp, civil::Date};
use ports::{Attachment, Vendor};
use uuid::Uuid;

use super::table::{Item, Outcome, string, text};

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) partition: String,
    pub(super) sort: String,
}

/// An index of the table. They are numbered, because each kind of row uses them for lists of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    First,
    Second,
    Third,
    Fourth,
    Fifth,
    /// What somebody has to look after.
    Due,
}

/// A row's key and the lists in which it stands.
pub(super) struct Place {
    key: Key,
    lists: Vec<(List, String, String)>,
}

/// Partitions of the due index of one integration: one takes a thousand writes a second.
pub(super) const DUE_SHARDS: u8 = 4;

/// Rows over which the counts of one integration or batch are spread, so that writers do not wait for each other.
pub(super) const COUNT_SHARDS: u8 = 16;

impl List {
    pub(super) fn index(self) -> &'static str {
        match self {
            Self::First => "list-1",
            Self::Second => "list-2",
            Self::Third => "list-3",
            Self::Fourth => "list-4",
            Self::Fifth => "list-5",
            Self::Due => "due",
        }
    }

    pub(super) fn partition(self) -> &'static str {
        match self {
            Self::First => "p1",
            Self::Second => "p2",
            Self::Third => "p3",
            Self::Fourth => "p4",
            Self::Fifth => "p5",
            Self::Due => "pd",
        }
    }

    pub(super) fn sort(self) -> &'static str {
        match self {
            Self::First => "s1",
            Self::Second => "s2",
            Self::Third => "s3",
            Self::Fourth => "s4",
            Self::Fifth => "s5",
            Self::Due => "sd",
        }
    }
}

impl Key {
    pub(super) fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }

    pub(super) fn of(item: &Item) -> Outcome<Self> {
        Ok(Self::new(text(item, "pk")?, text(item, "sk")?))
    }

    pub(super) fn item(&self) -> Item {
        [("pk".to_owned(), string(&self.partition)), ("sk".to_owned(), string(&self.sort))].into()
    }

    pub(super) fn integration(id: IntegrationId) -> Self {
        Self::new(INTEGRATIONS, id.to_string())
    }

    /// Held by the one integration of a tenant.
    pub(super) fn tenant(cloud: &str, tenant: Uuid) -> Self {
        Self::new(format!("tenant/{cloud}/{tenant}"), "tenant")
    }

    pub(super) fn directory_cursor(scope: IntegrationId) -> Self {
        Self::new(scope.to_string(), "directory-cursor")
    }

    pub(super) fn pause(scope: IntegrationId, vendor: Vendor) -> Self {
        let vendor = match vendor {
            Vendor::CertificateAuthority => "certificate-authority",
            Vendor::Directory => "directory",
            Vendor::Intune => "intune",
        };
        Self::new(scope.to_string(), format!("pause/{vendor}"))
    }

    pub(super) fn purchases(scope: IntegrationId, day: Date) -> Self {
        Self::new(format!("{scope}/purchases"), day.to_string())
    }

    pub(super) fn person(scope: IntegrationId, person: PersonId) -> Self {
        Self::new(people(scope), person.to_string())
    }

    pub(super) fn intune_record(scope: IntegrationId, person: PersonId, record: &str) -> Self {
        Self::new(intune_records(scope, person), record)
    }

    pub(super) fn batch(scope: IntegrationId, batch: BatchId) -> Self {
        Self::new(plan(scope, batch), "batch")
    }

    pub(super) fn plan_row(scope: IntegrationId, batch: BatchId, person: PersonId) -> Self {
        Self::new(plan(scope, batch), format!("{PLAN}{person}"))
    }

    pub(super) fn enrollment(scope: IntegrationId, enrollment: EnrollmentId) -> Self {
        Self::new(beside(scope, enrollment), "enrollment")
    }

    pub(super) fn attachment(scope: IntegrationId, enrollment: EnrollmentId, kind: Attachment) -> Self {
        Self::new(beside(scope, enrollment), format!("attachment/{}", kind.as_str()))
    }

    /// Events sort by the version of the row that they led to, and within one write by their place.
    pub(super) fn event(scope: IntegrationId, enrollment: EnrollmentId, version: u64, place: usize) -> Self {
        Self::new(beside(scope, enrollment), format!("{TIMELINE}{version:020}/{place:03}"))
    }

    pub(super) fn claim(scope: IntegrationId, claim: &Claim) -> Self {
        Self::new(format!("{scope}/claim/{claim}"), "claim")
    }

    pub(super) fn order(scope: IntegrationId, reference: &str) -> Self {
        Self::new(format!("{scope}/order/{reference}"), "order")
    }

    pub(super) fn hook(token_hash: &str) -> Self {
        Self::new(format!("hook/{token_hash}"), "hook")
    }

    pub(super) fn counts(scope: IntegrationId, batch: Option<BatchId>, shard: u8) -> Self {
        Self::new(counts(scope, batch), format!("{shard:02}"))
    }

    pub(super) fn audit(scope: IntegrationId, at: Timestamp, appended: Timestamp, place: u64) -> Self {
        let sort = format!("{}/{}/{place:020}", moment(at), moment(appended));
        Self::new(audit(scope), sort)
    }

    pub(super) fn authorize_state(hash: &str) -> Self {
        Self::new(format!("authorize/{hash}"), "authorize")
    }

    pub(super) fn idempotency(key: &str) -> Self {
        Self::new(format!("idempotency/{key}"), "idempotency")
    }
}

/// The partition of every integration.
pub(super) const INTEGRATIONS: &str = "integrations";
/// How the sort keys of a batch's plan begin.
pub(super) const PLAN: &str = "plan/";
/// How the sort keys of an enrollment's events begin.
pub(super) const TIMELINE: &str = "timeline/";

pub(super) fn people(scope: IntegrationId) -> String {
    format!("{scope}/people")
}

pub(super) fn intune_records(scope: IntegrationId, person: PersonId) -> String {
    format!("{scope}/intune/{person}")
}

/// A batch and its plan.
pub(super) fn plan(scope: IntegrationId, batch: BatchId) -> String {
    format!("{scope}/batch/{batch}")
}

/// An enrollment and what lies beside it.
pub(super) fn beside(scope: IntegrationId, enrollment: EnrollmentId) -> String {
    format!("{scope}/enrollment/{enrollment}")
}

pub(super) fn counts(scope: IntegrationId, batch: Option<BatchId>) -> String {
    match batch {
        Some(batch) => format!("{scope}/counts/{batch}"),
        None => format!("{scope}/counts"),
    }
}

pub(super) fn audit(scope: IntegrationId) -> String {
    format!("{scope}/audit")
}

// Lists

pub(super) fn people_by_name(scope: IntegrationId) -> (List, String) {
    (List::First, format!("{scope}/people-by-name"))
}

pub(super) fn people_by_address(scope: IntegrationId) -> (List, String) {
    (List::Second, format!("{scope}/people-by-address"))
}

pub(super) fn people_with_primary(scope: IntegrationId, folded: &str) -> (List, String) {
    (List::Third, format!("{scope}/primary/{}", shortened(folded)))
}

pub(super) fn people_with_mail(scope: IntegrationId, folded: &str) -> (List, String) {
    (List::Fourth, format!("{scope}/mail/{}", shortened(folded)))
}

pub(super) fn batches(scope: IntegrationId) -> (List, String) {
    (List::First, format!("{scope}/batches"))
}

pub(super) fn plan_by_assessment(scope: IntegrationId, batch: BatchId, assessment: Option<&str>) -> (List, String) {
    (List::First, format!("{scope}/plan/{batch}/{}", assessment.unwrap_or("unplanned")))
}

pub(super) fn enrollments(scope: IntegrationId) -> (List, String) {
    (List::First, format!("{scope}/enrollments"))
}

pub(super) fn enrollments_in_state(scope: IntegrationId, state: StateName) -> (List, String) {
    (List::Second, format!("{scope}/state/{}", state.as_str()))
}

pub(super) fn enrollments_of_batch(scope: IntegrationId, batch: BatchId) -> (List, String) {
    (List::Third, format!("{scope}/enrollments/{batch}"))
}

pub(super) fn enrollments_of_batch_in_state(scope: IntegrationId, batch: BatchId, state: StateName) -> (List, String) {
    (List::Fourth, format!("{scope}/enrollments/{batch}/{}", state.as_str()))
}

pub(super) fn enrollments_of_person(scope: IntegrationId, person: PersonId) -> (List, String) {
    (List::Fifth, format!("{scope}/enrollments-of/{person}"))
}

pub(super) fn due(scope: IntegrationId, shard: u8) -> (List, String) {
    (List::Due, format!("{scope}/due/{shard}"))
}

/// The shard in which an enrollment is due.
pub(super) fn due_shard(enrollment: EnrollmentId) -> u8 {
    enrollment.0.as_bytes()[0] % DUE_SHARDS
}

/// What an enrollment is sorted by among those that are due.
pub(super) fn due_sort(at: Timestamp, enrollment: EnrollmentId) -> String {
    format!("{}/{enrollment}", moment(at))
}

impl Place {
    fn new<const N: usize>(key: Key, lists: [((List, String), String); N]) -> Self {
        let lists = lists.into_iter().map(|((list, partition), sort)| (list, partition, sort)).collect();
        Self { key, lists }
    }

    pub(super) fn of_person(scope: IntegrationId, person: &Person) -> Self {
        let id = person.id;
        let named = [
            (people_by_name(scope), sorted(&person.folded_name(), id)),
            (people_by_address(scope), sorted(&person.folded_shown_address(), id)),
        ];
        let mut place = Self::new(Key::person(scope, id), named);
        let addresses = [
            person.folded_primary().map(|folded| people_with_primary(scope, &folded)),
            person.folded_mail().map(|folded| people_with_mail(scope, &folded)),
        ];
        let addresses = addresses.into_iter().flatten().map(|(list, partition)| (list, partition, id.to_string()));
        place.lists.extend(addresses);
        place
    }

    pub(super) fn of_batch(scope: IntegrationId, batch: &Batch) -> Self {
        let sort = format!("{}/{}", moment(batch.created_at), batch.id);
        Self::new(Key::batch(scope, batch.id), [(batches(scope), sort)])
    }

    pub(super) fn of_plan_row(scope: IntegrationId, row: &PlanRow) -> Self {
        let assessment = row.assessment.as_ref().map(|assessment| assessment.as_str());
        let list = plan_by_assessment(scope, row.batch, assessment);
        Self::new(Key::plan_row(scope, row.batch, row.person), [(list, row.person.to_string())])
    }

    pub(super) fn of_enrollment(scope: IntegrationId, row: &Enrollment) -> Self {
        let state = row.state.name();
        let sort = || format!("{}/{}", moment(row.created_at), row.id);
        let lists = [
            (enrollments(scope), sort()),
            (enrollments_in_state(scope, state), sort()),
            (enrollments_of_batch(scope, row.batch), sort()),
            (enrollments_of_batch_in_state(scope, row.batch, state), sort()),
            (enrollments_of_person(scope, row.person), sort()),
        ];
        let mut place = Self::new(Key::enrollment(scope, row.id), lists);
        if let Some(at) = row.due_at {
            let (list, partition) = due(scope, due_shard(row.id));
            place.lists.push((list, partition, due_sort(at, row.id)));
        }
        place
    }

    pub(super) fn attributes(self) -> Vec<(String, AttributeValue)> {
        let mut attributes: Vec<_> = self.key.item().into_iter().collect();
        for (list, partition, sort) in self.lists {
            attributes.push((list.partition().to_owned(), string(partition)));
            attributes.push((list.sort().to_owned(), string(sort)));
        }
        attributes
    }
}

impl From<Key> for Place {
    fn from(key: Key) -> Self {
        Self { key, lists: Vec::new() }
    }
}

/// What somebody is sorted by: a text, and among equal ones their id.
pub(super) fn sorted(folded: &str, person: PersonId) -> String {
    format!("{}\u{1}{person}", shortened(folded))
}

/// A sort key has at most 1,024 bytes. What is that long is compared by its beginning.
pub(super) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(900)]
}

/// A time as a text that sorts as the times do, also before 1970.
pub(super) fn moment(at: Timestamp) -> String {
    let since_the_first = at.as_nanosecond().saturating_sub(Timestamp::MIN.as_nanosecond());
    format!("{since_the_first:021}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_as_their_times() {
        let second = jiff::SignedDuration::from_secs(1);
        let epoch = Timestamp::UNIX_EPOCH;
        let times = [Timestamp::MIN, epoch - second, epoch, epoch + second, Timestamp::MAX];
        let texts = times.map(moment);
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 21), "{texts:?}");
    }

    #[test]
    fn a_long_name_is_shortened_between_two_letters() {
        let name = "ö".repeat(600);
        assert_eq!(shortened(&name).len(), 900);
        assert!(sorted(&name, PersonId(Uuid::nil())).len() < 1_024);
    }

    #[test]
    fn the_name_of_one_person_comes_before_the_longer_name_of_another() {
        let (first, second) = (PersonId(Uuid::max()), PersonId(Uuid::nil()));
        assert!(sorted("anna", first) < sorted("anna berg", second));
    }
}
