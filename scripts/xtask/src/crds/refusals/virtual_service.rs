//! The rules for VirtualServices.

use serde_json::{Value, json};

use super::{HOST, Refusal, cel, each, one_of, port};

const NAME_OF_HOST: &str = r"^(\*\.)?[-_.A-Za-z0-9]+$";
const DURATION: &str = "^([0-9.]+(h|m|s|ms|us|µs|ns))+$";
/// The maximum number of rules in an object: even with the shortest ones, none can have more.
const RULES: usize = 65_536;

pub(super) fn refusals() -> Vec<Refusal> {
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

/// It is impossible to reject two of exact, prefix and regex here: there may be too many matches for CEL, and for
/// keywords, a null is a value.
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
