//! Who may do what. The role is the ceiling; a grant says for which integration.

use serde::{Deserialize, Serialize};

/// What an operator may do. Each role may do what the ones before it may, but for `Recovery`, which stands apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Approver,
    Recovery,
    Admin,
}

impl Role {
    /// Whether somebody with this role may do what needs the other one.
    pub fn covers(self, needed: Self) -> bool {
        let rank = |role| match role {
            Self::Viewer => 0,
            Self::Operator => 1,
            Self::Approver => 2,
            Self::Admin => 3,
            Self::Recovery => 0,
        };
        match (self, needed) {
            (Self::Recovery, Self::Recovery) => true,
            (_, Self::Recovery) => false,
            (have, needed) => rank(have) >= rank(needed),
        }
    }
}

/// Who is asking, as whoever signed them in says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// What the audit calls them.
    pub name: String,
    /// Without one they may do nothing.
    pub roles: Vec<Role>,
}

impl Operator {
    /// Whether one of the roles is enough for what needs this one.
    pub fn covers(&self, needed: Role) -> bool {
        self.roles.iter().any(|role| role.covers(needed))
    }
}

/// A line of the audit: what an operator did. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: jiff::Timestamp,
    pub by: String,
    /// A dotted name such as `batch.approved`.
    pub action: String,
    /// What it was done to, by id.
    pub subject: String,
    #[serde(default)]
    pub detail: String,
}
