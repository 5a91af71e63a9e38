//! Builds the PFX, seals its password to the connector's key, and settles the record at Intune; later destroys the key.
//!
//! The record's id is known beforehand, so an unclear POST is read back before it is repeated. A record counts only
//! when its purpose, key name, provider and padding are ours.

use domain::{
    Enrollment, Integration, Purpose,
    enrollment::{CaFacet, IntuneFacet, Stage, State},
    jobs::ImportPfx,
    keys::SealingPadding,
    step::{self, Step},
    transition::{Event, Happened},
};
use jiff::{SignedDuration, Timestamp};
use microsoft::graph::{IntendedPurpose, PaddingScheme, RecordId, UserPfxCertificate, UserPfxRecord};
use pki::{Bundle, CertificateChain, ConnectorKey, PfxPassword};
use ports::{Attachment, IntegrationStore, Platform, PlatformError, Vendor};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    Flow, Outcome,
    commit::{self, event, fact, once, postpone, scheduled, wait_out},
    graph_access::{Trouble, app_token, forget_token, pause_if_told, trouble},
    import_people::primary_address,
    keys,
};

const STEP: &str = "import_pfx";

/// Imports one issued certificate, or destroys a key whose time is over.
pub async fn import_pfx<P: Platform>(flow: &Flow<P>, job: ImportPfx) -> Result<Outcome, PlatformError> {
    let rows = flow.rows(job.integration);
    let (Some(row), Some(integration)) = (rows.enrollment(job.enrollment).await?, rows.integration().await?) else {
        return Ok(Outcome::Done);
    };
    match step::plan(&row, flow.now()) {
        Step::DestroyKey if is_escrowed(&row, &integration) => return escrow_key(flow, &rows, &row).await,
        Step::DestroyKey => return destroy_key(flow, &rows, &row).await,
        Step::Import => {}
        _ => return Ok(Outcome::Done),
    }
    if row.ca == CaFacet::Revoked {
        let cause = "the certificate was revoked; give the enrollment up, then enroll the person again";
        return fail(flow, &rows, &row, cause).await;
    }
    if let Some(until) = rows.paused_until(Vendor::Intune).await?
        && until > flow.now()
    {
        wait_out(&rows, &row, until).await?;
        return Ok(Outcome::Later);
    }
    let access = match app_token(flow, &integration).await? {
        Ok(token) => token.access,
        Err(trouble) => return not_reached(flow, &rows, row, &trouble).await,
    };
    let import = Import { flow, rows: &rows, integration: &integration, access };
    import.run(row).await
}

/// One import of one record.
struct Import<'a, P: Platform, S: IntegrationStore> {
    flow: &'a Flow<P>,
    rows: &'a S,
    integration: &'a Integration,
    access: SecretString,
}

