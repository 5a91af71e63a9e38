//! Orders that are paid and unused, which SSL.com calls vouchers: seen, freed, and given to somebody else. Nothing here
//! buys, and nothing here is sent to an order but questions.

use domain::{
    Enrollment, EnrollmentId, IntegrationId,
    enrollment::{State, StateName},
    transition::Event,
};
use ports::{ClaimChange, Commit, IntegrationStore, Platform};

use crate::{
    Decision, Flow, Refusal,
    commit::{Written, once},
    connect::{changed_meanwhile, needed_integration},
    decision::{needed_credentials, needed_reason},
    every_enrollment::every_enrollment_in,
    order_list::OrderList,
    place_order::paid,
    resolve::{WITHIN_A_REQUEST, named_order},
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
    let looking = every_enrollment_in(&rows, &LOOKING).await?;
    let mut vouchers = Vec::new();
    let credentials = needed_credentials(flow, id).await?;
    let mut sslcom = OrderList::new(flow, id, &credentials, WITHIN_A_REQUEST);
    for order in unused(&mut sslcom).await? {
        let holder = rows.order_owner(order.order_ref.as_str()).await?;
        let kept_because = kept_because(&rows, &looking, &order, holder).await?;
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

async fn unused<P: Platform>(sslcom: &mut OrderList<'_, P>) -> Result<Vec<sslcom::OrderSummary>, Refusal> {
    let listed = sslcom.unused().await?;
    if let Some(problem) = listed.cut_short {
        return Err(Refusal::Vendor(format!("SSL.com's unused orders cannot be listed: {problem}")));
    }
    Ok(listed.orders.into_iter().filter(|order| order.status.stage == sslcom::Stage::AwaitingCsr).collect())
}

/// An order is free when it belongs to nobody, and cannot be the purchase that somebody is looking for.
async fn kept_because<S: IntegrationStore>(
    rows: &S,
    looking: &[Enrollment],
    order: &sslcom::OrderSummary,
    holder: Option<EnrollmentId>,
) -> Result<Option<String>, Refusal> {
    if let Some(holder) = holder {
        return Ok(Some(format!("it belongs to enrollment {holder}")));
    }
    let Some(number) = order.external_order_number.as_deref() else {
        // Anybody's: the candidates that a row names are what SSL.com showed when it became unsure, which may have been nothing.
        let seeker = looking.first().map(|row| row.id);
        return Ok(seeker.map(|id| format!("it may be the purchase that enrollment {id} is looking for")));
    };
    let ours = number.rsplit_once('-').and_then(|(id, attempt)| Some((id.parse().ok()?, attempt.parse().ok()?)));
    let Some((enrollment, attempt)) = ours else {
        return Ok(Some(format!("it carries the number {number:?}, which is not of this integration")));
    };
    let enrollment: EnrollmentId = enrollment;
    let attempt: u32 = attempt;
    Ok(match rows.enrollment(enrollment).await? {
        None => Some(format!("it carries the number {number:?}, which is not of this integration")),
        Some(row) if row.attempt == attempt && LOOKING.contains(&row.state.name()) => {
            Some(format!("it is the purchase that enrollment {enrollment} is looking for"))
        }
        Some(_) => None,
    })
}

/// The states of a purchase that may have happened.
const LOOKING: [StateName; 2] = [StateName::Buying, StateName::Unsure];

/// Requested or Blocked → Requested with an order that is free, which the next step uses: no money is spent.
pub async fn give<P: Platform>(decision: Decision<'_, P>, reference: &str) -> Result<Enrollment, Refusal> {
    let Decision { flow, rows, row, .. } = &decision;
    if !matches!(row.state, State::Requested | State::Blocked { .. }) || row.voucher.is_some() {
        return Err(decision.unfit("given an order"));
    }
    let order = unused_order(&decision, reference).await?;
    let reference = order.order_ref.as_str().to_owned();
    let owner = rows.order_owner(&reference).await?;
    if let Some(problem) = kept_because(rows, &every_enrollment_in(rows, &LOOKING).await?, &order, owner).await? {
        return Err(Refusal::Conflict(format!("order {reference} cannot be given away: {problem}")));
    }
    if let Some(product) = order.product.filter(|product| *product != row.product.code.to_string()) {
        let wanted = row.product.code;
        return Err(Refusal::Conflict(format!("order {reference} is for product {product}, not for {wanted}")));
    }
    let what = Event::VoucherGiven { reference: reference.clone(), paid: paid(order.amount.as_ref()) };
    let now = flow.now();
    let written = once(rows, row, decision.happened(what), |change| {
        change.references = vec![reference.clone()];
        change.enrollment.due_at = Some(now);
    });
    match written.await? {
        Written::Yes(after) => {
            decision.audit("order.given", &reference).await?;
            Ok(*after)
        }
        Written::Refused(Commit::ReferenceTaken { by: owner, .. }) => {
            Err(Refusal::Conflict(format!("order {reference} belongs to enrollment {owner}")))
        }
        Written::No | Written::Refused(_) => Err(changed_meanwhile()),
    }
}

/// Frees an order of this enrollment that was never used: a surplus one, or its own where that came to no certificate; an
/// enrollment that failed ends with it.
pub async fn release<P: Platform>(
    decision: Decision<'_, P>,
    reference: &str,
    reason: &str,
) -> Result<Enrollment, Refusal> {
    let row = &decision.row;
    let reason = needed_reason(reason)?;
    let reference = reference.trim().to_owned();
    let is_surplus = row.surplus.contains(&reference);
    if !is_surplus && !row.could_release(&reference) {
        return Err(Refusal::Conflict(format!(
            "order {reference:?} is not a surplus order of this enrollment, nor one that came to no certificate and was given up"
        )));
    }
    unused_order(&decision, &reference).await?;
    // Of a row that was given up somebody else may have the claim by now, and keeps it.
    let claim = (!is_surplus).then(|| row.claim());
    let what = Event::OrderReleased { reference: reference.clone(), reason };
    let released = decision.write(what, "order.released", |change| {
        change.released = vec![reference];
        change.claim = claim.map(|claim| ClaimChange::Release { claim });
    });
    released.await
}

/// Read by itself, whatever a listing said: what has a request is in use.
async fn unused_order<P: Platform>(
    decision: &Decision<'_, P>,
    reference: &str,
) -> Result<sslcom::OrderSummary, Refusal> {
    let credentials = decision.credentials().await?;
    let mut sslcom = OrderList::new(decision.flow, decision.row.integration, &credentials, WITHIN_A_REQUEST);
    let (reference, order) =
        named_order(&mut sslcom, reference.trim(), "order", "use a reference of GET …/vouchers").await?;
    let listed = unused(&mut sslcom).await?.into_iter().find(|order| order.order_ref == reference);
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
