//! Which endpoints count, and how much, by where they are: what `localityLbSetting` says, with every word parsed.

use crate::locality::Locality;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// All alike.
    Equal,
    /// By the first whose `from` means the gateway, if there is one.
    Shares(Vec<LocalityShares>),
    /// The nearest first, if it is noticed when they fail.
    Nearest(Nearness),
}

/// What the gateways of a locality send where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalityShares {
    /// Which gateways.
    pub from: Locality,
    /// Percent by the endpoints' locality; others get nothing.
    pub to: Vec<(Locality, u32)>,
}

/// What near is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearness {
    /// The more of these an endpoint has in common with the gateway, the nearer; the first that differs decides. If there
    /// are none, or regions too, the locality does.
    pub labels: Vec<NearLabel>,
    /// Of the endpoints in other regions, which come first.
    pub regions: Vec<NextRegion>,
}

/// A label of `failoverPriority`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearLabel {
    /// Its name.
    pub key: String,
    /// The value that counts, if it is not the gateway's own.
    pub value: Option<String>,
}

/// An entry of `failover`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRegion {
    /// The gateway's.
    pub from: String,
    /// The one that comes next.
    pub to: String,
}
