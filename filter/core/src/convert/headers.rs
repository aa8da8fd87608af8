//! Header operations of both levels, merged per destination.

use super::Problems;
use crate::config::HeaderOperations;
use crate::table::HeaderMutations;

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
    for (kind, list) in [("set", &operations.set), ("add", &operations.add)] {
        for (name, value) in list {
            let place = format!("{field}.{kind}[{name}]");
            if !is_value(value) {
                problems.refuse(
                    "invalid-header-value",
                    place,
                    "a header's value holds no control characters",
                );
                continue;
            }
            let name = name.to_ascii_lowercase();
            if is_host(&name) || name.starts_with(':') {
                if request && is_host(&name) {
                    converted.authority = Some(value.clone());
                } else {
                    problems.warn(
                        "header-dropped",
                        place,
                        "this header cannot be changed here and is left alone",
                    );
                }
            } else if is_name(&name) {
                let to = if kind == "set" {
                    &mut converted.mutations.set
                } else {
                    &mut converted.mutations.add
                };
                to.push((name, value.clone()));
            } else {
                problems.refuse("invalid-header-name", place, "not a header's name");
            }
        }
    }
    for name in &operations.remove {
        let name = name.to_ascii_lowercase();
        if is_host(&name) || name.starts_with(':') {
            problems.warn(
                "header-dropped",
                format!("{field}.remove"),
                format!("{name} cannot be removed and is left alone"),
            );
        } else if is_name(&name) {
            converted.mutations.remove.push(name);
        } else {
            problems.refuse(
                "invalid-header-name",
                format!("{field}.remove"),
                format!("{name:?} is not a header's name"),
            );
        }
    }
    converted
}

fn is_host(name: &str) -> bool {
    matches!(name, "host" | ":authority")
}

/// One level after the other; where both speak of a header, the second wins.
pub(super) fn merge(first: &Operations, second: &Operations) -> Operations {
    let (a, b) = (&first.mutations, &second.mutations);
    let spoken_of = |name: &String| b.remove.contains(name) || b.set.iter().any(|(set, _)| set == name);
    let keep = |list: &[(String, String)]| {
        list.iter()
            .filter(|(name, _)| !spoken_of(name))
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut merged = HeaderMutations {
        set: keep(&a.set),
        add: keep(&a.add),
        remove: a.remove.clone(),
    };
    merged.set.extend(b.set.iter().cloned());
    merged.add.extend(b.add.iter().cloned());
    merged
        .remove
        .extend(b.remove.iter().filter(|name| !a.remove.contains(name)).cloned());
    Operations {
        mutations: merged,
        authority: second.authority.clone().or_else(|| first.authority.clone()),
    }
}
