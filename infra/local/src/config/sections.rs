//! The tables of the deployment file, and how each becomes what the rooms are given.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use flow::{Deployment, FieldProblem};
use jiff::SignedDuration;
use serde::Deserialize;
use url::{Host, Url};

use super::tables::{json_fields, many};

type Problems = Vec<FieldProblem>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerSection {
    listen: Option<String>,
    public_url: Option<String>,
    redirect_url: Option<String>,
    data: Option<PathBuf>,
    hosts: Option<Vec<String>>,
    pub(super) stop_buying: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MicrosoftSection {
    login_url: Option<String>,
    graph_url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SslComSection {
    base_url: Option<String>,
    connect_timeout: Option<SignedDuration>,
    create_timeout: Option<SignedDuration>,
    answer_timeout: Option<SignedDuration>,
    state_field: sslcom::StateField,
    first_page: Option<u32>,
    mailbox_validation_item: Option<String>,
    status: Option<toml::Value>,
}

impl ServerSection {
    pub(super) fn listen(&self, problems: &mut Problems) -> SocketAddr {
        let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
        let Some(text) = &self.listen else { return default };
        text.parse().unwrap_or_else(|_| {
            problems.push(FieldProblem::new(
                "server.listen",
                "it is not an address and a port",
                "write it as in 127.0.0.1:8080",
            ));
            default
        })
    }

    pub(super) fn public_url(&self, problems: &mut Problems) -> Option<Url> {
        base("server.public_url", self.public_url.as_deref()?, problems)
    }

    /// The address that is registered in Entra: a browser on this machine when there is no public one.
    pub(super) fn redirect_url(&self, listen: SocketAddr, public: Option<&Url>, problems: &mut Problems) -> Url {
        let local = || base("server.listen", &format!("http://localhost:{}/", listen.port()), &mut Vec::new());
        let callback = |base: Url| base.join("oauth/callback").ok();
        let given = self.redirect_url.as_deref().and_then(|text| match Url::parse(text) {
            Ok(url) if is_safe(&url) => Some(url),
            _ => {
                let problem = "it is not an https address (http only for this machine)";
                problems.push(FieldProblem::new(
                    "server.redirect_url",
                    problem,
                    "give the redirect URI that is registered in Entra",
                ));
                None
            }
        });
        given
            .or_else(|| public.cloned().or_else(local).and_then(callback))
            .unwrap_or_else(|| Deployment::default().redirect_url)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from("intune-smime-data"))
    }

    /// The names under which a browser may ask: this machine's, and the public one.
    pub(super) fn hosts(
        &self,
        listen: SocketAddr,
        public: Option<&Url>,
        problems: &mut Problems,
    ) -> Option<Vec<String>> {
        if let Some(hosts) = &self.hosts {
            if hosts.is_empty() {
                let fix = "name the hosts under which browsers ask, or leave it out";
                problems.push(FieldProblem::new("server.hosts", "it is empty, so nobody could ask", fix));
            }
            return Some(hosts.clone());
        }
        let public = public.and_then(Url::host_str).map(str::to_owned);
        if !listen.ip().is_loopback() && public.is_none() {
            return None;
        }
        let local = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        Some(local.into_iter().chain(public).collect())
    }
}

impl MicrosoftSection {
    pub(super) fn endpoints(&self, problems: &mut Problems) -> Option<microsoft::Endpoints> {
        let (login, graph) = match (&self.login_url, &self.graph_url) {
            (None, None) => return None,
            (Some(login), Some(graph)) => (login, graph),
            _ => {
                let problem = "login_url and graph_url are given together";
                problems.push(FieldProblem::new("microsoft", problem, "give both, or neither for Microsoft's own"));
                return None;
            }
        };
        let login = base("microsoft.login_url", login, problems)?;
        let graph = base("microsoft.graph_url", graph, problems)?;
        microsoft::Endpoints::new(login, graph)
            .map_err(|problem| {
                problems.push(FieldProblem::new("microsoft", problem.to_string(), "correct the addresses"))
            })
            .ok()
    }
}

impl SslComSection {
    pub(super) fn endpoint(&self, problems: &mut Problems) -> sslcom::Endpoint {
        const FIX: &str =
            "use https://sws.sslpki.com, or https://sws-test.sslpki.com for the sandbox, which charges nothing";
        let url = match self.base_url.as_deref() {
            Some(text) => base("sslcom.base_url", text, problems),
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
            if let Some(time) = duration(&format!("sslcom.{name}"), given, most, problems) {
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

    /// The `status` rows, or the statuses that were seen where there are none.
    pub(super) fn statuses(&self, problems: &mut Problems) -> sslcom::StatusTable {
        let rows = many("sslcom.status", self.status.clone(), problems);
        if rows.is_empty() {
            return sslcom::StatusTable::default();
        }
        let mut good = Vec::with_capacity(rows.len());
        for (name, row) in rows {
            let read = row.try_into::<sslcom::StatusRow>().map_err(|problem| problem.message().to_owned());
            let kept = read.and_then(|row| sslcom::StatusTable::new(vec![row.clone()]).map(|_| row).map_err(reason));
            match kept {
                Ok(row) => good.push(row),
                Err(problem) => problems.push(FieldProblem::new(
                    name,
                    problem,
                    "write it as { contains = \"waiting on validation\", stage = \"awaiting_validation\" }",
                )),
            }
        }
        sslcom::StatusTable::new(good).unwrap_or_default()
    }
}

/// The `[[product]]` rows, or what is known of SSL.com's products where there are none.
pub(super) fn products(rows: Vec<(String, toml::Table)>, problems: &mut Problems) -> sslcom::ProductTable {
    if rows.is_empty() {
        return sslcom::ProductTable::default();
    }
    let mut good = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        good.push(json_fields(row));
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

/// A base address, always with a slash at its end, so that paths can be joined to it.
fn base(field: &str, text: &str, problems: &mut Problems) -> Option<Url> {
    let text = text.trim();
    let slashed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    let (problem, fix) = match Url::parse(&slashed) {
        Ok(url) if !is_safe(&url) => ("it is not https (http only for this machine)", "use an https address"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            ("it names a user", "leave out what stands before the @")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            ("it has a query or a fragment", "leave out what follows the ? or #")
        }
        Ok(url) => return Some(url),
        Err(_) => ("it is not an address", "write it as in https://smime.example.com"),
    };
    problems.push(FieldProblem::new(field, problem, fix));
    None
}

/// Whether a browser or a vendor can be sent there without others reading along.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

fn duration(field: &str, given: Option<SignedDuration>, most: i64, problems: &mut Problems) -> Option<Duration> {
    let given = given?;
    if given <= SignedDuration::ZERO || given > SignedDuration::from_secs(most) {
        problems.push(FieldProblem::new(
            field,
            format!("it is not between 0 and {most} seconds"),
            "write it as in \"10s\" or \"5m\"",
        ));
        return None;
    }
    Duration::try_from(given).ok()
}
