//! What a person decides when a machine must not: every state that waits for somebody has its way out here.

use domain::{
    Enrollment, EnrollmentId, IntegrationId,
    enrollment::State,
    transition::{Actor, Event, Happened},
};
use ports::{Attachment, Change, ClaimChange, Commit, IntegrationStore, Platform};

use crate::{
    FieldProblem, Flow, Refusal,
    check_order::described,
    commit::{Written, once},
    connect::{audit, ca_credentials, changed_meanwhile, needed_integration},
    look_up::{self, Listed},
    place_order::{Found, bought as write_bought, brake_on_amount, paid},
};

/// Unsure → Bought: the operator found the order. It is read at the CA, and must belong to nobody else.
pub async fn bought<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reference: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    if !matches!(row.state, State::Unsure { .. }) {
        return Err(unfit(&row, "resolved"));
    }
    let invalid = |problem: String, fix: &str| Refusal::Invalid(vec![FieldProblem::new("bought", problem, fix)]);
    let reference = reference.trim();
    if reference.is_empty() {
        return Err(invalid("it is missing".to_owned(), "give the order's reference, such as co-abcd1234"));
    }
    if let Some(owner) = rows.order_owner(reference).await?
        && owner != enrollment
    {
        return Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")));
    }
    let credentials = needed_credentials(flow, id).await?;
    let order_ref = reference.parse().map_err(|problem: sslcom::NotAnOrderRef| {
        invalid(problem.to_string(), "copy the reference from SSL.com's portal")
    })?;
    let order = match flow.ca.retrieve(&credentials, &order_ref).await {
        Ok(order) => order,
        Err(sslcom::Error::Refused { cause: sslcom::RefusalCause::NotFound, .. }) => {
            return Err(invalid(
                format!("SSL.com does not know order {reference}"),
                "copy the reference from SSL.com's portal",
            ));
        }
        Err(error) => return Err(Refusal::Vendor(error.to_string())),
    };
    if let Some(number) = order.external_order_number.as_deref()
        && number != row.order_number()
    {
        return Err(Refusal::Conflict(format!(
            "order {reference} carries the number {number:?}, which is not this enrollment's"
        )));
    }
    let paid = paid(order.amount.as_ref());
    let found = Found { attempt: row.attempt, reference: reference.to_owned(), paid, due_at: flow.now() };
    let (batch, price) = (row.batch, row.product.price);
    let written = write_bought(flow, &rows, row, "resolve", found).await?;
    let after = match written {
        Written::Yes(row) => *row,
        Written::Refused(Commit::ReferenceTaken { by: owner, .. }) => {
            return Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")));
        }
        Written::No | Written::Refused(_) => return Err(changed_meanwhile()),
    };
    brake_on_amount(&rows, batch, price, order.amount.as_ref()).await?;
    rows.append_audit(&audit(flow, by, "enrollment.resolved_bought", enrollment.to_string())).await?;
    Ok(after)
}

/// Unsure → Requested: the operator says that nothing was bought. It is looked for once more, and an order with this
/// enrollment's number wins over the operator's word. Where SSL.com cannot be looked at, or shows orders that might be
/// it, the operator has to say how they `checked` in its portal; without that nothing is bought again.
pub async fn not_bought<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    checked: Option<&str>,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    if !matches!(row.state, State::Unsure { .. }) {
        return Err(unfit(&row, "resolved"));
    }
    let checked = checked.map(str::trim).filter(|text| !text.is_empty());
    // From the day before the enrollment existed: it may have been bought long before it became unsure.
    let day = row.created_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let Listed { orders, cut_short } = match ca_credentials(flow, id).await? {
        Some(credentials) => look_up::list_since(flow, &credentials, day.yesterday().unwrap_or(day)).await,
        None => Listed { orders: Vec::new(), cut_short: Some("the SSL.com credentials are missing".to_owned()) },
    };
    let number = row.order_number();
    let ours = orders.iter().find(|order| order.external_order_number.as_deref() == Some(number.as_str()));
    if let Some(order) = ours {
        return bought(flow, id, enrollment, order.order_ref.as_str(), by).await;
    }
    match (cut_short, checked) {
        (None, checked) => {
            let strays = look_up::strays(&rows, &orders).await?;
            if let (false, None) = (strays.is_empty(), checked) {
                let names: Vec<_> = strays.iter().take(10).map(|order| order.order_ref.as_str()).collect();
                return Err(Refusal::Conflict(format!(
                    "SSL.com lists orders that may be this one: {}; look at each, then name the right one as \"bought\" or say in \"checked\" how you know that none is it",
                    names.join(", ")
                )));
            }
        }
        (Some(problem), None) => {
            return Err(Refusal::Vendor(format!(
                "SSL.com's orders cannot be looked at now ({problem}); try later, or look in its portal and say in \"checked\" how you know that there is no order"
            )));
        }
        (Some(_), Some(_)) => {}
    }
    let now = flow.now();
    let action =
        format!("enrollment.resolved_not_bought{}", checked.map(|text| format!(" ({text})")).unwrap_or_default());
    write(flow, &rows, row, Event::PurchaseRuledOut, by, &action, |change| change.enrollment.due_at = Some(now)).await
}

