//! One request: reads what the decision needs, decides, and applies it with as few host calls as possible.

use std::cell::OnceCell;
use std::rc::Rc;

use sealgate_core::cors::Header;
use sealgate_core::decision::{Outcome, Route};
use sealgate_core::fault::ABORTED;
use sealgate_core::identity::Rendered;
use sealgate_core::names;
use sealgate_core::request::Request;
use sealgate_core::rules::{
    AbortStatus, ArchivedDirectAction, ArchivedHeaderMutations, ArchivedRetries, HeaderMutations,
};
use sealgate_core::table::RouteTable;

use crate::abi::FilterAction;
use crate::alone::Alone;
use crate::command::{self, KeptHeaders};
use crate::draw::draw;
use crate::host::{self, HeaderPairs, HostError, Side};
use crate::identity::{self, PortIdentity, Verdict};
use crate::table;

/// Counts requests whose part of the table cannot be read.
const CORRUPT: &str = "sealgate_table_corrupt";
/// Counts requests whose regexes need more work than allowed.
const TOO_EXPENSIVE: &str = "sealgate_regex_too_expensive";
/// Counts requests whose rewritten path or redirect is too long.
const TOO_LONG: &str = "sealgate_rewrite_too_long";

/// One request's context.
pub(crate) struct Stream {
    identity: Rc<PortIdentity>,
    /// None with an agent.
    alone: Option<Rc<Alone>>,
    /// Kept for the response's headers; none if they do not change.
    answer: Option<Box<ResponseHeaders>>,
}

/// Changes of the response's headers, whoever answers.
#[derive(Default)]
struct ResponseHeaders {
    mutations: HeaderMutations,
    /// What commands in them need from the request.
    remembered: KeptHeaders,
    cors: Vec<Header>,
    /// Whether it may vary by what only the gateway and the upstream know.
    varies: bool,
}

impl Stream {
    pub(crate) fn new(identity: Rc<PortIdentity>, alone: Option<Rc<Alone>>) -> Self {
        Self {
            identity,
            alone,
            answer: None,
        }
    }

    /// No reference to the table is kept: everything that the response needs is copied here.
    fn route(&mut self, table: &RouteTable, headers: usize) -> Result<FilterAction, HostError> {
        if !table.is_complete() {
            return answer(503);
        }
        let request = HostRequest::read(headers)?;
        let Verdict::Told(told) = self.identity.judge(table, &request.authority)? else {
            return answer(421);
        };
        let outcome = table.decide(self.identity.port, &request, |_| draw()).outcome;
        request.was_read()?;
        self.carry_out(outcome, told.as_deref())
    }

    /// The same without an agent.
    fn route_alone(&mut self, alone: &Alone, headers: usize) -> Result<FilterAction, HostError> {
        let told = alone.told()?;
        let headers = alone.take_forged_off(host::all(Side::Request, headers)?)?;
        let request = HostRequest::of(headers);
        let Some(outcome) = alone.decide(&request) else {
            identity::tell(&told)?;
            self.vary(&told);
            return Ok(FilterAction::Continue);
        };
        if matches!(outcome, Outcome::Route(_) | Outcome::Abort { .. }) {
            alone.take_steering_off(request.names())?;
        }
        self.carry_out(outcome, Some(&told))
    }

    fn carry_out(
        &mut self,
        outcome: Outcome<'_>,
        told: Option<&Rendered>,
    ) -> Result<FilterAction, HostError> {
        match outcome {
            Outcome::Route(route) => self.forward(route, told),
            Outcome::Abort {
                status,
                delay_ms,
                response,
                ..
            } => self.abort(status, delay_ms, response),
            Outcome::Preflight(headers) => {
                self.answer.get_or_insert_default().cors = headers;
                answer(200)
            }
            Outcome::Redirect {
                status,
                location,
                response,
            } => {
                response
                    .into_iter()
                    .try_for_each(|mutations| self.mutate_answer(mutations))?;
                let location = String::from_utf8_lossy(&location);
                host::respond(status, &[("location", &location)], &[])?;
                Ok(FilterAction::Pause)
            }
            Outcome::Direct(direct) => self.direct(direct),
            Outcome::NotFound(_) => answer(404),
            Outcome::NotReady => answer(503),
            Outcome::Corrupt => counted(CORRUPT, 500),
            Outcome::TooExpensive => counted(TOO_EXPENSIVE, 503),
            Outcome::TooLong => counted(TOO_LONG, 500),
        }
    }

    fn direct(&mut self, direct: &ArchivedDirectAction) -> Result<FilterAction, HostError> {
        self.mutate_answer(&direct.response)?;
        let text: &[(&str, &str)] = if direct.body.is_empty() {
            &[]
        } else {
            &[("content-type", "text/plain")]
        };
        host::respond(direct.status.to_native(), text, &direct.body)?;
        Ok(FilterAction::Pause)
    }

