//! Connecting an organisation: its settings and secrets, and the sign-in that proves the tenant.

use domain::{Integration, IntegrationId, integration::Authorized, operator::AuditEntry, transition::Actor};
use jiff::{SignedDuration, Timestamp};
use ports::{AuthorizeState, IntegrationStore, Platform, PlatformError, SecretKind, Store, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    FieldProblem, Flow, Refusal,
    graph_access::{entra_app, sentence},
    keys,
    settings_input::{SecretsInput, SettingsInput},
};

/// Stores a new integration and its secrets. Nothing is stored when anything is wrong.
pub async fn create_integration<P: Platform>(
    flow: &Flow<P>,
    input: Map<String, Value>,
    by: &Actor,
) -> Result<Integration, Refusal> {
    let (settings, secrets) = parsed(input, true)?;
    let row = Integration {
        id: IntegrationId(Uuid::new_v4()),
        settings,
        ground: 1,
        authorized: None,
        created_at: flow.now(),
        version: 0,
    };
    if !flow.platform.store().create_integration(&row).await? {
        return Err(Refusal::Conflict("there is an integration for this tenant already; change that one".to_owned()));
    }
    // After the row: for a tenant that has one already, no secret must be left behind that belongs to nothing.
    keep_secrets(flow, row.id, secrets).await?;
    let rows = flow.rows(row.id);
    rows.append_audit(&audit(flow, by, "integration.created", row.id.to_string())).await?;
    needed_integration(&rows).await
}

/// Replaces the settings; secrets that are left out stay, and so does the stop switch: somebody who changes an address
/// does not mean to buy again. What a plan stands on makes open plans void when it changes.
pub async fn change_settings<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    input: Map<String, Value>,
    by: &Actor,
) -> Result<Integration, Refusal> {
    let rows = flow.rows(id);
    let before = needed_integration(&rows).await?;
    let says_whether_to_buy = input.contains_key("stop_buying");
    let (mut settings, secrets) = parsed(input, false)?;
    if !says_whether_to_buy {
        settings.stop_buying = before.settings.stop_buying;
    }
    let tenant = |settings: &domain::integration::Settings| (settings.cloud, settings.tenant_id);
    if tenant(&settings) != tenant(&before.settings) {
        let problem = "an integration belongs to one tenant for good";
        let fix = "create another integration for the other tenant";
        return Err(Refusal::Invalid(vec![FieldProblem::new("tenant_id", problem, fix)]));
    }
    keep_secrets(flow, id, secrets).await?;
    let ground = before.ground + u64::from(settings.ground_differs(&before.settings));
    let changed = changed_fields(&before.settings, &settings);
    let scope_changed = settings.scope != before.settings.scope;
    let after = Integration { settings, ground, ..before };
    if !rows.save_integration(&after).await? {
        return Err(changed_meanwhile());
    }
    if scope_changed {
        // Changes since the last run say nothing about people who were out of scope then: the next run is a full one.
        let mut cursor = rows.directory_cursor().await?;
        cursor.delta = None;
        if !rows.save_directory_cursor(&cursor).await? {
            return Err(Refusal::Conflict(
                "an import is running; save the settings again when it has finished".to_owned(),
            ));
        }
    }
    let entry = AuditEntry { detail: changed, ..audit(flow, by, "integration.changed", id.to_string()) };
    rows.append_audit(&entry).await?;
    needed_integration(&rows).await
}

/// The stop switch. Orders under way are finished; none is placed after it.
pub async fn set_stop_buying<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    stopped: bool,
    by: &Actor,
) -> Result<Integration, Refusal> {
    let rows = flow.rows(id);
    let mut row = needed_integration(&rows).await?;
    row.settings.stop_buying = stopped;
    if !rows.save_integration(&row).await? {
        return Err(changed_meanwhile());
    }
    let action = if stopped { "buying.stopped" } else { "buying.allowed" };
    rows.append_audit(&audit(flow, by, action, id.to_string())).await?;
    needed_integration(&rows).await
}

/// A single-use ticket for the address that begins the sign-in.
#[derive(Debug)]
pub struct Ticket {
    pub ticket: SecretString,
    pub expires_at: Timestamp,
}

/// Where the browser goes, and the cookie that it has to bring back.
#[derive(Debug)]
pub struct AuthorizeStart {
    pub location: String,
    pub cookie: SecretString,
    pub expires_at: Timestamp,
}

