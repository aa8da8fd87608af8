//! A request to a server that passes connections on as a whole: no HTTP rule sees it.

use sealgate_core::explain::Question;
use sealgate_core::host;
use serde::Serialize;
use serde_json::Value;

use super::{HashAnswer, HashOf, KnownHost};
use crate::resolved::{HashedValue, Share, Traffic};

/// Where its connection goes.
#[derive(Debug, Serialize)]
pub struct StreamAnswer {
    id: Value,
    decision: StreamDecision,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum StreamDecision {
    /// It goes to one of these as a whole, by weight; if there is none, it is closed.
    Connection {
        filter_chain: String,
        ends_tls: bool,
        clusters: Vec<ClusterShare>,
    },
}

#[derive(Debug, Serialize)]
struct ClusterShare {
    name: String,
    weight: u32,
    /// The value that selects its endpoint, if connections have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<HashAnswer>,
}

impl ClusterShare {
    fn new(share: &Share, hash_of: HashOf<'_>) -> Self {
        let by = hash_of(&share.cluster).filter(|by| **by == HashedValue::SourceIp);
        Self {
            name: share.cluster.to_string(),
            weight: share.weight,
            hash: by.map(HashAnswer::from),
        }
    }
}

/// None if the server routes requests.
pub(super) fn answer(question: &Question, facts: &KnownHost, hash_of: HashOf<'_>) -> Option<StreamAnswer> {
    let port = facts.port.as_deref()?;
    let name = host::normalize(question.authority.as_bytes());
    let chain = port.chain_of(&String::from_utf8_lossy(&name))?;
    if chain.traffic == Traffic::Http {
        return None;
    }
    let shares = facts.shares.iter();
    Some(StreamAnswer {
        id: question.id.clone(),
        decision: StreamDecision::Connection {
            filter_chain: chain.name.to_string(),
            ends_tls: chain.tls.is_some(),
            clusters: shares.map(|share| ClusterShare::new(share, hash_of)).collect(),
        },
    })
}

impl StreamAnswer {
    /// Whether the connection goes anywhere.
    #[must_use]
    pub fn is_found(&self) -> bool {
        let StreamDecision::Connection { clusters, .. } = &self.decision;
        !clusters.is_empty()
    }

    /// Why, for people.
    #[must_use]
    pub fn decided(&self) -> String {
        let StreamDecision::Connection {
            filter_chain,
            ends_tls,
            ..
        } = &self.decision;
        let tls = if *ends_tls { " after TLS termination" } else { "" };
        format!(
            "filter chain {filter_chain}: the connection is passed on as a whole{tls}, and no HTTP rule applies"
        )
    }
}
