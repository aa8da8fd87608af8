//! One request: read what the decision needs, decide, apply it with as few host calls as it takes.

mod changes;
mod request;

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Status};
use sealgate_core::cors::{CrossOrigin, Header};
use sealgate_core::decision::{Outcome, Request, Route};
use sealgate_core::fault::Injected;
use sealgate_core::identity::Rendered;
use sealgate_core::names;
use sealgate_core::table::{AbortStatus, HeaderMutations, Retries, RouteTable};

pub(crate) use self::changes::Changes;
use self::request::HostRequest;
use crate::draw::draw;
use crate::host::{self, Side};
use crate::identity::{self, Identity, Verdict};

/// What Envoy's fault filter says.
const ABORTED: &str = "fault filter abort";

/// One request's context.
pub(crate) struct Stream {
    table: Rc<RouteTable>,
    identity: Rc<Identity>,
    /// Kept for the response's headers; none if they stay as they are.
    answer: Option<Box<Answer>>,
}

/// What becomes of the response's headers, whoever answers.
#[derive(Default)]
struct Answer {
    mutations: HeaderMutations,
    cors: Vec<Header>,
    /// It may vary by what only the gateway and the upstream know.
    varies: bool,
}

impl Stream {
    pub(crate) fn new(table: Rc<RouteTable>, identity: Rc<Identity>) -> Self {
        Self {
            table,
            identity,
            answer: None,
        }
    }

    fn route(&mut self) -> Result<Action, Status> {
        let table = Rc::clone(&self.table);
        let request = HostRequest::read(self.identity.tells())?;
        let Verdict::Told(told) = self.identity.judge(request.authority())? else {
            host::respond(421, &[], &[])?;
            return Ok(Action::Pause);
        };
        match table.decide(&request, draw).outcome {
            Outcome::Route(route) => self.forward(&request, route, told.as_deref()),
            Outcome::Redirect {
                status,
                location,
                response,
            } => {
                response
                    .into_iter()
                    .for_each(|mutations| self.mutate_answer(mutations));
                let location = String::from_utf8_lossy(&location);
                host::respond(status, &[("location", &location)], &[])?;
                Ok(Action::Pause)
            }
            Outcome::Direct(direct) => {
                self.mutate_answer(&direct.response);
                let text: &[(&str, &str)] = if direct.body.is_empty() {
                    &[]
                } else {
                    &[("content-type", "text/plain")]
                };
                host::respond(direct.status, text, &direct.body)?;
                Ok(Action::Pause)
            }
            Outcome::NotFound(_) => {
                host::respond(404, &[], &[])?;
                Ok(Action::Pause)
            }
        }
    }

    /// To an upstream, unless a fault or a pre-flight ends it here.
    fn forward(
        &mut self,
        request: &HostRequest,
        mut route: Route<'_>,
        told: Option<&Rendered>,
    ) -> Result<Action, Status> {
        let injected = route.fault.map(|fault| fault.inject(draw)).unwrap_or_default();
        if let Injected {
            delay_ms: None,
            abort: Some(status),
        } = injected
        {
            self.mutate_answer(&route.destination.response);
            abort(status)?;
            return Ok(Action::Pause);
        }
        match route.cors.take() {
            // A request that a fault is still to end never gets as far as that.
            _ if injected.abort.is_some() => {}
            None => {}
            Some(CrossOrigin::Preflight(headers)) => {
                self.answer.get_or_insert_default().cors = headers;
                host::respond(200, &[], &[])?;
                return Ok(Action::Pause);
            }
            Some(CrossOrigin::Simple(headers)) => self.answer.get_or_insert_default().cors = headers,
        }
        self.mutate_answer(&route.destination.response);
        if told.is_some_and(|told| told.vary) {
            self.answer.get_or_insert_default().varies = true;
        }
        let mut changes = Changes::default();
        delay(injected, &mut changes);
        forward(&route, told, &mut changes)?;
        changes.apply(request)?;
        Ok(Action::Continue)
    }

