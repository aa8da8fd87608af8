//! Names that more than one message has to agree on.

/// The listener of a port, its routes and its counters: stable, so that a change of its content is an update and not a
/// new listener.
pub(super) fn listener(port: u16) -> String {
    format!("gateway-{port}")
}
