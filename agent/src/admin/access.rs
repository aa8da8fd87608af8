//! Who may use the admin interface.

use super::guard::AdminHosts;
use super::token::AdminToken;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct AdminAccess {
    /// The host names that requests may be for.
    pub hosts: AdminHosts,
    /// The token that requests need; none if they need none.
    pub token: Option<AdminToken>,
}
