//! The `[server]` table: where this process listens, where it is reached, and where its data is.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use flow::{
    Deployment, FieldProblem,
    deployment_input::values::{base_address, is_safe, redirect_below},
};
use serde::Deserialize;
use url::Url;

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
        base_address("server.public_url", self.public_url.as_deref()?, problems)
    }

    /// The address that is registered in Entra: a browser on this machine when there is no public one.
    pub(super) fn redirect_url(&self, listen: SocketAddr, public: Option<&Url>, problems: &mut Problems) -> Url {
        let local = || base_address("server.listen", &format!("http://localhost:{}/", listen.port()), &mut Vec::new());
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
            .or_else(|| public.cloned().or_else(local).as_ref().and_then(redirect_below))
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
