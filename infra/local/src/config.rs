//! The deployment file of `serve`: TOML, checked as a whole, so that everything that is wrong is named at once.
//!
//! Secrets may stand in the file or, better, in the environment: `client_secret = "env:ENTRA_CLIENT_SECRET"`.

mod sections;

use std::{fmt, net::SocketAddr, path::PathBuf};

use domain::operator::Role;
use flow::{Deployment, FieldProblem, VendorEndpoints, settings_input::SettingsInput};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use crate::runner::Pace;
use sections::{MicrosoftSection, ServerSection, SslComSection, TimingSection, TokenRow};

/// What `serve` needs to start.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// The folder with the database and the key file.
    pub data: PathBuf,
    pub hosts: Option<Vec<String>>,
    pub tokens: Vec<web::ApiToken>,
    pub vendors: VendorEndpoints,
    pub deployment: Deployment,
    pub pace: Pace,
    /// Integrations to create or to bring up to date, as the API's JSON. Secrets are already filled in.
    pub integrations: Vec<Map<String, Value>>,
}

/// Everything that is wrong with a deployment file.
#[derive(Debug)]
pub struct Problems(pub Vec<FieldProblem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{}\n    {}\n    fix: {}", problem.field, problem.problem, problem.fix)?;
        }
        let count = self.0.len();
        write!(f, "{count} problem{} found; nothing was started", if count == 1 { "" } else { "s" })
    }
}

impl std::error::Error for Problems {}

/// The tables that a deployment file may have.
const TABLES: [&str; 7] = ["server", "api_token", "sslcom", "microsoft", "product", "timing", "integration"];

impl Config {
    /// Reads a deployment file's text. `environment` answers the value of a variable.
    ///
    /// # Errors
    ///
    /// Every problem of the file.
    pub fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut file = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(problem) => {
                let place = format!("the file, {}", place(text, problem.span()));
                let fix = "write it as TOML: see the commented example";
                return Err(Problems(vec![FieldProblem::new(place, problem.message(), fix)]));
            }
        };
        let mut problems = Vec::new();
        for name in file.keys().filter(|name| !TABLES.contains(&name.as_str())) {
            problems.push(FieldProblem::new(
                name,
                "there is no such table or field",
                format!("use one of {}", TABLES.join(", ")),
            ));
        }
        let mut take = |name: &str| file.remove(name);
        let server: ServerSection = one("server", take("server"), &mut problems);
        let sslcom: SslComSection = one("sslcom", take("sslcom"), &mut problems);
        let microsoft: MicrosoftSection = one("microsoft", take("microsoft"), &mut problems);
        let timing: TimingSection = one("timing", take("timing"), &mut problems);
        let tokens: Vec<TokenRow> = many("api_token", take("api_token"), &mut problems)
            .into_iter()
            .enumerate()
            .map(|(row, table)| fields(&format!("api_token[{row}]"), table, &mut problems))
            .collect();
        let products = take("product");
        let integrations = many("integration", take("integration"), &mut problems);

        let listen = server.listen(&mut problems);
        let public_url = server.public_url(&mut problems);
        let redirect_url = server.redirect_url(listen, public_url.as_ref(), &mut problems);
        let tokens = tokens_of(tokens, &environment, &mut problems);
        let vendors = VendorEndpoints {
            statuses: sslcom.statuses(&mut problems),
            sslcom: sslcom.endpoint(&mut problems),
            microsoft: microsoft.endpoints(&mut problems),
        };
        let products = sections::products(products, &mut problems);
        let create_timeout = vendors.sslcom.create_timeout;
        let deployment = Deployment {
            public_url: public_url.clone(),
            redirect_url,
            products,
            stop_buying: server.stop_buying,
            ..timing.deployment(create_timeout, &mut problems)
        };
        let integrations = integrations
            .into_iter()
            .enumerate()
            .map(|(row, table)| integration(row, table, &environment, &mut problems))
            .collect();
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        Ok(Self {
            listen,
            data: server.data(),
            hosts: server.hosts(listen, public_url.as_ref()),
            tokens,
            vendors,
            deployment,
            pace: timing.pace(),
            integrations,
        })
    }
}

/// Reads a table field by field, so that one wrong field does not hide the next.
fn fields<T: DeserializeOwned + Default>(name: &str, table: toml::Table, problems: &mut Vec<FieldProblem>) -> T {
    let mut readable = toml::Table::new();
    for (field, value) in table {
        let single = toml::Table::from_iter([(field.clone(), value.clone())]);
        match single.try_into::<T>() {
            Ok(_) => {
                readable.insert(field, value);
            }
            Err(problem) => {
                // A message may quote the value, and the value may be a secret.
                let quoted = problem.message();
                let secret = field.contains("secret") || field.contains("token") || field.contains("key");
                let text = if secret { "it is unknown, or of the wrong type" } else { quoted };
                problems.push(FieldProblem::new(format!("{name}.{field}"), text, "see the commented example"));
            }
        }
    }
    readable.try_into().unwrap_or_default()
}

