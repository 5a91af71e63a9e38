//! Places one order at the CA. The only step that spends money.
//!
//! Written before buying: whoever moves the row from Requested to Buying, and nobody else, sends the order, and
//! only within the purchase window. Whoever finds Buying looks the order up instead ([`crate::look_up`]).

use domain::{
    Enrollment, EnrollmentId, Integration, IntegrationId, Money,
    enrollment::{Blocked, State, StateName},
    jobs::{CheckOrder, Job},
    step::{self, Step},
    transition::{Event, LEASE},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use ports::{Attachment, Commit, Counter, IntegrationStore, Platform, PlatformError, Queue, Vendor};

use crate::{
    Flow, Outcome,
    brakes::{self, brake_on_amount, stop_batch},
    ca_pace,
    commit::{self, Written, event, fact, once, postpone, scheduled},
    connect::{ca_credentials, credentials_changed},
    keys,
    order_callback::Hook,
};

pub(crate) const STEP: &str = "place_order";

/// Buys the certificate of one enrollment, if that is still what comes next.
pub async fn place_order<P: Platform>(
    flow: &Flow<P>,
    integration: IntegrationId,
    enrollment: EnrollmentId,
) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(integration);
    let Some(row) = rows.enrollment(enrollment).await? else {
        return Ok(Outcome::Done);
    };
    if step::plan(&row, flow.now()) != Step::Buy {
        return Ok(Outcome::Done);
    }
    if row.voucher.is_some() {
        return use_voucher(flow, &rows, &row).await;
    }
    let Some(owner) = brakes::released(flow, &rows, &row).await? else {
        return Ok(Outcome::Later);
    };
    let Some(credentials) = ca_credentials(flow, integration).await? else {
        brakes::wait_for_operator(flow, &rows, &row, "the SSL.com credentials are missing").await?;
        return Ok(Outcome::Later);
    };
    let Some((row, hook)) = write_before_buying(flow, &rows, &row, &owner).await? else {
        return Ok(Outcome::Later);
    };

    // Somebody else may have been told to wait meanwhile. An order that is refused for that would have to be looked up.
    if matches!(ca_pace::paused(flow, &rows).await, Ok(Some(_))) {
        never_sent(flow, &rows, row, "SSL.com asked us to wait, or could not be reached just now").await?;
        return Ok(Outcome::Later);
    }
    // The switch is read once more, as late as possible: making the key took a while. Where it cannot be read nothing is
    // bought, and that nothing was sent is known only here, so it is written down if anything can be.
    let switch = rows.integration().await;
    let stopped = !matches!(switch, Ok(Some(integration)) if !integration.settings.stop_buying);
    // After every other wait: nothing comes between this look at the clock and the order.
    let in_time = matches!(row.state, State::Buying { deadline, .. } if flow.now() < deadline);
    if stopped || !in_time {
        never_sent(flow, &rows, row, "the order was not sent in time, or buying was stopped").await?;
        return Ok(Outcome::Later);
    }
    let answer = flow.ca.create(&credentials, &order(flow, &row, hook)).await;
    if let Err(sslcom::Error::Refused { cause: sslcom::RefusalCause::Credentials, .. }) = &answer
        && credentials_changed(flow, integration, &credentials).await?
    {
        never_sent(flow, &rows, row, "the credentials were changed; the order is placed with the new ones").await?;
        return Ok(Outcome::Later);
    }
    settle(flow, &rows, row, answer).await
}

