//! `fault`.

use super::mirror::percent;
use super::retry::duration;
use super::{ProblemCode, Problems};
use crate::config::{Fault as Config, FaultAbort, FaultDelay, Percent};
use crate::rules::{Abort, AbortStatus, Delay, Fault};

/// gRPC's names, each at the place of its number.
const GRPC_STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn convert(fault: &Config, problems: &mut Problems) -> Option<Box<Fault>> {
    if fault.delay.is_none() && fault.abort.is_none() {
        problems.refuse(ProblemCode::BadFault, "fault", "one of delay and abort is needed");
    }
    let delay = fault.delay.as_ref().and_then(|delay| delay_of(delay, problems));
    let abort = fault.abort.as_ref().and_then(|abort| abort_of(abort, problems));
    (delay.is_some() || abort.is_some()).then(|| Box::new(Fault { delay, abort }))
}

fn delay_of(delay: &FaultDelay, problems: &mut Problems) -> Option<Delay> {
    if delay.exponential_delay.is_some() {
        let message = "only fixedDelay is supported; Envoy has no exponential delay";
        problems.refuse(ProblemCode::BadFault, "fault.delay.exponentialDelay", message);
        return None;
    }
    let Some(text) = &delay.fixed_delay else {
        problems.refuse(
            ProblemCode::BadFault,
            "fault.delay.fixedDelay",
            "a delay is required, such as 5s",
        );
        return None;
    };
    let ms = duration(text, "fault.delay.fixedDelay", problems)?;
    let old = delay.percent.map(|value| Percent { value: value.into() });
    let (share, field) = match &delay.percentage {
        Some(share) => (Some(share), "fault.delay.percentage"),
        None => (old.as_ref(), "fault.delay.percent"),
    };
    let percent = share_of(share, field, "fault.delay", problems)?;
    Some(Delay { ms, percent })
}

fn abort_of(abort: &FaultAbort, problems: &mut Problems) -> Option<Abort> {
    let status = match (abort.http_status, &abort.grpc_status, &abort.http2_error) {
        (Some(status), None, None) => http_status(status, problems)?,
        (None, Some(name), None) => grpc_status(name, problems)?,
        (.., Some(_)) => {
            let message = "only httpStatus and grpcStatus are supported, as in Istio";
            problems.refuse(ProblemCode::BadFault, "fault.abort.http2Error", message);
            return None;
        }
        _ => {
            let message = "one of httpStatus and grpcStatus is required";
            problems.refuse(ProblemCode::BadFault, "fault.abort", message);
            return None;
        }
    };
    let percent = share_of(
        abort.percentage.as_ref(),
        "fault.abort.percentage",
        "fault.abort",
        problems,
    )?;
    Some(Abort { status, percent })
}

/// A percentage of 0 means no fault, and so does none, as in Istio; the latter is rarely intended.
fn share_of(share: Option<&Percent>, field: &str, fault: &str, problems: &mut Problems) -> Option<f64> {
    if share.is_none() {
        problems.warn(
            ProblemCode::NoEffect,
            fault,
            "without a percentage, it applies to no request",
        );
    }
    percent(share, field, problems).filter(|share| *share > 0.0)
}

fn http_status(status: i64, problems: &mut Problems) -> Option<AbortStatus> {
    let known = u16::try_from(status)
        .ok()
        .filter(|status| (200..600).contains(status));
    if known.is_none() {
        problems.refuse(
            ProblemCode::BadStatus,
            "fault.abort.httpStatus",
            format!("{status} is not from 200 to 599"),
        );
    }
    // Envoy's fault filter sends its text after every status, and clients would read it as the start of the next
    // answer.
    if matches!(status, 204 | 205 | 304) {
        let message = format!("{status}: an answer of this status has no body, and an abort has one");
        problems.refuse(ProblemCode::BadStatus, "fault.abort.httpStatus", message);
    }
    known.map(AbortStatus::Http)
}

fn grpc_status(name: &str, problems: &mut Problems) -> Option<AbortStatus> {
    let number = GRPC_STATUS.iter().position(|known| *known == name);
    if number.is_none() {
        let message = format!("{name:?} is not a gRPC status such as UNAVAILABLE");
        problems.refuse(ProblemCode::BadStatus, "fault.abort.grpcStatus", message);
    }
    number
        .and_then(|number| u8::try_from(number).ok())
        .map(AbortStatus::Grpc)
}
