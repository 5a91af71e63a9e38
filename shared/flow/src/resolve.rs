//! What a person decides when a machine must not: every state that waits for somebody has its way out here, but a held
//! certificate, which has [`crate::held`].

use std::time::Duration;

use domain::{Enrollment, enrollment::State, transition::Event};
use ports::{ClaimChange, Commit, IntegrationStore, Platform};

use crate::{
    Decision, FieldProblem, Refusal,
    brakes::brake_on_amount,
    commit::Written,
    connect::{ca_credentials, changed_meanwhile},
    decision::needed_reason,
    held::{revoke, write_revoked},
    order_list::{self, Listed, OrderList, Unread},
    place_order::{Found, bought as write_bought, paid},
};

/// An operator waits: the API answers within 25 s, and what is decided has to be written by then.
pub(crate) const WITHIN_A_REQUEST: Duration = Duration::from_secs(15);

/// Unsure → Bought: the operator found the order. It is read at the CA, and must belong to nobody else.
pub async fn bought<P: Platform>(decision: Decision<'_, P>, reference: &str) -> Result<Enrollment, Refusal> {
    needs_to_be_unsure(&decision)?;
    let reference = reference.trim();
    if reference.is_empty() {
        let fix = "give the order's reference, such as co-abcd1234";
        return Err(Refusal::Invalid(vec![FieldProblem::new("bought", "it is missing", fix)]));
    }
    let credentials = decision.credentials().await?;
    let mut sslcom = OrderList::new(decision.flow, decision.row.integration, &credentials, WITHIN_A_REQUEST);
    resolve_bought(decision, &mut sslcom, reference).await
}

/// The order is read in what is left of the operator's time.
async fn resolve_bought<P: Platform>(
    decision: Decision<'_, P>,
    sslcom: &mut OrderList<'_, P>,
    reference: &str,
) -> Result<Enrollment, Refusal> {
    let Decision { flow, rows, row, .. } = &decision;
    if let Some(owner) = rows.order_owner(reference).await?
        && owner != row.id
    {
        return Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")));
    }
    let (_, order) = named_order(sslcom, reference, "bought", "copy the reference from SSL.com's portal").await?;
    if let Some(number) = order.external_order_number.as_deref()
        && number != row.order_number()
    {
        return Err(Refusal::Conflict(format!(
            "order {reference} carries the number {number:?}, which is not this enrollment's"
        )));
    }
    let paid = paid(order.amount.as_ref());
    let found = Found { attempt: row.attempt, reference: reference.to_owned(), paid, due_at: flow.now() };
    let written = write_bought(flow, rows, row.clone(), "resolve", found).await?;
    let after = match written {
        Written::Yes(after) => *after,
        Written::Refused(Commit::ReferenceTaken { by: owner, .. }) => {
            return Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")));
        }
        Written::No | Written::Refused(_) => return Err(changed_meanwhile()),
    };
    brake_on_amount(rows, row.batch, row.product.price, order.amount.as_ref()).await?;
    decision.audit("enrollment.resolved_bought", "").await?;
    Ok(after)
}