    fn mutate_answer(&mut self, mutations: &HeaderMutations) {
        if *mutations != HeaderMutations::default() {
            self.answer.get_or_insert_default().mutations = mutations.clone();
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.route() {
            Ok(action) => action,
            Err(status) => {
                // Closed, never open: a request that could not be decided goes nowhere.
                host::error(&format!("sealgate: a request cannot be routed: {status:?}"));
                let _ = host::respond(500, &[], &[]);
                Action::Pause
            }
        }
    }

    /// Also called for what this filter, or Envoy itself, answers.
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(answer) = &self.answer
            && let Err(status) = answer.apply()
        {
            host::error(&format!(
                "sealgate: a response's headers cannot be changed: {status:?}"
            ));
        }
        Action::Continue
    }
}

impl Answer {
    /// The cross-origin headers come last and replace all others, as with Envoy's filter.
    fn apply(&self) -> Result<(), Status> {
        let HeaderMutations { set, add, remove } = &self.mutations;
        for name in remove {
            host::remove(Side::Response, name)?;
        }
        for (name, value) in set {
            host::set(Side::Response, name, value.as_bytes())?;
        }
        for (name, value) in add {
            host::add(Side::Response, name, value.as_bytes())?;
        }
        for (name, value) in &self.cors {
            host::set(Side::Response, name, value)?;
        }
        if self.varies { identity::vary() } else { Ok(()) }
    }
}

/// Answers as Envoy's fault filter does.
fn abort(status: AbortStatus) -> Result<(), Status> {
    match status {
        AbortStatus::Http(status) => host::respond(status, &[], ABORTED.as_bytes()),
        AbortStatus::Grpc(status) => host::respond_grpc(status, ABORTED),
    }
}

/// Lets Envoy's fault filter, which stands behind this one, hold the request, and end it then if so drawn.
fn delay(injected: Injected, changes: &mut Changes<'_>) {
    let Some(ms) = injected.delay_ms else {
        return;
    };
    changes.set(names::FAULT_DELAY, ms.to_string().into_bytes());
    match injected.abort {
        Some(AbortStatus::Http(status)) => changes.set(names::FAULT_ABORT, status.to_string().into_bytes()),
        Some(AbortStatus::Grpc(status)) => {
            changes.set(names::FAULT_ABORT_GRPC, status.to_string().into_bytes())
        }
        None => {}
    }
}

/// What the upstream, and Envoy on the way to it, gets to see.
fn forward<'a>(
    route: &'a Route<'_>,
    told: Option<&'a Rendered>,
    changes: &mut Changes<'a>,
) -> Result<(), Status> {
    let to = route.destination;
    changes.mutate(&to.request);
    if let Some(told) = told {
        identity::tell(told, changes)?;
    }
    if let Some(authority) = &to.authority {
        changes.set(":authority", authority.as_bytes());
    }
    if let Some(path) = &route.path {
        changes.set(":path", path.as_slice());
    }
    if let Some(ms) = route.timeout_ms {
        changes.set(names::TIMEOUT_MS, ms.to_string().into_bytes());
    }
    if let Some(retries) = route.retries {
        retry(retries, changes);
    }
    if let Some(mirrors) = route.mirrors {
        changes.set(names::MIRRORS, mirrors.key.as_bytes());
    }
    // Last: only a request that was changed in full may go anywhere.
    changes.set(names::CLUSTER, to.cluster.as_bytes());
    Ok(())
}

fn retry<'a>(retries: &'a Retries, changes: &mut Changes<'a>) {
    changes.set(names::MAX_RETRIES, retries.attempts.to_string().into_bytes());
    changes.set(names::RETRY_ON, retries.retry_on.as_bytes());
    if !retries.grpc_on.is_empty() {
        changes.set(names::RETRY_GRPC_ON, retries.grpc_on.as_bytes());
    }
    if !retries.status_codes.is_empty() {
        changes.set(names::RETRIABLE_STATUS_CODES, retries.status_codes.as_bytes());
    }
    if let Some(ms) = retries.per_try_timeout_ms {
        changes.set(names::PER_TRY_TIMEOUT_MS, ms.to_string().into_bytes());
    }
}