    /// Answers like Envoy's fault filter; if there is a delay first, that filter, which comes after this one, does
    /// both.
    fn abort(
        &mut self,
        status: AbortStatus,
        delay_ms: Option<u64>,
        response: &ArchivedHeaderMutations,
    ) -> Result<FilterAction, HostError> {
        self.mutate_answer(response)?;
        if delay_ms.is_some() {
            delay(delay_ms)?;
            match status {
                AbortStatus::Http(status) => set(names::FAULT_ABORT, &status.to_string())?,
                AbortStatus::Grpc(status) => set(names::FAULT_ABORT_GRPC, &status.to_string())?,
            }
            return Ok(FilterAction::Continue);
        }
        match status {
            AbortStatus::Http(status) => host::respond(status, &[], ABORTED.as_bytes())?,
            AbortStatus::Grpc(status) => host::respond_grpc(status, ABORTED)?,
        }
        Ok(FilterAction::Pause)
    }

    fn forward(&mut self, route: Route<'_>, told: Option<&Rendered>) -> Result<FilterAction, HostError> {
        change(&route, told)?;
        // As in Envoy, commands in these values refer to the request that the upstream sees.
        self.mutate_answer(&route.destination.response)?;
        if let Some(told) = told {
            self.vary(told);
        }
        delay(route.delay_ms)?;
        send(&route)?;
        if !route.cors.is_empty() {
            self.answer.get_or_insert_default().cors = route.cors;
        }
        Ok(FilterAction::Continue)
    }

    fn vary(&mut self, told: &Rendered) {
        if told.vary {
            self.answer.get_or_insert_default().varies = true;
        }
    }

    fn mutate_answer(&mut self, mutations: &ArchivedHeaderMutations) -> Result<(), HostError> {
        if !mutations.is_empty() {
            let answer = self.answer.get_or_insert_default();
            answer.mutations = mutations.into();
            answer.remembered = KeptHeaders::of(&answer.mutations.formats)?;
        }
        Ok(())
    }
}

impl Stream {
    /// Fails closed: a request without a decision goes nowhere.
    pub(crate) fn on_request_headers(&mut self, count: usize) -> FilterAction {
        let routed = match self.alone.clone() {
            None => table::with(|table| self.route(table, count)),
            Some(alone) => self.route_alone(&alone, count),
        };
        routed.unwrap_or_else(refuse)
    }

    /// Also called for answers from this filter, or from Envoy itself. A failure is logged, and the response continues:
    /// its upstream has already done what was asked.
    pub(crate) fn on_response_headers(&self) {
        if let Some(answer) = &self.answer
            && let Err(error) = answer.apply()
        {
            host::error(&format!(
                "sealgate: a response's headers cannot be changed: {error}"
            ));
        }
    }

    /// Trailers that a rule would remove or write as headers are removed.
    pub(crate) fn on_response_trailers(&self, count: usize) {
        if let Some(ResponseHeaders { mutations, .. }) = self.answer.as_deref()
            && let Err(error) = remove_trailers(Side::ResponseTrailers, count, |name| {
                let formats = mutations.formats.iter().filter(|own| !own.append);
                let formats = formats.map(|own| &own.name);
                let mut written = mutations.set.iter().map(|(own, _)| own).chain(formats);
                mutations.remove.iter().any(|own| own == name) || written.any(|own| own == name)
            })
        {
            host::error(&format!(
                "sealgate: a response's trailers cannot be changed: {error}"
            ));
        }
    }
}

/// Removes trailers that clients may not send as headers: servers may treat both the same, and no native rule removes
/// trailers.
pub(crate) fn on_request_trailers(count: usize) -> FilterAction {
    let removed = remove_trailers(Side::RequestTrailers, count, |name| names::owner(name).is_some());
    match removed {
        Ok(()) => FilterAction::Continue,
        Err(error) => refuse(error),
    }
}

/// Ends a request for which a necessary host call failed. If it cannot even be answered, it waits for its timeout.
pub(crate) fn refuse(error: HostError) -> FilterAction {
    host::error(&format!("sealgate: a request cannot be served: {error}"));
    let _ = host::respond(500, &[], &[]);
    FilterAction::Pause
}

impl ResponseHeaders {
    /// The cross-origin headers come last and replace all others, as in Envoy's filter. After a failure, the other
    /// changes are still made: then one header is wrong, not all.
    fn apply(&self) -> Result<(), HostError> {
        let mut done = command::change_response(&self.mutations, &self.remembered);
        for (name, value) in &self.cors {
            done = done.and(host::set(Side::Response, name, value));
        }
        if self.varies {
            done = done.and(identity::vary());
        }
        done
    }
}