/// What Entra sent the browser back with.
#[derive(Debug, Default)]
pub struct AuthorizeAnswer {
    pub state: String,
    pub code: Option<SecretString>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// How long a sign-in may take.
const SIGN_IN_LIFE: SignedDuration = SignedDuration::from_mins(10);
const VERIFIER: &str = "pkce-verifier";

/// Makes the link that an operator opens to press Authorize.
pub async fn authorize_link<P: Platform>(flow: &Flow<P>, id: IntegrationId, by: &Actor) -> Result<Ticket, Refusal> {
    let rows = flow.rows(id);
    needed_integration(&rows).await?;
    let ticket = pki::random_token();
    let expires_at = flow.now() + SIGN_IN_LIFE;
    let state = AuthorizeState {
        hash: ticket_hash(ticket.expose_secret()),
        integration: id,
        nonce: String::new(),
        sealed_verifier: Vec::new(),
        cookie_hash: String::new(),
        expires_at,
    };
    flow.platform.store().put_authorize_state(&state).await?;
    rows.append_audit(&audit(flow, by, "integration.authorize_begun", id.to_string())).await?;
    Ok(Ticket { ticket, expires_at })
}

/// Takes the ticket, once, and prepares the sign-in at Entra: state, nonce, PKCE, and a cookie for this browser.
pub async fn start_authorize<P: Platform>(flow: &Flow<P>, ticket: &str) -> Result<AuthorizeStart, Refusal> {
    let store = flow.platform.store();
    let now = flow.now();
    let Some(taken) = store.take_authorize_state(&ticket_hash(ticket), now).await? else {
        return Err(Refusal::Conflict("this link was used or is too old; press Authorize again".to_owned()));
    };
    let rows = flow.rows(taken.integration);
    let integration = needed_integration(&rows).await?;
    let app = entra_app(&integration, needed_secret(flow, integration.id).await?);
    let entra = &flow.microsoft(integration.settings.cloud).entra;
    let begun = entra.start_authorize(&app, &flow.deployment.redirect_url, &SCOPES);
    let cookie = pki::random_token();
    let expires_at = now + SIGN_IN_LIFE;
    let state = AuthorizeState {
        hash: pki::sha256_hex(begun.state.expose_secret().as_bytes()),
        integration: integration.id,
        nonce: begun.nonce,
        sealed_verifier: keys::seal_secret(flow, integration.id, VERIFIER, begun.verifier.expose_secret()).await?,
        cookie_hash: pki::sha256_hex(cookie.expose_secret().as_bytes()),
        expires_at,
    };
    store.put_authorize_state(&state).await?;
    Ok(AuthorizeStart { location: begun.url.to_string(), cookie, expires_at })
}

/// Enough to prove who signed in and to which tenant. Jobs use the app's own permissions.
const SCOPES: [&str; 3] = ["openid", "profile", "User.Read"];

/// Ends the sign-in: the state is ours, unused and of this browser; the code is redeemed; the ID token proves tenant
/// and person. The tokens are dropped.
pub async fn finish_authorize<P: Platform>(
    flow: &Flow<P>,
    answer: AuthorizeAnswer,
    cookie: Option<&str>,
) -> Result<Integration, Refusal> {
    let store = flow.platform.store();
    let now = flow.now();
    let again = || {
        Refusal::Conflict(
            "this sign-in was used, is too old, or began in another browser; press Authorize again".to_owned(),
        )
    };
    let state_hash = pki::sha256_hex(answer.state.as_bytes());
    let state = store.take_authorize_state(&state_hash, now).await?.ok_or_else(again)?;
    let cookie_hash = cookie.map(|cookie| pki::sha256_hex(cookie.as_bytes())).unwrap_or_default();
    if !pki::constant_time_eq(cookie_hash.as_bytes(), state.cookie_hash.as_bytes()) {
        return Err(again());
    }
    if let Some(error) = answer.error {
        let detail = answer.error_description.unwrap_or_default();
        let number = aadsts(&detail);
        let advice = number.and_then(microsoft::entra::advice).unwrap_or("Press Authorize to try again");
        let detail: String = detail.chars().filter(|character| !character.is_control()).take(300).collect();
        return Err(Refusal::Vendor(format!("Entra answered {error}: {detail}. {advice}")));
    }
    let code = answer.code.ok_or_else(again)?;
    let rows = flow.rows(state.integration);
    let mut integration = needed_integration(&rows).await?;
    let app = entra_app(&integration, needed_secret(flow, integration.id).await?);
    let verifier = keys::open_secret(flow, integration.id, VERIFIER, &state.sealed_verifier).await?;
    let entra = &flow.microsoft(integration.settings.cloud).entra;
    let signed_in = entra
        .redeem(&app, &flow.deployment.redirect_url, &code, &verifier, &state.nonce, now)
        .await
        .map_err(|error| Refusal::Vendor(sentence(&error)))?;
    let name = signed_in.name.or(signed_in.preferred_username).unwrap_or_default();
    integration.authorized = Some(Authorized { at: now, object_id: signed_in.object_id, name: name.clone() });
    if !rows.save_integration(&integration).await? {
        return Err(changed_meanwhile());
    }
    let by = Actor::Operator { name: format!("{name} ({})", signed_in.object_id) };
    rows.append_audit(&audit(flow, &by, "integration.authorized", integration.id.to_string())).await?;
    needed_integration(&rows).await
}

/// SSL.com's credentials as the Vault keeps them.
#[derive(Deserialize)]
struct StoredCredentials {
    account_key: SecretString,
    secret_key: SecretString,
}

/// The credentials to buy with; `None` when they were never stored or cannot be read.
pub(crate) async fn ca_credentials<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
) -> Result<Option<sslcom::Credentials>, PlatformError> {
    Ok(flow.platform.vault().secret(id, SecretKind::SslCom).await?.as_ref().and_then(credentials))
}