impl<P: Platform, S: IntegrationStore> Import<'_, P, S> {
    async fn run(&self, row: Enrollment) -> Result<Outcome, PlatformError> {
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        // The UPN is read fresh: the record is keyed by the person, and people are renamed.
        let person = match graph.user(&self.access, Uuid::new_v4(), row.person.0).await {
            Ok(person) => person,
            Err(error) => return self.trouble(row, error).await,
        };
        let address = primary_address(&person).and_then(|text| text.parse::<domain::Mailbox>().ok());
        let ours = &row.subject.mailbox;
        let upn_allowed = self.integration.settings.user_principal_name_allowed;
        let upn =
            person.user_principal_name.parse::<domain::Mailbox>().ok().filter(|_| upn_allowed && address.is_none());
        let accepted = row.certificate.as_ref().is_some_and(|certificate| certificate.address_accepted);
        if !accepted && address.or(upn).map(|now| now.fold()) != Some(ours.fold()) {
            let reason = format!("the person's address is no longer {ours}; devices would not use the certificate");
            let held = event(STEP, self.flow.now(), Event::CertificateHeld { reasons: vec![reason] });
            once(self.rows, &row, held, |_| {}).await?;
            return Ok(Outcome::Done);
        }
        let Some(material) = self.material(&row).await? else {
            let cause = "the sealed key or the certificate is no longer stored; enroll the person again";
            return fail(self.flow, self.rows, &row, cause).await;
        };
        let id = RecordId::new(row.person.0, &material.chain.leaf().thumbprint().to_string())
            .map_err(|problem| PlatformError::new("name an Intune record", problem))?;
        // An earlier run may have posted and lost the answer.
        let unclear_before = row.state == State::Importing;
        let record =
            Record { id, user_principal_name: person.user_principal_name, material, may_exist: unclear_before };
        let again = row.intune == IntuneFacet::Present;
        let row = if unclear_before {
            row
        } else {
            match once(self.rows, &row, event(STEP, self.flow.now(), Event::ImportStarted), |_| {}).await?.row() {
                Some(row) => row,
                None => return Ok(Outcome::Done),
            }
        };
        if unclear_before || again {
            match graph.pfx(&self.access, Uuid::new_v4(), &record.id).await {
                Ok(Some(stored)) if !again && self.is_ours(&stored, row.purpose) => {
                    return self.settled(row, None).await;
                }
                Ok(Some(_)) => return self.overwrite(row, &record).await,
                // It may lag behind the POST: it is read a few times more before it is posted again.
                Ok(None) if !again && self.reads_left(&row) => return self.read_back_later(row).await,
                Ok(None) => {}
                Err(error) => return self.trouble(row, error).await,
            }
        }
        self.create(row, &record).await
    }

    async fn create(&self, row: Enrollment, record: &Record) -> Result<Outcome, PlatformError> {
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        let certificate = self.certificate(&row, record)?;
        match graph.create_pfx(&self.access, Uuid::new_v4(), &certificate).await {
            Ok(request_ids) => self.settled(row, Some(request_ids)).await,
            // Intune's answer without a reason: there already, or no licence. A read tells which.
            Err(microsoft::Error::Refused(refusal)) if refusal.cause == microsoft::Cause::DuplicateOrNoLicence => {
                match graph.pfx(&self.access, Uuid::new_v4(), &record.id).await {
                    Ok(Some(stored)) if self.is_ours(&stored, row.purpose) => self.settled(row, None).await,
                    Ok(Some(_)) => self.overwrite(row, record).await,
                    Ok(None) if record.may_exist => {
                        let note = "Intune refuses the record and shows none: an earlier import shows late, or the person has no Intune licence";
                        not_reached(self.flow, self.rows, row, &Trouble::Unclear { note: note.to_owned() }).await
                    }
                    Ok(None) => {
                        let cause = format!(
                            "Intune refused the record without a reason; most often the person has no Intune licence ({})",
                            refusal.request_ids
                        );
                        fail(self.flow, self.rows, &row, &cause).await
                    }
                    Err(error) => self.not_written(row, record, error).await,
                }
            }
            Err(error) => self.not_written(row, record, error).await,
        }
    }

    /// Replaces a record as a whole: one of the same certificate that another key or purpose made, or our own that is
    /// imported again. A password is of one key only.
    async fn overwrite(&self, row: Enrollment, record: &Record) -> Result<Outcome, PlatformError> {
        let graph = &self.flow.microsoft(self.integration.settings.cloud).graph;
        let certificate = self.certificate(&row, record)?;
        match graph.update_pfx(&self.access, Uuid::new_v4(), &record.id, &certificate).await {
            Ok(request_ids) => self.settled(row, Some(request_ids)).await,
            Err(error) => self.not_written(row, record, error).await,
        }
    }

    async fn settled(
        &self,
        row: Enrollment,
        request_ids: Option<microsoft::RequestIds>,
    ) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        let kept = SignedDuration::from_hours(24 * i64::from(self.integration.settings.keep_key_days));
        let keep_key_until = now.saturating_add(kept).unwrap_or(Timestamp::MAX);
        let imported = Happened {
            request_ids: request_ids.iter().map(ToString::to_string).collect(),
            ..event(STEP, now, Event::Imported { keep_key_until })
        };
        let id = row.id;
        if fact(self.rows, row, imported, |_| {}).await?.row().is_some() {
            tracing::info!(enrollment = %id, event = "pfx.imported", "the certificate of enrollment {id} is in Intune");
        }
        Ok(Outcome::Done)
    }

    fn is_ours(&self, record: &UserPfxRecord, purpose: Purpose) -> bool {
        let connector = &self.integration.settings.connector;
        record.intended_purpose == Some(intended_purpose(purpose))
            && record.provider_name.as_deref() == Some(connector.provider_name.as_str())
            && record.key_name.as_deref() == Some(connector.key_name.as_str())
            && record.padding_scheme == Some(padding_scheme(connector.padding))
    }

    /// Key and chain, or `None` when they are not stored any more.
    async fn material(&self, row: &Enrollment) -> Result<Option<Material>, PlatformError> {
        let Some(key) = keys::stored_key(self.flow, row).await? else { return Ok(None) };
        let Some(chain) = self.rows.attachment(row.id, Attachment::CertificateChain).await? else { return Ok(None) };
        let damaged = |problem| PlatformError::new("read a stored certificate", problem);
        let bundle = Bundle::parse(&chain).map_err(damaged)?;
        Ok(bundle.chain_for(key.public_key_info(), self.flow.now()).map(|chain| Material { key, chain }))
    }

    /// The record to send: a fresh password each time, sealed and forgotten.
    fn certificate(&self, row: &Enrollment, record: &Record) -> Result<UserPfxCertificate, PlatformError> {
        let Record { user_principal_name, material, .. } = record;
        let settings = &self.integration.settings;
        let failed = |problem: Box<dyn std::error::Error + Send + Sync>| PlatformError::new("build a PFX", problem);
        let connector = ConnectorKey::parse(settings.connector.public_key.as_bytes()).map_err(|p| failed(p.into()))?;
        let password = PfxPassword::random();
        let pfx = pki::build_pfx(&material.key, &material.chain, &password, settings.pfx_profile)
            .map_err(|p| failed(p.into()))?;
        let leaf = material.chain.leaf();
        Ok(UserPfxCertificate {
            thumbprint: leaf.thumbprint().to_string(),
            intended_purpose: intended_purpose(row.purpose),
            user_principal_name: user_principal_name.clone(),
            start: leaf.not_before(),
            expiration: leaf.not_after(),
            provider_name: settings.connector.provider_name.clone(),
            key_name: settings.connector.key_name.clone(),
            padding_scheme: padding_scheme(settings.connector.padding),
            encrypted_pfx_blob: pfx.as_bytes().to_vec(),
            encrypted_pfx_password: connector
                .seal_password(&password, settings.connector.padding)
                .map_err(|p| failed(p.into()))?,
        })
    }

    fn reads_left(&self, row: &Enrollment) -> bool {
        usize::try_from(row.failures).unwrap_or(usize::MAX) < self.flow.deployment.read_back_after.len()
    }

    async fn read_back_later(&self, row: Enrollment) -> Result<Outcome, PlatformError> {
        let now = self.flow.now();
        let until = now + scheduled(&self.flow.deployment.read_back_after, row.failures);
        postpone(self.rows, &row, STEP, now, until, "Intune gave no clear answer; the record is read back").await?;
        Ok(Outcome::Later)
    }

    /// Back to the beginning where this was the first write and it was not taken. After an earlier one without an answer
    /// the row goes on saying that there may be a record, whatever became of this one.
    async fn not_written(
        &self,
        row: Enrollment,
        record: &Record,
        error: microsoft::Error,
    ) -> Result<Outcome, PlatformError> {
        let unclear = matches!(error, microsoft::Error::Unclear { .. } | microsoft::Error::Unreadable { .. });
        if unclear || record.may_exist {
            return self.trouble(row, error).await;
        }
        let now = self.flow.now();
        let back = once(self.rows, &row, event(STEP, now, Event::ImportNotSent), |_| {}).await?;
        self.trouble(back.row().unwrap_or(row), error).await
    }

    async fn trouble(&self, row: Enrollment, error: microsoft::Error) -> Result<Outcome, PlatformError> {
        if let microsoft::Error::Unauthorized { .. } = &error {
            forget_token(self.flow, self.integration).await;
        }
        let trouble = trouble(self.flow, error);
        not_reached(self.flow, self.rows, row, &trouble).await
    }
}

