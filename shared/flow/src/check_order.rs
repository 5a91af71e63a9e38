//! Everything at the CA after a purchase: hand in the certificate request, wait for validation, fetch and check the
//! certificate.
//!
//! The order is read before anything is written to it: a request sent to an issued order would re-key it.

use domain::{
    Enrollment, EnrollmentId, IntegrationId,
    enrollment::{Certificate, Stage, State},
    integration::Settings,
    jobs::{ImportPfx, Job},
    step::{self, Step},
    transition::Event,
};
use jiff::{SignedDuration, Timestamp};
use pki::{Bundle, CertificateChain, Expectation, Finding, FindingCode, Severity};
use ports::{Attachment, IntegrationStore, Platform, PlatformError, Queue};

use crate::{
    Flow, Outcome,
    ca_pace::{self, Call},
    commit::{self, event, fact, once, postpone, scheduled, wait_out},
    connect::ca_credentials,
};

const STEP: &str = "check_order";

/// Brings one paid order as far as it will go today.
pub async fn check_order<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    enrollment: EnrollmentId,
) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(integration);
    let (Some(row), Some(owner)) = (rows.enrollment(enrollment).await?, rows.integration().await?) else {
        return Ok(Outcome::Done);
    };
    if !matches!(step::plan(&row, flow.now()), Step::SubmitRequest | Step::Check) {
        return Ok(Outcome::Done);
    }
    let Some(reference) = row.purchase.as_ref().and_then(|purchase| purchase.reference.parse().ok()) else {
        return Ok(Outcome::Done);
    };
    // The request is handed in after a look.
    let calls = if row.state == State::Bought { 2 } else { 1 };
    if let Some(until) = ca_pace::wait(flow, &rows, integration, Call::Order(calls)).await? {
        wait_out(&rows, &row, until).await?;
        return Ok(Outcome::Later);
    }
    let Some(credentials) = ca_credentials(flow, integration).await? else {
        let until = flow.now() + SignedDuration::from_mins(5);
        postpone(&rows, &row, STEP, flow.now(), until, "the SSL.com credentials are missing").await?;
        return Ok(Outcome::Later);
    };
    let check =
        Check { flow, rows: &rows, settings: &owner.settings, credentials: &credentials, reference: &reference };
    match flow.ca.retrieve(&credentials, &reference).await {
        Ok(order) => check.proceed(row, order).await,
        Err(error) => check.not_answered(row, error).await,
    }
}

/// One look at one order.
struct Check<'a, P: Platform, S: IntegrationStore> {
    flow: &'a Flow<P>,
    rows: &'a S,
    settings: &'a Settings,
    credentials: &'a sslcom::Credentials,
    reference: &'a sslcom::OrderRef,
}

