//! The least that an app needs on Graph, and how to tell what it was granted beyond that.

/// A right on Graph that some call here needs, as application permission or as delegated scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    ReadPeople,
    /// Only when people are chosen by group.
    ReadGroupMembers,
    /// Covers reading records, connectors and profiles.
    WriteRecords,
}

impl Permission {
    /// The least one by which the right is granted.
    pub fn name(self) -> &'static str {
        self.granted_by()[0]
    }

    /// Whether one of `granted` contains the right; the Graph docs list the wider ones with each call.
    pub fn is_among<S: AsRef<str>>(self, granted: &[S]) -> bool {
        granted.iter().any(|name| self.granted_by().contains(&name.as_ref()))
    }

    fn granted_by(self) -> &'static [&'static str] {
        match self {
            Self::ReadPeople => {
                &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]
            }
            Self::ReadGroupMembers => &[
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Self::WriteRecords => &["DeviceManagementConfiguration.ReadWrite.All"],
        }
    }
}

/// Those of `granted` that none of `needed` asks for by name: what an administrator may take away again, once the
/// least ones are there.
pub fn granted_without_need<'a, S: AsRef<str>>(granted: &'a [S], needed: &[Permission]) -> Vec<&'a str> {
    // The sign-in scopes, and a profile read that comes with every delegated sign-in.
    const HARMLESS: [&str; 5] = ["openid", "profile", "email", "offline_access", "User.Read"];

    let is_needed = |name: &str| needed.iter().any(|permission| permission.name() == name);
    let names = granted.iter().map(AsRef::as_ref);
    names.filter(|name| !is_needed(name) && !HARMLESS.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [Permission; 2] = [Permission::ReadPeople, Permission::WriteRecords];

    #[test]
    fn the_least_permissions_are_enough_and_nothing_is_left_over() {
        let granted = ["User.Read.All", "DeviceManagementConfiguration.ReadWrite.All"];
        assert!(PLAIN.iter().all(|permission| permission.is_among(&granted)));
        assert!(!Permission::ReadGroupMembers.is_among(&granted));
        assert!(granted_without_need(&granted, &PLAIN).is_empty());
    }

    #[test]
    fn a_wider_permission_contains_the_right_and_is_more_than_needed() {
        let granted = ["User.ReadWrite.All", "Group.ReadWrite.All", "User.Read", "openid"];
        assert!(Permission::ReadPeople.is_among(&granted));
        assert!(Permission::ReadGroupMembers.is_among(&granted));
        assert!(!Permission::WriteRecords.is_among(&granted));
        assert_eq!(granted_without_need(&granted, &PLAIN), ["User.ReadWrite.All", "Group.ReadWrite.All"]);
    }

    #[test]
    fn reading_configuration_does_not_allow_writing_it() {
        assert!(!Permission::WriteRecords.is_among(&["DeviceManagementConfiguration.Read.All"]));
    }
}
