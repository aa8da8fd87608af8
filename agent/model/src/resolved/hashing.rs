//! Which endpoint a request goes to, by a hash of something that it says: requests that say the same go to the same one.

use std::fmt;
use std::time::Duration;

use super::{Endpoint, EndpointGroup, EndpointSource, Endpoints};

/// What is hashed, and how an endpoint is found by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashBalancing {
    /// What is hashed. A request without it goes to any endpoint.
    pub by: HashedValue,
    /// How an endpoint is found.
    pub table: HashTable,
}

/// What is hashed of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashedValue {
    /// A header, with all its values.
    Header(String),
    /// A cookie.
    Cookie(HashedCookie),
    /// The client's address.
    SourceIp,
    /// The first value of a parameter of the query, as it is written.
    QueryParameter(String),
}

/// A cookie by which endpoints are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedCookie {
    /// Its name.
    pub name: String,
    /// The path that it is given for; none is the browser's to choose.
    pub path: String,
    /// Clients without it get one that lives so long; of no length is a session's. None is given if this is none.
    pub ttl: Option<Duration>,
    /// What more is said of it to clients that are given one: names, and values that may be empty.
    pub attributes: Vec<(String, String)>,
}

impl fmt::Display for HashedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Cookie(HashedCookie { name, ttl: None, .. }) => write!(f, "the cookie {name}"),
            Self::Cookie(HashedCookie { name, .. }) => {
                write!(f, "the cookie {name}, which Envoy sets if a client has none")
            }
            Self::SourceIp => f.write_str("the client's address"),
            Self::QueryParameter(name) => write!(f, "the query parameter {name}"),
        }
    }
}

/// How an endpoint is found by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTable {
    /// A ring of at least so many entries, which has more if it takes more to give each endpoint its share.
    Ring(u32),
    /// A table of exactly so many.
    Maglev(u32),
}

impl HashTable {
    /// As many entries as a ring has if nobody says otherwise.
    pub const RING: u32 = 1024;
    /// The same of a table.
    pub const MAGLEV: u32 = 65_537;
    /// Envoy makes no larger ring.
    pub const MOST_OF_RING: u32 = 8_388_608;
    /// Envoy takes no larger table.
    pub const MOST_OF_MAGLEV: u32 = 5_000_011;
    /// As many entries as a ring may have at least, whatever its name leads to.
    const OF_DNS: u32 = 4096;

    /// As many entries as it has for these endpoints, or may have if nobody but Envoy knows them.
    #[must_use]
    pub fn entries(self, endpoints: &Endpoints) -> u64 {
        let priorities = endpoints
            .groups
            .chunk_by(|one, next| one.priority == next.priority);
        let each = priorities.map(|groups| self.entries_of(endpoints, groups));
        each.map(u64::from).sum()
    }

    /// Those of one priority.
    fn entries_of(self, endpoints: &Endpoints, groups: &[EndpointGroup]) -> u32 {
        match (self, endpoints.source) {
            (Self::Maglev(size), _) => size,
            (Self::Ring(least), EndpointSource::Dns) => Self::most_of_dns(least),
            // Of a name that is taken in turn Envoy has one endpoint.
            (Self::Ring(least), EndpointSource::Pushed | EndpointSource::RoundRobinDns) => {
                ring(least, &shares(groups, endpoints.by_weight))
            }
        }
    }

    /// As many as a ring may have whose endpoints only a name server knows.
    #[must_use]
    pub fn most_of_dns(least: u32) -> u32 {
        least.saturating_mul(2).clamp(Self::OF_DNS, Self::MOST_OF_RING)
    }
}