impl<P: Platform, S: IntegrationStore> Check<'_, P, S> {
    /// Decides by what the order holds and, only where it holds no certificate, by what its status says; but a certificate
    /// that was revoked is handed out as before, and is not taken.
    async fn proceed(&self, row: Enrollment, order: sslcom::Order) -> Result<Outcome, PlatformError> {
        if order.status.stage != sslcom::Stage::Revoked
            && let Some(text) = order.certificates.as_deref()
            && let Some(outcome) = self.certificate(&row, text).await?
        {
            return Ok(outcome);
        }
        let status = order.status.text.clone();
        let now = self.flow.now();
        match order.status.stage {
            sslcom::Stage::AwaitingCsr if row.state == State::Bought && order.certificates.is_none() => {
                match row.request_until.filter(|until| now < *until) {
                    // It may be under way, although the CA does not show it yet.
                    Some(until) => {
                        wait_out(self.rows, &row, until).await?;
                        Ok(Outcome::Later)
                    }
                    None => self.submit_request(row).await,
                }
            }
            sslcom::Stage::Rejected | sslcom::Stage::Cancelled | sslcom::Stage::Revoked => {
                once(self.rows, &row, event(STEP, now, Event::OrderRejected { status }), |_| {}).await?;
                Ok(Outcome::Done)
            }
            sslcom::Stage::Expired => {
                once(self.rows, &row, event(STEP, now, Event::OrderExpired { status }), |_| {}).await?;
                Ok(Outcome::Done)
            }
            // What is not understood never causes a write; it is looked at again.
            sslcom::Stage::Unknown if row.state == State::Bought => {
                let note = format!("SSL.com's status {status:?} is not known here; nothing is sent");
                let until = commit::back_off(&row, self.flow.deployment.retry_after, now);
                self.postpone_or_fail(row, until, note).await
            }
            _ if row.state == State::Bought => {
                let submitted = event(STEP, now, Event::RequestSubmitted { status });
                match once(self.rows, &row, submitted, |_| {}).await?.row() {
                    Some(row) => self.still_validating(row, order).await,
                    None => Ok(Outcome::Done),
                }
            }
            _ => self.still_validating(row, order).await,
        }
    }

    /// Written before it is sent, as a purchase is: a second request would throw the certificate of the first away, so
    /// of two deliveries of one message one hands it in, and the next one not before the first can be under way no more.
    async fn submit_request(&self, row: Enrollment) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        let stored = self.rows.attachment(row.id, Attachment::CertificateRequest).await?;
        let Some(csr_pem) = stored.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            let cause = "the stored certificate request is missing or damaged".to_owned();
            let failed = Event::StageFailed { stage: Stage::Request, cause };
            once(self.rows, &row, event(STEP, now, failed), |_| {}).await?;
            return Ok(Outcome::Done);
        };
        let mut submission = sslcom::CsrSubmission {
            csr_pem,
            registrant: registrant(self.settings),
            contacts: contacts(self.settings),
            extra_fields: serde_json::Map::new(),
        };
        let in_time = now + self.flow.deployment.purchase_window;
        // However slow the CA is: a second call may follow the first, and nothing of a call is under way when its
        // time-out has passed twice.
        let under_way = SignedDuration::try_from(3 * self.flow.ca.answer_timeout()).unwrap_or(SignedDuration::MAX);
        let until = in_time.saturating_add(under_way).unwrap_or(Timestamp::MAX);
        let started = event(STEP, now, Event::RequestStarted { until });
        let Some(row) = once(self.rows, &row, started, |_| {}).await?.row() else { return Ok(Outcome::Later) };
        if self.flow.now() >= in_time {
            return Ok(Outcome::Later);
        }
        let submitted = self.flow.ca.submit_csr(self.credentials, self.reference, &submission).await;
        let submitted = match self.state_field_asked(&submitted) {
            asked @ Some(_) => {
                submission.registrant.state_field = asked;
                self.flow.ca.submit_csr(self.credentials, self.reference, &submission).await
            }
            None => submitted,
        };
        let now = self.flow.now();
        match submitted {
            Ok(order) => {
                let status = order.status.text.clone();
                let submitted = event(STEP, now, Event::RequestSubmitted { status });
                match fact(self.rows, row, submitted, |_| {}).await?.row() {
                    Some(row) => self.still_validating(row, order).await,
                    None => Ok(Outcome::Done),
                }
            }
            // An earlier answer was lost: the CA has our request.
            Err(sslcom::Error::Refused { cause: sslcom::RefusalCause::CsrAlreadySubmitted, .. }) => {
                let status = "the certificate request was handed in before".to_owned();
                let due = now + scheduled(&self.flow.deployment.poll_after, 0);
                fact(self.rows, row, event(STEP, now, Event::RequestSubmitted { status }), |change| {
                    change.enrollment.due_at = Some(due);
                })
                .await?;
                Ok(Outcome::Later)
            }
            Err(error) => self.not_answered(row, error).await,
        }
    }

    /// How to spell the registrant's state when the same is sent once more, because only that was not as SSL.com wants it.
    fn state_field_asked(&self, answer: &Result<sslcom::Order, sslcom::Error>) -> Option<sslcom::StateField> {
        let asked = self.flow.ca.state_field_asked(answer.as_ref().err()?)?;
        tracing::info!(event = "state.respelled", "SSL.com asks for the other spelling: sslcom.state_field can say so");
        Some(asked)
    }

    /// The CA or the mailbox's owner must act. A mailbox of a domain that is not pre-validated gets its mail here, once.
    async fn still_validating(&self, row: Enrollment, order: sslcom::Order) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        let State::Validating { since, checks, .. } = row.state else { return Ok(Outcome::Done) };
        if now.duration_since(since) > SignedDuration::from_hours(24 * i64::from(self.settings.validation_days)) {
            let cause =
                format!("validation did not end in {} days: {}", self.settings.validation_days, order.status.text);
            let failed = Event::StageFailed { stage: Stage::Validation, cause };
            once(self.rows, &row, event(STEP, now, failed), |_| {}).await?;
            return Ok(Outcome::Done);
        }
        let mut note = who_must_act(&order, &row);
        if order.status.stage == sslcom::Stage::AwaitingRegistrant {
            let (mut registrant, contacts) = (registrant(self.settings), contacts(self.settings));
            let sent = self.flow.ca.submit_registrant(self.credentials, self.reference, &registrant, &contacts).await;
            let sent = match self.state_field_asked(&sent) {
                asked @ Some(_) => {
                    registrant.state_field = asked;
                    self.flow.ca.submit_registrant(self.credentials, self.reference, &registrant, &contacts).await
                }
                None => sent,
            };
            note = match sent {
                Ok(_) => "the registrant's data were handed in".to_owned(),
                Err(error) => format!("the registrant's data were not accepted: {error}"),
            };
        }
        // The CA lists the mailbox as soon as it has read the request; a method stands there once somebody asked.
        let asked = order.validations.iter().any(|item| item.method.is_some());
        if order.status.stage == sslcom::Stage::AwaitingValidation && (checks == 0 || !asked) {
            let mailbox = row.subject.mailbox.to_string();
            let asked = self.flow.ca.request_mailbox_validation(self.credentials, self.reference, &mailbox).await;
            note = match asked {
                Ok(_) => format!("SSL.com sent a mail to {mailbox}; the person must follow its link within 24 hours"),
                Err(error) => format!("the validation mail could not be asked for: {error}"),
            };
        }
        let due = now.saturating_add(scheduled(&self.flow.deployment.poll_after, checks)).unwrap_or(Timestamp::MAX);
        let still = Event::StillValidating { status: order.status.text };
        once(self.rows, &row, event(STEP, now, still), |change| {
            change.enrollment.due_at = Some(due);
            change.enrollment.note = Some(note);
        })
        .await?;
        Ok(Outcome::Later)
    }

    /// Takes the certificate if there is one for our key. `None`: not there yet.
    async fn certificate(&self, row: &Enrollment, text: &str) -> Result<Option<Outcome>, PlatformError> {
        let now = self.flow.now();
        let Some(public_key_info) = self.public_key_info(row).await? else {
            return Ok(None);
        };
        let bundle = match Bundle::parse(text.as_bytes()) {
            Ok(bundle) => bundle,
            Err(problem) => {
                // The beginning shows a person what came; a row of a store has its limits.
                let what_came = text.as_bytes().iter().copied().take(Bundle::LARGEST).collect();
                self.hold(row, vec![problem.to_string()], what_came).await?;
                return Ok(Some(Outcome::Done));
            }
        };
        let known = &self.flow.deployment.intermediates;
        let Some(chain) = bundle.chain_completed_by(known, &public_key_info, now) else {
            if bundle.certificates().is_empty() {
                return Ok(None);
            }
            self.hold(row, vec!["none of the certificates is for our key".to_owned()], text.as_bytes().to_vec())
                .await?;
            return Ok(Some(Outcome::Done));
        };
        let findings = pki::lint(
            &chain,
            &Expectation {
                public_key_info: &public_key_info,
                mailbox: &row.subject.mailbox,
                purpose: row.purpose,
                now,
                longest_days: LONGEST_DAYS,
            },
        );
        let said = |severity| findings.iter().filter(move |finding| finding.severity() == severity);
        let reasons: Vec<_> = said(Severity::Refuse).map(reason).collect();
        if !reasons.is_empty() {
            self.hold(row, reasons, chain.to_pem().into_bytes()).await?;
            return Ok(Some(Outcome::Done));
        }
        let certificate = described(&chain, said(Severity::Note).map(|finding| finding.sentence.clone()).collect());
        let accepted = Event::CertificateAccepted { certificate };
        let pem = chain.to_pem().into_bytes();
        let issued = fact(self.rows, row.clone(), event(STEP, now, accepted), |change| {
            change.attachments = vec![(Attachment::CertificateChain, Some(pem.clone()))];
        })
        .await?;
        if let Some(row) = issued.row() {
            let import = ImportPfx { integration: row.integration, enrollment: row.id };
            self.flow.platform.queue().send(vec![Job::ImportPfx(import)], std::time::Duration::ZERO).await?;
        }
        Ok(Some(Outcome::Done))
    }

    /// Of the request that was handed in; the private key need not be opened for this.
    async fn public_key_info(&self, row: &Enrollment) -> Result<Option<Vec<u8>>, PlatformError> {
        let Some(request) = self.rows.attachment(row.id, Attachment::CertificateRequest).await? else {
            return Ok(None);
        };
        pki::public_key_info_of_request(&request)
            .map(Some)
            .map_err(|problem| PlatformError::new("read a stored certificate request", problem))
    }

    async fn hold(&self, row: &Enrollment, reasons: Vec<String>, what_came: Vec<u8>) -> Result<(), PlatformError> {
        tracing::warn!(enrollment = %row.id, event = "certificate.held", "the certificate of enrollment {} is held", row.id);
        let held = event(STEP, self.flow.now(), Event::CertificateHeld { reasons });
        once(self.rows, row, held, |change| {
            change.attachments = vec![(Attachment::CertificateChain, Some(what_came))];
        })
        .await?;
        Ok(())
    }

    async fn not_answered(&self, row: Enrollment, error: sslcom::Error) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        let until = match &error {
            sslcom::Error::Throttled { retry_after } => {
                ca_pace::slow_down(self.flow, self.rows, row.integration, *retry_after).await?
            }
            _ => commit::back_off(&row, self.flow.deployment.retry_after, now),
        };
        if let sslcom::Error::Refused { cause: sslcom::RefusalCause::Data, .. } = &error
            && row.state == State::Bought
        {
            let failed = Event::StageFailed { stage: Stage::Request, cause: error.to_string() };
            once(self.rows, &row, event(STEP, now, failed), |_| {}).await?;
            return Ok(Outcome::Done);
        }
        self.postpone_or_fail(row, until, error.to_string()).await
    }

    async fn postpone_or_fail(
        &self,
        row: Enrollment,
        until: Timestamp,
        note: String,
    ) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        if row.failures < self.flow.deployment.failures_allowed {
            postpone(self.rows, &row, STEP, now, until, note).await?;
            return Ok(Outcome::Later);
        }
        let stage = if row.state == State::Bought { Stage::Request } else { Stage::Validation };
        let failed = Event::StageFailed { stage, cause: note };
        once(self.rows, &row, event(STEP, now, failed), |_| {}).await?;
        Ok(Outcome::Done)
    }
}

