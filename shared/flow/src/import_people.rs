//! Reads the directory into the store: in full by pages with a generation, afterwards only what changed.
//!
//! The place to go on is saved after every page, so that a run that is cut off continues where it stopped.

use domain::{
    Integration, IntegrationId, Person, PersonId,
    integration::ImportScope,
    jobs::{ImportPeople, Job},
    transition::Actor,
};
use jiff::SignedDuration;
use microsoft::graph::{AssignedPlan, DeltaPosition, DirectoryUser, NextLink, SkippedRow, Start};
use ports::{DirectoryCursor, IntegrationStore, Platform, PlatformError, Queue, Vendor};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    Flow, Outcome, Refusal,
    connect::{audit, needed_integration},
    graph_access::{Trouble, app_token, forget_token, message_waits, pause_if_told, trouble},
    plan_batch::lease,
};

/// Rows in a page; Graph allows no more.
const PAGE: u16 = 999;
/// Pages read by one job, so that it ends well within a function's time.
const PAGES_PER_JOB: usize = 20;
/// A run of which nothing was heard for so long is over.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Begins an import, unless one is running.
pub async fn start<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    by: &Actor,
) -> Result<DirectoryCursor, Refusal> {
    let rows = flow.rows(integration);
    let row = needed_integration(&rows).await?;
    if row.authorized.is_none() {
        return Err(Refusal::Conflict(
            "authorize the integration first: nobody has signed in to its tenant".to_owned(),
        ));
    }
    let before = rows.directory_cursor().await?;
    let now = flow.now();
    let fresh = |at: jiff::Timestamp| now.duration_since(at) < STALE_AFTER;
    if before.running && before.started_at.is_some_and(fresh) {
        return Err(Refusal::Conflict("an import is running; wait until it has finished".to_owned()));
    }
    let cursor = DirectoryCursor {
        generation: before.generation + 1,
        next: None,
        group: 0,
        running: true,
        seen: 0,
        left: 0,
        started_at: Some(now),
        finished_at: None,
        problem: None,
        due_at: lease(flow),
        ..before
    };
    if !rows.save_directory_cursor(&cursor).await? {
        return Err(Refusal::Conflict("an import was started by somebody else just now".to_owned()));
    }
    rows.append_audit(&audit(flow, by, "people.import_started", integration.to_string())).await?;
    flow.platform
        .queue()
        .send(vec![Job::ImportPeople(ImportPeople { integration })], std::time::Duration::ZERO)
        .await?;
    Ok(rows.directory_cursor().await?)
}

/// Reads some pages and continues itself.
pub async fn import_people<P: Platform>(flow: &Flow<P>, job: ImportPeople) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(job.integration);
    let Some(integration) = rows.integration().await? else { return Ok(Outcome::Done) };
    let mut cursor = rows.directory_cursor().await?;
    if !cursor.running {
        return Ok(Outcome::Done);
    }
    for _ in 0..PAGES_PER_JOB {
        let read = match app_token(flow, &integration).await? {
            Ok(token) => {
                Run { flow, rows: &rows, integration: &integration, access: token.access }.page(&mut cursor).await?
            }
            Err(trouble) => Err(trouble),
        };
        match read {
            Ok(()) => {}
            Err(Trouble::Refused { sentence, .. }) => {
                cursor.running = false;
                cursor.problem = Some(sentence);
                cursor.finished_at = Some(flow.now());
            }
            Err(trouble @ (Trouble::Wait { .. } | Trouble::Unclear { .. })) => {
                return try_again(flow, &rows, job, cursor, &trouble).await;
            }
        }
        cursor.due_at = lease(flow);
        if !rows.save_directory_cursor(&cursor).await? {
            // Another delivery of the same job went on; it has the newer place.
            return Ok(Outcome::Done);
        }
        cursor.version += 1;
        if !cursor.running {
            return Ok(Outcome::Done);
        }
    }
    flow.platform.queue().send(vec![Job::ImportPeople(job)], std::time::Duration::ZERO).await?;
    Ok(Outcome::Later)
}