/// Blocked → Requested: what blocked it is mended.
pub async fn unblock<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    release(flow, id, enrollment, Event::Unblocked, by, "enrollment.unblocked").await
}

/// Gives an enrollment up before anything was bought; its claim is free again.
pub async fn cancel<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reason: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let reason = needed_reason(reason)?;
    let claim = row.claim();
    let voucher = row.voucher.iter().map(|order| order.reference.clone()).collect();
    write(flow, &rows, row, Event::Cancelled { reason }, by, "enrollment.cancelled", |change| {
        change.claim = Some(ClaimChange::Release { claim });
        change.released = voucher;
    })
    .await
}

/// Held → Issued: an approver takes the certificate as it is.
pub async fn accept_held<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reason: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let reason = needed_reason(reason)?;
    if !matches!(row.state, State::Held { .. }) {
        return Err(unfit(&row, "accepted"));
    }
    let chain = held_chain(flow, &rows, enrollment).await?;
    let Some(chain) = chain else {
        return Err(Refusal::Conflict(
            "there is no certificate for our key to accept; fetch it again, or revoke".to_owned(),
        ));
    };
    let certificate = described(&chain, vec![format!("accepted: {reason}")]);
    let now = flow.now();
    write(flow, &rows, row, Event::HoldAccepted { certificate, reason }, by, "certificate.accepted", |change| {
        change.enrollment.due_at = Some(now);
    })
    .await
}

/// The certificate that is held, if one is for our key.
async fn held_chain<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
) -> Result<Option<pki::CertificateChain>, Refusal> {
    let stored = rows.attachment(enrollment, Attachment::CertificateChain).await?;
    let request = rows.attachment(enrollment, Attachment::CertificateRequest).await?;
    Ok(stored.zip(request).and_then(|(chain, request)| {
        let public_key_info = pki::public_key_info_of_request(&request).ok()?;
        pki::Bundle::parse(&chain).ok()?.chain_for(&public_key_info, flow.now())
    }))
}

/// Of what is held: our certificate, or, where the key is lost, every certificate that is not of a CA.
async fn held_serials<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    enrollment: EnrollmentId,
) -> Result<Vec<String>, Refusal> {
    if let Some(chain) = held_chain(flow, rows, enrollment).await? {
        return Ok(vec![chain.leaf().serial().to_owned()]);
    }
    let stored = rows.attachment(enrollment, Attachment::CertificateChain).await?.unwrap_or_default();
    let Ok(bundle) = pki::Bundle::parse(&stored) else { return Ok(Vec::new()) };
    let leaves = bundle.certificates().iter().filter(|certificate| !certificate.mailboxes().is_empty());
    Ok(leaves.map(|certificate| certificate.serial().to_owned()).collect())
}

/// Held → Rejected: the certificate is revoked at the CA.
pub async fn revoke_held<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reason: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let reason = needed_reason(reason)?;
    let (State::Held { .. }, Some(purchase)) = (&row.state, &row.purchase) else {
        return Err(unfit(&row, "revoked"));
    };
    let credentials = needed_credentials(flow, id).await?;
    let reference = order_ref(&row, &purchase.reference)?;
    let serials = held_serials(flow, &rows, enrollment).await?;
    if serials.is_empty() {
        let missing = "there is no certificate to name; revoke the order in SSL.com's portal, then give it up";
        return Err(Refusal::Conflict(missing.to_owned()));
    }
    flow.ca
        .revoke(&credentials, &reference, &reason, &serials)
        .await
        .map_err(|error| Refusal::Vendor(error.to_string()))?;
    write(flow, &rows, row, Event::HoldRevoked, by, "certificate.revoked", |_| {}).await
}

