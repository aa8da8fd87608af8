//! Header operations of both levels, merged per destination.

use super::{ProblemCode, Problems, limits};
use crate::config::HeaderOperations;
use crate::header_format::{self, HeaderValue};
use crate::names::{self, Owner};
use crate::rules::{HeaderFormat, HeaderMutations};

/// RFC 9110's token.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 9110's field value: no CR, LF, NUL or other controls.
pub(super) fn is_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// Operations and the host rewrite among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    pub(super) mutations: HeaderMutations,
    pub(super) authority: Option<String>,
}

/// Validates one level. `host` may be set by a request operation; other pseudo headers are dropped and said.
pub(super) fn convert(
    operations: Option<&HeaderOperations>,
    field: &str,
    request: bool,
    problems: &mut Problems,
) -> Operations {
    let mut converted = Operations::default();
    let Some(operations) = operations else {
        return converted;
    };
    limits::count(
        operations.set.len() + operations.add.len() + operations.remove.len(),
        limits::HEADER_OPERATIONS,
        field,
        problems,
    );
    for (kind, list) in [("set", &operations.set), ("add", &operations.add)] {
        for (name, value) in list {
            let place = format!("{field}.{kind}[{name}]");
            if is_forbidden(name, &place, false, problems)
                || !limits::length(value, limits::HEADER_VALUE, &place, problems)
            {
                continue;
            }
            let value = match header_format::read(value, request) {
                Ok(value) => value,
                Err(reason) => {
                    problems.refuse(ProblemCode::NotCarriedOut, place, reason.to_string());
                    continue;
                }
            };
            let (HeaderValue::Plain(text) | HeaderValue::Format(text)) = &value;
            if !is_value(text) {
                problems.refuse(
                    ProblemCode::InvalidHeaderValue,
                    place,
                    "a header's value holds no control characters",
                );
                continue;
            }
            let name = name.to_ascii_lowercase();
            if is_host(&name) || name.starts_with(':') {
                if let HeaderValue::Format(_) = value {
                    let message = "the host is written without %COMMANDS%";
                    problems.refuse(ProblemCode::NotCarriedOut, place, message);
                } else if let HeaderValue::Plain(value) = value
                    && request
                    && is_host(&name)
                {
                    check_authority(&value, &place, problems);
                    if converted.authority.replace(value).is_some() {
                        let message = "the host is set more than once";
                        problems.refuse(ProblemCode::AmbiguousAuthority, place, message);
                    }
                } else {
                    problems.warn(
                        ProblemCode::HeaderDropped,
                        place,
                        "this header cannot be changed here and is left alone",
                    );
                }
            } else if is_name(&name) {
                put(
                    &mut converted.mutations,
                    kind == "add",
                    name,
                    value,
                    &place,
                    problems,
                );
            } else {
                problems.refuse(ProblemCode::InvalidHeaderName, place, "not a header's name");
            }
        }
    }
    for name in &operations.remove {
        if is_forbidden(name, &format!("{field}.remove[{name}]"), true, problems) {
            continue;
        }
        let name = name.to_ascii_lowercase();
        if is_host(&name) || name.starts_with(':') {
            problems.warn(
                ProblemCode::HeaderDropped,
                format!("{field}.remove"),
                format!("{name} cannot be removed and is left alone"),
            );
        } else if is_name(&name) {
            converted.mutations.remove.push(name);
        } else {
            problems.refuse(
                ProblemCode::InvalidHeaderName,
                format!("{field}.remove"),
                format!("{name:?} is not a header's name"),
            );
        }
    }
    converted
}

fn put(
    to: &mut HeaderMutations,
    append: bool,
    name: String,
    value: HeaderValue,
    place: &str,
    problems: &mut Problems,
) {
    match value {
        HeaderValue::Plain(value) if append => to.add.push((name, value)),
        HeaderValue::Plain(value) => to.set.push((name, value)),
        HeaderValue::Format(format) => {
            // What the gateway tells of a client comes after the rules, and nobody else is to see what steers it.
            let mut read = header_format::headers(&format).into_iter();
            if let Some(own) = read.find(|own| names::owner(own) == Some(Owner::Gateway)) {
                let message = format!("{own:?} cannot be read by a rule: it is the gateway's own");
                problems.refuse(ProblemCode::ForbiddenHeader, place, message);
                return;
            }
            to.formats.push(HeaderFormat { name, format, append });
        }
    }
}

/// What nobody but its owner may write. Envoy's own may be removed: it reads none that a client or a rule sent, and
/// what it tells clients is nobody's secret to keep.
fn is_forbidden(name: &str, place: &str, is_removal: bool, problems: &mut Problems) -> bool {
    let reason = match names::owner(name) {
        None => return false,
        Some(Owner::Envoy) if is_removal => return false,
        Some(Owner::Envoy) => "Envoy obeys it",
        Some(Owner::Gateway) => "the gateway alone says who a client is and where its request goes",
        Some(Owner::Connection) => "it frames messages, and is Envoy's to write",
    };
    let message = format!("{name:?} cannot be changed by a rule: {reason}");
    problems.refuse(ProblemCode::ForbiddenHeader, place, message);
    true
}

/// A host, perhaps with a port: nothing that a server could read as the end of it.
pub(super) fn check_authority(authority: &str, place: &str, problems: &mut Problems) {
    let is_good = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte);
    if !authority.bytes().all(is_good) {
        let message = "a host holds visible ASCII alone, and none of / ? # @ \\";
        problems.refuse(ProblemCode::InvalidHeaderValue, place, message);
    }
}

fn is_host(name: &str) -> bool {
    matches!(name, "host" | ":authority")
}

/// The levels of a destination that is the only one, as Envoy applies them: all that is removed first, then the rule's
/// `set` and `add`, then the destination's.
pub(super) fn merge_only(rule: &HeaderMutations, own: &HeaderMutations) -> HeaderMutations {
    after(rule, own, |name| sets(own, name))
}

/// The levels of one destination among several: its own operations first, then all of the rule's.
pub(super) fn merge_several(rule: &HeaderMutations, own: &HeaderMutations) -> HeaderMutations {
    after(own, rule, |name| sets(rule, name) || rule.remove.contains(name))
}

fn sets(mutations: &HeaderMutations, name: &str) -> bool {
    let mut formats = mutations.formats.iter().filter(|own| !own.append);
    mutations.set.iter().any(|(set, _)| set == name) || formats.any(|own| own.name == *name)
}

/// `second` after `first`, without what it undoes.
fn after(
    first: &HeaderMutations,
    second: &HeaderMutations,
    is_undone: impl Fn(&String) -> bool,
) -> HeaderMutations {
    let both = |first: &[(String, String)], second: &[(String, String)]| {
        let kept = first.iter().filter(|(name, _)| !is_undone(name));
        kept.chain(second).cloned().collect::<Vec<_>>()
    };
    let new = second.remove.iter().filter(|name| !first.remove.contains(name));
    HeaderMutations {
        set: both(&first.set, &second.set),
        add: both(&first.add, &second.add),
        formats: first
            .formats
            .iter()
            .filter(|own| !is_undone(&own.name))
            .chain(&second.formats)
            .cloned()
            .collect(),
        remove: first.remove.iter().chain(new).cloned().collect(),
    }
}
