//! Looks at everything that an enrollment will need, before there is one. Spends nothing and writes nothing.

use domain::{Integration, IntegrationId, Purpose};
use ports::Platform;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Flow, Refusal,
    connect::{ca_credentials, needed_integration},
    graph_access::{app_token, trouble},
    import_pfx::intended_purpose,
};

/// One line of the preflight.
#[derive(Clone, Debug, Serialize)]
pub struct PreflightRow {
    pub check: String,
    pub kind: RowKind,
    pub status: RowStatus,
    pub result: String,
    pub fix: String,
}

/// Whether a machine looked, or a person said so. Never the same tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    Checked,
    Attested,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowStatus {
    Good,
    Warning,
    Bad,
}

/// Looks at everything that an enrollment will need. Spends nothing and writes nothing.
pub async fn preflight<P: Platform>(flow: &Flow<P>, id: IntegrationId) -> Result<Vec<PreflightRow>, Refusal> {
    let rows = flow.rows(id);
    let integration = needed_integration(&rows).await?;
    let mut report = Report(Vec::new());
    let connector = &integration.settings.connector;
    report.row(
        "connector key",
        RowStatus::Good,
        format!("{} bits, SHA-256 {}; sealed for key {:?}", connector.bits, connector.fingerprint, connector.key_name),
        "compare the fingerprint with the key on the connector server",
    );
    match &integration.authorized {
        Some(by) => report.row("authorized", RowStatus::Good, format!("by {} at {}", by.name, by.at), ""),
        None => report.row("authorized", RowStatus::Bad, "nobody has signed in to the tenant", "press Authorize"),
    }
    match app_token(flow, &integration).await? {
        Err(trouble) => report.row("token", RowStatus::Bad, trouble.sentence(), "see the sentence"),
        Ok(token) => {
            report.row("token", RowStatus::Good, "Entra issued a token for the app", "");
            permissions(&integration, &token.roles, &mut report);
            intune(flow, &integration, &token.access, &mut report).await;
        }
    }
    client_secret(&integration, flow.now(), &mut report);
    match ca_credentials(flow, id).await? {
        None => {
            report.row("SSL.com credentials", RowStatus::Bad, "they are missing", "save the settings with both keys")
        }
        Some(credentials) => {
            let query =
                sslcom::ListQuery { page: 0, per_page: 1, start: None, end: None, search: None, vouchers_only: true };
            match flow.ca.list(&credentials, &query).await {
                Ok(_) => report.row("SSL.com credentials", RowStatus::Good, "SSL.com accepted them", ""),
                Err(error @ sslcom::Error::Refused { cause: sslcom::RefusalCause::Credentials, .. }) => {
                    let fix = "copy both keys from SSL.com's dashboard";
                    report.row("SSL.com credentials", RowStatus::Bad, error.to_string(), fix);
                }
                // Page 0 is refused where pages count from 1; the credentials were read before that.
                Err(error @ sslcom::Error::Refused { .. }) => {
                    report.row("SSL.com credentials", RowStatus::Warning, error.to_string(), "they were not refused");
                }
                Err(error) => report.row("SSL.com", RowStatus::Bad, error.to_string(), "try again later"),
            }
        }
    }
    let today = flow.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    for row in &integration.settings.prevalidated_domains {
        let valid = integration.settings.is_prevalidated(&row.domain, today);
        let since = row.since.map_or_else(|| "on an unknown day".to_owned(), |day| format!("on {day}"));
        report.0.push(PreflightRow {
            check: format!("domain {}", row.domain),
            kind: RowKind::Attested,
            status: if valid { RowStatus::Good } else { RowStatus::Warning },
            result: format!("pre-validated {since}"),
            fix: if valid { String::new() } else { "older than 398 days: have SSL.com validate it again".to_owned() },
        });
    }
    match &flow.deployment.public_url {
        Some(_) => report.row("callback", RowStatus::Good, "SSL.com is asked to call back", ""),
        None => report.row(
            "callback",
            RowStatus::Warning,
            "polling only: this deployment has no public address",
            "set public_url to be told at once",
        ),
    }
    Ok(report.0)
}