/// Reading can always be repeated; the message waits instead of a row.
async fn try_again<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    job: ImportPeople,
    mut cursor: DirectoryCursor,
    trouble: &Trouble,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    pause_if_told(rows, Vendor::Directory, trouble, now).await?;
    let wait = message_waits(flow, trouble);
    cursor.problem = Some(trouble.sentence().to_owned());
    // The message waits so long; the sweep must not be quicker.
    cursor.due_at = lease(flow).and_then(|lease| lease.checked_add(wait).ok());
    if rows.save_directory_cursor(&cursor).await? {
        flow.platform.queue().send(vec![Job::ImportPeople(job)], wait.unsigned_abs()).await?;
    }
    Ok(Outcome::Later)
}

struct Run<'a, P: Platform, S: IntegrationStore> {
    flow: &'a Flow<P>,
    rows: &'a S,
    integration: &'a Integration,
    access: SecretString,
}

impl<P: Platform, S: IntegrationStore> Run<'_, P, S> {
    /// Reads one page and moves the cursor behind it.
    async fn page(&self, cursor: &mut DirectoryCursor) -> Result<Result<(), Trouble>, PlatformError> {
        if let Some(until) = self.rows.paused_until(Vendor::Directory).await?
            && until > self.flow.now()
        {
            return Ok(Err(Trouble::Wait { until, note: "the directory asked us to wait".to_owned() }));
        }
        let scope = self.integration.settings.scope.clone();
        let read = match &scope {
            ImportScope::Everybody if cursor.next.is_none() && cursor.delta.is_some() => self.changes(cursor).await,
            ImportScope::Everybody if cursor.next.as_deref().is_some_and(is_delta) => self.changes(cursor).await,
            ImportScope::Everybody => self.everybody(cursor).await,
            ImportScope::Groups { ids } => self.group(cursor, ids).await,
        };
        match read {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Platform(error)) => Err(error),
            Err(Failed::Microsoft(error)) => {
                if let microsoft::Error::Unauthorized { .. } = &error {
                    forget_token(self.flow, self.integration).await;
                }
                Ok(Err(trouble(self.flow, error)))
            }
        }
    }

    async fn everybody(&self, cursor: &mut DirectoryCursor) -> Result<(), Failed> {
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        // Taken before the first page, so that what changes during the run is seen by the next one; kept only with that
        // page, because a run that has a link and no page would read nothing but changes.
        let (start, latest) = match &cursor.next {
            None => (Start::First { top: PAGE }, Some(graph.delta_latest(&self.access, Uuid::new_v4()).await?)),
            Some(next) => (Start::Next(restored(next)?), None),
        };
        let page = graph.people_page(&self.access, Uuid::new_v4(), start).await?;
        if let Some(latest) = latest {
            cursor.delta = Some(stored(&latest)?);
        }
        self.put(cursor, page.people).await?;
        self.keep_unreadable(cursor, &page.skipped).await?;
        match page.next {
            Some(next) => self.go_on(cursor, &next),
            None => self.finish_full(cursor).await,
        }
    }

    async fn group(&self, cursor: &mut DirectoryCursor, ids: &[Uuid]) -> Result<(), Failed> {
        let Some(group) = ids.get(cursor.group) else { return self.finish_full(cursor).await };
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        let start = match &cursor.next {
            None => Start::First { top: PAGE },
            Some(next) => Start::Next(restored(next)?),
        };
        let page = graph.group_members_page(&self.access, Uuid::new_v4(), *group, start).await?;
        self.put(cursor, page.people).await?;
        self.keep_unreadable(cursor, &page.skipped).await?;
        match page.next {
            Some(next) => self.go_on(cursor, &next),
            None => {
                cursor.next = None;
                cursor.group += 1;
                if cursor.group < ids.len() { Ok(()) } else { self.finish_full(cursor).await }
            }
        }
    }

    /// Only what changed since the last run.
    async fn changes(&self, cursor: &mut DirectoryCursor) -> Result<(), Failed> {
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        let position = match (&cursor.next, &cursor.delta) {
            (Some(next), _) => DeltaPosition::MorePages(restored(next.trim_start_matches(DELTA))?),
            (None, Some(delta)) => DeltaPosition::CaughtUp(restored(delta)?),
            (None, None) => return self.everybody(cursor).await,
        };
        let page = match graph.delta_page(&self.access, Uuid::new_v4(), position).await {
            Ok(page) => page,
            Err(microsoft::Error::DeltaExpired) => {
                // Only a full run helps; the next page is its first.
                cursor.delta = None;
                cursor.next = None;
                cursor.seen = 0;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for removed in &page.removed {
            self.rows.mark_person_left(PersonId(removed.id)).await?;
            cursor.left += 1;
        }
        self.put(cursor, page.changed).await?;
        match page.position {
            DeltaPosition::MorePages(next) => {
                let link = format!("{DELTA}{}", stored(&next)?);
                if cursor.next.as_deref() == Some(link.as_str()) {
                    return Err(Failed::Microsoft(loops()));
                }
                cursor.next = Some(link);
            }
            DeltaPosition::CaughtUp(delta) => {
                cursor.delta = Some(stored(&delta)?);
                cursor.next = None;
                cursor.running = false;
                cursor.finished_at = Some(self.flow.now());
            }
        }
        Ok(())
    }

    async fn put(&self, cursor: &mut DirectoryCursor, people: Vec<DirectoryUser>) -> Result<(), PlatformError> {
        let people: Vec<_> = people.into_iter().map(|user| person(user, cursor.generation)).collect();
        cursor.seen += people.len() as u64;
        cursor.problem = None;
        self.rows.put_people(&people).await
    }

    /// A row that cannot be read is no proof that the person left: whoever is known stays as they were last seen.
    async fn keep_unreadable(&self, cursor: &DirectoryCursor, skipped: &[SkippedRow]) -> Result<(), PlatformError> {
        for row in skipped {
            tracing::warn!(integration = %self.integration.id, event = "people.unreadable", "row {} of a page cannot be read", row.position);
            let Some(id) = row.id.as_deref().and_then(|id| id.parse().ok()) else { continue };
            if let Some(known) = self.rows.person(PersonId(id)).await? {
                self.rows.put_people(&[Person { generation: cursor.generation, ..known }]).await?;
            }
        }
        Ok(())
    }

    fn go_on(&self, cursor: &mut DirectoryCursor, next: &NextLink) -> Result<(), Failed> {
        let link = stored(next)?;
        if cursor.next.as_deref() == Some(link.as_str()) {
            return Err(Failed::Microsoft(loops()));
        }
        cursor.next = Some(link);
        Ok(())
    }

    async fn finish_full(&self, cursor: &mut DirectoryCursor) -> Result<(), Failed> {
        cursor.left = self.rows.mark_left(cursor.generation).await?;
        cursor.next = None;
        cursor.running = false;
        cursor.finished_at = Some(self.flow.now());
        Ok(())
    }
}

/// Marks a stored link as one of a delta run.
const DELTA: &str = "delta:";

fn is_delta(link: &str) -> bool {
    link.starts_with(DELTA)
}

fn loops() -> microsoft::Error {
    microsoft::Error::Unreadable { request: "listing people", reason: "the next page is the page itself" }
}

enum Failed {
    Microsoft(microsoft::Error),
    Platform(PlatformError),
}

impl From<microsoft::Error> for Failed {
    fn from(error: microsoft::Error) -> Self {
        Self::Microsoft(error)
    }
}

impl From<PlatformError> for Failed {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

fn stored(link: &impl serde::Serialize) -> Result<String, PlatformError> {
    serde_json::to_string(link).map_err(|problem| PlatformError::new("keep a link", problem))
}

fn restored<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, PlatformError> {
    serde_json::from_str(text).map_err(|problem| PlatformError::new("read a kept link", problem))
}

/// The directory's row in domain's words.
pub(crate) fn person(user: DirectoryUser, generation: u64) -> Person {
    let enabled = |plan: &AssignedPlan| plan.capability_status.eq_ignore_ascii_case("Enabled");
    Person {
        id: PersonId(user.id),
        primary_smtp: user.primary_smtp().map(str::to_owned),
        aliases: user.smtp_aliases().map(str::to_owned).collect(),
        plans: user.assigned_plans.iter().filter(|plan| enabled(plan)).map(|plan| plan.service_plan_id).collect(),
        enabled: user.account_enabled.unwrap_or(true),
        guest: user.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("Guest")),
        user_principal_name: user.user_principal_name,
        display_name: user.display_name,
        given_name: user.given_name,
        surname: user.surname,
        mail: user.mail,
        generation,
        left: false,
    }
}

/// The address that a certificate has to be for, as the directory has it now.
pub(crate) fn primary_address(user: &DirectoryUser) -> Option<&str> {
    user.primary_smtp().or(user.mail.as_deref()).filter(|text| !text.trim().is_empty())
}