/// A person gave this enrollment an order that is paid. Nothing is bought, so that no brake counts.
async fn use_voucher<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    match made_key(flow, row).await? {
        Ok(made) => {
            once(rows, row, event(STEP, now, Event::VoucherUsed), |change| {
                change.attachments = made.attachments();
                change.enrollment.due_at = Some(now);
            })
            .await?;
        }
        Err(problem) => {
            let cause = Blocked::Data { detail: problem.to_string() };
            once(rows, row, event(STEP, now, Event::PurchaseRefused { cause }), |_| {}).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Makes the key, seals it, and takes the right to buy. `None`: another run has it, or a limit says no.
pub(crate) async fn write_before_buying<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    integration: &Integration,
) -> Result<Option<(Enrollment, Hook)>, PlatformError> {
    let made = made_key(flow, row).await?;
    let now = flow.now();
    let made = match made {
        Ok(made) => made,
        Err(problem) => {
            let cause = Blocked::Data { detail: problem.to_string() };
            once(rows, row, event(STEP, now, Event::PurchaseRefused { cause }), |_| {}).await?;
            return Ok(None);
        }
    };
    let hook = Hook::random();
    let hook_hash = hook.hash();
    let today = now.to_zoned(TimeZone::UTC).date();
    let limit = integration.settings.limits.per_day;
    let deadline = now + flow.deployment.purchase_window;
    let started = event(STEP, now, Event::BuyingStarted { deadline });
    let written = once(rows, row, started, |change| {
        change.attachments = made.attachments();
        change.hook = Some(hook_hash);
        change.count = Some(Counter { day: today, limit });
    })
    .await?;
    match written {
        Written::Yes(row) => Ok(Some((*row, hook))),
        Written::Refused(Commit::LimitReached) => {
            brakes::wait_for_tomorrow(flow, rows, row, today, limit).await?;
            Ok(None)
        }
        Written::No | Written::Refused(_) => Ok(None),
    }
}

/// What an enrollment has to hold before an order is its own.
struct Made {
    sealed: Vec<u8>,
    request_pem: Vec<u8>,
}

impl Made {
    fn attachments(self) -> Vec<(Attachment, Option<Vec<u8>>)> {
        vec![(Attachment::SealedKey, Some(self.sealed)), (Attachment::CertificateRequest, Some(self.request_pem))]
    }
}

/// A new key, sealed, and the request for its certificate; or why there can be none for this subject.
async fn made_key<P: Platform>(flow: &Flow<P>, row: &Enrollment) -> Result<Result<Made, pki::Error>, PlatformError> {
    let made = keys::new_key(flow, row).await?;
    let names = (row.subject.given_name.as_deref(), row.subject.surname.as_deref());
    let request = pki::Subject::new(row.subject.mailbox.clone(), names.0, names.1)
        .and_then(|subject| pki::certificate_request(&made.key, &subject));
    Ok(request.map(|request| Made { sealed: made.sealed, request_pem: request.pem.into_bytes() }))
}

fn order<P: Platform>(flow: &Flow<P>, row: &Enrollment, hook: Hook) -> sslcom::NewOrder {
    let callback = flow.deployment.public_url.as_ref().and_then(|base| hook.callback(base));
    sslcom::NewOrder {
        product: sslcom::ProductCode(row.product.code),
        period_days: u32::from(row.product.days),
        external_order_number: row.order_number(),
        callback,
        extra_fields: serde_json::Map::new(),
    }
}

/// Writes down what the answer means. The rule for each kind of answer:
/// never connected, nothing was bought; a refusal without an order, nothing was bought; an order, bought,
/// whatever else the answer says; anything else is looked up.
async fn settle<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    answer: Result<sslcom::Order, sslcom::Error>,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    match answer {
        Ok(order) => {
            let paid = paid(order.amount.as_ref());
            let reference = order.order_ref.as_str().to_owned();
            let attempt = row.attempt;
            let price = row.product.price;
            let batch = row.batch;
            let due_at = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
            let found = Found { attempt, reference: reference.clone(), paid, due_at };
            // Refused: the order's reference belongs to another enrollment, so this answer cannot be trusted.
            let Some(row) = bought(flow, rows, row, STEP, found).await?.row() else {
                return Ok(Outcome::Later);
            };
            brake_on_amount(rows, batch, price, order.amount.as_ref()).await?;
            if !row.surplus.contains(&reference) {
                let check = CheckOrder::One { integration: row.integration, enrollment: row.id };
                flow.platform.queue().send(vec![Job::CheckOrder(check)], std::time::Duration::ZERO).await?;
            }
            Ok(Outcome::Done)
        }
        Err(error @ (sslcom::Error::NotSent { .. } | sslcom::Error::Configuration { .. })) => {
            // Whoever comes next would not reach it either, and has a key to make first.
            let until = now.saturating_add(flow.deployment.retry_after).unwrap_or(Timestamp::MAX);
            rows.pause(Vendor::CertificateAuthority, until).await?;
            never_sent(flow, rows, row, &error.to_string()).await?;
            Ok(Outcome::Later)
        }
        Err(sslcom::Error::Refused { cause, problems, .. }) => {
            let detail = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message));
            let detail = detail.collect::<Vec<_>>().join("; ");
            refused(flow, rows, row, &cause, detail).await
        }
        Err(sslcom::Error::Throttled { retry_after }) => {
            ca_pace::slow_down(flow, rows, row.integration, retry_after).await?;
            unclear(flow, rows, row, "SSL.com asked us to wait; whether it took the order is looked up").await
        }
        Err(sslcom::Error::Unclear { .. }) => {
            unclear(flow, rows, row, "SSL.com gave no clear answer; the order is looked up").await
        }
    }
}