/// The shares of all endpoints, whose sum is 1.
fn shares(groups: &[EndpointGroup], by_weight: bool) -> Vec<f64> {
    let sum = |endpoints: &[Endpoint]| endpoints.iter().map(weight).sum::<f64>();
    let all: f64 = match by_weight {
        true => groups.iter().map(|group| f64::from(group.weight)).sum(),
        false => groups.iter().map(|group| sum(&group.endpoints)).sum(),
    };
    let of_group = |group: &EndpointGroup| {
        let whole = match by_weight {
            true => all * sum(&group.endpoints) / f64::from(group.weight),
            false => all,
        };
        group
            .endpoints
            .iter()
            .map(move |own| weight(own) / whole)
            .collect::<Vec<_>>()
    };
    groups.iter().flat_map(of_group).collect()
}

fn weight(endpoint: &Endpoint) -> f64 {
    f64::from(endpoint.weight.max(1))
}

/// As Envoy has it: the least share gets a whole number of entries, and the others as many more as they are larger.
fn ring(least: u32, shares: &[f64]) -> u32 {
    let lowest = shares.iter().copied().reduce(f64::min).unwrap_or(1.0);
    let size = ((lowest * f64::from(least)).ceil() / lowest).ceil();
    size.min(f64::from(HashTable::MOST_OF_RING)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locality::Locality;
    use crate::resolved::EndpointHealth;

    fn endpoints(source: EndpointSource, groups: &[(u32, u32, &[u32])]) -> Endpoints {
        let endpoint = |weight: &u32| Endpoint {
            address: "127.0.0.1".to_owned(),
            port: 80,
            health: EndpointHealth::Ready,
            weight: *weight,
        };
        let group = |(priority, weight, endpoints): &(u32, u32, &[u32])| EndpointGroup {
            locality: Locality::default(),
            priority: *priority,
            weight: *weight,
            endpoints: endpoints.iter().map(endpoint).collect(),
        };
        Endpoints {
            source,
            by_weight: false,
            groups: groups.iter().map(group).collect(),
        }
    }

    fn known(weights: &[u32]) -> Endpoints {
        endpoints(EndpointSource::Pushed, &[(0, 1, weights)])
    }

    /// Of those of four endpoints Envoy's own gauge `ring_hash_lb.size` says the same.
    #[test]
    fn a_ring_is_as_large_as_its_lightest_endpoint_asks_for() {
        for (least, weights, size) in [
            (1024, &[1, 1, 1, 1][..], 1024),
            (1024, &[1; 3], 1026),
            (1024, &[1; 2000], 2000),
            (1024, &[1, 1_000_000, 1, 1], 1_000_003),
            (1024, &[u32::MAX, 1], HashTable::MOST_OF_RING),
            (HashTable::MOST_OF_RING, &[1, 1, 1], HashTable::MOST_OF_RING),
            (1, &[1], 1),
        ] {
            assert_eq!(
                HashTable::Ring(least).entries(&known(weights)),
                u64::from(size),
                "{least} {weights:?}"
            );
        }
    }

    /// Where the weights of localities count, they decide.
    #[test]
    fn each_priority_has_a_ring() {
        let groups: [(u32, u32, &[u32]); 3] = [(0, 1, &[1; 4]), (0, 3, &[1; 4]), (1, 1, &[1; 4])];
        let mut two = endpoints(EndpointSource::Pushed, &groups);
        assert_eq!(HashTable::Ring(1024).entries(&two), 2048);
        two.by_weight = true;
        assert_eq!(HashTable::Ring(8).entries(&two), 16 + 8);
        assert_eq!(HashTable::Maglev(7).entries(&two), 14);
        assert_eq!(HashTable::Ring(1024).entries(&Endpoints::default()), 0);
    }

    #[test]
    fn what_a_name_leads_to_has_room_and_no_more() {
        let dns = endpoints(EndpointSource::Dns, &[(0, 1, &[1])]);
        assert_eq!(HashTable::Ring(1024).entries(&dns), 4096);
        assert_eq!(HashTable::Ring(100_000).entries(&dns), 200_000);
        assert_eq!(
            HashTable::Ring(HashTable::MOST_OF_RING).entries(&dns),
            u64::from(HashTable::MOST_OF_RING)
        );
        assert_eq!(HashTable::Maglev(65_537).entries(&dns), 65_537);
    }
}
