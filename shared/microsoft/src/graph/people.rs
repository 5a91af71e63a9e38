//! The directory's people: all of them, those of a group, or one (Graph docs, "List users", "List group transitive
//! members", "Get a user").

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::Url;
use uuid::{Uuid, uuid};

use super::{Call, Graph, LONGEST_OBJECT, LONGEST_PAGE, NextLink, SkippedRow, Start, paging::Page};
use crate::{Error, RequestIds};

/// The service plan "Microsoft Intune Plan 1" (Entra docs, "Product names and service plan identifiers").
pub const INTUNE_A: Uuid = uuid!("c1ec4a95-1f05-45b3-a911-aa3fa01094f5");

/// More than the default properties, so each one is named.
pub(super) const SELECT: &str =
    "id,userPrincipalName,mail,proxyAddresses,givenName,surname,displayName,accountEnabled,userType,assignedPlans";

/// A person as the directory has them. What is absent there is `None` or empty here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryUser {
    pub id: Uuid,
    pub user_principal_name: String,
    pub mail: Option<String>,
    /// `SMTP:` marks the primary address, `smtp:` another one; other prefixes are not mail.
    #[serde(default, deserialize_with = "null_is_default")]
    pub proxy_addresses: Vec<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub display_name: Option<String>,
    pub account_enabled: Option<bool>,
    /// `Member` or `Guest`.
    pub user_type: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub assigned_plans: Vec<AssignedPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedPlan {
    pub service_plan_id: Uuid,
    /// `Enabled`, `Deleted`, `Suspended`, `Warning` or `LockedOut`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub capability_status: String,
}

/// One page of people. It may be empty although there is a next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeoplePage {
    pub people: Vec<DirectoryUser>,
    pub skipped: Vec<SkippedRow>,
    pub next: Option<NextLink>,
    pub request_ids: RequestIds,
}

impl DirectoryUser {
    pub fn primary_smtp(&self) -> Option<&str> {
        self.proxy_addresses.iter().find_map(|address| address.strip_prefix("SMTP:"))
    }

    /// The other mail addresses, in the directory's order.
    pub fn smtp_aliases(&self) -> impl Iterator<Item = &str> {
        self.proxy_addresses.iter().filter_map(|address| address.strip_prefix("smtp:"))
    }

    /// Whether one of `plans` is assigned and enabled. Other products than [`INTUNE_A`] include Intune under other ids,
    /// so the list is a setting and a "no" is a warning.
    pub fn has_enabled_plan(&self, plans: &[Uuid]) -> bool {
        let enabled = |plan: &AssignedPlan| plan.capability_status.eq_ignore_ascii_case("Enabled");
        self.assigned_plans.iter().any(|plan| enabled(plan) && plans.contains(&plan.service_plan_id))
    }
}

impl Graph {
    /// One page of everybody in the directory. Needs `User.Read.All`.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn people_page(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        start: Start,
    ) -> Result<PeoplePage, Error> {
        let call = Call { name: "listing people", access, client_request_id };
        let url = self.page_url(start, |top| {
            let mut url = self.directory(["users"]);
            url.query_pairs_mut().append_pair("$select", SELECT).append_pair("$top", &top.to_string());
            url
        })?;
        Ok(self.page(call, url).await?.into())
    }

    /// One page of the people in a group and in the groups within it. Needs `GroupMember.Read.All`.
    ///
    /// # Errors
    /// As every read: [`Error`].
    pub async fn group_members_page(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        group_id: Uuid,
        start: Start,
    ) -> Result<PeoplePage, Error> {
        let call = Call { name: "listing the members of a group", access, client_request_id };
        let url = self.page_url(start, |top| {
            let group_id = group_id.to_string();
            let mut url = self.directory(["groups", &group_id, "transitiveMembers", "microsoft.graph.user"]);
            let mut query = url.query_pairs_mut();
            query.append_pair("$count", "true").append_pair("$select", SELECT).append_pair("$top", &top.to_string());
            drop(query);
            url
        })?;
        // Casting the members to users is an advanced query: it needs `$count`, and this header on every page.
        let request = self.http.get(url).header("ConsistencyLevel", "eventual");
        let answered = self.read_with(call, request, LONGEST_PAGE).await?;
        Ok(Page::read(call.name, answered)?.into())
    }

    /// One person as the directory has them now.
    ///
    /// # Errors
    /// [`Error::Refused`] with [`crate::Cause::NotFound`] when there is no such person (any more); else as every read.
    pub async fn user(
        &self,
        access: &SecretString,
        client_request_id: Uuid,
        object_id: Uuid,
    ) -> Result<DirectoryUser, Error> {
        let call = Call { name: "reading a person", access, client_request_id };
        let mut url: Url = self.directory(["users", &object_id.to_string()]);
        url.query_pairs_mut().append_pair("$select", SELECT);
        self.read(call, url, LONGEST_OBJECT).await?.json(call.name)
    }
}

impl From<Page<DirectoryUser>> for PeoplePage {
    fn from(page: Page<DirectoryUser>) -> Self {
        Self { people: page.rows, skipped: page.skipped, next: page.next, request_ids: page.request_ids }
    }
}

fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
