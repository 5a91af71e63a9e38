//! What a person decides about one enrollment, from the row as it was read to the line of the audit.

use domain::{
    Enrollment, EnrollmentId, IntegrationId,
    transition::{Actor, Event, Happened, apply},
};
use ports::{Change, IntegrationStore, Platform, Store};

use crate::{
    FieldProblem, Flow, Refusal,
    commit::once,
    connect::{audit, ca_credentials, changed_meanwhile, needed_integration},
};

/// Who decides, and about what. It is written under the version of the row that was read when it began.
pub struct Decision<'a, P: Platform> {
    pub(crate) flow: &'a Flow<P>,
    pub(crate) rows: <P::Store as Store>::Scoped,
    pub(crate) row: Enrollment,
    by: &'a Actor,
}

impl<'a, P: Platform> Decision<'a, P> {
    /// Begins with the enrollment as it is now.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`] when this integration has no such enrollment.
    pub async fn about(
        flow: &'a Flow<P>,
        id: IntegrationId,
        enrollment: EnrollmentId,
        by: &'a Actor,
    ) -> Result<Self, Refusal> {
        let rows = flow.rows(id);
        let row = needed(&rows, enrollment).await?;
        Ok(Self { flow, rows, row, by })
    }

    /// The enrollment read again.
    pub(crate) async fn as_it_is_now(&self) -> Result<Enrollment, Refusal> {
        needed(&self.rows, self.row.id).await
    }

    /// Writes what was decided, once. `dress` adds what must be true with it.
    pub(crate) async fn write(
        self,
        what: Event,
        action: &str,
        dress: impl FnOnce(&mut Change) + Send,
    ) -> Result<Enrollment, Refusal> {
        needed_integration(&self.rows).await?;
        let name = what.name();
        let happened = self.happened(what);
        if apply(&self.row, &happened).is_err() {
            return Err(self.unfit(name));
        }
        let after = once(&self.rows, &self.row, happened, dress).await?.row().ok_or_else(changed_meanwhile)?;
        self.audit(action, "").await?;
        Ok(after)
    }

    /// Writes an event after which the machine goes on at once.
    pub(crate) async fn go_on(self, what: Event, action: &str) -> Result<Enrollment, Refusal> {
        let now = self.flow.now();
        self.write(what, action, |change| change.enrollment.due_at = Some(now)).await
    }

    pub(crate) fn happened(&self, what: Event) -> Happened {
        Happened { at: self.flow.now(), by: self.by.clone(), what, request_ids: Vec::new() }
    }

    pub(crate) async fn audit(&self, action: &str, detail: &str) -> Result<(), Refusal> {
        let mut entry = audit(self.flow, self.by, action, self.row.id.to_string());
        entry.detail = detail.to_owned();
        Ok(self.rows.append_audit(&entry).await?)
    }

    /// The sentence for a decision that the state of the row does not allow.
    pub(crate) fn unfit(&self, wanted: &str) -> Refusal {
        let (state, wanted) = (self.row.state.name(), wanted.replace('_', " "));
        Refusal::Conflict(format!("an enrollment that is {state} cannot be {wanted}"))
    }

    /// The order that was bought for it.
    pub(crate) fn order_ref(&self) -> Result<sslcom::OrderRef, Refusal> {
        let reference = self.row.purchase.as_ref().and_then(|purchase| purchase.reference.parse().ok());
        let unreadable = || format!("the order's reference of enrollment {} cannot be read", self.row.id);
        reference.ok_or_else(|| Refusal::Conflict(unreadable()))
    }

    pub(crate) async fn credentials(&self) -> Result<sslcom::Credentials, Refusal> {
        needed_credentials(self.flow, self.row.integration).await
    }
}

async fn needed<S: IntegrationStore>(rows: &S, enrollment: EnrollmentId) -> Result<Enrollment, Refusal> {
    rows.enrollment(enrollment).await?.ok_or(Refusal::NotFound("enrollment"))
}

pub(crate) async fn needed_credentials<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
) -> Result<sslcom::Credentials, Refusal> {
    let missing = || Refusal::Conflict("the SSL.com credentials are missing; save the settings again".to_owned());
    ca_credentials(flow, id).await?.ok_or_else(missing)
}

/// Why it is decided, for the timeline.
pub(crate) fn needed_reason(reason: &str) -> Result<String, Refusal> {
    let reason = reason.trim();
    match reason.chars().count() {
        0 => Err(Refusal::Invalid(vec![FieldProblem::new("reason", "it is missing", "say why, in a few words")])),
        count if count > 500 => {
            Err(Refusal::Invalid(vec![FieldProblem::new("reason", "it is longer than 500 characters", "shorten it")]))
        }
        _ => Ok(reason.to_owned()),
    }
}