/// What is wrong, and what can be done about it where that is not for the CA to do.
fn reason(finding: &Finding) -> String {
    let remedy = match finding.code {
        FindingCode::IssuerMissing => " Write it into sslcom.intermediates of the deployment, then fetch it again.",
        _ => "",
    };
    format!("{}{remedy}", finding.sentence)
}

/// S/MIME Baseline Requirements 6.3.2, Strict and Multipurpose generations.
const LONGEST_DAYS: u16 = 825;

/// The certificate in the words of the row.
pub(crate) fn described(chain: &CertificateChain, notes: Vec<String>) -> Certificate {
    let leaf = chain.leaf();
    Certificate {
        thumbprint: leaf.thumbprint(),
        serial: leaf.serial().to_owned(),
        issuer: leaf.issuer().to_owned(),
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        notes,
        address_accepted: false,
    }
}

/// In a sentence for the operator: which of the three has to do something now.
fn who_must_act(order: &sslcom::Order, row: &Enrollment) -> String {
    let mailbox = &row.subject.mailbox;
    let mailed = order.validations.iter().any(|item| item.attempted_on.is_some());
    match order.status.stage {
        sslcom::Stage::AwaitingRegistrant => {
            "SSL.com waits for registrant data: complete the order in its portal".to_owned()
        }
        sslcom::Stage::AwaitingValidation => {
            "SSL.com waits for the mailbox's owner or for its own validation".to_owned()
        }
        sslcom::Stage::Validating if mailed => format!(
            "the person must follow the link in SSL.com's mail to {mailbox}, or SSL.com is at work; the link lives 24 hours, then have the mail sent again"
        ),
        sslcom::Stage::Unknown if mailed => format!(
            "this status is not known here: SSL.com is at work, or waits until the person follows the link in its mail to {mailbox}; give the status a row in sslcom.status"
        ),
        sslcom::Stage::Unknown => {
            "this status is not known here, so nothing is sent: look at the order in SSL.com's portal, and give the status a row in sslcom.status".to_owned()
        }
        sslcom::Stage::AwaitingCsr => {
            "a request was handed in, but SSL.com still waits for one: look at the order in its portal; given up, the order can be released and used for somebody else".to_owned()
        }
        sslcom::Stage::Issued => "SSL.com says issued, but has not handed out the certificate yet".to_owned(),
        _ => "SSL.com is at work".to_owned(),
    }
}

fn registrant(settings: &Settings) -> sslcom::Registrant {
    let from = &settings.registrant;
    sslcom::Registrant {
        organization: from.organization.clone(),
        organization_unit: from.organization_unit.clone().unwrap_or_default(),
        street_address_1: from.street_address.clone(),
        locality: from.locality.clone(),
        state_or_province: from.state_or_province.clone(),
        postal_code: from.postal_code.clone(),
        country: from.country.clone(),
        ..sslcom::Registrant::default()
    }
}

fn contacts(settings: &Settings) -> sslcom::Contacts {
    let from = &settings.contact;
    let contact = sslcom::Contact {
        first_name: from.first_name.clone(),
        last_name: from.last_name.clone(),
        email: from.email.clone(),
        phone: from.phone.clone(),
        country: from.country.clone(),
    };
    sslcom::Contacts { all: Some(contact), ..sslcom::Contacts::default() }
}