/// Removes as many as possible, even if one cannot be removed.
fn remove_trailers(side: Side, count: usize, is_removed: impl Fn(&str) -> bool) -> Result<(), HostError> {
    let trailers = host::all(side, count)?;
    let mut done = Ok(());
    for (name, _) in trailers.iter().filter(|(name, _)| is_removed(name)) {
        done = done.and(host::remove(side, name));
    }
    done
}

/// Ends the request here.
fn answer(status: u16) -> Result<FilterAction, HostError> {
    host::respond(status, &[], &[])?;
    Ok(FilterAction::Pause)
}

/// Ends the request here, and counts it.
fn counted(metric: &str, status: u16) -> Result<FilterAction, HostError> {
    host::count(metric);
    answer(status)
}

/// Lets Envoy's fault filter, which comes after this one, delay the request.
fn delay(ms: Option<u64>) -> Result<(), HostError> {
    match ms {
        Some(ms) => set(names::FAULT_DELAY, &ms.to_string()),
        None => Ok(()),
    }
}

/// Changes the request into what the upstream must see.
fn change(route: &Route<'_>, told: Option<&Rendered>) -> Result<(), HostError> {
    let to = route.destination;
    command::change_request(&to.request)?;
    if let Some(told) = told {
        identity::tell(told)?;
    }
    if let Some(authority) = to.authority.as_deref() {
        host::set(Side::Request, ":authority", authority.as_bytes())?;
    }
    if let Some(path) = &route.path {
        host::set(Side::Request, ":path", path)?;
    }
    Ok(())
}

/// Tells Envoy's router where and how to send it.
fn send(route: &Route<'_>) -> Result<(), HostError> {
    if let Some(ms) = route.timeout_ms {
        set(names::TIMEOUT_MS, &ms.to_string())?;
    }
    if let Some(retries) = route.retries {
        retry(retries)?;
    }
    if let Some(mirrors) = &route.mirrors {
        set(names::MIRRORS, &mirrors.key)?;
    }
    // Last: only a completely changed request may go anywhere.
    set(names::CLUSTER, &route.destination.cluster)
}

fn retry(retries: &ArchivedRetries) -> Result<(), HostError> {
    set(names::MAX_RETRIES, &retries.attempts.to_string())?;
    set(names::RETRY_ON, &retries.retry_on)?;
    if !retries.grpc_on.is_empty() {
        set(names::RETRY_GRPC_ON, &retries.grpc_on)?;
    }
    if !retries.status_codes.is_empty() {
        set(names::RETRIABLE_STATUS_CODES, &retries.status_codes)?;
    }
    match retries.per_try_timeout_ms.as_ref() {
        Some(ms) => set(names::PER_TRY_TIMEOUT_MS, &ms.to_string()),
        None => Ok(()),
    }
}

fn set(name: &str, value: &str) -> Result<(), HostError> {
    host::set(Side::Request, name, value.as_bytes())
}

/// The request at the host. Headers are fetched all together, when a rule first needs one.
struct HostRequest {
    authority: Vec<u8>,
    path: Vec<u8>,
    /// The number of headers that the host announced.
    count: usize,
    headers: OnceCell<Result<HeaderPairs, HostError>>,
}

impl HostRequest {
    fn read(count: usize) -> Result<Self, HostError> {
        Ok(Self {
            authority: host::request_value(":authority")?.unwrap_or_default(),
            path: host::request_value(":path")?.unwrap_or_default(),
            count,
            headers: OnceCell::new(),
        })
    }

    /// A request whose headers were read before.
    fn of(headers: HeaderPairs) -> Self {
        let first = |name: &str| {
            let found = headers.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Self {
            authority: first(":authority"),
            path: first(":path"),
            count: headers.len(),
            headers: OnceCell::from(Ok(headers)),
        }
    }

    /// The headers that were read.
    fn names(&self) -> impl Iterator<Item = &str> {
        let read = self.headers.get().into_iter().flatten().flatten();
        read.map(|(name, _)| name.as_str())
    }

    /// Without the headers, a decision is invalid: to a condition that forbids one, it would look absent.
    fn was_read(&self) -> Result<(), HostError> {
        match self.headers.get() {
            Some(Err(status)) => Err(*status),
            _ => Ok(()),
        }
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
        let headers = self.headers.get_or_init(|| host::all(Side::Request, self.count));
        let headers = headers.iter().flatten();
        headers
            .filter(|(own, _)| own == name)
            .for_each(|(_, value)| each(value));
    }
}
