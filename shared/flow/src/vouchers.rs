//! Orders that are paid and unused, which SSL.com calls vouchers: seen, freed, and given to somebody else. Nothing here
//! buys, and nothing here is sent to an order but questions.

use domain::{
    Enrollment, EnrollmentId, IntegrationId,
    enrollment::{Stage, State, StateName},
    transition::{Actor, Event, Happened},
};
use ports::{ClaimChange, Commit, IntegrationStore, Platform};

use crate::{
    FieldProblem, Flow, Refusal,
    commit::{Written, once},
    connect::{audit, changed_meanwhile, needed_integration},
    look_up,
    place_order::paid,
    resolve::{needed, needed_credentials, needed_reason, unfit, write},
};

/// A paid order without a certificate request.
#[derive(Clone, Debug)]
pub struct Voucher {
    pub reference: String,
    pub status: String,
    pub amount: Option<String>,
    /// As SSL.com names it.
    pub product: Option<String>,
    pub number: Option<String>,
    pub holder: Option<EnrollmentId>,
    /// Why it cannot be given to somebody now.
    pub kept_because: Option<String>,
}

/// Every unused order of the account.
pub async fn list<P: Platform>(flow: &Flow<P>, id: IntegrationId) -> Result<Vec<Voucher>, Refusal> {
    let rows = flow.rows(id);
    needed_integration(&rows).await?;
    let mut vouchers = Vec::new();
    for order in unused(flow, id).await? {
        let holder = rows.order_owner(order.order_ref.as_str()).await?;
        let kept_because = kept_because(&rows, holder, order.external_order_number.as_deref(), None).await?;
        vouchers.push(Voucher {
            reference: order.order_ref.as_str().to_owned(),
            status: order.status.text,
            amount: order.amount.map(|amount| amount.text),
            product: order.product,
            number: order.external_order_number,
            holder,
            kept_because,
        });
    }
    vouchers.sort_by(|one, other| one.reference.cmp(&other.reference));
    Ok(vouchers)
}

async fn unused<P: Platform>(flow: &Flow<P>, id: IntegrationId) -> Result<Vec<sslcom::OrderSummary>, Refusal> {
    let credentials = needed_credentials(flow, id).await?;
    let listed = look_up::list_pages(flow, &credentials, None, true).await;
    if let Some(problem) = listed.cut_short {
        return Err(Refusal::Vendor(format!("SSL.com's unused orders cannot be listed: {problem}")));
    }
    Ok(listed.orders.into_iter().filter(|order| order.status.stage == sslcom::Stage::AwaitingCsr).collect())
}

/// An order is free when it belongs to nobody, and cannot be the purchase that somebody is looking for.
async fn kept_because<S: IntegrationStore>(
    rows: &S,
    holder: Option<EnrollmentId>,
    number: Option<&str>,
    taker: Option<EnrollmentId>,
) -> Result<Option<String>, Refusal> {
    if let Some(holder) = holder {
        return Ok(Some(format!("it belongs to enrollment {holder}")));
    }
    let Some(number) = number else { return Ok(None) };
    let ours = number.rsplit_once('-').and_then(|(id, attempt)| Some((id.parse().ok()?, attempt.parse().ok()?)));
    let Some((enrollment, attempt)) = ours else {
        return Ok(Some(format!("it carries the number {number:?}, which is not of this integration")));
    };
    let enrollment: EnrollmentId = enrollment;
    let attempt: u32 = attempt;
    Ok(match rows.enrollment(enrollment).await? {
        None => Some(format!("it carries the number {number:?}, which is not of this integration")),
        Some(row)
            if Some(enrollment) != taker
                && row.attempt == attempt
                && matches!(row.state.name(), StateName::Buying | StateName::Unsure) =>
        {
            Some(format!("it is the purchase that enrollment {enrollment} is looking for"))
        }
        Some(_) => None,
    })
}

