//! Names that several messages share.

/// The suffix of a QUIC listener's name.
const QUIC: &str = "-http3";

/// The name of a port's listener, its routes and its counters. It is stable, so that a change is an update and not a
/// new listener.
pub(super) fn listener(port: u16) -> String {
    format!("gateway-{port}")
}

/// The name of a port's QUIC listener.
pub(super) fn quic_listener(port: u16) -> String {
    listener(port) + QUIC
}

/// The port of the listener with this name, for TCP or QUIC.
pub(super) fn port_of_listener(name: &str) -> Option<u16> {
    let name = name.strip_suffix(QUIC).unwrap_or(name);
    name.strip_prefix("gateway-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_listeners_of_a_port_are_known_by_their_names() {
        assert_eq!(port_of_listener(&listener(443)), Some(443));
        assert_eq!(port_of_listener(&quic_listener(443)), Some(443));
        for other in ["gateway-0-table", "gateway-443-http", "443-http3"] {
            assert_eq!(port_of_listener(other), None, "{other}");
        }
    }
}
