//! Names that more than one message has to agree on.

/// The listener of a port, its routes and its counters: stable, so that a change of its content is an update and not a
/// new listener.
pub(super) fn listener(port: u16) -> String {
    format!("gateway-{port}")
}

/// The port of a listener of this name.
pub(super) fn port_of_listener(name: &str) -> Option<u16> {
    name.strip_prefix("gateway-")?.parse().ok()
}
