//! Header operations of both levels, merged per destination.

use super::{ProblemCode, Problems, limits};
use crate::config::HeaderOperations;
use crate::header_format::{self, HeaderValue};
use crate::names::{self, Owner};
use crate::rules::{HeaderFormat, HeaderMutations};

/// Whether it is a token (RFC 9110).
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether it is a field value (RFC 9110): no CR, LF, NUL or other controls.
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

/// Validates one level. `host` may be set by a request operation; other pseudo headers are dropped and reported.
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
                    "a header value must not contain control characters",
                );
                continue;
            }
            let name = name.to_ascii_lowercase();
            if is_host(&name) || name.starts_with(':') {
                if let HeaderValue::Format(_) = value {
                    let message = "the host must not contain %COMMANDS%";
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
            // What the gateway says about a client is added after the rules, and headers that steer the gateway must
            // not be visible to anyone else.
            let mut read = header_format::headers(&format).into_iter();
            if let Some(own) = read.find(|own| names::owner(own) == Some(Owner::Gateway)) {
                let message = format!("a rule cannot read {own:?}: the gateway uses it internally");
                problems.refuse(ProblemCode::ForbiddenHeader, place, message);
                return;
            }
            to.formats.push(HeaderFormat { name, format, append });
        }
    }
}

/// Headers that only their owner may write. Those of Envoy may be removed: it ignores those from clients and rules, and
/// what it tells clients may be hidden.
fn is_forbidden(name: &str, place: &str, is_removal: bool, problems: &mut Problems) -> bool {
    let reason = match names::owner(name) {
        None => return false,
        Some(Owner::Envoy) if is_removal => return false,
        Some(Owner::Envoy) => "Envoy obeys it",
        Some(Owner::Gateway) => "only the gateway may say who a client is and where its request goes",
        Some(Owner::Connection) => "it frames messages, and only Envoy may set it",
    };
    let message = format!("a rule cannot change {name:?}: {reason}");
    problems.refuse(ProblemCode::ForbiddenHeader, place, message);
    true
}

/// Checks a host, perhaps with a port: without anything that a server could read as its end.
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

/// Merges the levels of a single destination. Istio gives Envoy both as one list, of which removals come first, then
/// replacements, then additions: the last replacement of a header wins, and nothing undoes an addition.
pub(super) fn merge_only(rule: &HeaderMutations, own: &HeaderMutations) -> HeaderMutations {
    after(rule, own, |name| sets(own, name), |_| false)
}

/// Merges the levels of one destination among several: its own operations first, then all of the rule's.
pub(super) fn merge_several(rule: &HeaderMutations, own: &HeaderMutations) -> HeaderMutations {
    let is_undone = |name: &str| sets(rule, name) || rule.remove.iter().any(|own| own == name);
    after(own, rule, is_undone, is_undone)
}

fn sets(mutations: &HeaderMutations, name: &str) -> bool {
    let mut formats = mutations.formats.iter().filter(|own| !own.append);
    mutations.set.iter().any(|(set, _)| set == name) || formats.any(|own| own.name == *name)
}

/// `second` after `first`, without the values of `first` that it undoes.
fn after(
    first: &HeaderMutations,
    second: &HeaderMutations,
    undoes_set: impl Fn(&str) -> bool,
    undoes_add: impl Fn(&str) -> bool,
) -> HeaderMutations {
    let kept = first.set.iter().filter(|(name, _)| !undoes_set(name));
    let set = kept.chain(&second.set).cloned().collect();
    let is_undone = |own: &HeaderFormat| {
        if own.append {
            undoes_add(&own.name)
        } else {
            undoes_set(&own.name)
        }
    };
    let kept = first.formats.iter().filter(|own| !is_undone(own));
    let mut formats: Vec<HeaderFormat> = kept.cloned().collect();
    let kept = first.add.iter().filter(|(name, _)| !undoes_add(name));
    let mut add: Vec<(String, String)> = kept.cloned().collect();
    for (name, value) in &second.add {
        // Values with commands are added last, so a value that must come after one is treated like one.
        if formats.iter().any(|own| own.append && own.name == *name) && !value.is_empty() {
            formats.push(HeaderFormat {
                name: name.clone(),
                format: value.replace('%', "%%"),
                append: true,
            });
        } else {
            add.push((name.clone(), value.clone()));
        }
    }
    formats.extend(second.formats.iter().cloned());
    let new = second.remove.iter().filter(|name| !first.remove.contains(name));
    HeaderMutations {
        set,
        add,
        formats,
        remove: first.remove.iter().chain(new).cloned().collect(),
    }
}