/// What was paid, where it is certain and in the price list's currency.
pub(crate) fn paid(amount: Option<&sslcom::Amount>) -> Option<Money> {
    let amount = amount.filter(|amount| amount.currency.as_deref().is_none_or(|currency| currency == "USD"));
    amount.and_then(|amount| amount.cents).map(Money)
}

/// An order that was placed, and what was paid for it as far as that is certain.
pub(crate) struct Found {
    pub(crate) attempt: u32,
    pub(crate) reference: String,
    pub(crate) paid: Option<Money>,
    /// When the sweep looks after it, unless somebody has by then.
    pub(crate) due_at: Timestamp,
}

/// Writes the order's reference. A paid order is never dropped.
pub(crate) async fn bought<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    step: &'static str,
    found: Found,
) -> Result<Written, PlatformError> {
    let Found { attempt, reference, paid, due_at } = found;
    let found = Event::PurchaseFound { attempt, reference: reference.clone(), paid };
    let (id, integration) = (row.id, row.integration);
    let written = fact(rows, row, event(step, flow.now(), found), |change| {
        change.references = vec![reference.clone()];
        // A row that only learns of a surplus order stays due when it was.
        if change.enrollment.state == State::Bought && change.before != StateName::Bought {
            change.enrollment.due_at = Some(due_at);
        }
    })
    .await?;
    match &written {
        Written::Yes(row) if row.surplus.contains(&reference) => {
            tracing::error!(
                enrollment = %id, %integration, event = "order.surplus",
                "a second order was paid for enrollment {id}"
            );
        }
        Written::Refused(_) => {
            tracing::error!(
                enrollment = %id, %integration, event = "order.taken",
                "the order that enrollment {id} got belongs to another"
            );
        }
        Written::Yes(_) | Written::No => {}
    }
    Ok(written)
}

async fn refused<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    cause: &sslcom::RefusalCause,
    detail: String,
) -> Result<Outcome, PlatformError> {
    use sslcom::RefusalCause as Cause;
    let now = flow.now();
    let blocked = match cause {
        Cause::Funds => Blocked::Funds { detail },
        Cause::Product => Blocked::Product { detail },
        Cause::Entitlement => Blocked::Entitlement { detail },
        Cause::Credentials => Blocked::Entitlement { detail: format!("its credentials are refused ({detail})") },
        Cause::CsrAlreadySubmitted | Cause::Data | Cause::NotFound | Cause::Other => Blocked::Data { detail },
    };
    // What is wrong with the account is wrong for the whole batch; each further order would only be refused too.
    let stops = matches!(cause, Cause::Funds | Cause::Credentials | Cause::Entitlement | Cause::Product);
    let (batch, reason) = (row.batch, blocked.to_string());
    fact(rows, row, event(STEP, now, Event::PurchaseRefused { cause: blocked }), |_| {}).await?;
    if stops {
        stop_batch(rows, batch, reason).await?;
    }
    Ok(Outcome::Done)
}

async fn never_sent<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    note: &str,
) -> Result<(), PlatformError> {
    let now = flow.now();
    let counted = counted_on(&row);
    let taken_back = fact(rows, row, event(STEP, now, Event::NeverSent), |change| change.uncount = counted);
    if let Some(row) = taken_back.await?.row() {
        let until = commit::back_off(&row, flow.deployment.retry_after, now);
        postpone(rows, &row, STEP, now, until, note).await?;
    }
    Ok(())
}

/// The day whose limit this purchase counts for.
pub(crate) fn counted_on(row: &Enrollment) -> Option<Date> {
    match row.state {
        State::Buying { since, .. } => Some(since.to_zoned(TimeZone::UTC).date()),
        _ => None,
    }
}

async fn unclear<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    note: &str,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    tracing::warn!(enrollment = %row.id, event = "order.unclear", "the purchase for enrollment {} has no clear answer: {note}", row.id);
    let due = now + scheduled(&flow.deployment.look_up_after, 0);
    fact(rows, row, event(STEP, now, Event::AnswerUnclear { note: note.to_owned() }), |change| {
        change.enrollment.due_at = Some(due);
    })
    .await?;
    Ok(Outcome::Later)
}