fn one<T: DeserializeOwned + Default>(name: &str, value: Option<toml::Value>, problems: &mut Vec<FieldProblem>) -> T {
    match value {
        None => T::default(),
        Some(toml::Value::Table(table)) => fields(name, table, problems),
        Some(_) => {
            problems.push(FieldProblem::new(name, "it is not a table", format!("write [{name}] above its fields")));
            T::default()
        }
    }
}

fn many(name: &str, value: Option<toml::Value>, problems: &mut Vec<FieldProblem>) -> Vec<toml::Table> {
    let wrong =
        FieldProblem::new(name, "it is not a list of tables", format!("write [[{name}]] above the fields of each"));
    match value {
        None => Vec::new(),
        Some(toml::Value::Array(rows)) => {
            let tables: Vec<_> = rows.iter().filter_map(|row| row.as_table().cloned()).collect();
            if tables.len() != rows.len() {
                problems.push(wrong);
            }
            tables
        }
        Some(_) => {
            problems.push(wrong);
            Vec::new()
        }
    }
}

/// The secrets of an integration, which may be named in the environment.
const SECRETS: [&str; 3] = ["client_secret", "sslcom_account_key", "sslcom_secret_key"];

fn integration(
    row: usize,
    table: toml::Table,
    environment: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Map<String, Value> {
    let named = |field: &str| format!("integration[{row}].{field}");
    let mut input = match serde_json::to_value(table) {
        Ok(Value::Object(input)) => input,
        _ => Map::new(),
    };
    for secret in SECRETS {
        if let Some(Value::String(text)) = input.get(secret)
            && let Some(variable) = text.strip_prefix("env:")
        {
            match environment(variable) {
                Some(value) => {
                    input.insert(secret.to_owned(), Value::String(value));
                }
                None => {
                    let problem = format!("the environment has no variable {variable}");
                    problems.push(FieldProblem::new(named(secret), problem, "set it, or correct its name"));
                }
            }
        }
    }
    let (settings, unreadable) = SettingsInput::from_fields(input.clone());
    let bad = settings.parse(true).err().unwrap_or_default();
    let known: Vec<_> = unreadable.iter().map(|problem| problem.field.clone()).collect();
    let fresh = bad.into_iter().filter(|problem| !known.contains(&problem.field));
    for problem in unreadable.into_iter().chain(fresh) {
        // Said above already: a variable that is not set.
        if !problems.iter().any(|other| other.field == named(&problem.field)) {
            problems.push(FieldProblem { field: named(&problem.field), ..problem });
        }
    }
    input
}

fn tokens_of(
    rows: Vec<TokenRow>,
    environment: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<web::ApiToken> {
    let mut tokens = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        let field = |name: &str| format!("api_token[{index}].{name}");
        if row.name.trim().is_empty() {
            problems.push(FieldProblem::new(
                field("name"),
                "it is missing",
                "name who uses the token; the audit shows it",
            ));
        }
        let Some(role) = row.role else {
            problems.push(FieldProblem::new(
                field("role"),
                "it is missing",
                "use viewer, operator, approver, recovery or admin",
            ));
            continue;
        };
        match web::ApiToken::from_hex(row.name, &row.sha256, role) {
            Ok(token) => tokens.push(token),
            Err(problem) => {
                let fix = "make a random token and write its hash: printf %s \"$TOKEN\" | sha256sum";
                problems.push(FieldProblem::new(field("sha256"), problem.to_string(), fix));
            }
        }
    }
    if let Some(token) = environment(TOKEN_VARIABLE) {
        match token.len() {
            0..32 => problems.push(FieldProblem::new(
                TOKEN_VARIABLE,
                "the token is shorter than 32 characters",
                "make a random one: openssl rand -hex 32",
            )),
            _ => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
                let mut token_sha256 = [0; 32];
                token_sha256.copy_from_slice(hash.as_ref());
                tokens.push(web::ApiToken { name: "environment".to_owned(), token_sha256, role: Role::Admin });
            }
        }
    }
    tokens
}

/// An API token with every right, for scripts on the same machine. At least 32 characters.
pub const TOKEN_VARIABLE: &str = "INTUNE_SMIME_API_TOKEN";

fn place(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let line = span.and_then(|span| text.get(..span.start)).map_or(1, |before| before.lines().count().max(1));
    format!("line {line}")
}

/// Whether a browser or a vendor can be sent there without others reading along.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}