/// Requested or Blocked → Requested with an order that is free, which the next step uses: no money is spent.
pub async fn give<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reference: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    if !matches!(row.state, State::Requested | State::Blocked { .. }) || row.voucher.is_some() {
        return Err(unfit(&row, "given an order"));
    }
    let order = unused_order(flow, id, reference).await?;
    let reference = order.order_ref.as_str().to_owned();
    let owner = rows.order_owner(&reference).await?;
    if let Some(problem) = kept_because(&rows, owner, order.external_order_number.as_deref(), Some(row.id)).await? {
        return Err(Refusal::Conflict(format!("order {reference} cannot be given away: {problem}")));
    }
    if let Some(product) = order.product.filter(|product| *product != row.product.code.to_string()) {
        let wanted = row.product.code;
        return Err(Refusal::Conflict(format!("order {reference} is for product {product}, not for {wanted}")));
    }
    let now = flow.now();
    let what = Event::VoucherGiven { reference: reference.clone(), paid: paid(order.amount.as_ref()) };
    let happened = Happened { at: now, by: by.clone(), what, request_ids: Vec::new() };
    let written = once(&rows, &row, happened, |change| {
        change.references = vec![reference.clone()];
        change.enrollment.due_at = Some(now);
    });
    match written.await? {
        Written::Yes(after) => {
            let mut entry = audit(flow, by, "order.given", enrollment.to_string());
            entry.detail = reference;
            rows.append_audit(&entry).await?;
            Ok(*after)
        }
        Written::Refused(Commit::ReferenceTaken { by: owner, .. }) => {
            Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")))
        }
        Written::No | Written::Refused(_) => Err(changed_meanwhile()),
    }
}

/// Frees an order of this enrollment that was never used: a surplus one, or the one whose request could not be handed in;
/// then the enrollment ends with it.
pub async fn release<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    enrollment: EnrollmentId,
    reference: &str,
    reason: &str,
    by: &Actor,
) -> Result<Enrollment, Refusal> {
    let rows = flow.rows(id);
    let row = needed(&rows, enrollment).await?;
    let reason = needed_reason(reason)?;
    let reference = reference.trim().to_owned();
    let is_surplus = row.surplus.contains(&reference);
    let is_its_order = row.purchase.as_ref().is_some_and(|purchase| purchase.reference == reference);
    let has_failed = matches!(row.state, State::Failed { stage: Stage::Request, .. });
    let is_unused_here = is_surplus || (is_its_order && has_failed);
    if !is_unused_here {
        return Err(Refusal::Conflict(format!(
            "order {reference:?} is not a surplus order of this enrollment, nor one whose request could not be handed in"
        )));
    }
    unused_order(flow, id, &reference).await?;
    let claim = row.claim();
    write(
        flow,
        &rows,
        row,
        Event::OrderReleased { reference: reference.clone(), reason },
        by,
        "order.released",
        |change| {
            change.released = vec![reference];
            if !is_surplus {
                change.claim = Some(ClaimChange::Release { claim });
            }
        },
    )
    .await
}

/// Read by itself, whatever a listing said: what has a request is in use.
async fn unused_order<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    reference: &str,
) -> Result<sslcom::OrderSummary, Refusal> {
    let fix = "use a reference of GET …/vouchers";
    let invalid = |problem: String| Refusal::Invalid(vec![FieldProblem::new("order", problem, fix)]);
    let reference: sslcom::OrderRef =
        reference.trim().parse().map_err(|problem: sslcom::NotAnOrderRef| invalid(problem.to_string()))?;
    let listed = unused(flow, id).await?.into_iter().find(|order| order.order_ref == reference);
    let credentials = needed_credentials(flow, id).await?;
    let order = match flow.ca.retrieve(&credentials, &reference).await {
        Ok(order) => order,
        Err(sslcom::Error::Refused { cause: sslcom::RefusalCause::NotFound, .. }) => {
            return Err(invalid(format!("SSL.com does not know order {}", reference.as_str())));
        }
        Err(error) => return Err(Refusal::Vendor(error.to_string())),
    };
    if order.status.stage != sslcom::Stage::AwaitingCsr || order.certificates.is_some() {
        let (reference, status) = (reference.as_str(), order.status.text);
        return Err(Refusal::Conflict(format!("order {reference} is not unused; SSL.com says: {status}")));
    }
    let number = order.external_order_number.or_else(|| listed.as_ref()?.external_order_number.clone());
    Ok(sslcom::OrderSummary {
        order_ref: reference,
        status: order.status,
        external_order_number: number,
        amount: order.amount,
        product: order.product.or_else(|| listed?.product),
    })
}
