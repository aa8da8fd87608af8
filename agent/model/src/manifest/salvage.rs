//! Parts of an object that cannot be read. Each is cut down to what identifies it, so that the rest can be read.

use serde_json::{Map, Value, json};

use crate::parts::ObjectPart;
use crate::{Finding, Kind};

/// The maximum number of parts that are cut; an object with more is rejected as a whole.
pub(super) const MOST_CUT: usize = 32;

/// The maximum number of calls of [`close`] for an object: a DestinationRule has this many parts that say whom it
/// applies to, and what it has.
pub(super) const MOST_CLOSED: usize = 3;

/// Cuts the part of a spec that contains a field; returns whether something was cut, so that the rest may be readable
/// now.
pub(super) fn cut(spec: &mut Value, kind: Kind, field: &str) -> bool {
    if kind == Kind::DestinationRule && field.starts_with("spec.trafficPolicy") {
        return spec
            .get_mut("trafficPolicy")
            .is_some_and(|policy| cut_policy(policy, field));
    }
    let Some(part) = ObjectPart::of(kind, field) else {
        return false;
    };
    let (list, at) = part.place();
    let element = spec.get_mut(list).and_then(|list| list.get_mut(at));
    let Some(element) = element else {
        return false;
    };
    if matches!(part, ObjectPart::Subset(_))
        && let Some(policy) = element
            .get_mut("trafficPolicy")
            .filter(|_| field.contains("].trafficPolicy"))
    {
        return cut_policy(policy, field);
    }
    // A rule without its conditions would take every request.
    if matches!(part, ObjectPart::Rule(_)) && !element.is_object() {
        return false;
    }
    // Anything that is not a map counts as larger than all maps; a host that was cut is empty.
    let size = |value: &Value| match value {
        Value::Object(fields) => fields.len(),
        Value::String(text) if text.is_empty() => 0,
        _ => usize::MAX,
    };
    let stubs = kept(part).map(|kept| stub(part, element, kept));
    let smaller = stubs.into_iter().find(|stub| size(stub) < size(element));
    let Some(stub) = smaller else {
        return false;
    };
    *element = stub;
    true
}

/// Cuts what prevents us from knowing the hosts of an object, and what of it must not be lost. The object is still
/// rejected; returns whether something was cut.
pub(super) fn close(spec: &mut Value, kind: Kind, refusal: &mut Finding) -> bool {
    match kind {
        Kind::VirtualService => close_rules(spec, refusal),
        Kind::DestinationRule => open_scope(spec, refusal),
        _ => false,
    }
}

const SELECTOR: &str = "workloadSelector";

/// Cuts what is around a DestinationRule's TLS. If it is unknown who sees the rule, everyone does, as without
/// `exportTo`. If it is unknown which proxies it selects, it selects all that it could.
fn open_scope(spec: &mut Value, refusal: &Finding) -> bool {
    let field = refusal.field.as_deref().unwrap_or_default();
    let place = field.strip_prefix("spec.").unwrap_or_default();
    let mut names = ["exportTo", "subsets", SELECTOR].into_iter();
    let Some(name) = names.find(|name| place.starts_with(name)) else {
        return false;
    };
    let Some(part) = spec.get_mut(name) else {
        return false;
    };
    *part = match name {
        SELECTOR => widest_selector(part),
        _ => Value::Null,
    };
    true
}

/// A selector with the labels that can be read. Without any, it selects every proxy in the rule's namespace; no
/// selector reaches beyond it.
fn widest_selector(selector: &Value) -> Value {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    let labels: Map<String, Value> = labels
        .filter(|(_, value)| value.is_string())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({ "matchLabels": labels })
}

/// Cuts the first rule of a VirtualService whose conditions cannot be read, and all after it.
fn close_rules(spec: &mut Value, refusal: &mut Finding) -> bool {
    let kind = Kind::VirtualService;
    let field = refusal.field.as_deref().unwrap_or_default();
    let Some(rest) = field.strip_prefix("spec.http") else {
        return false;
    };
    let at = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let at = at.and_then(|(at, _)| at.parse().ok()).unwrap_or(0);
    // Not only that rule is rejected.
    if ObjectPart::of(kind, field).is_some() {
        refusal.message = format!("{}: {}", field.trim_start_matches("spec."), refusal.message);
        refusal.field = Some("spec.http".to_owned());
    }
    let rules = spec.get_mut("http").map(Value::take);
    let mut rules = match rules {
        Some(Value::Array(rules)) => rules,
        _ => Vec::new(),
    };
    rules.truncate(at);
    rules.push(json!({"directResponse": {"status": 503}}));
    spec.get_mut("http")
        .map(|http| *http = Value::Array(rules))
        .is_some()
}

/// What is kept of a part: first all that identifies it, then what must not be lost.
fn kept(part: ObjectPart) -> [&'static [&'static str]; 3] {
    match part {
        ObjectPart::Server(_) => [&["port", "hosts"], &["port"], &[]],
        ObjectPart::Rule(_) => [&["name", "match"], &["match"], &["match"]],
        ObjectPart::TlsRule(_) | ObjectPart::TcpRule(_) => [&["match"], &["match"], &["match"]],
        ObjectPart::Subset(_) => [&["name", "trafficPolicy"], &["name"], &[]],
        ObjectPart::Port(_) => [&["number", "name"], &[], &[]],
        ObjectPart::Host(_) | ObjectPart::Endpoint(_) => [&[], &[], &[]],
    }
}

/// Cuts a policy down to its TLS settings, which must not be lost with the rest. If these cannot be read either, they
/// are replaced by TLS that is impossible.
fn cut_policy(policy: &mut Value, field: &str) -> bool {
    let before = policy.clone();
    let is_about_tls = field.split('.').any(|step| step == "tls");
    let ports = policy.get("portLevelSettings").and_then(Value::as_array);
    let ports: Vec<Value> = ports
        .into_iter()
        .flatten()
        .map(|port| json!({ "port": port.get("port"), "tls": tls_of(port, is_about_tls) }))
        .collect();
    let is_flat = policy.get("portLevelSettings").is_none_or(Value::is_array);
    *policy = match is_flat {
        true => json!({ "tls": tls_of(policy, is_about_tls), "portLevelSettings": ports }),
        false => json!({ "tls": { "mode": UNREADABLE_MODE } }),
    };
    *policy != before
}

/// Not an existing mode: requests are answered with 503.
const UNREADABLE_MODE: &str = "(cannot be read)";

fn tls_of(policy: &Value, is_about_tls: bool) -> Value {
    match policy.get("tls") {
        Some(Value::Null) | None if policy.is_object() => Value::Null,
        Some(tls) if !is_about_tls => tls.clone(),
        _ => json!({ "mode": UNREADABLE_MODE }),
    }
}

fn stub(part: ObjectPart, element: &Value, kept: &[&str]) -> Value {
    if matches!(part, ObjectPart::Host(_)) {
        return Value::String(String::new());
    }
    let fields = element.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| kept.contains(&name.as_str()));
    Value::Object(
        fields
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
