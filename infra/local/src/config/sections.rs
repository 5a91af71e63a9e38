//! The tables of the deployment file, and how each becomes what the rooms are given.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use domain::operator::Role;
use flow::{Deployment, FieldProblem};
use jiff::SignedDuration;
use serde::Deserialize;
use url::Url;

use super::is_safe;
use crate::runner::Pace;

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
pub(super) struct TokenRow {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) role: Option<Role>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TimingSection {
    purchase_window: Option<SignedDuration>,
    quiet_time: Option<SignedDuration>,
    look_up_after: Option<Vec<SignedDuration>>,
    poll_after: Option<Vec<SignedDuration>>,
    read_back_after: Option<Vec<SignedDuration>>,
    retry_after: Option<SignedDuration>,
    failures_allowed: Option<u32>,
    released_per_sweep: Option<usize>,
    sweep_every: Option<SignedDuration>,
    purchases_at_once: Option<usize>,
    jobs_at_once: Option<usize>,
    clicks_accepted: Option<bool>,
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
    pub(super) fn hosts(&self, listen: SocketAddr, public: Option<&Url>) -> Option<Vec<String>> {
        if let Some(hosts) = &self.hosts {
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
            endpoint.mailbox_validation_item = item.clone();
        }
        endpoint
    }

    pub(super) fn statuses(&self, problems: &mut Problems) -> sslcom::StatusTable {
        let Some(rows) = self.status.clone() else { return sslcom::StatusTable::default() };
        rows.try_into().unwrap_or_else(|problem: toml::de::Error| {
            problems.push(FieldProblem::new(
                "sslcom.status",
                problem.message(),
                "write rows as { contains = \"…\", stage = \"…\" }",
            ));
            sslcom::StatusTable::default()
        })
    }
}

impl TimingSection {
    pub(super) fn deployment(&self, create_timeout: Duration, problems: &mut Problems) -> Deployment {
        let default = Deployment::default();
        let purchase_window = self.purchase_window.unwrap_or(default.purchase_window);
        if purchase_window > SignedDuration::from_secs(60) || purchase_window < SignedDuration::from_secs(1) {
            let problem = "a purchase may start between 1 and 60 seconds after it was written down";
            problems.push(FieldProblem::new("timing.purchase_window", problem, "use 60s"));
        }
        let quiet_time = self.quiet_time.unwrap_or(default.quiet_time);
        let create_timeout = SignedDuration::try_from(create_timeout).unwrap_or(SignedDuration::MAX);
        let least = purchase_window.saturating_add(create_timeout);
        if quiet_time <= least {
            let problem = format!(
                "a purchase may still be answered {least:#} after it was written down, so {quiet_time:#} is too short"
            );
            let fix =
                "make it longer than timing.purchase_window and sslcom.create_timeout together; 30m is the default";
            problems.push(FieldProblem::new("timing.quiet_time", problem, fix));
        }
        let schedule =
            |name: &str, given: &Option<Vec<SignedDuration>>, default: Vec<SignedDuration>, problems: &mut Problems| {
                let schedule = given.clone().unwrap_or(default);
                if schedule.is_empty() || schedule.iter().any(SignedDuration::is_negative) {
                    let problem = "it is empty, or holds a negative time";
                    problems.push(FieldProblem::new(
                        format!("timing.{name}"),
                        problem,
                        "write it as in [\"1m\", \"2m\", \"5m\"]",
                    ));
                }
                schedule
            };
        Deployment {
            purchase_window,
            quiet_time,
            look_up_after: schedule("look_up_after", &self.look_up_after, default.look_up_after.clone(), problems),
            poll_after: schedule("poll_after", &self.poll_after, default.poll_after.clone(), problems),
            read_back_after: schedule(
                "read_back_after",
                &self.read_back_after,
                default.read_back_after.clone(),
                problems,
            ),
            retry_after: self.retry_after.unwrap_or(default.retry_after),
            failures_allowed: self.failures_allowed.unwrap_or(default.failures_allowed),
            released_per_sweep: self.released_per_sweep.unwrap_or(default.released_per_sweep),
            clicks_accepted: self.clicks_accepted.unwrap_or(default.clicks_accepted),
            ..default
        }
    }

    pub(super) fn pace(&self) -> Pace {
        let default = Pace::default();
        Pace {
            sweep_every: self.sweep_every.and_then(|time| Duration::try_from(time).ok()).unwrap_or(default.sweep_every),
            purchases_at_once: self.purchases_at_once.unwrap_or(default.purchases_at_once),
            jobs_at_once: self.jobs_at_once.unwrap_or(default.jobs_at_once),
        }
    }
}

/// The `[[product]]` rows, or SSL.com's own list where there are none.
pub(super) fn products(rows: Option<toml::Value>, problems: &mut Problems) -> sslcom::ProductTable {
    let Some(rows) = rows else { return sslcom::ProductTable::default() };
    rows.try_into().unwrap_or_else(|problem: toml::de::Error| {
        problems.push(FieldProblem::new("product", problem.message(), "see the rows of the commented example"));
        sslcom::ProductTable::default()
    })
}

/// A base address, always with a slash at its end, so that paths can be joined to it.
fn base(field: &str, text: &str, problems: &mut Problems) -> Option<Url> {
    let text = text.trim();
    let slashed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    match Url::parse(&slashed) {
        Ok(url) if is_safe(&url) && url.query().is_none() && url.fragment().is_none() => Some(url),
        Ok(url) if !is_safe(&url) => {
            let problem = "it is not https (http only for this machine)";
            problems.push(FieldProblem::new(field, problem, "use an https address"));
            None
        }
        _ => {
            problems.push(FieldProblem::new(field, "it is not an address", "write it as in https://smime.example.com"));
            None
        }
    }
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