/// Whether the Vault has other credentials than these, which its cache gave. The cache knows them from now on.
pub(crate) async fn credentials_changed<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    used: &sslcom::Credentials,
) -> Result<bool, PlatformError> {
    let fresh = flow.platform.vault().fresh_secret(id, SecretKind::SslCom).await?;
    Ok(fresh.as_ref().and_then(credentials).is_some_and(|fresh| {
        fresh.account_key.expose_secret() != used.account_key.expose_secret()
            || fresh.secret_key.expose_secret() != used.secret_key.expose_secret()
    }))
}

fn credentials(stored: &SecretString) -> Option<sslcom::Credentials> {
    let stored: StoredCredentials = serde_json::from_str(stored.expose_secret()).ok()?;
    Some(sslcom::Credentials { account_key: stored.account_key, secret_key: stored.secret_key })
}

async fn needed_secret<P: Platform>(flow: &Flow<P>, id: IntegrationId) -> Result<SecretString, Refusal> {
    let missing = || Refusal::Conflict("the client secret is missing; save the settings again".to_owned());
    flow.platform.vault().secret(id, SecretKind::Entra).await?.ok_or_else(missing)
}

async fn keep_secrets<P: Platform>(
    flow: &Flow<P>,
    id: IntegrationId,
    secrets: SecretsInput,
) -> Result<(), PlatformError> {
    let vault = flow.platform.vault();
    if let Some(client_secret) = secrets.client_secret {
        vault.put_secret(id, SecretKind::Entra, client_secret).await?;
    }
    if let Some((account_key, secret_key)) = secrets.sslcom {
        let stored = serde_json::json!({
            "account_key": account_key.expose_secret(),
            "secret_key": secret_key.expose_secret(),
        });
        vault.put_secret(id, SecretKind::SslCom, SecretString::from(stored.to_string())).await?;
    }
    flow.tokens.lock().await.remove(&id);
    Ok(())
}

fn parsed(
    input: Map<String, Value>,
    secrets_needed: bool,
) -> Result<(domain::integration::Settings, SecretsInput), Refusal> {
    let (input, mut problems) = SettingsInput::from_fields(input);
    match input.parse(secrets_needed) {
        Ok(parsed) if problems.is_empty() => Ok(parsed),
        Ok(_) => Err(Refusal::Invalid(problems)),
        Err(more) => {
            // A field of the wrong type is missing afterwards; that is one problem, not two.
            let known: Vec<_> = problems.iter().map(|problem| problem.field.clone()).collect();
            problems.extend(more.into_iter().filter(|problem| {
                !known.iter().any(|field| problem.field == *field || problem.field.starts_with(&format!("{field}.")))
            }));
            Err(Refusal::Invalid(problems))
        }
    }
}

/// Which settings differ, by name; values are not repeated in the audit.
fn changed_fields(before: &domain::integration::Settings, after: &domain::integration::Settings) -> String {
    let fields = |settings| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let changed: Vec<_> =
        after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name.as_str()).collect();
    changed.join(", ")
}

pub(crate) async fn needed_integration<S: IntegrationStore>(rows: &S) -> Result<Integration, Refusal> {
    rows.integration().await?.ok_or(Refusal::NotFound("integration"))
}

pub(crate) fn changed_meanwhile() -> Refusal {
    Refusal::Conflict("it was changed by somebody else just now; look again and repeat".to_owned())
}

/// A line of the audit, at this moment.
pub(crate) fn audit<P: Platform>(flow: &Flow<P>, by: &Actor, action: &str, subject: String) -> AuditEntry {
    let by = match by {
        Actor::Step { name } | Actor::Operator { name } => name.clone(),
    };
    AuditEntry { at: flow.now(), by, action: action.to_owned(), subject, detail: String::new() }
}

/// A ticket and a state live in one table and must not be taken for each other.
fn ticket_hash(ticket: &str) -> String {
    pki::sha256_hex(format!("ticket {ticket}").as_bytes())
}

/// The number in `AADSTS65004: ...`.
fn aadsts(text: &str) -> Option<u32> {
    let digits = text.split("AADSTS").nth(1)?;
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}
