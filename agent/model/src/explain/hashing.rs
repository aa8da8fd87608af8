//! Which value of a request selects the endpoint.

use serde::Serialize;

use crate::resolve::Resolver;
use crate::resolved::{Balancing, HashedValue};

/// See the module. This is the form for programs; the `Display` of [`HashedValue`] is the one for people.
#[derive(Debug, Serialize)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum HashAnswer {
    /// A header.
    Header {
        /// Its name.
        name: String,
    },
    /// A cookie.
    Cookie {
        /// Its name.
        name: String,
    },
    /// The client's address.
    SourceIp,
    /// A parameter of the query.
    QueryParameter {
        /// Its name.
        name: String,
    },
}

impl From<&HashedValue> for HashAnswer {
    fn from(own: &HashedValue) -> Self {
        match own {
            HashedValue::Header(name) => Self::Header { name: name.clone() },
            HashedValue::Cookie(cookie) => Self::Cookie {
                name: cookie.name.clone(),
            },
            HashedValue::SourceIp => Self::SourceIp,
            HashedValue::QueryParameter(name) => Self::QueryParameter { name: name.clone() },
        }
    }
}

/// The value that a cluster hashes; none if it does not hash.
pub type HashOf<'h> = &'h dyn Fn(&str) -> Option<&'h HashedValue>;

/// The value that a cluster hashes; none if it does not hash.
#[must_use]
pub fn hashed<'r>(cluster: &str, resolver: &'r Resolver) -> Option<&'r HashedValue> {
    match &resolver.upstream(cluster)?.policy.as_ref()?.balancing {
        Balancing::Hash(own) => Some(&own.by),
        Balancing::LeastRequest(_) | Balancing::RoundRobin(_) | Balancing::Random => None,
    }
}
