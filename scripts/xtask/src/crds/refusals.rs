//! What the API server rejects immediately, by looking only at the object: what `check` and Istio reject too. What
//! Istio accepts and we do not support is left to the agent's findings.
//!
//! Uses keywords where they are sufficient, as they cost nothing, and CEL if fields depend on each other: the API
//! server adds up the cost of a rule for the longest lists, and rejects definitions beyond its budget. So lists with
//! rules have a maximum length, which no object that etcd can store (1.5 MB) exceeds; and regexes cannot be compiled
//! here, because a rule may have too many matches.

mod virtual_service;

use anyhow::{Context as _, Result};
use sealgate_model::Kind;
use serde_json::{Map, Value, json};

/// A host name or wildcard, with or without a namespace. Less strict than `check`, which says what is wrong with each.
const HOST: &str = r"^([^/]+/)?[-_.*A-Za-z0-9]+$";
/// Istio's protocols, whether we serve them or not; case-insensitive.
const PROTOCOLS: &str = "['HTTP', 'HTTPS', 'HTTP2', 'HTTP3', 'GRPC', 'GRPC-WEB', 'TLS', 'TCP', 'UDP', 'MONGO', 'MYSQL', 'REDIS', \
                         'HBONE', 'DOUBLE-HBONE', 'HTTP_PROXY']";
/// The maximum number of servers in a Gateway: even with the shortest ones, none can have more.
const SERVERS: usize = 32_768;

/// Keywords for a field, by its path below `spec`: `[]` are a list's items, `{}` a map's values.
type Refusal = (&'static str, Value);

/// Adds what is rejected for this kind to its schema.
pub(super) fn add(kind: Kind, spec: &mut Value) -> Result<()> {
    let refusals = match kind {
        Kind::Gateway => gateway(),
        Kind::VirtualService => virtual_service::refusals(),
        Kind::DestinationRule => destination_rule(),
        Kind::ServiceEntry => service_entry(),
        Kind::WorkloadEntry => vec![("ports{}", port())],
        _ => Vec::new(),
    };
    for (path, keywords) in refusals {
        let node = find(spec, path).with_context(|| format!("{path}: there is no such field"))?;
        node.extend(keywords.as_object().context("keywords are a map")?.clone());
    }
    Ok(())
}

fn find<'s>(schema: &'s mut Value, path: &str) -> Option<&'s mut Map<String, Value>> {
    let mut node = schema;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.trim_end_matches("[]").trim_end_matches("{}");
        node = node.get_mut("properties")?.get_mut(name)?;
        if step.ends_with("[]") {
            node = node.get_mut("items")?;
        } else if step.ends_with("{}") {
            node = node.get_mut("additionalProperties")?;
        }
    }
    node.as_object_mut()
}

fn cel(rules: &[(&str, &str)]) -> Value {
    let rules = rules
        .iter()
        .map(|(rule, message)| json!({ "rule": rule, "message": message }));
    rules.collect()
}

/// The same keywords for several fields.
fn each<'p>(paths: impl IntoIterator<Item = &'p &'static str>, keywords: &Value) -> Vec<Refusal> {
    paths.into_iter().map(|path| (*path, keywords.clone())).collect()
}

/// One of these words. Not `enum`, which would reject a null that the field may have.
fn one_of(words: &[&str]) -> Value {
    json!({ "pattern": format!("^({})$", words.join("|")) })
}

fn port() -> Value {
    json!({ "minimum": 1, "maximum": 65535 })
}

fn gateway() -> Vec<Refusal> {
    let protocol = format!("self.upperAscii() in {PROTOCOLS}");
    let versions = one_of(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]);
    vec![
        ("", json!({ "required": ["servers"] })),
        ("servers", json!({ "minItems": 1, "maxItems": SERVERS })),
        (
            "servers[]",
            json!({
                "required": ["hosts", "port"],
                "x-kubernetes-validations": cel(&[(
                    "!(self.port.protocol.upperAscii() in ['HTTPS', 'TLS']) || has(self.tls)",
                    "a server of protocol HTTPS or TLS needs tls",
                )]),
            }),
        ),
        ("servers[].hosts", json!({ "minItems": 1 })),
        ("servers[].hosts[]", json!({ "pattern": HOST })),
        ("servers[].port", json!({ "required": ["number", "protocol"] })),
        ("servers[].port.number", port()),
        (
            "servers[].port.protocol",
            json!({
                "maxLength": 16,
                "x-kubernetes-validations": cel(&[(&protocol, "unknown protocol: such as HTTP, HTTPS, HTTP2, GRPC")]),
            }),
        ),
        (
            "servers[].tls.mode",
            one_of(&[
                "PASSTHROUGH",
                "SIMPLE",
                "MUTUAL",
                "AUTO_PASSTHROUGH",
                "ISTIO_MUTUAL",
                "OPTIONAL_MUTUAL",
            ]),
        ),
        ("servers[].tls.minProtocolVersion", versions.clone()),
        ("servers[].tls.maxProtocolVersion", versions),
    ]
}

fn destination_rule() -> Vec<Refusal> {
    vec![
        ("", json!({ "required": ["host"] })),
        ("host", json!({ "pattern": "^[-_.*A-Za-z0-9]+$" })),
        ("subsets[]", json!({ "required": ["name"] })),
        ("subsets[].name", json!({ "pattern": "^[-_.A-Za-z0-9]{1,63}$" })),
    ]
}

fn service_entry() -> Vec<Refusal> {
    vec![
        ("hosts[]", json!({ "pattern": "^[-_.*A-Za-z0-9]+$" })),
        ("ports[]", json!({ "required": ["number"] })),
        ("ports[].number", port()),
        ("ports[].targetPort", port()),
        ("endpoints[].ports{}", port()),
    ]
}
