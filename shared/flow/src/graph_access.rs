//! Access to Graph for jobs: the app's own token, and what Microsoft's answers mean for a step.

use domain::Integration;
use jiff::{SignedDuration, Timestamp};
use ports::{IntegrationStore, Platform, PlatformError, SecretKind, Vault, Vendor};
use secrecy::SecretString;

use crate::Flow;

/// What a step does about an answer that was not the wanted one.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing was done; try again then.
    Wait { until: Timestamp, note: String },
    /// It may have been done.
    Unclear { note: String },
    /// It will be refused again until a person changes something.
    Refused { cause: Option<microsoft::Cause>, sentence: String },
}

impl Trouble {
    pub(crate) fn sentence(&self) -> &str {
        match self {
            Self::Wait { note, .. } | Self::Unclear { note } => note,
            Self::Refused { sentence, .. } => sentence,
        }
    }
}

/// A token is renewed this long before it ends.
const TOKEN_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The app's token for this integration, from the cache while it lasts. `Ok(Err(...))`: Entra gave none.
pub(crate) async fn app_token<P: Platform>(
    flow: &Flow<P>,
    integration: &Integration,
) -> Result<Result<microsoft::entra::AppToken, Trouble>, PlatformError> {
    let now = flow.now();
    // Held over the request, so that a burst of jobs asks Entra once: too many calls are answered with AADSTS50196.
    let mut tokens = flow.tokens.lock().await;
    if let Some(token) = tokens.get(&integration.id)
        && now.saturating_add(TOKEN_MARGIN).is_ok_and(|soon| soon < token.expires_at)
    {
        return Ok(Ok(token.clone()));
    }
    let vault = flow.platform.vault();
    let mut secret = vault.secret(integration.id, SecretKind::Entra).await?;
    for attempt in 0..2 {
        let Some(client_secret) = secret.take() else {
            let sentence = "the client secret is missing; save the settings again".to_owned();
            return Ok(Err(Trouble::Refused { cause: None, sentence }));
        };
        let app = entra_app(integration, client_secret);
        match flow.microsoft(integration.settings.cloud).entra.app_token(&app, now).await {
            Ok(token) => {
                tokens.insert(integration.id, token.clone());
                return Ok(Ok(token));
            }
            // The secret may have been rotated since it was cached.
            Err(microsoft::Error::Entra(refusal))
                if attempt == 0 && refusal.decision() == microsoft::entra::Decision::CheckSecret =>
            {
                secret = vault.fresh_secret(integration.id, SecretKind::Entra).await?;
            }
            Err(error) => return Ok(Err(trouble(flow, error))),
        }
    }
    let sentence = "Entra refuses the client secret; enter the Value of one that has not expired".to_owned();
    Ok(Err(Trouble::Refused { cause: None, sentence }))
}

pub(crate) fn entra_app(integration: &Integration, client_secret: SecretString) -> microsoft::App {
    microsoft::App {
        tenant_id: integration.settings.tenant_id,
        client_id: integration.settings.client_id,
        client_secret,
    }
}

/// After Graph refused a token, the cached one is of no use.
pub(crate) async fn forget_token<P: Platform>(flow: &Flow<P>, integration: &Integration) {
    flow.tokens.lock().await.remove(&integration.id);
}

/// Sorts an answer by what a step does next.
pub(crate) fn trouble<P: Platform>(flow: &Flow<P>, error: microsoft::Error) -> Trouble {
    use microsoft::Error;
    let now = flow.now();
    let later = |wait: Option<std::time::Duration>| {
        let wait = wait.and_then(|wait| SignedDuration::try_from(wait).ok());
        now.saturating_add(wait.unwrap_or(flow.deployment.retry_after)).unwrap_or(Timestamp::MAX)
    };
    let note = sentence(&error);
    match error {
        Error::NotSent { .. } => Trouble::Wait { until: later(None), note },
        Error::Throttled { retry_after, .. } => Trouble::Wait { until: later(retry_after), note },
        Error::Unauthorized { .. } => Trouble::Wait { until: now, note },
        Error::Unclear { .. } | Error::Unreadable { .. } => Trouble::Unclear { note },
        Error::Refused(refusal) => Trouble::Refused { cause: Some(refusal.cause), sentence: note },
        Error::Entra(refusal) if refusal.decision() == microsoft::entra::Decision::Wait => {
            Trouble::Wait { until: later(None), note }
        }
        Error::Entra(_)
        | Error::IdToken(_)
        | Error::Endpoint { .. }
        | Error::Client { .. }
        | Error::DeltaExpired
        | Error::ForeignLink { .. } => Trouble::Refused { cause: None, sentence: note },
    }
}

/// One line for the operator: what was refused, the advice where there is one, and the ids that support asks for.
pub(crate) fn sentence(error: &microsoft::Error) -> String {
    match error {
        microsoft::Error::Entra(refusal) => match refusal.advice() {
            Some(advice) => format!("{error}. {advice}"),
            None => error.to_string(),
        },
        microsoft::Error::Refused(refusal) => format!("{error} ({})", refusal.request_ids),
        microsoft::Error::ForeignLink { .. } => {
            format!(
                "{error}. It was not followed: the access token would go along. Check which server answers at Graph's address"
            )
        }
        other => other.to_string(),
    }
}

/// How long the message of a step that no row waits for is held back. A token that is refused as soon as it was given is not
/// asked for without end, and a queue holds nothing back for longer than 15 minutes.
pub(crate) fn message_waits<P: Platform>(flow: &Flow<P>, trouble: &Trouble) -> SignedDuration {
    let told = match trouble {
        Trouble::Wait { until, .. } => until.duration_since(flow.now()),
        Trouble::Unclear { .. } | Trouble::Refused { .. } => SignedDuration::ZERO,
    };
    let wait = if told.is_positive() { told } else { flow.deployment.retry_after };
    wait.clamp(SignedDuration::ZERO, SignedDuration::from_mins(15))
}

/// Other workers of this integration stop calling the vendor too.
pub(crate) async fn pause_if_told<S: IntegrationStore>(
    rows: &S,
    vendor: Vendor,
    trouble: &Trouble,
    now: Timestamp,
) -> Result<(), PlatformError> {
    match trouble {
        Trouble::Wait { until, .. } if *until > now => rows.pause(vendor, *until).await,
        _ => Ok(()),
    }
}
