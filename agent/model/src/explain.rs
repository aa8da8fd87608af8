//! Explains where a request goes, from the filter's own tables; for `sealgate explain` and the page.

mod certificate;
mod hashing;
mod request;
mod served;
mod stream;
mod upstream;

use std::collections::BTreeMap;

use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::{BatchAnswer, Question, Trace, trace};
use sealgate_core::rules::TableConfig;
use sealgate_core::table::{RouteTable, TableError};
use serde::Serialize;

use crate::resolve::Resolver;
use crate::resolved::HashedValue;

pub use self::certificate::{CertificateError, ClientChain, IdentityAnswer};
pub use self::hashing::{HashAnswer, HashOf, hashed};
pub use self::request::{RequestError, request};
pub use self::served::{KnownHost, ServedHost};
pub use self::stream::StreamAnswer;
pub use self::upstream::{HeaderFate, UpstreamHeader, upstream_headers};

/// Answers questions about what is served.
#[derive(Debug)]
pub struct Explainer {
    paths: PathPolicy,
    tables: BTreeMap<u16, TableConfig>,
    table: RouteTable,
}

/// A line of `explain --batch`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum LineAnswer {
    /// Its connection is passed on as a whole.
    Stream(StreamAnswer),
    /// It is routed.
    Request(Box<RoutedAnswer>),
}

/// Where a request goes, and how its destination selects an endpoint.
#[derive(Debug, Serialize)]
pub struct RoutedAnswer {
    /// Where it goes.
    #[serde(flatten)]
    pub answer: BatchAnswer,
    /// The value that selects the endpoint, if a hash does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashAnswer>,
}

/// An answer, and how it came about.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ExplainAnswer {
    /// Its connection is passed on as a whole.
    Stream(StreamAnswer),
    /// It is routed.
    Request(Box<RequestExplanation>),
}

/// See [`ExplainAnswer`].
#[derive(Debug, Serialize)]
pub struct RequestExplanation {
    /// As in a batch.
    #[serde(flatten)]
    pub routed: RoutedAnswer,
    /// How it came about.
    #[serde(flatten)]
    pub trace: Trace,
    /// What the upstream is told about a client with a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityAnswer>,
    /// The request as rules see it; none if Envoy answers before any rule.
    #[serde(skip)]
    pub arrived: Option<Question>,
    /// The value that selects the endpoint, for people.
    #[serde(skip)]
    pub hash: Option<HashedValue>,
}

/// What an answer is built from.
struct AnswerSource<'f> {
    host: &'f KnownHost,
    routes: &'f RouteTable,
    hash_of: HashOf<'f>,
}

impl AnswerSource<'_> {
    fn line(&self, question: &Question) -> LineAnswer {
        if let Some(answer) = stream::answer(question, self.host, self.hash_of) {
            return LineAnswer::Stream(answer);
        }
        let (routed, _) = self.routed(question);
        LineAnswer::Request(Box::new(routed))
    }

    fn explain(
        &self,
        question: &Question,
        rules: Option<&TableConfig>,
        client: Option<&ClientChain>,
    ) -> ExplainAnswer {
        if let Some(answer) = stream::answer(question, self.host, self.hash_of) {
            return ExplainAnswer::Stream(answer);
        }
        let arrived = question.arrive(self.host.paths).ok();
        let port = self.host.port.as_deref();
        let (routed, hash) = self.routed(question);
        ExplainAnswer::Request(Box::new(RequestExplanation {
            routed,
            trace: rules
                .zip(arrived.as_ref())
                .filter(|_| port.is_some())
                .map(|(rules, arrived)| trace(arrived, rules))
                .unwrap_or_default(),
            identity: client.map(|client| certificate::told_of(client, question, port)),
            arrived,
            hash,
        }))
    }

    fn routed(&self, question: &Question) -> (RoutedAnswer, Option<HashedValue>) {
        let answer = BatchAnswer::new(question, self.routes, self.host.paths);
        let by = answer.cluster().and_then(self.hash_of);
        let hash = by.map(HashAnswer::from);
        (RoutedAnswer { answer, hash }, by.cloned())
    }
}

impl Explainer {
    /// Reads what is served. `paths` is the path policy of servers that do not set one.
    ///
    /// # Errors
    /// The tables are invalid, which a resolver's never are.
    pub fn new(resolver: &Resolver, paths: PathPolicy) -> Result<Self, TableError> {
        let numbers = resolver.ports().map(|port| port.number);
        let tables: BTreeMap<_, _> = numbers.map(|number| (number, resolver.table(number))).collect();
        let configs: Vec<_> = tables.values().cloned().collect();
        Ok(Self {
            paths,
            table: RouteTable::from_configs(&configs)?,
            tables,
        })
    }

    /// The answer alone.
    #[must_use]
    pub fn line(&self, resolver: &Resolver, question: &Question) -> LineAnswer {
        self.asked(resolver, question, |facts| facts.line(question))
    }

    /// The answer, and how it came about, for a client with this certificate.
    #[must_use]
    pub fn explain(
        &self,
        resolver: &Resolver,
        question: &Question,
        client: Option<&ClientChain>,
    ) -> ExplainAnswer {
        let rules = self.tables.get(&question.listener_port());
        self.asked(resolver, question, |facts| facts.explain(question, rules, client))
    }

    fn asked<T>(
        &self,
        resolver: &Resolver,
        question: &Question,
        ask: impl FnOnce(AnswerSource<'_>) -> T,
    ) -> T {
        ask(AnswerSource {
            host: &KnownHost::new(question, resolver, self.paths),
            routes: &self.table,
            hash_of: &|cluster| hashed(cluster, resolver),
        })
    }
}

impl ExplainAnswer {
    /// Whether the request leads anywhere.
    #[must_use]
    pub fn is_found(&self) -> bool {
        match self {
            Self::Stream(answer) => answer.is_found(),
            Self::Request(told) => told.routed.answer.is_found(),
        }
    }
}
