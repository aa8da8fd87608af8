//! What proxies make of a resource.

/// What the connected proxies make of a resource as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// All of them have it.
    Taken,
    /// It is not there, and none of them has it.
    Absent,
    /// One refuses it, for this reason, and goes on with an older version: whose changes are part of it wait.
    Refused(String),
    /// One refuses it, for this reason, and none ever had it: nobody is served by it who could be harmed.
    NeverTaken(String),
    /// One refuses it, for this reason, and never had it; others have it, or may have it of an agent before this one, and
    /// would be harmed.
    Unfit(String),
    /// Not all of them have answered.
    Pending,
    /// There are none.
    Nobody,
}

impl Reception {
    /// Why a proxy refuses it, if one does.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(reason) | Self::NeverTaken(reason) | Self::Unfit(reason) => Some(reason),
            Self::Taken | Self::Absent | Self::Pending | Self::Nobody => None,
        }
    }
}