/// Held → Validating: fetch and check again, after the CA issued anew.
pub async fn retry_held<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    release(flow, id, enrollment, Event::HoldRetried, by, "certificate.fetched_again").await
}

/// Failed → the stage that failed.
pub async fn retry<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    release(flow, id, enrollment, Event::Retried, by, "enrollment.retried").await
}

/// Validating or Failed → Rejected: nothing will come of it. A certificate is revoked at the CA first; an order that has none stays
/// paid there. The person can be enrolled again.
pub async fn give_up<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reason: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let reason = needed_reason(reason)?;
    let (State::Validating { .. } | State::Failed { .. }, Some(purchase)) = (&row.state, &row.purchase) else {
        return Err(unfit(&row, "given up"));
    };
    if let Some(certificate) = &row.certificate {
        let credentials = needed_credentials(flow, id).await?;
        let reference = order_ref(&row, &purchase.reference)?;
        flow.ca
            .revoke(&credentials, &reference, &reason, std::slice::from_ref(&certificate.serial))
            .await
            .map_err(|error| Refusal::Vendor(error.to_string()))?;
    }
    write(flow, &rows, row, Event::GivenUp { reason }, by, "enrollment.given_up", |_| {}).await
}

/// Whatever a machine waits for is tried now.
pub async fn try_now<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let Some(due_at) = row.due_at.filter(|_| row.state.name().is_moving()) else {
        return Err(unfit(&row, "tried again by a machine"));
    };
    if !rows.move_due(enrollment, due_at, flow.now()).await? {
        return Err(changed_meanwhile());
    }
    rows.append_audit(&audit(flow, by, "enrollment.tried_now", enrollment.to_string())).await?;
    needed(&rows, enrollment).await
}

/// Has the CA send the validation mail again; its code lives 24 hours (S/MIME Baseline Requirements 3.2.2.2).
pub async fn resend_validation<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let (State::Validating { .. }, Some(purchase)) = (&row.state, &row.purchase) else {
        return Err(unfit(&row, "validated again"));
    };
    let credentials = needed_credentials(flow, id).await?;
    let reference = order_ref(&row, &purchase.reference)?;
    flow.ca.retry_validation(&credentials, &reference).await.map_err(|error| Refusal::Vendor(error.to_string()))?;
    rows.append_audit(&audit(flow, by, "validation.sent_again", enrollment.to_string())).await?;
    needed(&rows, enrollment).await
}

/// Writes an event after which the machine goes on at once.
pub(crate) async fn release<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    what: Event,
    by: &Actor,
    action: &str,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let now = flow.now();
    write(flow, &rows, row, what, by, action, |change| change.enrollment.due_at = Some(now)).await
}

pub(crate) async fn write<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    what: Event,
    by: &Actor,
    action: &str,
    dress: impl FnOnce(&mut Change) + Send,
) -> Result<Enrollment, Refusal> {
    needed_integration(rows).await?;
    let name = what.name();
    let happened = Happened { at: flow.now(), by: by.clone(), what, request_ids: Vec::new() };
    if domain::transition::apply(&row, &happened).is_err() {
        return Err(unfit(&row, name));
    }
    let after = once(rows, &row, happened, dress).await?.row().ok_or_else(changed_meanwhile)?;
    rows.append_audit(&audit(flow, by, action, row.id.to_string())).await?;
    Ok(after)
}

pub(crate) async fn needed_credentials<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
) -> Result<sslcom::Credentials, Refusal> {
    let missing = || Refusal::Conflict("the SSL.com credentials are missing; save the settings again".to_owned());
    ca_credentials(flow, id).await?.ok_or_else(missing)
}

fn order_ref(row: &Enrollment, reference: &str) -> Result<sslcom::OrderRef, Refusal> {
    let unreadable = |_| Refusal::Conflict(format!("the order's reference of enrollment {} cannot be read", row.id));
    reference.parse().map_err(unreadable)
}

pub(crate) async fn needed<S: IntegrationStore>(rows: &S, enrollment: EnrollmentId) -> Result<Enrollment, Refusal> {
    rows.enrollment(enrollment).await?.ok_or(Refusal::NotFound("enrollment"))
}

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

pub(crate) fn unfit(row: &Enrollment, wanted: &str) -> Refusal {
    Refusal::Conflict(format!("an enrollment that is {} cannot be {}", row.state.name(), wanted.replace('_', " ")))
}