/// Unsure → Requested: the operator says that nothing was bought. It is looked for once more, and an order with this
/// enrollment's number wins over the operator's word. Where SSL.com cannot be looked at, or shows orders that might be
/// it, the operator has to say how they `checked` in its portal; without that nothing is bought again.
pub async fn not_bought<P: Platform>(decision: Decision<'_, P>, checked: Option<&str>) -> Result<Enrollment, Refusal> {
    needs_to_be_unsure(&decision)?;
    let Decision { flow, rows, row, .. } = &decision;
    let checked = checked.map(str::trim).filter(|text| !text.is_empty());
    // From the day before the enrollment existed: it may have been bought long before it became unsure.
    let day = row.created_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let credentials = ca_credentials(flow, row.integration).await?;
    let mut sslcom =
        credentials.as_ref().map(|credentials| OrderList::new(flow, row.integration, credentials, WITHIN_A_REQUEST));
    let Listed { orders, cut_short } = match &mut sslcom {
        Some(sslcom) => sslcom.since(day.yesterday().unwrap_or(day)).await?,
        None => Listed { orders: Vec::new(), cut_short: Some("the SSL.com credentials are missing".to_owned()) },
    };
    let number = row.order_number();
    let ours = orders.iter().find(|order| order.external_order_number.as_deref() == Some(number.as_str()));
    if let (Some(sslcom), Some(order)) = (&mut sslcom, ours) {
        return resolve_bought(decision, sslcom, order.order_ref.as_str()).await;
    }
    match (cut_short, checked) {
        (None, checked) => {
            let strays = order_list::strays(rows, &orders).await?;
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
    let action =
        format!("enrollment.resolved_not_bought{}", checked.map(|text| format!(" ({text})")).unwrap_or_default());
    decision.go_on(Event::PurchaseRuledOut, &action).await
}

fn needs_to_be_unsure<P: Platform>(decision: &Decision<'_, P>) -> Result<(), Refusal> {
    match decision.row.state {
        State::Unsure { .. } => Ok(()),
        _ => Err(decision.unfit("resolved")),
    }
}

/// Blocked → Requested: what blocked it is mended.
pub async fn unblock<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    decision.go_on(Event::Unblocked, "enrollment.unblocked").await
}

/// Gives an enrollment up before anything was bought; its claim is free again.
pub async fn cancel<P: Platform>(decision: Decision<'_, P>, reason: &str) -> Result<Enrollment, Refusal> {
    let reason = needed_reason(reason)?;
    let claim = decision.row.claim();
    let voucher = decision.row.voucher.iter().map(|order| order.reference.clone()).collect();
    let cancelled = decision.write(Event::Cancelled { reason }, "enrollment.cancelled", |change| {
        change.claim = Some(ClaimChange::Release { claim });
        change.released = voucher;
    });
    cancelled.await
}

/// Failed → the stage that failed.
pub async fn retry<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    decision.go_on(Event::Retried, "enrollment.retried").await
}

/// Validating or Failed → Rejected: nothing will come of it. A certificate is revoked at the CA first; an order that has none stays
/// paid there. The person can be enrolled again.
pub async fn give_up<P: Platform>(decision: Decision<'_, P>, reason: &str) -> Result<Enrollment, Refusal> {
    const ACTION: &str = "enrollment.given_up";
    let reason = needed_reason(reason)?;
    let (State::Validating { .. } | State::Failed { .. }, Some(_)) = (&decision.row.state, &decision.row.purchase)
    else {
        return Err(decision.unfit("given up"));
    };
    if let Some(certificate) = &decision.row.certificate {
        revoke(&decision, &reason, std::slice::from_ref(&certificate.serial)).await?;
        return write_revoked(decision, Event::GivenUp { reason }, ACTION).await;
    }
    decision.write(Event::GivenUp { reason }, ACTION, |_| {}).await
}

/// Whatever a machine waits for is tried now.
pub async fn try_now<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    let Decision { flow, rows, row, .. } = &decision;
    let Some(due_at) = row.due_at.filter(|_| row.state.name().is_moving()) else {
        return Err(decision.unfit("tried again by a machine"));
    };
    if !rows.move_due(row.id, due_at, flow.now()).await? {
        return Err(changed_meanwhile());
    }
    decision.audit("enrollment.tried_now", "").await?;
    decision.as_it_is_now().await
}

/// Has the CA send the validation mail again; its code lives 24 hours (S/MIME Baseline Requirements 3.2.2.2).
pub async fn resend_validation<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    let (State::Validating { .. }, Some(_)) = (&decision.row.state, &decision.row.purchase) else {
        return Err(decision.unfit("validated again"));
    };
    let (credentials, reference) = (decision.credentials().await?, decision.order_ref()?);
    let sent = decision.flow.ca.retry_validation(&credentials, &reference).await;
    sent.map_err(|error| Refusal::Vendor(error.to_string()))?;
    decision.audit("validation.sent_again", "").await?;
    decision.as_it_is_now().await
}

/// Reads the order that an operator named in this field.
pub(crate) async fn named_order<P: Platform>(
    sslcom: &mut OrderList<'_, P>,
    reference: &str,
    field: &str,
    fix: &str,
) -> Result<(sslcom::OrderRef, sslcom::Order), Refusal> {
    let invalid = |problem: String| Refusal::Invalid(vec![FieldProblem::new(field, problem, fix)]);
    let reference: sslcom::OrderRef =
        reference.parse().map_err(|problem: sslcom::NotAnOrderRef| invalid(problem.to_string()))?;
    match sslcom.order(&reference).await? {
        Ok(order) => Ok((reference, order)),
        Err(Unread::Answer(sslcom::Error::Refused { cause: sslcom::RefusalCause::NotFound, .. })) => {
            Err(invalid(format!("SSL.com does not know order {}", reference.as_str())))
        }
        Err(problem) => Err(Refusal::Vendor(problem.to_string())),
    }
}
