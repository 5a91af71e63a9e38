//! Which Microsoft cloud a tenant lives in, and the two hosts that are spoken to there.
//!
//! Tokens are not interchangeable between clouds (Graph docs, "National cloud deployments").

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::Error;

/// One of the deployments named in the Graph docs, "National cloud deployments". GCC is part of `Global`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    #[default]
    Global,
    /// GCC High.
    UsGovL4,
    /// The Department of Defense.
    UsGovL5,
    /// Operated by 21Vianet.
    China,
}

impl Cloud {
    pub fn login_base(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGovL4 | Self::UsGovL5 => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    pub fn graph_base(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGovL4 => "https://graph.microsoft.us",
            Self::UsGovL5 => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

/// Where Entra ID and Graph are reached. The Graph address is also the resource for which tokens are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    login: Url,
    graph: Url,
}

impl Endpoints {
    pub fn of(cloud: Cloud) -> Self {
        let constant = |base| Url::parse(base).expect("the addresses of the clouds are valid");
        Self { login: constant(cloud.login_base()), graph: constant(cloud.graph_base()) }
    }

    /// Other addresses than a cloud's own. This is for deployment configuration, never for a tenant's settings: client
    /// secrets and tokens are sent there.
    ///
    /// # Errors
    /// [`Error::Endpoint`] unless both are https, or http on this machine, without user, query or fragment.
    pub fn new(login: Url, graph: Url) -> Result<Self, Error> {
        for (which, url) in [("login", &login), ("graph", &graph)] {
            if !is_protected(url) || url.query().is_some() || url.fragment().is_some() {
                return Err(Error::Endpoint { which });
            }
        }
        Ok(Self { login, graph })
    }

    pub fn login(&self) -> &Url {
        &self.login
    }

    pub fn graph(&self) -> &Url {
        &self.graph
    }

    /// The scope by which an app asks for all that it was granted on Graph.
    pub fn graph_default_scope(&self) -> String {
        format!("{}/.default", self.graph.as_str().trim_end_matches('/'))
    }
}

/// https, or http that does not leave this machine; and no credentials in the address.
pub(crate) fn is_protected(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_encrypted = url.scheme() == "https" && url.has_host();
    (is_encrypted || (url.scheme() == "http" && is_loopback)) && url.username().is_empty() && url.password().is_none()
}

/// `base` with more path segments, each percent-encoded.
pub(crate) fn under<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("an http address has path segments").pop_if_empty().extend(segments);
    url
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn endpoints(login: &str) -> Result<Endpoints, Error> {
        Endpoints::new(login.parse().unwrap(), "https://graph.microsoft.com".parse().unwrap())
    }

    #[test]
    fn plain_http_is_accepted_on_this_machine_only() {
        for local in ["http://127.0.0.1:4000", "http://localhost:4000/entra", "http://[::1]:4000"] {
            assert!(endpoints(local).is_ok(), "{local}");
        }
        for remote in
            ["http://login.microsoftonline.com", "http://localhost.example.com", "http://10.0.0.1", "file:///x"]
        {
            assert!(matches!(endpoints(remote), Err(Error::Endpoint { which: "login" })), "{remote}");
        }
    }

    #[test]
    fn an_address_with_credentials_or_a_query_is_refused() {
        for odd in ["https://user:pass@login.example", "https://login.example/?a=b", "https://login.example/#a"] {
            assert!(endpoints(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn every_cloud_has_its_own_graph_and_its_scope_names_it() {
        let scopes = [Cloud::Global, Cloud::UsGovL4, Cloud::UsGovL5, Cloud::China]
            .map(|cloud| Endpoints::of(cloud).graph_default_scope());
        assert_eq!(
            scopes,
            [
                "https://graph.microsoft.com/.default",
                "https://graph.microsoft.us/.default",
                "https://dod-graph.microsoft.us/.default",
                "https://microsoftgraph.chinacloudapi.cn/.default",
            ]
        );
    }

    #[test]
    fn the_name_of_a_cloud_in_settings_does_not_change() {
        assert_eq!(serde_json::to_string(&Cloud::UsGovL4).unwrap(), r#""us_gov_l4""#);
    }

    #[test]
    fn segments_are_appended_below_a_prefix_and_encoded() {
        let base = "https://proxy.example/graph/".parse().unwrap();
        assert_eq!(
            under(&base, ["v1.0", "users", "a/b?c"]).as_str(),
            "https://proxy.example/graph/v1.0/users/a%2Fb%3Fc"
        );
    }
}
