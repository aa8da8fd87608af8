//! What the API server refuses of an object at once, where it can be seen in the object alone: what `check` refuses too, and
//! Istio. What Istio takes and we do not carry out stays the agent's to say.
//!
//! Keywords where they do, since they cost nothing. CEL where fields depend on each other: the API server adds up what a
//! rule costs for the longest lists, and refuses definitions beyond its budget. So the lists that hold rules have a length,
//! which no object that etcd can store (1.5 MB) exceeds; and a regex cannot be compiled here, because of a rule's matches
//! there may be too many.

mod virtual_service;

use anyhow::{Context as _, Result};
use sealgate_model::Kind;
use serde_json::{Map, Value, json};

/// A host name or wildcard, of a namespace or not. Looser than `check`, which says of each what is wrong with it.
const HOST: &str = r"^([^/]+/)?[-_.*A-Za-z0-9]+$";
/// Those of Istio, whether we serve them or not; read without case.
const PROTOCOLS: &str = "['HTTP', 'HTTPS', 'HTTP2', 'HTTP3', 'GRPC', 'GRPC-WEB', 'TLS', 'TCP', 'UDP', 'MONGO', 'MYSQL', 'REDIS', \
                         'HBONE', 'DOUBLE-HBONE', 'HTTP_PROXY']";
/// Of one Gateway: shorter ones cannot be written, so none holds more.
const SERVERS: usize = 32_768;

/// Keywords for a field, by its path below `spec`: `[]` are a list's items, `{}` a map's values.
type Refusal = (&'static str, Value);

/// Puts what is refused of this kind into its schema.
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

/// Fields of a list that are all refused alike.
fn each<'p>(paths: impl IntoIterator<Item = &'p &'static str>, keywords: &Value) -> Vec<Refusal> {
    paths.into_iter().map(|path| (*path, keywords.clone())).collect()
}

/// One of these words. Not `enum`, which refuses a null that the field may be.
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