/// From so many days before its end on, a client secret has to be replaced.
pub(crate) const SECRET_ENDS_SOON: i32 = 30;

/// When the client secret ends is attested: to read it, the app would need a permission over itself.
fn client_secret(integration: &Integration, now: jiff::Timestamp, report: &mut Report) {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (status, result) = match integration.settings.client_secret_days(today) {
        None => (RowStatus::Warning, "nobody has said when it ends".to_owned()),
        Some(days) if days < 0 => (RowStatus::Bad, format!("it ended {} days ago", -days)),
        Some(days) if days <= SECRET_ENDS_SOON => (RowStatus::Warning, format!("it ends in {days} days")),
        Some(days) => (RowStatus::Good, format!("it ends in {days} days")),
    };
    let fix = match status {
        RowStatus::Good => "",
        _ => "make a new one in Entra, save it, and save its last day as client_secret_expires",
    };
    report.0.push(PreflightRow {
        check: "client secret".to_owned(),
        kind: RowKind::Attested,
        status,
        result,
        fix: fix.to_owned(),
    });
}

/// The roles in the token against the least that the jobs need.
fn permissions(integration: &Integration, granted: &[String], report: &mut Report) {
    use microsoft::graph::Permission;
    let mut needed = vec![Permission::ReadPeople, Permission::WriteRecords];
    if matches!(integration.settings.scope, domain::integration::ImportScope::Groups { .. }) {
        needed.push(Permission::ReadGroupMembers);
    }
    for permission in &needed {
        let name = permission.name();
        match permission.is_among(granted) {
            true => report.row("permission", RowStatus::Good, format!("{name} is granted"), ""),
            false => report.row(
                "permission",
                RowStatus::Bad,
                format!("{name} is missing"),
                "add it as an application permission and grant admin consent",
            ),
        }
    }
    for role in microsoft::graph::granted_without_need(granted, &needed) {
        let fix = "remove it from the app registration";
        report.row("permission", RowStatus::Warning, format!("{role} is granted and not needed"), fix);
    }
}

async fn intune<P: Platform>(flow: &Flow<P>, integration: &Integration, access: &SecretString, report: &mut Report) {
    let graph = &flow.microsoft(integration.settings.cloud).graph;
    match graph.connectors(access, Uuid::new_v4()).await {
        Err(error) => report.row("connector", RowStatus::Bad, trouble(flow, error).sentence(), "see the sentence"),
        Ok(connectors) => {
            let active = connectors
                .iter()
                .filter(|connector| connector.state == Some(microsoft::graph::ConnectorState::Active))
                .count();
            match active {
                0 => report.row(
                    "connector",
                    RowStatus::Bad,
                    "no certificate connector is active",
                    "start the connector's service, or install one",
                ),
                count => report.row("connector", RowStatus::Good, format!("{count} active"), ""),
            }
        }
    }
    match graph.imported_pfx_profiles(access, Uuid::new_v4()).await {
        Err(error) => report.row("profile", RowStatus::Bad, trouble(flow, error).sentence(), "see the sentence"),
        Ok(profiles) => {
            for purpose in Purpose::ALL {
                let count = profiles
                    .iter()
                    .filter(|profile| profile.intended_purpose == Some(intended_purpose(purpose)))
                    .count();
                match count {
                    0 => report.row("profile", RowStatus::Warning, format!("no imported-PFX profile for {purpose}"), "create one in Intune before enrolling with this purpose; a profile's purpose cannot be changed later"),
                    count => report.row("profile", RowStatus::Good, format!("{count} for {purpose}"), ""),
                }
            }
        }
    }
}

struct Report(Vec<PreflightRow>);

impl Report {
    fn row(&mut self, check: &str, status: RowStatus, result: impl Into<String>, fix: &str) {
        let (check, result, fix) = (check.to_owned(), result.into(), fix.to_owned());
        self.0.push(PreflightRow { check, kind: RowKind::Checked, status, result, fix });
    }
}
