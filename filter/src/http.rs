//! One request: read what the decision needs, decide, apply it with as few host calls as it takes.

use std::cell::OnceCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, Status};
use sealgate_core::decision::{Outcome, Request, Route};
use sealgate_core::identity::Rendered;
use sealgate_core::names;
use sealgate_core::table::{HeaderMutations, RouteTable};

use crate::draw::draw;
use crate::host::{self, Side};
use crate::identity::{self, Identity, Verdict};

/// One request's context.
pub(crate) struct Stream {
    table: Rc<RouteTable>,
    identity: Rc<Identity>,
    /// The response may vary by what only the gateway knows.
    varies: bool,
    /// Kept for the response's headers.
    response: Option<HeaderMutations>,
}

impl Stream {
    pub(crate) fn new(table: Rc<RouteTable>, identity: Rc<Identity>) -> Self {
        Self {
            table,
            identity,
            varies: false,
            response: None,
        }
    }

    fn route(&mut self) -> Result<Action, Status> {
        let table = Rc::clone(&self.table);
        let request = HostRequest::read()?;
        let Verdict::Told(told) = self.identity.judge(&request.authority)? else {
            host::respond(421, &[], &[])?;
            return Ok(Action::Pause);
        };
        match table.decide(&request, draw).outcome {
            Outcome::Route(route) => {
                if route.destination.response != HeaderMutations::default() {
                    self.response = Some(route.destination.response.clone());
                }
                self.varies = told.as_ref().is_some_and(|told| told.vary);
                forward(&route, told.as_deref())?;
                Ok(Action::Continue)
            }
            Outcome::Redirect { status, location } => {
                let location = String::from_utf8_lossy(&location);
                host::respond(status, &[("location", &location)], &[])?;
                Ok(Action::Pause)
            }
            Outcome::Direct(direct) => {
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

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(mutations) = &self.response
            && let Err(status) = mutate(Side::Response, mutations)
        {
            host::error(&format!(
                "sealgate: a response's headers cannot be changed: {status:?}"
            ));
        }
        if self.varies
            && let Err(status) = identity::vary()
        {
            host::error(&format!(
                "sealgate: a response's vary cannot be changed: {status:?}"
            ));
        }
        Action::Continue
    }
}

fn forward(route: &Route<'_>, told: Option<&Rendered>) -> Result<(), Status> {
    let to = route.destination;
    mutate(Side::Request, &to.request)?;
    if let Some(told) = told {
        identity::tell(told)?;
    }
    if let Some(authority) = &to.authority {
        host::set(Side::Request, ":authority", authority.as_bytes())?;
    }
    if let Some(path) = &route.path {
        host::set(Side::Request, ":path", path)?;
    }
    if let Some(ms) = route.timeout_ms {
        host::set(Side::Request, names::TIMEOUT_MS, ms.to_string().as_bytes())?;
    }
    if let Some(retries) = route.retries {
        host::set(
            Side::Request,
            names::MAX_RETRIES,
            retries.attempts.to_string().as_bytes(),
        )?;
        host::set(Side::Request, names::RETRY_ON, retries.retry_on.as_bytes())?;
        if let Some(ms) = retries.per_try_timeout_ms {
            host::set(
                Side::Request,
                names::PER_TRY_TIMEOUT_MS,
                ms.to_string().as_bytes(),
            )?;
        }
    }
    // Last: only a request that was changed in full may go anywhere.
    host::set(Side::Request, names::CLUSTER, to.cluster.as_bytes())
}

fn mutate(side: Side, mutations: &HeaderMutations) -> Result<(), Status> {
    for name in &mutations.remove {
        host::remove(side, name)?;
    }
    for (name, value) in &mutations.set {
        host::set(side, name, value.as_bytes())?;
    }
    for (name, value) in &mutations.add {
        host::add(side, name, value.as_bytes())?;
    }
    Ok(())
}

/// The request as the host shows it. Headers are fetched at once, and only when a rule asks for one.
struct HostRequest {
    authority: Bytes,
    path: Bytes,
    headers: OnceCell<Vec<(String, Bytes)>>,
}

impl HostRequest {
    fn read() -> Result<Self, Status> {
        Ok(Self {
            authority: host::request_value(":authority")?.unwrap_or_default(),
            path: host::request_value(":path")?.unwrap_or_default(),
            headers: OnceCell::new(),
        })
    }
}

impl Request for HostRequest {
    fn authority(&self) -> &[u8] {
        &self.authority
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let name = if name == "host" { ":authority" } else { name };
        let headers = self
            .headers
            .get_or_init(|| host::request_headers().unwrap_or_default());
        headers
            .iter()
            .filter(|(own, _)| own == name)
            .for_each(|(_, value)| each(value));
    }
}
