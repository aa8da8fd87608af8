//! `timeout` and `retries`.

use super::{ProblemCode, Problems, milliseconds};
use crate::config::HttpRetry;
use crate::names::{GRPC_CONDITIONS, RETRIABLE_BY_STATUS};
use crate::rules::Retries;

pub(super) fn duration(text: &str, field: &str, problems: &mut Problems) -> Option<u64> {
    match milliseconds(text) {
        // More than a year makes no sense in a header.
        Some(ms) if (1.0..3.2e10).contains(&ms) => Some(ms as u64),
        Some(_) => {
            let message = format!("{text} is not from 1ms to a year");
            problems.refuse(ProblemCode::BadDuration, field, message);
            None
        }
        None => {
            let message = format!("`{text}` is not a duration such as 1.5s or 300ms");
            problems.refuse(ProblemCode::BadDuration, field, message);
            None
        }
    }
}

pub(super) fn convert(retries: &HttpRetry, problems: &mut Problems) -> Option<Retries> {
    for (field, present) in [
        (
            "retries.retryRemoteLocalities",
            retries.retry_remote_localities.is_some(),
        ),
        (
            "retries.retryIgnorePreviousHosts",
            retries.retry_ignore_previous_hosts.is_some(),
        ),
        ("retries.backoff", retries.backoff.is_some()),
    ] {
        problems.not_carried_out(field, present);
    }
    let attempts = retries.attempts.unwrap_or(0);
    let Ok(attempts) = u32::try_from(attempts) else {
        let message = format!("{attempts} is not a number of attempts");
        problems.refuse(ProblemCode::BadRetries, "retries.attempts", message);
        return None;
    };
    let conditional = retries.retry_on.as_deref().is_some_and(|on| !on.is_empty());
    if attempts == 0 && (conditional || retries.per_try_timeout.is_some()) {
        let message = "without attempts there are no retries, so retryOn and perTryTimeout have no effect";
        problems.refuse(ProblemCode::BadRetries, "retries.attempts", message);
        return None;
    }
    let per_try_timeout_ms = retries
        .per_try_timeout
        .as_deref()
        .and_then(|text| duration(text, "retries.perTryTimeout", problems));
    let conditions = match retries.retry_on.as_deref() {
        Some(on) if !on.is_empty() => conditions(on, problems),
        _ => Retries::default(),
    };
    Some(Retries {
        attempts,
        per_try_timeout_ms,
        ..conditions
    })
}

/// Words and status codes, separated by commas. The codes go into a separate header, and imply the word for them.
fn conditions(text: &str, problems: &mut Problems) -> Retries {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let (codes, mut words): (Vec<&str>, Vec<&str>) =
        parts.partition(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_word = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_code = |code: &&str| code.parse().is_ok_and(|code: u16| (100..600).contains(&code));
    if !words.iter().all(is_word) || !codes.iter().all(is_code) {
        let message = "a list of conditions and status codes, separated by commas";
        problems.refuse(ProblemCode::BadRetries, "retries.retryOn", message);
    }
    if !codes.is_empty() && !words.contains(&RETRIABLE_BY_STATUS) {
        words.push(RETRIABLE_BY_STATUS);
    }
    let grpc = words
        .iter()
        .filter(|word| GRPC_CONDITIONS.contains(word))
        .copied();
    Retries {
        grpc_on: grpc.collect::<Vec<_>>().join(","),
        retry_on: words.join(","),
        status_codes: codes.join(","),
        ..Retries::default()
    }
}
