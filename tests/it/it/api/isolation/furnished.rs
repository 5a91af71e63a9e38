//! An integration that has something of everything, each text of it with a mark.

use domain::{
    Batch, BatchId, Enrollment, EnrollmentId, IntegrationId, Person, PersonId, State,
    assessment::Assessment,
    batch::{BatchStatus, PlanRow},
    enrollment::{Blocked, Purchase, Stage, StateName, Subject},
    operator::AuditEntry,
};
use jiff::Timestamp;
use ports::{DirectoryCursor, IntegrationStore, IntuneRecord};
use serde_json::json;
use uuid::Uuid;

use super::super::{Server, batch, enrollment, person, settings};

pub(super) struct Furnished {
    pub(super) id: IntegrationId,
    /// Stands in every name, address and sentence.
    pub(super) mark: String,
    tenant: Uuid,
    people: Vec<PersonId>,
    batches: Vec<BatchId>,
    pub(super) enrollments: Vec<Enrollment>,
}

impl Furnished {
    pub(super) async fn new(server: &Server, mark: &str) -> Self {
        let tenant = Uuid::new_v4();
        let mut typed = settings();
        typed["name"] = json!(format!("{mark} Ltd"));
        typed["tenant_id"] = json!(tenant);
        typed["contact"]["email"] = json!(format!("it@{}.example", mark.to_lowercase()));
        let created = server.post("/api/integrations", typed).await.json();
        let id: IntegrationId = created["id"].as_str().unwrap().parse().unwrap();
        let mut furnished = Self {
            id,
            mark: mark.to_owned(),
            tenant,
            people: Vec::new(),
            batches: Vec::new(),
            enrollments: Vec::new(),
        };
        let running = furnished.batch(BatchStatus::Running);
        let ready = furnished.batch(BatchStatus::Ready);
        furnished.batches = vec![running.id, ready.id];
        for state in states(mark) {
            let person = furnished.person(server).await;
            furnished.enrollments.push(furnished.enrollment(&running, person, state));
        }
        furnished.put(server, &[running, ready]).await;
        furnished
    }

    fn batch(&self, status: BatchStatus) -> Batch {
        let by = format!("{} operator", self.mark);
        Batch { requested_by: by.clone(), approved_by: Some(by), status, ..batch(self.id) }
    }

    async fn person(&mut self, server: &Server) -> PersonId {
        let address = format!("{}-{}@{}.example", self.mark, self.people.len(), self.mark).to_lowercase();
        let somebody = Person {
            display_name: Some(format!("{} Berg", self.mark)),
            given_name: Some(self.mark.clone()),
            user_principal_name: address.clone(),
            primary_smtp: Some(address),
            ..person()
        };
        server.rows(self.id).put_people(std::slice::from_ref(&somebody)).await.unwrap();
        self.people.push(somebody.id);
        somebody.id
    }

    fn enrollment(&self, batch: &Batch, person: PersonId, state: State) -> Enrollment {
        let mailbox = format!("{}@{}.example", self.mark, self.mark).to_lowercase();
        let reference = format!("co-{}-{}", self.mark, state.name());
        Enrollment {
            subject: Subject {
                mailbox: mailbox.parse().unwrap(),
                given_name: Some(self.mark.clone()),
                surname: Some("Berg".into()),
            },
            attempt: 1,
            purchase: Some(Purchase { reference: reference.clone(), paid: None, at: batch.created_at }),
            surplus: vec![format!("{reference}-surplus")],
            note: Some(format!("{} note", self.mark)),
            ..enrollment(batch, person, state)
        }
    }

