//! Who may ask.

use super::guard::AdminHosts;
use super::token::AdminToken;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct AdminAccess {
    /// By which names.
    pub hosts: AdminHosts,
    /// What they have to have; none asks for nothing.
    pub token: Option<AdminToken>,
}
