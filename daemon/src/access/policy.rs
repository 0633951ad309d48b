//! What each request needs: the one table. What is not in it is denied.

use super::Role;

/// What a request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permission {
    /// Anybody, signed in or not.
    Public,
    /// Media: any role, or a signed play URL whose bounds the handler checks.
    Play,
    /// At least this role.
    Role(Role),
}