    async fn put(&self, server: &Server, batches: &[Batch]) {
        let rows = server.rows(self.id);
        for batch in batches {
            rows.create_batch(batch, &self.people).await.unwrap();
        }
        rows.create_enrollments(&self.enrollments).await.unwrap();
        let plan = self.enrollments.iter().map(|row| PlanRow {
            batch: row.batch,
            person: row.person,
            assessment: Some(Assessment::New),
            enrollment: Some(row.id),
            ground: None,
        });
        rows.put_plan_rows(&plan.collect::<Vec<_>>()).await.unwrap();
        let now: Timestamp = "2026-11-22T11:30:00Z".parse().unwrap();
        let record = IntuneRecord {
            id: format!("{} record", self.mark),
            person: self.people[0],
            purpose: domain::Purpose::General,
            not_after: now,
            seen_at: now,
            thumbprint: "00".repeat(20),
        };
        rows.put_intune_records(&[record]).await.unwrap();
        let problem = Some(format!("{} problem", self.mark));
        rows.save_directory_cursor(&DirectoryCursor { problem, ..DirectoryCursor::default() }).await.unwrap();
        let line = AuditEntry {
            at: now,
            by: format!("{} operator", self.mark),
            action: "batch.approved".into(),
            subject: self.batches[0].to_string(),
            detail: format!("{} detail", self.mark),
        };
        rows.append_audit(&line).await.unwrap();
        // By the API, so that there is a timeline.
        let cancelled = self.in_state(StateName::Planned);
        let path = format!("/api/integrations/{}/enrollments/{}/cancel", self.id, cancelled.id);
        let answer = server.post(&path, json!({ "reason": format!("{} reason", self.mark) })).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }

    pub(super) fn in_state(&self, state: StateName) -> &Enrollment {
        self.enrollments.iter().find(|row| row.state.name() == state).unwrap()
    }

    /// Every id, with its name in the routes.
    pub(super) fn ids(&self) -> Vec<(&'static str, Uuid)> {
        let batches = self.batches.iter().map(|BatchId(id)| ("batch", *id));
        let enrollments = self.enrollments.iter().map(|Enrollment { id: EnrollmentId(id), .. }| ("enrollment", *id));
        let people = self.people.iter().map(|PersonId(id)| ("person", *id));
        batches.chain(enrollments).chain(people).chain([("id", self.id.0)]).collect()
    }

    /// A batch, an enrollment and a person.
    pub(super) fn one_of_each_kind(&self) -> [(&'static str, Uuid); 3] {
        ["batch", "enrollment", "person"].map(|kind| self.ids().into_iter().find(|(of, _)| *of == kind).unwrap())
    }

    /// What is nowhere but here, as it stands in answers.
    pub(super) fn traces(&self) -> Vec<String> {
        let ids = self.ids().into_iter().map(|(_, id)| id.to_string());
        let domain = format!("{}.example", self.mark.to_lowercase());
        ids.chain([self.mark.clone(), domain, self.tenant.to_string()]).collect()
    }

    /// Everything in the store that a request could have changed.
    pub(super) async fn stored(&self, server: &Server) -> String {
        let rows = server.rows(self.id);
        let enrollments = rows.enrollments(&ports::EnrollmentFilter::Everything, None, 100).await.unwrap();
        let batches = rows.batches(None, 100).await.unwrap();
        let people = rows.people(&ports::PeopleFilter::Everybody, None, 100).await.unwrap();
        let audit = rows.audit(None, 100).await.unwrap();
        format!("{:?} {enrollments:?} {batches:?} {people:?} {audit:?}", rows.integration().await.unwrap())
    }
}

/// One of each.
fn states(mark: &str) -> Vec<State> {
    let text = || format!("{mark} text");
    let at: Timestamp = "2026-11-22T11:00:00Z".parse().unwrap();
    let states = vec![
        State::Planned,
        State::Requested,
        State::Buying { since: at, deadline: at },
        State::Bought,
        State::Validating { since: at, checks: 1, status: text() },
        State::Issued,
        State::Importing,
        State::Imported { at, keep_key_until: at },
        State::Unsure { since: at, candidates: vec![format!("co-{mark}")] },
        State::Blocked { cause: Blocked::Funds { detail: text() } },
        State::Held { reasons: vec![text()] },
        State::Rejected { status: text() },
        State::Expired { status: text() },
        State::Failed { stage: Stage::Import, cause: text() },
        State::Cancelled { reason: text() },
    ];
    assert_eq!(states.len(), StateName::ALL.len());
    states
}
