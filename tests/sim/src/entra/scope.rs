//! What a client asks for: OpenID scopes and the permissions of one resource.

use super::refusal::Refusal;
use crate::microsoft::World;

/// The scopes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scopes {
    pub(super) openid: bool,
    pub(super) offline_access: bool,
    pub(super) resource: Resource,
    /// Without the resource's prefix; `.default` stands for all that was consented to.
    pub(super) permissions: Vec<String>,
}

/// Whom the access token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Graph,
    /// The application's own API, as `api://{client id}`.
    Own,
}

impl Scopes {
    /// # Errors
    /// AADSTS70011 for nothing or something unknown, AADSTS28000 for two resources.
    pub(super) fn parse(text: &str, client_id: &str, world: &World) -> Result<Self, Refusal> {
        let unknown = |scope: &str| {
            let text = format!("The provided value for the input parameter 'scope' is not valid: '{scope}'.");
            Refusal::invalid_scope(70_011, text)
        };
        let own = [format!("api://{client_id}/"), format!("{client_id}/")];
        let graph = [format!("{}/", world.graph_url()), format!("{PUBLIC_GRAPH}/")];
        let mut scopes =
            Self { openid: false, offline_access: false, resource: Resource::Graph, permissions: Vec::new() };
        let mut resource = None;
        for scope in text.split_whitespace() {
            match scope {
                "openid" => scopes.openid = true,
                "offline_access" => scopes.offline_access = true,
                "profile" | "email" => {}
                _ => {
                    let prefixed =
                        |prefixes: &[String]| prefixes.iter().find_map(|prefix| scope.strip_prefix(prefix.as_str()));
                    let (found, permission) = if let Some(permission) = prefixed(&graph) {
                        (Resource::Graph, permission)
                    } else if let Some(permission) = prefixed(&own) {
                        (Resource::Own, permission)
                    } else {
                        // A bare name is a permission of Graph.
                        (Resource::Graph, scope)
                    };
                    if permission.is_empty() || permission.contains([':', '/']) {
                        return Err(unknown(scope));
                    }
                    if resource.get_or_insert_with(|| found.clone()) != &found {
                        let text = "The scope contains more than one resource.";
                        return Err(Refusal::invalid_scope(28_000, text));
                    }
                    scopes.permissions.push(permission.to_owned());
                }
            }
        }
        if text.trim().is_empty() {
            return Err(unknown(text));
        }
        scopes.resource = resource.unwrap_or(Resource::Graph);
        Ok(scopes)
    }

    pub(super) fn is_default(&self) -> bool {
        self.permissions.iter().any(|permission| permission == ".default")
    }
}

/// The name of Graph in the public cloud, which stays the same wherever this world listens.
const PUBLIC_GRAPH: &str = "https://graph.microsoft.com";
