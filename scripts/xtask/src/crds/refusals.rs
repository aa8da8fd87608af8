//! What the API server refuses of an object at once, where it can be seen in the object alone: what `check` refuses too, and
//! Istio. What Istio takes and we do not carry out stays the agent's to say.
//!
//! Keywords where they do, since they cost nothing. CEL where fields depend on each other: the API server adds up what a
//! rule costs for the longest lists, and refuses definitions beyond its budget. So the lists that hold rules have a length,
//! which no object that etcd can store (1.5 MB) exceeds; and a regex cannot be compiled here, because of a rule's matches
//! there may be too many.

use anyhow::{Context as _, Result};
use sealgate_model::Kind;
use serde_json::{Map, Value, json};

/// A host name or wildcard, of a namespace or not. Looser than `check`, which says of each what is wrong with it.
const HOST: &str = r"^([^/]+/)?[-_.*A-Za-z0-9]+$";
const NAME_OF_HOST: &str = "^[-_.A-Za-z0-9]+$";
const DURATION: &str = "^([0-9.]+(h|m|s|ms|us|µs|ns))+$";
/// Those of Istio, whether we serve them or not; read without case.
const PROTOCOLS: &str = "['HTTP', 'HTTPS', 'HTTP2', 'HTTP3', 'GRPC', 'GRPC-WEB', 'TLS', 'TCP', 'UDP', 'MONGO', 'MYSQL', 'REDIS', \
                         'HBONE', 'DOUBLE-HBONE', 'HTTP_PROXY']";
/// Servers of a Gateway and rules of a VirtualService: shorter ones cannot be written, so no object holds more.
const SERVERS: usize = 32_768;
const RULES: usize = 65_536;

