//! What is there to be attacked.

/// Where things are that an object can name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// The attacker's own upstream.
    pub(super) stolen: u16,
    /// Ports that a Gateway may ask for, those of others and those that somebody listens on included.
    pub(super) ports: Vec<u16>,
}
