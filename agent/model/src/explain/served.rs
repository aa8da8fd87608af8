//! What is served for one host: as much as a question needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::Question;
use sealgate_core::host;
use sealgate_core::rules::{Action, TableConfig};
use sealgate_core::table::RouteTable;
use sealgate_core::table::TableError;

use super::{AnswerSource, ClientChain, ExplainAnswer, LineAnswer, hashed};
use crate::resolve::Resolver;
use crate::resolved::{HashedValue, ServedPort, Share};

/// What is known of a host without its rules.
#[derive(Clone, Debug)]
pub struct KnownHost {
    /// The port; none if it is not served.
    pub port: Option<Arc<ServedPort>>,
    /// Where its connections go, if they are passed on as a whole.
    pub shares: Vec<Share>,
    /// How its paths are normalized before rules see them.
    pub paths: PathPolicy,
}

impl KnownHost {
    /// Of the host that a question is for; `paths` is the gateway's own policy.
    #[must_use]
    pub fn new(question: &Question, resolver: &Resolver, paths: PathPolicy) -> Self {
        let port = resolver.port(question.listener_port()).cloned();
        let name = host::normalize(question.authority.as_bytes());
        let chain = port
            .as_deref()
            .and_then(|port| port.chain_of(&String::from_utf8_lossy(&name)));
        let stream = chain.map(|chain| (question.listener_port(), Arc::clone(&chain.name)));
        Self {
            shares: stream
                .map(|key| resolver.stream(&key).to_vec())
                .unwrap_or_default(),
            paths: paths.with(chain.and_then(|chain| chain.meaning.escaped_slashes)),
            port,
        }
    }
}

/// Everything that an answer needs, independent of the engine.
#[derive(Clone, Debug)]
pub struct ServedHost {
    /// Without its rules.
    pub facts: KnownHost,
    /// Its rules, and those of the wider hosts that match it.
    pub rules: TableConfig,
    /// What its destinations hash, by cluster.
    hashes: BTreeMap<String, HashedValue>,
}

impl ServedHost {
    /// Of the host that a question is for; `paths` is the gateway's own policy.
    #[must_use]
    pub fn new(question: &Question, resolver: &Resolver, paths: PathPolicy) -> Self {
        let facts = KnownHost::new(question, resolver, paths);
        // The connection's name selects the server, the request's name the rules.
        let name = question.seen_authority();
        let name = String::from_utf8_lossy(&host::normalize(name.as_bytes())).into_owned();
        let rules = resolver.table_of(question.listener_port(), &name);
        let all = rules.virtual_hosts.iter().flat_map(|host| &host.rules);
        let routes = all.filter_map(|rule| match &rule.action {
            Action::Route(route) => Some(&route.destinations),
            Action::Redirect(_) | Action::Direct(_) => None,
        });
        let clusters = routes.flatten().map(|own| own.cluster.as_str());
        let clusters = clusters.chain(facts.shares.iter().map(|share| &*share.cluster));
        let hashes = clusters.filter_map(|name| Some((name.to_owned(), hashed(name, resolver)?.clone())));
        Self {
            hashes: hashes.collect(),
            facts,
            rules,
        }
    }

    /// The answer alone.
    ///
    /// # Errors
    /// The table is none that an agent makes.
    pub fn line(&self, question: &Question) -> Result<LineAnswer, TableError> {
        self.asked(|facts| facts.line(question))
    }

    /// The answer, and how it came about, for a client with this certificate.
    ///
    /// # Errors
    /// The table is none that an agent makes.
    pub fn explain(
        &self,
        question: &Question,
        client: Option<&ClientChain>,
    ) -> Result<ExplainAnswer, TableError> {
        self.asked(|facts| facts.explain(question, Some(&self.rules), client))
    }

    fn asked<T>(&self, ask: impl FnOnce(AnswerSource<'_>) -> T) -> Result<T, TableError> {
        let routes = RouteTable::from_configs(std::slice::from_ref(&self.rules))?;
        Ok(ask(AnswerSource {
            host: &self.facts,
            routes: &routes,
            hash_of: &|cluster| self.hashes.get(cluster),
        }))
    }
}