async fn fail<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
    cause: &str,
) -> Result<Outcome, PlatformError> {
    let failed = Event::StageFailed { stage: Stage::Import, cause: cause.to_owned() };
    once(rows, row, event(STEP, flow.now(), failed), |_| {}).await?;
    Ok(Outcome::Done)
}

/// The record to be: its id, computed beforehand, whose it is, and what it is made of.
struct Record {
    id: RecordId,
    user_principal_name: String,
    material: Material,
    /// An earlier run wrote it and heard no answer.
    may_exist: bool,
}

/// What a PFX is made of. The key is in clear for as long as this lives.
struct Material {
    key: pki::PrivateKey,
    chain: CertificateChain,
}

/// Writes down that the import did not come to an end, so that the next try begins at the right place.
async fn not_reached<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: Enrollment,
    trouble: &Trouble,
) -> Result<Outcome, PlatformError> {
    let now = flow.now();
    pause_if_told(rows, Vendor::Intune, trouble, now).await?;
    if row.failures >= flow.deployment.failures_allowed
        || matches!(trouble, Trouble::Refused { cause: Some(microsoft::Cause::NotFound), .. })
    {
        let cause = trouble.sentence().to_owned();
        once(rows, &row, event(STEP, now, Event::StageFailed { stage: Stage::Import, cause }), |_| {}).await?;
        return Ok(Outcome::Done);
    }
    let (row, until) = match trouble {
        Trouble::Unclear { .. } => {
            let wait = scheduled(&flow.deployment.read_back_after, row.failures);
            (row, now + wait)
        }
        Trouble::Wait { until, .. } => {
            // The first time as soon as told; a token that is refused again and again is not asked for without end.
            let patience =
                if row.failures == 0 { now } else { commit::back_off(&row, flow.deployment.retry_after, now) };
            (row, (*until).max(patience))
        }
        // A person has to change something; until then it is tried at growing distances.
        Trouble::Refused { .. } => {
            let until = commit::back_off(&row, flow.deployment.retry_after, now);
            (row, until)
        }
    };
    postpone(rows, &row, STEP, now, until, trouble.sentence()).await?;
    Ok(Outcome::Later)
}

