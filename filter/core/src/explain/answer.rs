//! An answer line of `explain --batch`.

use serde::Serialize;
use serde_json::Value;

use super::{EarlyAnswer, Question};
use crate::arrival::PathNormalization;
use crate::cors::{CrossOrigin, Header};
use crate::decision::{NotFound, Outcome, Route};
use crate::header_format;
use crate::rules::{
    ArchivedHeaderMutations, ArchivedMirror, ArchivedRetries, Fault, HeaderFormat, HeaderMutations, Retries,
};
use crate::table::RouteTable;

/// One line of the answers.
#[derive(Clone, Debug, Serialize)]
pub struct BatchAnswer {
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
    /// The rule that delegated to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<RootAnswer>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RootAnswer {
    virtual_service: String,
    rule: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum DecisionAnswer {
    Route(Box<RouteAnswer>),
    Redirect {
        status: u16,
        location: String,
        #[serde(skip_serializing_if = "HeaderAnswer::is_empty")]
        response_headers: HeaderAnswer,
    },
    DirectResponse {
        status: u16,
        body: String,
        #[serde(skip_serializing_if = "HeaderAnswer::is_empty")]
        response_headers: HeaderAnswer,
    },
    NotFound {
        reason: &'static str,
    },
    /// Of a table that no agent makes, or of a path that Envoy refuses.
    Failure {
        reason: &'static str,
    },
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteAnswer {
    cluster: String,
    destinations: Vec<DestinationAnswer>,
    authority: String,
    path: String,
    timeout_ms: Option<u64>,
    retries: RetryAnswer,
    mirrors: Vec<MirrorAnswer>,
    request_headers: HeaderAnswer,
    response_headers: HeaderAnswer,
    /// What may happen first, and how often.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    /// Set on the answer to this cross-origin request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cors: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryAnswer {
    attempts: u32,
    per_try_timeout_ms: Option<u64>,
    retry_on: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    status_codes: String,
}

impl RetryAnswer {
    fn new(own: Option<&ArchivedRetries>) -> Self {
        let Some(own) = own else {
            let retries = Retries::default();
            return Self {
                attempts: retries.attempts,
                per_try_timeout_ms: retries.per_try_timeout_ms,
                retry_on: retries.retry_on,
                status_codes: retries.status_codes,
            };
        };
        Self {
            attempts: own.attempts.to_native(),
            per_try_timeout_ms: own.per_try_timeout_ms.as_ref().map(|ms| ms.to_native()),
            retry_on: own.retry_on.as_str().to_owned(),
            status_codes: own.status_codes.as_str().to_owned(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MirrorAnswer {
    cluster: String,
    percent: Value,
}

impl From<&ArchivedMirror> for MirrorAnswer {
    fn from(mirror: &ArchivedMirror) -> Self {
        let percent = mirror.percent.to_native();
        let whole = percent.fract() == 0.0;
        Self {
            cluster: mirror.cluster.as_str().to_owned(),
            // People and their programs expect 100, not 100.0.
            percent: if whole {
                (percent as u64).into()
            } else {
                percent.into()
            },
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct DestinationAnswer {
    cluster: String,
    weight: u32,
}

/// Unlike the table's form, every list is always there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct HeaderAnswer {
    set: Vec<(String, String)>,
    add: Vec<(String, String)>,
    remove: Vec<String>,
}

impl HeaderAnswer {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl HeaderAnswer {
    fn new(archived: &ArchivedHeaderMutations, question: &Question) -> Self {
        let HeaderMutations {
            mut set,
            mut add,
            remove,
            formats,
        } = archived.into();
        for HeaderFormat { name, format, append } in formats {
            let value = header_format::shown(&format, question);
            // What comes out empty is not written.
            if !value.is_empty() {
                if append { &mut add } else { &mut set }.push((name, value));
            }
        }
        Self { set, add, remove }
    }
}

impl BatchAnswer {
    /// The answer to `question`, whose path is brought into one form so far.
    #[must_use]
    pub fn new(question: &Question, table: &RouteTable, paths: PathNormalization) -> Self {
        match question.arrive(paths) {
            Ok(arrived) => Self::decided(&arrived, table),
            Err(early) => Self {
                id: question.id.clone(),
                matched: None,
                decision: early.into(),
            },
        }
    }

    fn decided(question: &Question, table: &RouteTable) -> Self {
        let decision = table.decide(question.listener_port(), question, || question.draw);
        Self {
            id: question.id.clone(),
            matched: decision.matched.map(|matched| MatchedAnswer {
                virtual_service: matched.origin.virtual_service.as_str().to_owned(),
                rule: matched.origin.rule.to_native() as usize,
                rule_name: matched.origin.name.as_deref().map(str::to_owned),
                r#match: matched.block,
                root: matched.origin.root.as_deref().map(|root| RootAnswer {
                    virtual_service: root.virtual_service.as_str().to_owned(),
                    rule: root.rule.to_native() as usize,
                }),
            }),
            decision: answer(question, &decision.outcome),
        }
    }

    /// Whether a rule took the request.
    #[must_use]
    pub fn is_found(&self) -> bool {
        !matches!(
            self.decision,
            DecisionAnswer::NotFound { .. } | DecisionAnswer::Failure { .. }
        )
    }
}

impl From<EarlyAnswer> for DecisionAnswer {
    fn from(early: EarlyAnswer) -> Self {
        match early {
            EarlyAnswer::Redirect(location) => Self::Redirect {
                status: 307,
                location,
                response_headers: HeaderAnswer::default(),
            },
            EarlyAnswer::Refusal => Self::Failure {
                reason: "pathNormalization",
            },
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn texts(headers: &[Header]) -> Vec<(&'static str, String)> {
    headers.iter().map(|(name, value)| (*name, text(value))).collect()
}

fn answer(question: &Question, outcome: &Outcome<'_>) -> DecisionAnswer {
    match outcome {
        Outcome::Route(route) => route_answer(question, route),
        Outcome::Redirect {
            status,
            location,
            response,
        } => DecisionAnswer::Redirect {
            status: *status,
            location: text(location),
            response_headers: (*response)
                .map(|own| HeaderAnswer::new(own, question))
                .unwrap_or_default(),
        },
        Outcome::Direct(direct) => DecisionAnswer::DirectResponse {
            status: direct.status.to_native(),
            body: text(&direct.body),
            response_headers: HeaderAnswer::new(&direct.response, question),
        },
        Outcome::NotFound(NotFound::Host) => DecisionAnswer::NotFound { reason: "host" },
        Outcome::NotFound(NotFound::Rule) => DecisionAnswer::NotFound { reason: "rule" },
        Outcome::NotReady => DecisionAnswer::Failure { reason: "notReady" },
        Outcome::Corrupt => DecisionAnswer::Failure { reason: "corrupt" },
        Outcome::TooExpensive => DecisionAnswer::Failure {
            reason: "tooExpensive",
        },
        Outcome::TooLong => DecisionAnswer::Failure { reason: "tooLong" },
    }
}

fn route_answer(question: &Question, route: &Route<'_>) -> DecisionAnswer {
    let cors = match &route.cors {
        Some(CrossOrigin::Preflight(headers)) => return preflight_answer(headers),
        Some(CrossOrigin::Simple(headers)) => texts(headers),
        None => Vec::new(),
    };
    let destinations = route.destinations.iter().map(|to| DestinationAnswer {
        cluster: to.cluster.as_str().to_owned(),
        weight: to.weight.to_native(),
    });
    let authority = route.destination.authority.as_deref().map(str::to_owned);
    DecisionAnswer::Route(Box::new(RouteAnswer {
        cluster: route.destination.cluster.as_str().to_owned(),
        destinations: destinations.collect(),
        authority: authority.unwrap_or_else(|| question.authority.clone()),
        path: text(route.path.as_deref().unwrap_or(question.path.as_bytes())),
        timeout_ms: route.timeout_ms,
        retries: RetryAnswer::new(route.retries),
        mirrors: route
            .mirrors
            .iter()
            .flat_map(|mirrors| mirrors.list.iter())
            .map(MirrorAnswer::from)
            .collect(),
        request_headers: HeaderAnswer::new(&route.destination.request, question),
        response_headers: HeaderAnswer::new(&route.destination.response, question),
        fault: route.fault.map(Fault::from),
        cors,
    }))
}

/// A pre-flight never sees the upstream.
fn preflight_answer(headers: &[Header]) -> DecisionAnswer {
    let set = texts(headers)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    DecisionAnswer::DirectResponse {
        status: 200,
        body: String::new(),
        response_headers: HeaderAnswer {
            set: set.collect(),
            ..HeaderAnswer::default()
        },
    }
}
