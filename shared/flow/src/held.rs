//! A certificate that is held: accepted as it is, revoked, or fetched again. Revoking is here for whoever gives one up, too.

use domain::{Enrollment, enrollment::State, transition::Event};
use ports::{Attachment, IntegrationStore, Platform};

use crate::{
    Decision, Refusal,
    check_order::described,
    commit::{Written, fact},
    connect::changed_meanwhile,
    decision::needed_reason,
};

/// Held → Issued: an approver takes the certificate as it is.
pub async fn accept<P: Platform>(decision: Decision<'_, P>, reason: &str) -> Result<Enrollment, Refusal> {
    let reason = needed_reason(reason)?;
    if !matches!(decision.row.state, State::Held { .. }) {
        return Err(decision.unfit("accepted"));
    }
    let Some(chain) = held_chain(&decision).await? else {
        return Err(Refusal::Conflict(
            "there is no certificate for our key to accept; fetch it again, or revoke".to_owned(),
        ));
    };
    let certificate = described(&chain, vec![format!("accepted: {reason}")]);
    if decision.row.has_revoked(&certificate.serial) {
        let sentence = "the certificate was revoked; fetch it again if SSL.com issued anew, or revoke here too to end the enrollment";
        return Err(Refusal::Conflict(sentence.to_owned()));
    }
    decision.go_on(Event::HoldAccepted { certificate, reason }, "certificate.accepted").await
}

/// The certificate that is held, if one is for our key.
async fn held_chain<P: Platform>(decision: &Decision<'_, P>) -> Result<Option<pki::CertificateChain>, Refusal> {
    let Decision { flow, rows, row, .. } = decision;
    let stored = rows.attachment(row.id, Attachment::CertificateChain).await?;
    let request = rows.attachment(row.id, Attachment::CertificateRequest).await?;
    Ok(stored.zip(request).and_then(|(chain, request)| {
        let public_key_info = pki::public_key_info_of_request(&request).ok()?;
        pki::Bundle::parse(&chain).ok()?.chain_for(&public_key_info, flow.now())
    }))
}

/// Of what is held: our certificate, or, where the key is lost, every certificate that is not of a CA.
async fn held_serials<P: Platform>(decision: &Decision<'_, P>) -> Result<Vec<String>, Refusal> {
    if let Some(chain) = held_chain(decision).await? {
        return Ok(vec![chain.leaf().serial().to_owned()]);
    }
    let Decision { rows, row, .. } = decision;
    let stored = rows.attachment(row.id, Attachment::CertificateChain).await?.unwrap_or_default();
    let Ok(bundle) = pki::Bundle::parse(&stored) else { return Ok(Vec::new()) };
    let leaves = bundle.certificates().iter().filter(|certificate| !certificate.mailboxes().is_empty());
    Ok(leaves.map(|certificate| certificate.serial().to_owned()).collect())
}

/// Held → Rejected: the certificate is revoked at the CA.
pub async fn revoke_certificate<P: Platform>(decision: Decision<'_, P>, reason: &str) -> Result<Enrollment, Refusal> {
    let reason = needed_reason(reason)?;
    if !matches!(decision.row.state, State::Held { .. }) {
        return Err(decision.unfit("revoked"));
    }
    let serials = held_serials(&decision).await?;
    if serials.is_empty() {
        let missing = "there is no certificate to name; revoke the order in SSL.com's portal, then give it up";
        return Err(Refusal::Conflict(missing.to_owned()));
    }
    revoke(&decision, &reason, &serials).await?;
    write_revoked(decision, Event::HoldRevoked, "certificate.revoked").await
}

/// SSL.com refuses to revoke what is revoked, which is as good: an earlier request may have lost its answer.
pub(crate) async fn revoke<P: Platform>(
    decision: &Decision<'_, P>,
    reason: &str,
    serials: &[String],
) -> Result<(), Refusal> {
    let (ca, credentials, reference) = (&decision.flow.ca, decision.credentials().await?, decision.order_ref()?);
    let Err(error) = ca.revoke(&credentials, &reference, reason, serials).await else { return Ok(()) };
    if let sslcom::Error::Refused { .. } = &error
        && let Ok(order) = ca.retrieve(&credentials, &reference).await
        && order.status.stage == sslcom::Stage::Revoked
    {
        return Ok(());
    }
    Err(Refusal::Vendor(error.to_string()))
}

/// It is revoked, whatever became of the row meanwhile, and the audit says so: a row that went on learns of it, and is not
/// imported. One that fetches its certificate again meanwhile learns of it from SSL.com.
pub(crate) async fn write_revoked<P: Platform>(
    decision: Decision<'_, P>,
    what: Event,
    action: &str,
) -> Result<Enrollment, Refusal> {
    let rows = &decision.rows;
    let mut written = fact(rows, decision.row.clone(), decision.happened(what), |_| {}).await?;
    if matches!(written, Written::No) {
        written =
            fact(rows, decision.as_it_is_now().await?, decision.happened(Event::CertificateRevoked), |_| {}).await?;
    }
    decision.audit(action, "").await?;
    written.row().ok_or_else(changed_meanwhile)
}

/// Held → Validating: fetch and check again, after the CA issued anew.
pub async fn fetch_again<P: Platform>(decision: Decision<'_, P>) -> Result<Enrollment, Refusal> {
    decision.go_on(Event::HoldRetried, "certificate.fetched_again").await
}
