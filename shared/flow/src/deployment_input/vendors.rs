//! The tables about the vendors: `sslcom`, `microsoft`, and what may be bought, `product`.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{
    WrittenDuration,
    tables::Notation,
    values::{base_address, time_out},
};
use crate::FieldProblem;

type Problems = Vec<FieldProblem>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SslComSection {
    base_url: Option<String>,
    connect_timeout: Option<WrittenDuration>,
    create_timeout: Option<WrittenDuration>,
    answer_timeout: Option<WrittenDuration>,
    state_field: sslcom::StateField,
    first_page: Option<u32>,
    mailbox_validation_item: Option<String>,
    intermediates: Option<String>,
    status: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MicrosoftSection {
    login_url: Option<String>,
    graph_url: Option<String>,
}

impl SslComSection {
    pub(super) fn endpoint(&self, problems: &mut Problems) -> sslcom::Endpoint {
        const FIX: &str =
            "use https://sws.sslpki.com, or https://sws-test.sslpki.com for the sandbox, which charges nothing";
        let url = match self.base_url.as_deref() {
            Some(text) => base_address("sslcom.base_url", text, problems),
            None => {
                problems.push(FieldProblem::new("sslcom.base_url", "it is missing", FIX));
                None
            }
        };
        let unused = || Url::parse("https://sws-test.sslpki.com").expect("a constant address");
        let mut endpoint = sslcom::Endpoint::at(url.unwrap_or_else(unused));
        let times = [
            ("connect_timeout", self.connect_timeout, &mut endpoint.connect_timeout, 60),
            // A worker gives its step seven and a half minutes.
            ("create_timeout", self.create_timeout, &mut endpoint.create_timeout, 360),
            ("answer_timeout", self.answer_timeout, &mut endpoint.answer_timeout, 360),
        ];
        for (name, given, place, most) in times {
            if let Some(time) = time_out(&format!("sslcom.{name}"), given, most, problems) {
                *place = time;
            }
        }
        endpoint.state_field = self.state_field;
        // Whether pages begin at 0 or 1 is not documented; from 0, both are covered.
        endpoint.first_page = self.first_page.unwrap_or(0);
        if let Some(item) = &self.mailbox_validation_item {
            if !item.contains("{address}") {
                let problem = "it does not say where the address stands";
                problems.push(FieldProblem::new("sslcom.mailbox_validation_item", problem, "write {address} there"));
            }
            endpoint.mailbox_validation_item = item.clone();
        }
        endpoint
    }

    /// Read whether or not the CA will need them: a mistake shows at the start, not at the first certificate.
    pub(super) fn intermediates(&self, problems: &mut Problems) -> pki::Bundle {
        let text = self.intermediates.as_deref().unwrap_or_default();
        pki::Bundle::of_authorities(text.as_bytes()).unwrap_or_else(|problem| {
            let fix = "paste SSL.com's intermediate certificates as PEM, one below the other";
            problems.push(FieldProblem::new("sslcom.intermediates", problem.to_string(), fix));
            pki::Bundle::default()
        })
    }

    /// The `status` rows, or the statuses that were seen where there are none.
    pub(super) fn statuses(&self, notation: Notation, problems: &mut Problems) -> sslcom::StatusTable {
        let rows = notation.rows("sslcom.status", self.status.clone(), problems);
        if rows.is_empty() {
            return sslcom::StatusTable::default();
        }
        let fix = match notation {
            Notation::Toml => "write it as { contains = \"waiting on validation\", stage = \"awaiting_validation\" }",
            Notation::Json => {
                "write it as {\"contains\": \"waiting on validation\", \"stage\": \"awaiting_validation\"}"
            }
        };
        let mut good = Vec::with_capacity(rows.len());
        for (name, row) in rows {
            let read =
                serde_json::from_value::<sslcom::StatusRow>(Value::Object(row)).map_err(|fault| fault.to_string());
            let kept = read.and_then(|row| sslcom::StatusTable::new(vec![row.clone()]).map(|_| row).map_err(reason));
            match kept {
                Ok(row) => good.push(row),
                Err(problem) => problems.push(FieldProblem::new(name, problem, fix)),
            }
        }
        sslcom::StatusTable::new(good).unwrap_or_default()
    }
}

impl MicrosoftSection {
    pub(super) fn endpoints(&self, problems: &mut Problems) -> Option<microsoft::Endpoints> {
        let (login, graph) = match (&self.login_url, &self.graph_url) {
            (None, None) => return None,
            (Some(login), Some(graph)) => (login, graph),
            // The other one is there, and cannot be read.
            _ if problems.iter().any(|problem| problem.field.starts_with("microsoft.")) => return None,
            _ => {
                let problem = "login_url and graph_url are given together";
                problems.push(FieldProblem::new("microsoft", problem, "give both, or neither for Microsoft's own"));
                return None;
            }
        };
        let login = base_address("microsoft.login_url", login, problems);
        let graph = base_address("microsoft.graph_url", graph, problems);
        microsoft::Endpoints::new(login?, graph?)
            .map_err(|problem| {
                problems.push(FieldProblem::new("microsoft", problem.to_string(), "correct the addresses"))
            })
            .ok()
    }
}

/// The `product` rows, or what is known of SSL.com's products where there are none.
pub(super) fn products(rows: Vec<(String, Map<String, Value>)>, problems: &mut Problems) -> sslcom::ProductTable {
    if rows.is_empty() {
        return sslcom::ProductTable::default();
    }
    let mut good = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        good.push(row);
        // The rows before are good, so it is this one that is refused.
        if let Err(problem) = sslcom::ProductTable::try_from(good.clone()) {
            good.pop();
            problems.push(FieldProblem::new(name, reason(problem), "see the rows of the commented example"));
        }
    }
    sslcom::ProductTable::try_from(good).unwrap_or_default()
}

fn reason(problem: sslcom::Error) -> String {
    match problem {
        // It names the field; the row is named already.
        sslcom::Error::Configuration { reason, .. } => reason,
        other => other.to_string(),
    }
}
