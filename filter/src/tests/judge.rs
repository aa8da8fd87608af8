//! The allowed outcomes of a request, given which of its calls failed.

use sealgate_core::names;

use super::fake_host::{FakeCall, Reply};
use super::world::{BLOCKED, FakeRequest, OPEN, Outcome};
use crate::abi::{FilterAction, HeaderMap, NOT_FOUND};

/// A failed call.
struct Failure {
    at: usize,
    call: FakeCall,
    reply: Reply,
}

impl Failure {
    /// Whether an honest host may answer the same, so that the filter cannot notice.
    fn is_believable(&self) -> bool {
        match self.reply {
            Reply::Honest => true,
            Reply::Failed(status) | Reply::DoneAndFailed(status) => {
                status == NOT_FOUND && self.call.may_find_nothing()
            }
            // A value may have any bytes. Headers have a fixed form.
            Reply::Damaged(_) => !matches!(self.call, FakeCall::Pairs(_)),
        }
    }
}

/// Panics if `outcome` is not allowed.
pub(super) fn judge(
    request: FakeRequest,
    honest: &Outcome,
    outcome: &Outcome,
    reply: impl Fn(usize, FakeCall) -> Option<Reply>,
) {
    let failures = outcome.asked.iter().enumerate().filter_map(|(at, call)| {
        let (call, reply) = (*call, reply(at, *call)?);
        Some(Failure { at, call, reply })
    });
    let has_failed = |own: &Failure| match own.reply {
        Reply::Damaged(_) => own.call.gives_something(),
        _ => !own.call.is_for_people(),
    };
    let failures: Vec<Failure> = failures.filter(has_failed).collect();
    let told = || {
        let calls = failures
            .iter()
            .map(|own| format!("{} {:?} {:?}", own.at, own.call, own.reply));
        let calls: Vec<String> = calls.collect();
        format!("{request:?}\n{calls:#?}\n{outcome:?}")
    };
    let (before, after): (Vec<_>, Vec<_>) = failures
        .iter()
        .partition(|own| own.at < outcome.asked_before_response);
    request_is_right(request, honest, outcome, &before, &told);
    trailers_are_right(outcome, &before, &told);
    if before.is_empty() {
        response_is_right(honest, outcome, &after, &told);
    }
}

fn request_is_right(
    request: FakeRequest,
    honest: &Outcome,
    outcome: &Outcome,
    failures: &[&Failure],
    told: &dyn Fn() -> String,
) {
    let doubted = failures.iter().any(|own| !own.is_believable());
    let answers = outcome.answers.as_slice();
    if outcome.headers == FilterAction::Pause {
        // It fails closed: with an error if anything failed, and with the decision otherwise.
        let is_error = answers.last().is_some_and(|(status, _)| *status >= 500);
        let is_decided = !doubted && !answers.is_empty();
        assert!(
            is_error || is_decided || error_cannot_be_sent(outcome, failures),
            "{}",
            told()
        );
        if failures.is_empty() {
            assert_eq!(answers, honest.answers, "{}", told());
            assert_eq!(outcome.sent, honest.sent, "{}", told());
        }
        return;
    }
    // A forwarded request is completely as decided: no necessary call has failed.
    let about_headers = |own: &&&Failure| !matches!(own.call, FakeCall::Pairs(HeaderMap::RequestTrailers));
    let before_trailers = failures.iter().filter(about_headers).filter(|own| {
        !matches!(
            own.call,
            FakeCall::Remove(HeaderMap::RequestTrailers) | FakeCall::Respond
        )
    });
    let before_trailers: Vec<_> = before_trailers.collect();
    let unbelievable = before_trailers.iter().find(|own| !own.is_believable());
    assert!(unbelievable.is_none(), "it goes on: {}", told());
    if before_trailers.is_empty() {
        assert_eq!(outcome.request, honest.request, "{}", told());
    }
    let cluster = outcome.cluster().unwrap_or_default();
    let is_late_abort = outcome.request.iter().any(|(name, _)| name == names::FAULT_ABORT);
    assert!(is_late_abort || !cluster.is_empty(), "it goes on: {}", told());
    let forbidden = if request.blocked { OPEN } else { BLOCKED };
    assert_ne!(cluster, forbidden.as_bytes(), "{}", told());
}

/// Whether the last call was to answer with an error, and failed. If a decided answer cannot be sent, an error follows.
fn error_cannot_be_sent(outcome: &Outcome, failures: &[&Failure]) -> bool {
    let before = outcome.asked.iter().take(outcome.asked_before_response);
    let is_answer = |(_, call): &(usize, &FakeCall)| **call == FakeCall::Respond;
    let tried: Vec<usize> = before.enumerate().filter(is_answer).map(|(at, _)| at).collect();
    let has_failed = |at: &usize| failures.iter().any(|own| own.at == *at);
    let others = failures
        .iter()
        .any(|own| own.call != FakeCall::Respond && !own.is_believable());
    tried.last().is_some_and(has_failed) && (others || tried.len() > 1)
}

fn trailers_are_right(outcome: &Outcome, failures: &[&Failure], told: &dyn Fn() -> String) {
    match outcome.trailers {
        Some(FilterAction::Continue) => {
            let mut names = outcome.request_trailers.iter().map(|(name, _)| name);
            assert!(names.all(|name| names::owner(name).is_none()), "{}", told());
        }
        Some(FilterAction::Pause) => {
            let is_error = outcome.answers.last() == Some(&(500, -1));
            assert!(is_error || error_cannot_be_sent(outcome, failures), "{}", told());
        }
        None => {}
    }
}

/// A response always continues, with all changes that were possible.
fn response_is_right(honest: &Outcome, outcome: &Outcome, failures: &[&Failure], told: &dyn Fn() -> String) {
    if failures.is_empty() {
        assert_eq!(outcome.response, honest.response, "{}", told());
        assert_eq!(outcome.response_trailers, honest.response_trailers, "{}", told());
    }
    let changes = |of: &Outcome| {
        let calls = of.asked.iter().skip(of.asked_before_response);
        let calls = calls.filter(|call| {
            let map = HeaderMap::Response;
            [FakeCall::Remove(map), FakeCall::Add(map)].contains(call)
        });
        calls.count()
    };
    assert_eq!(changes(outcome), changes(honest), "{}", told());
}