/// Old mail must stay readable on a new device, where the organisation told its people so. A key that signs is not kept.
fn is_escrowed(row: &Enrollment, integration: &Integration) -> bool {
    integration.settings.escrow_notice.is_some()
        && row.purpose.may_be_escrowed()
        && matches!(row.state, State::Imported { .. })
}

async fn escrow_key<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
) -> Result<Outcome, PlatformError> {
    if let Some(row) = once(rows, row, event(STEP, flow.now(), Event::KeyEscrowed), |_| {}).await?.row() {
        tracing::info!(enrollment = %row.id, event = "key.escrowed", "the key of enrollment {} is kept in escrow", row.id);
    }
    Ok(Outcome::Done)
}

async fn destroy_key<P: Platform, S: IntegrationStore>(
    flow: &Flow<P>,
    rows: &S,
    row: &Enrollment,
) -> Result<Outcome, PlatformError> {
    let written = once(rows, row, event(STEP, flow.now(), Event::KeyDestroyed), |change| {
        change.attachments = vec![(Attachment::SealedKey, None)];
    })
    .await?;
    if let Some(row) = written.row() {
        tracing::info!(enrollment = %row.id, event = "key.destroyed", "the key of enrollment {} was destroyed", row.id);
    }
    Ok(Outcome::Done)
}

/// The record's tag, which a profile must carry too.
pub(crate) fn intended_purpose(purpose: Purpose) -> IntendedPurpose {
    match purpose {
        Purpose::General => IntendedPurpose::Unassigned,
        Purpose::Encryption => IntendedPurpose::SmimeEncryption,
        Purpose::Signing => IntendedPurpose::SmimeSigning,
    }
}

fn padding_scheme(padding: SealingPadding) -> PaddingScheme {
    match padding {
        SealingPadding::OaepSha256 => PaddingScheme::OaepSha256,
        SealingPadding::OaepSha384 => PaddingScheme::OaepSha384,
        SealingPadding::OaepSha512 => PaddingScheme::OaepSha512,
    }
}
