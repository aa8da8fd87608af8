//! An answer line of `explain --batch`.

use serde::Serialize;
use serde_json::Value;

use super::grpc::GrpcAnswer;
use super::header_answer::HeaderAnswer;
use super::{EarlyAnswer, Question};
use crate::arrival::PathPolicy;
use crate::cors::Header;
use crate::decision::{NotFound, Outcome, Route};
use crate::fault::ABORTED;
use crate::rules::{
    AbortStatus, ArchivedFault, ArchivedHeaderMutations, ArchivedMirror, ArchivedRetries, Fault, Retries,
};
use crate::table::RouteTable;

/// The reason when a request's path is rejected.
const PATH: &str = "pathNormalization";

/// One line of the answers.
#[derive(Clone, Debug, Serialize)]
pub struct BatchAnswer {
    id: Value,
    matched: Option<MatchedAnswer>,
    decision: DecisionAnswer,
    /// How a gRPC client gets an answer that is not from an upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<GrpcAnswer>,
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
        /// The fault that ends it here.
        #[serde(skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// How long the fault holds it first.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    },
    NotFound {
        reason: &'static str,
    },
    /// The table is invalid, or Envoy rejects the request.
    Failure {
        reason: &'static str,
        /// None: the stream ends without an answer.
        status: Option<u16>,
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
    /// The fault that may happen first, and how often.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    /// How long a fault holds this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    /// Headers of the answer to this cross-origin request.
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
            // Users and their programs expect 100, not 100.0.
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

impl BatchAnswer {
    /// The answer to `question`, whose path is normalized by `paths`.
    #[must_use]
    pub fn new(question: &Question, table: &RouteTable, paths: PathPolicy) -> Self {
        match question.arrive(paths) {
            Ok(arrived) => Self::decided(&arrived, table),
            Err(early) => {
                let decision = DecisionAnswer::from(early);
                Self {
                    id: question.id.clone(),
                    matched: None,
                    grpc: grpc(question, &decision, None),
                    decision,
                }
            }
        }
    }

    fn decided(question: &Question, table: &RouteTable) -> Self {
        let decision = table.decide(question.listener_port(), question, |of| question.draw(of));
        let said = answer(question, &decision.outcome);
        let own = match decision.outcome {
            Outcome::Abort {
                status: AbortStatus::Grpc(status),
                ..
            } => Some(status),
            _ => None,
        };
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
            grpc: grpc(question, &said, own),
            decision: said,
        }
    }

    /// The cluster that the request goes to.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        match &self.decision {
            DecisionAnswer::Route(route) => Some(&route.cluster),
            _ => None,
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
            EarlyAnswer::BadPath => Self::Failure {
                reason: PATH,
                status: Some(400),
            },
            EarlyAnswer::Refused(refusal) => Self::Failure {
                reason: refusal.reason,
                status: refusal.status,
            },
        }
    }
}

/// `own` is the status that a rule names.
fn grpc(question: &Question, decision: &DecisionAnswer, own: Option<u8>) -> Option<GrpcAnswer> {
    if !question.is_grpc() {
        return None;
    }
    // The message comes from the body, which HEAD does not get.
    let said = |body: &str| {
        if question.method == "HEAD" {
            String::new()
        } else {
            body.to_owned()
        }
    };
    match decision {
        DecisionAnswer::Route(_) => None,
        DecisionAnswer::Redirect { status, .. } => Some(GrpcAnswer::of_http(*status, "")),
        DecisionAnswer::DirectResponse { status, body, .. } => Some(match own {
            Some(own) => GrpcAnswer::new(own, &said(body)),
            None => GrpcAnswer::of_http(*status, &said(body)),
        }),
        DecisionAnswer::NotFound { .. } => Some(GrpcAnswer::of_http(404, "")),
        // The codec rejects a request before it knows whether that is gRPC.
        DecisionAnswer::Failure { reason, status } => status
            .filter(|status| *status >= 500 || *status == 404 || *reason == PATH)
            .map(|status| GrpcAnswer::of_http(status, "")),
    }
}

fn failure(reason: &'static str, status: u16) -> DecisionAnswer {
    DecisionAnswer::Failure {
        reason,
        status: Some(status),
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
                .map(|own| HeaderAnswer::of_response(own, question, Some(*status)))
                .unwrap_or_default(),
        },
        Outcome::Direct(direct) => DecisionAnswer::DirectResponse {
            status: direct.status.to_native(),
            body: text(&direct.body),
            response_headers: HeaderAnswer::of_response(
                &direct.response,
                question,
                Some(direct.status.to_native()),
            ),
            fault: None,
            delay_ms: None,
        },
        Outcome::Abort {
            status,
            delay_ms,
            response,
            fault,
        } => abort_answer(question, *status, *delay_ms, response, fault),
        Outcome::Preflight(headers) => preflight_answer(headers),
        Outcome::NotFound(NotFound::Host) => DecisionAnswer::NotFound { reason: "host" },
        Outcome::NotFound(NotFound::Rule) => DecisionAnswer::NotFound { reason: "rule" },
        Outcome::NotReady => failure("notReady", 503),
        Outcome::Corrupt => failure("corrupt", 500),
        Outcome::TooExpensive => failure("tooExpensive", 503),
        Outcome::TooLong => failure("tooLong", 500),
    }
}

fn route_answer(question: &Question, route: &Route<'_>) -> DecisionAnswer {
    let destinations = route.destinations.iter().map(|to| DestinationAnswer {
        cluster: to.cluster.as_str().to_owned(),
        weight: to.weight.to_native(),
    });
    // Commands in response headers refer to the request that the upstream sees.
    let mut sent = question.clone();
    let request_headers = HeaderAnswer::of_request(&route.destination.request, &mut sent);
    if let Some(authority) = route.destination.authority.as_deref() {
        authority.clone_into(&mut sent.authority);
    }
    if let Some(path) = &route.path {
        sent.path = text(path);
    }
    let response_headers = HeaderAnswer::of_response(&route.destination.response, &sent, None);
    DecisionAnswer::Route(Box::new(RouteAnswer {
        cluster: route.destination.cluster.as_str().to_owned(),
        destinations: destinations.collect(),
        authority: sent.authority,
        path: sent.path,
        timeout_ms: route.timeout_ms,
        retries: RetryAnswer::new(route.retries),
        mirrors: route
            .mirrors
            .iter()
            .flat_map(|mirrors| mirrors.list.iter())
            .map(MirrorAnswer::from)
            .collect(),
        request_headers,
        response_headers,
        fault: route.fault.map(Fault::from),
        delay_ms: route.delay_ms,
        cors: texts(&route.cors),
    }))
}

/// To clients that do not speak gRPC, a gRPC status is 200 with a text.
fn abort_answer(
    question: &Question,
    status: AbortStatus,
    delay_ms: Option<u64>,
    response: &ArchivedHeaderMutations,
    fault: &ArchivedFault,
) -> DecisionAnswer {
    let status = match status {
        AbortStatus::Http(status) => status,
        AbortStatus::Grpc(_) => 200,
    };
    DecisionAnswer::DirectResponse {
        status,
        body: ABORTED.to_owned(),
        response_headers: HeaderAnswer::of_response(response, question, Some(status)),
        fault: Some(fault.into()),
        delay_ms,
    }
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
        fault: None,
        delay_ms: None,
    }
}
