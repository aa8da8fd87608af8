//! What of a request decides to which endpoint of its destination it goes.

use serde::Serialize;

use crate::resolve::Resolver;
use crate::resolved::{Balancing, HashedValue};

/// See the module; `serde` makes the form for programs of it, `Display` of the model the one for people.
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

/// What the clusters hash; none of one that does not.
pub type HashOf<'h> = &'h dyn Fn(&str) -> Option<&'h HashedValue>;

/// What a cluster of a resolver hashes.
#[must_use]
pub fn hashed<'r>(cluster: &str, resolver: &'r Resolver) -> Option<&'r HashedValue> {
    match &resolver.upstream(cluster)?.policy.as_ref()?.balancing {
        Balancing::Hash(own) => Some(&own.by),
        Balancing::LeastRequest(_) | Balancing::RoundRobin(_) | Balancing::Random => None,
    }
}
