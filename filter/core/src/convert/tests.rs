use super::*;
use crate::table::{Action, PathRewrite, RedirectPort};

fn convert(json: &str) -> Result<(RuleConfig, Vec<Problem>), Vec<Problem>> {
    let route: HttpRoute = serde_json::from_str(json).unwrap();
    let kept: Vec<usize> = (0..route.r#match.len()).collect();
    rule(Origin::default(), &route, &kept, &mut |to| to.host.clone())
}

fn refusal(json: &str) -> (&'static str, String) {
    let problems = convert(json).unwrap_err();
    let problem = problems.into_iter().find(|problem| problem.refused).unwrap();
    (problem.code, problem.field)
}

#[test]
fn what_istio_refuses_is_refused_by_name() {
    let route = r#""route":[{"destination":{"host":"a"}}]"#;
    for (json, code, field) in [
        (
            r#"{"match":[{"uri":{"regex":"("}}],ROUTE}"#,
            "bad-regex",
            "match[0].uri.regex",
        ),
        (
            r#"{"match":[{"headers":{"x":{"regex":"*"}}}],ROUTE}"#,
            "bad-regex",
            "match[0].headers[x].regex",
        ),
        (
            r#"{"match":[{"queryParams":{"x":{"regex":"*"}}}],ROUTE}"#,
            "bad-regex",
            "match[0].queryParams[x].regex",
        ),
        (
            r#"{"match":[{"uri":{"exact":"/a","prefix":"/b"}}],ROUTE}"#,
            "ambiguous-match",
            "match[0].uri",
        ),
        (r#"{"match":[{"uri":{}}],ROUTE}"#, "empty-match", "match[0].uri"),
        (
            r#"{"match":[{"headers":{"a b":{}}}],ROUTE}"#,
            "invalid-header-name",
            "match[0].headers[a b]",
        ),
        (r#"{"redirect":{"uri":"/"},ROUTE}"#, "ambiguous-action", "route"),
        ("{}", "no-action", "route"),
        (
            r#"{"redirect":{"redirectCode":305}}"#,
            "bad-redirect",
            "redirect.redirectCode",
        ),
        (
            r#"{"redirect":{"port":80,"derivePort":"FROM_REQUEST_PORT"}}"#,
            "bad-redirect",
            "redirect.port",
        ),
        (
            r#"{"directResponse":{"status":99}}"#,
            "bad-status",
            "directResponse.status",
        ),
        (r#"{"timeout":"0s",ROUTE}"#, "bad-duration", "timeout"),
        (r#"{"timeout":"soon",ROUTE}"#, "bad-duration", "timeout"),
        (
            r#"{"retries":{"attempts":-1},ROUTE}"#,
            "bad-retries",
            "retries.attempts",
        ),
        (
            r#"{"rewrite":{"uri":"/","uriRegexRewrite":{"match":"a","rewrite":"b"}},ROUTE}"#,
            "ambiguous-rewrite",
            "rewrite",
        ),
        (
            r#"{"rewrite":{"authority":"a"},"headers":{"request":{"set":{"host":"b"}}},ROUTE}"#,
            "ambiguous-authority",
            "rewrite.authority",
        ),
        (
            r#"{"headers":{"request":{"set":{"x":"a\r\nb"}}},ROUTE}"#,
            "invalid-header-value",
            "headers.request.set[x]",
        ),
        (r#"{"delegate":{"name":"x"}}"#, "bad-delegate", "delegate"),
    ] {
        assert_eq!(
            refusal(&json.replace("ROUTE", route)),
            (code, field.to_owned()),
            "{json}"
        );
    }
}

#[test]
fn what_is_not_carried_out_is_said() {
    let (_, problems) = convert(
        r#"{"retries":{"attempts":1,"backoff":"1s","retryIgnorePreviousHosts":true},"route":[{"destination":{"host":"a"}}]}"#,
    )
    .unwrap();
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["retries.retryIgnorePreviousHosts", "retries.backoff"]);
}

#[test]
fn weights_are_relative_and_zero_is_dropped() {
    let (rule, _) = convert(
        r#"{"route":[{"destination":{"host":"a"},"weight":0},{"destination":{"host":"b"},"weight":7},{"destination":{"host":"c"},"weight":1}]}"#,
    )
    .unwrap();
    let Action::Route(route) = rule.action else {
        panic!()
    };
    let weights: Vec<_> = route
        .destinations
        .iter()
        .map(|to| (to.cluster.as_str(), to.weight))
        .collect();
    assert_eq!(weights, [("b", 7), ("c", 1)]);
    assert_eq!(
        refusal(r#"{"route":[{"destination":{"host":"a"}},{"destination":{"host":"b"}}]}"#).0,
        "no-weight"
    );
}

#[test]
fn the_winner_of_a_header_depends_on_how_many_destinations_there_are() {
    let both = |more: &str| {
        let json = format!(
            r#"{{"headers":{{"request":{{"set":{{"x":"rule"}}}}}},"route":[{{"destination":{{"host":"a"}},"weight":1,"headers":{{"request":{{"set":{{"X":"own"}}}}}}}}{more}]}}"#
        );
        let Action::Route(route) = convert(&json).unwrap().0.action else {
            panic!()
        };
        route.destinations[0].request.set.clone()
    };
    assert_eq!(both(""), [("x".to_owned(), "own".to_owned())]);
    assert_eq!(
        both(r#",{"destination":{"host":"b"},"weight":1}"#),
        [("x".to_owned(), "rule".to_owned())]
    );
}

#[test]
fn actions_keep_their_details() {
    let (rule, _) =
        convert(r#"{"redirect":{"derivePort":"FROM_PROTOCOL_DEFAULT","scheme":"https"}}"#).unwrap();
    let Action::Redirect(redirect) = rule.action else {
        panic!()
    };
    assert_eq!(
        (redirect.status, redirect.port),
        (301, RedirectPort::FromProtocol)
    );
    let (rule, _) = convert(
        r#"{"rewrite":{"uriRegexRewrite":{"match":"a","rewrite":"b"}},"timeout":"1.5s","retries":{"attempts":3,"perTryTimeout":"200ms"},"route":[{"destination":{"host":"a"}}]}"#,
    )
    .unwrap();
    let Action::Route(route) = rule.action else {
        panic!()
    };
    assert_eq!(
        route.path,
        Some(PathRewrite::Regex("a".to_owned(), "b".to_owned()))
    );
    assert_eq!(
        (
            route.timeout_ms,
            route.retries.as_ref().unwrap().per_try_timeout_ms
        ),
        (Some(1500), Some(200))
    );
}

#[test]
fn durations_are_gos() {
    for (text, ms) in [
        ("1h30m", Some(5_400_000.0)),
        ("1.5s", Some(1500.0)),
        ("10ms", Some(10.0)),
        ("5", None),
        ("", None),
        ("1x", None),
    ] {
        assert_eq!(milliseconds(text), ms, "{text}");
    }
}
