//! What rules may not write, and limits.

use super::*;
use crate::names;

/// Code and field of the problems that reject a rule; empty if none does.
fn refusals(json: &str) -> Vec<(ProblemCode, String)> {
    let problems = match convert(json) {
        Ok((_, problems)) | Err(problems) => problems,
    };
    problems
        .into_iter()
        .filter(|problem| problem.refused)
        .map(|problem| (problem.code, problem.field))
        .collect()
}

#[test]
fn what_the_gateway_vouches_for_no_rule_writes() {
    for name in [
        "x-client-cert-verified",
        "X_Client-Cert_Subject",
        "x-forwarded-client-cert",
        "x_forwarded_client_cert",
        "client-cert",
        "Client_Cert_Chain",
        "x-tls-sni",
        "x-peer-tls-client-subject",
        "ssl_client_verified",
        "x-sealgate-cluster",
        "x-sealgate_mirrors",
        "x-envoy-retry-on",
        "x_envoy_upstream_rq_timeout_ms",
        "content-length",
        "Content_Length",
        "transfer-encoding",
        "Connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    ] {
        let destination = r#"{"destination":{"host":"a"}}"#;
        for direction in ["request", "response"] {
            for (operation, value) in [
                ("set", format!(r#"{{"{name}":"a"}}"#)),
                ("add", format!(r#"{{"{name}":"a"}}"#)),
                ("remove", format!(r#"["{name}"]"#)),
            ] {
                let headers = format!(r#""headers":{{"{direction}":{{"{operation}":{value}}}}}"#);
                // Removing such a header is harmless.
                let is_taken = operation == "remove" && names::owner(name) == Some(names::Owner::Envoy);
                for (at, json) in [
                    ("", format!(r#"{{{headers},"route":[{destination}]}}"#)),
                    (
                        "route[0].",
                        format!(r#"{{"route":[{{"destination":{{"host":"a"}},{headers}}}]}}"#),
                    ),
                ] {
                    let field = format!("{at}headers.{direction}.{operation}[{name}]");
                    let expected = (!is_taken).then_some((ProblemCode::ForbiddenHeader, field));
                    assert_eq!(refusals(&json), Vec::from_iter(expected), "{json}");
                }
            }
        }
    }
    let answered =
        r#"{"headers":{"response":{"set":{"content-length":"1"}}},"directResponse":{"status":200}}"#;
    let field = "headers.response.set[content-length]".to_owned();
    assert_eq!(refusals(answered), [(ProblemCode::ForbiddenHeader, field)]);
}

#[test]
fn a_host_that_a_rule_writes_ends_where_it_ends() {
    for (host, is_good) in [
        ("a.example:8080", true),
        ("[::1]:80", true),
        ("a b", false),
        ("a/b", false),
        ("a@b", false),
        ("a?b", false),
        ("\\u00e4", false),
    ] {
        for json in [
            format!(r#"{{"rewrite":{{"authority":"{host}"}},"route":[{{"destination":{{"host":"a"}}}}]}}"#),
            format!(
                r#"{{"headers":{{"request":{{"set":{{"Host":"{host}"}}}}}},"route":[{{"destination":{{"host":"a"}}}}]}}"#
            ),
        ] {
            let codes: Vec<_> = refusals(&json).into_iter().map(|(code, _)| code).collect();
            let expected = (!is_good).then_some(ProblemCode::InvalidHeaderValue);
            assert_eq!(codes, Vec::from_iter(expected), "{json}");
        }
    }
}

#[test]
fn an_answer_that_has_no_body_is_given_none() {
    for status in [204, 205, 304] {
        let with = |body: &str| {
            format!(r#"{{"directResponse":{{"status":{status},"body":{{"string":"{body}"}}}}}}"#)
        };
        let refused = (ProblemCode::BadBody, "directResponse.body".to_owned());
        assert_eq!(refusals(&with("a")), [refused]);
        assert_eq!(refusals(&with("")), []);
    }
    for status in [204, 205, 304] {
        let abort = format!(r#"{{"httpStatus":{status},"percentage":{{"value":1}}}}"#);
        let json = format!(r#"{{"fault":{{"abort":{abort}}},"route":[{{"destination":{{"host":"a"}}}}]}}"#);
        let refused = (ProblemCode::BadStatus, "fault.abort.httpStatus".to_owned());
        assert_eq!(refusals(&json), [refused]);
    }
    let early = r#"{"directResponse":{"status":103,"body":{"string":"a"}}}"#;
    let refused = (ProblemCode::BadStatus, "directResponse.status".to_owned());
    assert_eq!(refusals(early), [refused]);
}

/// A limit, the field that is rejected beyond it, and a rule with this much of it.
type LimitCase<'c> = (usize, &'c str, &'c dyn Fn(usize) -> String);

#[test]
fn a_rule_holds_so_much_and_no_more() {
    let destination = r#""route":[{"destination":{"host":"a"}}]"#;
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let matches = |count| {
        let blocks = list(count, &|at| format!(r#"{{"uri":{{"exact":"/{at}"}}}}"#));
        format!(r#"{{"match":[{blocks}],{destination}}}"#)
    };
    let conditions = |count| {
        let headers = list(count, &|at| format!(r#""x{at}":{{"exact":"a"}}"#));
        format!(r#"{{"match":[{{"headers":{{{headers}}}}}],{destination}}}"#)
    };
    let operations = |count| {
        let names = list(count, &|at| format!(r#""x{at}":"a""#));
        format!(r#"{{"headers":{{"request":{{"set":{{{names}}}}}}},{destination}}}"#)
    };
    let value = |count: usize| {
        let value = "a".repeat(count);
        format!(r#"{{"headers":{{"response":{{"add":{{"x":"{value}"}}}}}},{destination}}}"#)
    };
    let uri = |count: usize| format!(r#"{{"rewrite":{{"uri":"{}"}},{destination}}}"#, "/".repeat(count));
    let template = |count: usize| {
        let template = "a".repeat(count);
        format!(r#"{{"rewrite":{{"uriRegexRewrite":{{"match":"a","rewrite":"{template}"}}}},{destination}}}"#)
    };
    let redirect = |count: usize| format!(r#"{{"redirect":{{"uri":"{}"}}}}"#, "/".repeat(count));
    let body = |count: usize| {
        let text = "a".repeat(count);
        format!(r#"{{"directResponse":{{"status":200,"body":{{"string":"{text}"}}}}}}"#)
    };
    let cases: [LimitCase<'_>; 8] = [
        (limits::MATCHES, "match", &matches),
        (limits::CONDITIONS, "match[0]", &conditions),
        (limits::HEADER_OPERATIONS, "headers.request", &operations),
        (limits::HEADER_VALUE, "headers.response.add[x]", &value),
        (limits::PATH, "rewrite.uri", &uri),
        (limits::PATH, "rewrite.uriRegexRewrite.rewrite", &template),
        (limits::PATH, "redirect.uri", &redirect),
        (limits::BODY, "directResponse.body", &body),
    ];
    for (limit, field, json) in cases {
        assert_eq!(refusals(&json(limit)), [], "{field}");
        assert_eq!(
            refusals(&json(limit + 1)),
            [(ProblemCode::OverLimit, field.to_owned())]
        );
    }
}

#[test]
fn a_pattern_that_is_replaced_has_so_many_groups() {
    let rewrite = |pattern: &str| {
        format!(
            r#"{{"rewrite":{{"uriRegexRewrite":{{"match":"{pattern}","rewrite":"/"}}}},"route":[{{"destination":{{"host":"a"}}}}]}}"#
        )
    };
    let refused = [(ProblemCode::BadRegex, "rewrite.uriRegexRewrite.match".to_owned())];
    assert_eq!(refusals(&rewrite(&"(a)".repeat(64))), []);
    assert_eq!(refusals(&rewrite(&"(a)".repeat(65))), refused);
    assert_eq!(refusals(&rewrite(&"()".repeat(6_000))), refused);
    assert_eq!(
        refusals(&rewrite(&format!("{}.{{5000}}", "(a)".repeat(60)))),
        refused,
        "few groups, and too many places to remember them for"
    );
}
