//! Who may call the JSON API with a bearer token: the `[[api_token]]` rows, and one token of the environment.

use aws_lc_rs::digest;
use domain::operator::Role;
use flow::{FieldProblem, deployment_input::tables::fields};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::TOKEN_VARIABLE;

/// Shorter ones could be guessed.
const FEWEST_CHARACTERS: usize = 32;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenRow {
    name: String,
    sha256: String,
    role: Option<Role>,
}

pub(super) fn tokens(
    rows: Vec<(String, Map<String, Value>)>,
    environment: &impl Fn(&str) -> Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Vec<web::ApiToken> {
    let mut tokens = Vec::with_capacity(rows.len());
    for (name, table) in rows {
        let row = fields(&name, table, problems);
        tokens.extend(token(&name, row, problems));
    }
    tokens.extend(environment(TOKEN_VARIABLE).and_then(|token| of_environment(&token, problems)));
    tokens
}

fn token(name: &str, row: TokenRow, problems: &mut Vec<FieldProblem>) -> Option<web::ApiToken> {
    let mut complain = |field: &str, problem: &str, fix: &str| {
        problems.push(FieldProblem::new(format!("{name}.{field}"), problem, fix));
    };
    if row.name.trim().is_empty() {
        complain("name", "it is missing", "name who uses the token; the audit shows it");
    }
    if row.role.is_none() {
        complain("role", "it is missing", "use viewer, operator, approver, recovery or admin");
    }
    // A missing role is filled in only so that the hash is looked at as well.
    let token = web::ApiToken::from_hex(row.name, &row.sha256, row.role.unwrap_or(Role::Viewer));
    let fix = "make a random token and write its hash: printf %s \"$TOKEN\" | sha256sum";
    token.map_err(|problem| complain("sha256", &problem.to_string(), fix)).ok()
}

fn of_environment(token: &str, problems: &mut Vec<FieldProblem>) -> Option<web::ApiToken> {
    if token.len() < FEWEST_CHARACTERS {
        let problem = format!("the token is shorter than {FEWEST_CHARACTERS} characters");
        problems.push(FieldProblem::new(TOKEN_VARIABLE, problem, "make a random one: openssl rand -hex 32"));
        return None;
    }
    let mut token_sha256 = [0; 32];
    token_sha256.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    Some(web::ApiToken { name: "environment".to_owned(), token_sha256, role: Role::Admin })
}