/// Keywords for a field, by its path below `spec`: `[]` are a list's items, `{}` a map's values.
type Refusal = (&'static str, Value);

/// Puts what is refused of this kind into its schema.
pub(super) fn add(kind: Kind, spec: &mut Value) -> Result<()> {
    let refusals = match kind {
        Kind::Gateway => gateway(),
        Kind::VirtualService => virtual_service(),
        Kind::DestinationRule => destination_rule(),
        Kind::ServiceEntry => service_entry(),
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
                    "self.port.protocol.upperAscii() != 'HTTPS' || has(self.tls)",
                    "a server of protocol HTTPS needs tls",
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

fn virtual_service() -> Vec<Refusal> {
    let some = |name: &str| json!({ "required": [name], "properties": { (name): { "minItems": 1 } } });
    let mut refusals = vec![
        (
            "",
            json!({
                "anyOf": [some("http"), some("tls"), some("tcp")],
                "x-kubernetes-validations": cel(&[(
                    "!has(self.gateways) || size(self.gateways) == 0 || has(self.hosts) && size(self.hosts) > 0",
                    "there are no hosts; a delegate has neither hosts nor gateways",
                )]),
            }),
        ),
        ("hosts[]", json!({ "pattern": HOST })),
        ("gateways[]", json!({ "pattern": "^[-./a-z0-9]+$" })),
        ("http", json!({ "maxItems": RULES })),
        ("http[]", json!({ "x-kubernetes-validations": rule() })),
        ("http[].route[]", json!({ "required": ["destination"] })),
        ("http[].route[].weight", json!({ "minimum": 0 })),
        ("http[].retries.attempts", json!({ "minimum": 0 })),
    ];
    refusals.extend(matches());
    refusals.extend(destinations());
    refusals.extend(answers());
    refusals.extend(faults());
    refusals
}

/// What depends on several fields of a rule.
fn rule() -> Value {
    let actions = "(has(self.route) && size(self.route) > 0 ? 1 : 0) + (has(self.redirect) ? 1 : 0) \
                   + (has(self.directResponse) ? 1 : 0) + (has(self.delegate) ? 1 : 0)";
    cel(&[
        (
            &format!("{actions} > 0"),
            "one of route, redirect, directResponse, delegate is needed",
        ),
        (
            &format!("{actions} < 2"),
            "only one of route, redirect, directResponse, delegate may be given",
        ),
        (
            "!has(self.mirror) || !has(self.mirrors) || size(self.mirrors) == 0",
            "only one of mirror and mirrors may be given",
        ),
        (
            "!has(self.redirect) && !has(self.directResponse) || !has(self.rewrite) && !has(self.fault)",
            "neither redirect nor directResponse can have a rewrite or a fault",
        ),
    ])
}

/// That two of exact, prefix and regex are given cannot be said here: of matches there may be too many for CEL, and keywords
/// take a null for a value.
fn matches() -> Vec<Refusal> {
    let regexes = [
        "http[].match[].uri.regex",
        "http[].match[].scheme.regex",
        "http[].match[].method.regex",
        "http[].match[].authority.regex",
        "http[].match[].headers{}.regex",
        "http[].match[].queryParams{}.regex",
        "http[].match[].withoutHeaders{}.regex",
        "http[].corsPolicy.allowOrigins[].regex",
    ];
    let mut refusals = each(&regexes, &json!({ "minLength": 1 }));
    refusals.push(("http[].match[].port", port()));
    refusals
}

fn destinations() -> Vec<Refusal> {
    let to = [
        "http[].route[].destination",
        "http[].mirror",
        "http[].mirrors[].destination",
    ];
    let hosts = [
        "http[].route[].destination.host",
        "http[].mirror.host",
        "http[].mirrors[].destination.host",
    ];
    let ports = [
        "http[].route[].destination.port.number",
        "http[].mirror.port.number",
        "http[].mirrors[].destination.port.number",
    ];
    let shares = [
        "http[].mirrorPercentage.value",
        "http[].mirrors[].percentage.value",
        "http[].fault.delay.percentage.value",
        "http[].fault.abort.percentage.value",
    ];
    let mut refusals = each(&to, &json!({ "required": ["host"] }));
    refusals.extend(each(&hosts, &json!({ "pattern": NAME_OF_HOST })));
    refusals.extend(each(&ports, &port()));
    refusals.extend(each(&shares, &json!({ "minimum": 0, "maximum": 100 })));
    refusals
}

/// What is answered without an upstream, or with another path.
fn answers() -> Vec<Refusal> {
    vec![
        (
            "http[].redirect",
            json!({ "x-kubernetes-validations": cel(&[
                (
                    "has(self.uri) || has(self.prefixRewrite) || has(self.authority) || has(self.port) \
                     || has(self.derivePort) || has(self.scheme)",
                    "one of uri, prefixRewrite, authority, port, derivePort and scheme is needed",
                ),
                ("!has(self.port) || !has(self.derivePort)", "only one of port and derivePort may be given"),
            ]) }),
        ),
        (
            "http[].redirect.redirectCode",
            json!({ "x-kubernetes-validations": cel(&[
                ("self in [301, 302, 303, 307, 308]", "one of 301, 302, 303, 307, 308"),
            ]) }),
        ),
        (
            "http[].redirect.derivePort",
            one_of(&["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]),
        ),
        ("http[].redirect.scheme", one_of(&["", "http", "https"])),
        ("http[].redirect.port", port()),
        ("http[].directResponse", json!({ "required": ["status"] })),
        (
            "http[].directResponse.status",
            json!({ "minimum": 200, "maximum": 599 }),
        ),
        (
            "http[].directResponse.body",
            json!({ "x-kubernetes-validations": cel(&[
                ("!has(self.string) || !has(self.bytes)", "only one of string and bytes may be given"),
            ]) }),
        ),
        ("http[].delegate", json!({ "required": ["name"] })),
        ("http[].delegate.name", json!({ "minLength": 1 })),
        (
            "http[].rewrite",
            json!({ "x-kubernetes-validations": cel(&[(
                "!has(self.uri) || size(self.uri) == 0 || !has(self.uriRegexRewrite)",
                "only one of uri and uriRegexRewrite may be given",
            )]) }),
        ),
        (
            "http[].corsPolicy.unmatchedPreflights",
            one_of(&["", "UNSPECIFIED", "FORWARD", "IGNORE"]),
        ),
    ]
}

fn faults() -> Vec<Refusal> {
    let durations = [
        "http[].timeout",
        "http[].retries.perTryTimeout",
        "http[].fault.delay.fixedDelay",
    ];
    let duration = json!({
        "pattern": DURATION,
        "maxLength": 64,
        "x-kubernetes-validations": cel(&[("duration(self) >= duration('1ms')", "at least 1ms")]),
    });
    let mut refusals = each(&durations, &duration);
    refusals.push((
        "http[].fault",
        json!({ "x-kubernetes-validations": cel(&[
            ("has(self.delay) || has(self.abort)", "one of delay and abort is needed"),
        ]) }),
    ));
    refusals.push((
        "http[].fault.abort.httpStatus",
        json!({ "minimum": 200, "maximum": 599 }),
    ));
    refusals
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
