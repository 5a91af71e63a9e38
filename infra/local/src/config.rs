//! The deployment file of `serve`: TOML, checked as a whole, so that everything that is wrong is named at once.
//!
//! Secrets may stand in the file or, better, in the environment: `client_secret = "env:ENTRA_CLIENT_SECRET"`. No text of
//! a problem holds one.

mod integrations;
mod json;
mod pace;
mod server;
mod tokens;

use std::{fmt, net::SocketAddr, path::PathBuf};

use flow::{
    Deployment, FieldProblem, VendorEndpoints,
    deployment_input::{
        self, DeploymentInput, Notation, Surroundings, Tables, first_of_each_field, tables::unknown_table,
    },
};
use serde_json::{Map, Value};

use self::server::ServerSection;
use crate::runner::Pace;

/// What `serve` needs to start.
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

/// An API token with every right, for scripts on the same machine. At least 32 characters.
pub const TOKEN_VARIABLE: &str = "INTUNE_SMIME_API_TOKEN";

/// The tables that a deployment file may have.
const TABLES: [&str; 7] = ["server", "api_token", "sslcom", "microsoft", "product", "timing", "integration"];

impl Config {
    /// Reads a deployment file's text. `environment` answers the value of a variable.
    ///
    /// # Errors
    ///
    /// Every problem of the file.
    pub fn read(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut file = match text.parse() {
            Ok(table) => json::json_fields(table),
            Err(problem) => {
                let place = format!("the file, {}", place(text, problem.span()));
                let fix = "write it as TOML: see the commented example";
                return Err(Problems(vec![FieldProblem::new(place, problem.message(), fix)]));
            }
        };
        let mut problems = Vec::new();
        for name in file.keys().filter(|name| !TABLES.contains(&name.as_str())) {
            problems.push(unknown_table(name, &TABLES));
        }
        let mut take = |name: &str| file.remove(name);
        let notation = Notation::Toml;
        let server: ServerSection = notation.table("server", take("server"), &mut problems);
        let tokens = notation.rows("api_token", take("api_token"), &mut problems);
        let integrations = notation.rows("integration", take("integration"), &mut problems);
        file.retain(|name, _| deployment_input::TABLES.contains(&name.as_str()));

        let listen = server.listen(&mut problems);
        let public_url = server.public_url(&mut problems);
        let redirect_url = server.redirect_url(listen, public_url.as_ref(), &mut problems);
        let hosts = server.hosts(listen, public_url.as_ref(), &mut problems);
        let tokens = tokens::tokens(tokens, &environment, &mut problems);
        let pace = pace::pace(file.get("timing"), &mut problems);
        let tables = Tables { named: file, notation, timing_of_caller: &pace::FIELDS };
        let surroundings = Surroundings { public_url, redirect_url, stop_buying: server.stop_buying };
        let input = DeploymentInput::read(tables, surroundings).map_err(|found| problems.extend(found));
        let integrations = integrations::integrations(integrations, &environment, &mut problems);
        match input {
            Ok(DeploymentInput { vendors, deployment }) if problems.is_empty() => {
                let data = server.data();
                Ok(Self { listen, data, hosts, tokens, vendors, deployment, pace, integrations })
            }
            _ => Err(Problems(first_of_each_field(problems))),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let integrations: Vec<_> = self.integrations.iter().filter_map(|input| input.get("name")).collect();
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .field("hosts", &self.hosts)
            .field("tokens", &self.tokens)
            .field("vendors", &self.vendors)
            .field("deployment", &self.deployment)
            .field("pace", &self.pace)
            // Their other fields hold secrets.
            .field("integrations", &integrations)
            .finish()
    }
}

fn place(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}", before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;
