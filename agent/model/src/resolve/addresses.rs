//! Addresses that must not be upstreams: those of the gateway's own machine. Envoy's admin interface listens there, and
//! a route to it would let clients stop the proxy.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::resolved::Endpoint;

/// Where requests may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether loopback and link-local addresses may be upstreams.
    pub local: bool,
    /// Ports of admin interfaces: never upstreams at local addresses, nor at names that could resolve to one.
    pub barred_ports: BTreeSet<u16>,
}

impl AddressPolicy {
    /// Why an endpoint must not be an upstream, if so.
    pub(super) fn allows(&self, endpoint: &Endpoint, refused: &mut Vec<String>) -> bool {
        let refusal = self.refusal(endpoint);
        refused.extend(refusal.map(|reason| format!("{}:{}: {reason}", endpoint.address, endpoint.port)));
        refusal.is_none()
    }

    fn refusal(&self, endpoint: &Endpoint) -> Option<&'static str> {
        let is_barred = self.barred_ports.contains(&endpoint.port);
        let Ok(address) = endpoint.address.parse::<IpAddr>() else {
            if is_number(&endpoint.address) {
                return Some("neither an address nor a DNS name");
            }
            let is_local = is_local_name(&endpoint.address);
            return match (is_local && !self.local, is_barred) {
                (true, _) => Some("a name for the gateway's own machine"),
                // What a name resolves to is not known here.
                (false, true) => Some("the port of an admin interface, with a name that may resolve to it"),
                (false, false) => None,
            };
        };
        let address = address.to_canonical();
        if address.is_unspecified() || address.is_multicast() || is_broadcast(address) {
            Some("an address that no service can have")
        } else if !is_local(address) {
            None
        } else if !self.local {
            Some("an address of the gateway's own machine")
        } else if is_barred {
            Some("the port of an admin interface")
        } else {
            None
        }
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

/// Cloud metadata services with credentials, besides the link-local ones: Alibaba's and Azure's, and with IPv6 Amazon's
/// and Google's.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Loopback, link-local and metadata.
fn is_local(address: IpAddr) -> bool {
    let is_near = match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.octets().first() == Some(&0)
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    is_near || METADATA.contains(&address)
}

/// Whether resolvers may read a name as an address, such as `127.1` or `0x7f000001`: its last label is a number.
fn is_number(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match digits {
        Some(digits) => digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|digit| digit.is_ascii_digit()),
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolved::EndpointHealth;

    #[test]
    fn what_leads_to_the_gateways_own_machine_is_taken_out() {
        let policy = |local| AddressPolicy {
            local,
            barred_ports: BTreeSet::from([15_000]),
        };
        // Allowed where local addresses are not, and where they are.
        for (address, port, cluster, machine) in [
            ("10.0.0.1", 80, true, true),
            ("10.0.0.1", 15_000, true, true),
            ("2001:db8::1", 80, true, true),
            ("127.0.0.1", 80, false, true),
            ("127.0.0.1", 15_000, false, false),
            ("127.9.9.9", 15_000, false, false),
            ("::1", 80, false, true),
            ("::ffff:127.0.0.1", 15_000, false, false),
            ("169.254.169.254", 80, false, true),
            ("fe80::1", 80, false, true),
            ("fd00:ec2::254", 80, false, true),
            ("fd20:ce::254", 80, false, true),
            ("100.100.100.200", 80, false, true),
            ("168.63.129.16", 80, false, true),
            ("127.1", 80, false, false),
            ("2130706433", 80, false, false),
            ("0x7f000001", 80, false, false),
            ("0177.0.0.01.", 80, false, false),
            ("a.0xcafe.example", 80, true, true),
            ("0.0.0.0", 80, false, false),
            ("0.1.2.3", 80, false, true),
            ("::", 80, false, false),
            ("224.0.0.1", 80, false, false),
            ("255.255.255.255", 80, false, false),
            ("localhost", 80, false, true),
            ("A.LocalHost.", 80, false, true),
            ("web.example.com", 80, true, true),
            ("web.example.com", 15_000, false, false),
        ] {
            for (local, expected) in [(false, cluster), (true, machine)] {
                let endpoint = Endpoint {
                    address: address.to_owned(),
                    port,
                    health: EndpointHealth::default(),
                    weight: 1,
                };
                let mut refused = Vec::new();
                assert_eq!(
                    policy(local).allows(&endpoint, &mut refused),
                    expected,
                    "{address}:{port}, local {local}"
                );
                assert_eq!(refused.is_empty(), expected, "{address}:{port}, local {local}");
            }
        }
    }
}
