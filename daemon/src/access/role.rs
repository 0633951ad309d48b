//! What a caller may do, in three steps.

use larder_proto::pb;
use serde::{Deserialize, Serialize};

/// How much a caller may do; each may do what the ones before it may. The names are kept in rows: a contract.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Role {
    /// Look: live, recordings, status.
    Viewer,
    /// Also command cameras, record, pin and delete.
    Operator,
    /// Also cameras, keys and access.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The kept name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The role of a request; `None` when it names none.
    pub fn from_pb(role: i32) -> Option<Self> {
        match pb::Role::try_from(role) {
            Ok(pb::Role::Viewer) => Some(Self::Viewer),
            Ok(pb::Role::Operator) => Some(Self::Operator),
            Ok(pb::Role::Admin) => Some(Self::Admin),
            Ok(pb::Role::Unspecified) | Err(_) => None,
        }
    }
}

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_its_name_and_its_message() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(Role::from_pb(pb::Role::from(role).into()), Some(role));
        }
        assert_eq!(Role::from_name("root"), None);
        assert_eq!(Role::from_pb(0), None);
        assert_eq!(Role::from_pb(99), None);
    }

    #[test]
    fn each_role_stands_above_the_one_before_it() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }
}
