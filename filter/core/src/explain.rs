//! Decisions for people and programs: the request lines and answer lines of `explain --batch`, and why earlier
//! rules did not match.

mod trace;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use trace::{Failure, HostMatch, Trace, Trial, VirtualHost, trace};

use crate::decision::{Decision, NotFound, Outcome, Request, Route};
use crate::table::{HeaderMutations, Retries, RouteTable};

/// One line of a batch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Echoed.
    #[serde(default)]
    pub id: Value,
    /// The Gateway's number; by default the scheme's.
    #[serde(default)]
    pub port: Option<u16>,
    /// `https` by default.
    #[serde(default = "https")]
    pub scheme: String,
    /// `GET` by default.
    #[serde(default = "get")]
    pub method: String,
    /// The Host.
    pub authority: String,
    /// With its query.
    #[serde(default = "root")]
    pub path: String,
    /// Names and values; may repeat.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The random number of weighted choices.
    #[serde(default)]
    pub draw: f64,
}

fn https() -> String {
    "https".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

impl Question {
    /// The Gateway's port that it comes in on.
    #[must_use]
    pub fn listener_port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "http" { 80 } else { 443 })
    }
}

impl Request for Question {
    fn authority(&self) -> &[u8] {
        self.authority.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        match name {
            ":authority" | "host" => each(self.authority.as_bytes()),
            ":path" => each(self.path.as_bytes()),
            ":method" => each(self.method.as_bytes()),
            ":scheme" => each(self.scheme.as_bytes()),
            _ => {
                let values = self
                    .headers
                    .iter()
                    .filter(|(own, _)| own.eq_ignore_ascii_case(name));
                values.for_each(|(_, value)| each(value.as_bytes()));
            }
        }
    }
}

/// One line of the answers.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    id: Value,
    matched: Option<MatchedAnswer>,
    decision: DecisionAnswer,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MatchedAnswer {
    virtual_service: String,
    rule: usize,
    rule_name: Option<String>,
    r#match: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum DecisionAnswer {
    Route(Box<RouteAnswer>),
    Redirect { status: u16, location: String },
    DirectResponse { status: u16, body: String },
    NotFound { reason: &'static str },
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteAnswer {
    cluster: String,
    destinations: Vec<DestinationAnswer>,
    authority: String,
    path: String,
    timeout_ms: Option<u64>,
    retries: Retries,
    mirrors: Vec<Value>,
    request_headers: HeaderAnswer,
    response_headers: HeaderAnswer,
}

#[derive(Clone, Debug, Serialize)]
struct DestinationAnswer {
    cluster: String,
    weight: u32,
}

/// Unlike the table's form, every list is always there.
#[derive(Clone, Debug, Serialize)]
struct HeaderAnswer {
    set: Vec<(String, String)>,
    add: Vec<(String, String)>,
    remove: Vec<String>,
}

impl From<&HeaderMutations> for HeaderAnswer {
    fn from(mutations: &HeaderMutations) -> Self {
        Self {
            set: mutations.set.clone(),
            add: mutations.add.clone(),
            remove: mutations.remove.clone(),
        }
    }
}

impl Answer {
    /// The answer to `question`; `table` is the one of its port, if there is such a port.
    #[must_use]
    pub fn new(question: &Question, table: Option<&RouteTable>) -> Self {
        let decision = table.map_or(
            Decision {
                matched: None,
                outcome: Outcome::NotFound(NotFound::Host),
            },
            |table| table.decide(question, || question.draw),
        );
        Self {
            id: question.id.clone(),
            matched: decision.matched.map(|matched| MatchedAnswer {
                virtual_service: matched.origin.virtual_service.clone(),
                rule: matched.origin.rule,
                rule_name: matched.origin.name.clone(),
                r#match: matched.block,
            }),
            decision: answer(question, &decision.outcome),
        }
    }

    /// Whether a rule took the request.
    #[must_use]
    pub fn is_found(&self) -> bool {
        !matches!(self.decision, DecisionAnswer::NotFound { .. })
    }
}

fn answer(question: &Question, outcome: &Outcome<'_>) -> DecisionAnswer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match outcome {
        Outcome::Route(route) => route_answer(question, route),
        Outcome::Redirect { status, location } => DecisionAnswer::Redirect {
            status: *status,
            location: text(location),
        },
        Outcome::Direct(direct) => DecisionAnswer::DirectResponse {
            status: direct.status,
            body: text(&direct.body),
        },
        Outcome::NotFound(NotFound::Host) => DecisionAnswer::NotFound { reason: "host" },
        Outcome::NotFound(NotFound::Rule) => DecisionAnswer::NotFound { reason: "rule" },
    }
}

fn route_answer(question: &Question, route: &Route<'_>) -> DecisionAnswer {
    let destinations = route.destinations.iter().map(|to| DestinationAnswer {
        cluster: to.cluster.clone(),
        weight: to.weight,
    });
    let path = route.path.as_deref().unwrap_or(question.path.as_bytes());
    DecisionAnswer::Route(Box::new(RouteAnswer {
        cluster: route.destination.cluster.clone(),
        destinations: destinations.collect(),
        authority: route
            .destination
            .authority
            .clone()
            .unwrap_or_else(|| question.authority.clone()),
        path: String::from_utf8_lossy(path).into_owned(),
        timeout_ms: route.timeout_ms,
        retries: route.retries.cloned().unwrap_or_default(),
        mirrors: Vec::new(),
        request_headers: (&route.destination.request).into(),
        response_headers: (&route.destination.response).into(),
    }))
}
