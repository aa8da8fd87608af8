//! `corsPolicy`.

use super::headers::is_name;
use super::matches::matcher;
use super::{ProblemCode, Problems, milliseconds};
use crate::config::CorsPolicy;
use crate::rules::{Cors, StringMatcher};

pub(super) fn convert(policy: &CorsPolicy, problems: &mut Problems) -> Box<Cors> {
    let list = |names: &[String], field: &str, problems: &mut Problems| {
        if let Some(bad) = names.iter().find(|name| !is_name(name)) {
            let field = format!("corsPolicy.{field}");
            problems.refuse(
                ProblemCode::InvalidHeaderName,
                field,
                format!("{bad:?} is not a name"),
            );
        }
        names.join(",")
    };
    Box::new(Cors {
        origins: origins(policy, problems),
        methods: list(&policy.allow_methods, "allowMethods", problems),
        headers: list(&policy.allow_headers, "allowHeaders", problems),
        expose: list(&policy.expose_headers, "exposeHeaders", problems),
        max_age: policy.max_age.as_deref().and_then(|text| max_age(text, problems)),
        credentials: policy.allow_credentials.unwrap_or_default(),
        answer_unmatched: answer_unmatched(policy, problems),
    })
}

/// The old list counts only if there is no new one.
fn origins(policy: &CorsPolicy, problems: &mut Problems) -> Vec<StringMatcher> {
    if policy.allow_origins.is_empty() {
        return policy
            .allow_origin
            .iter()
            .cloned()
            .map(StringMatcher::Exact)
            .collect();
    }
    let given = policy.allow_origins.iter().enumerate();
    given
        .filter_map(|(at, origin)| matcher(&format!("corsPolicy.allowOrigins[{at}]"), origin, problems))
        .collect()
}

/// In whole seconds, as in the header.
fn max_age(text: &str, problems: &mut Problems) -> Option<u64> {
    let ms = milliseconds(text).filter(|ms| (0.0..3.2e13).contains(ms));
    if ms.is_none() {
        let message = format!("`{text}` is not a duration such as 24h");
        problems.refuse(ProblemCode::BadDuration, "corsPolicy.maxAge", message);
    }
    ms.map(|ms| (ms / 1000.0) as u64)
}

fn answer_unmatched(policy: &CorsPolicy, problems: &mut Problems) -> bool {
    match policy.unmatched_preflights.as_deref() {
        None | Some("" | "UNSPECIFIED" | "FORWARD") => false,
        Some("IGNORE") => true,
        Some(other) => {
            let message = format!("{other:?}: FORWARD or IGNORE");
            problems.refuse(ProblemCode::BadCors, "corsPolicy.unmatchedPreflights", message);
            false
        }
    }
}
