#[path = "tests/refused.rs"]
mod refused;

use super::*;
use crate::rules::{AbortStatus, Action, PathRewrite, RedirectPort, Retries, RouteAction};

fn convert(json: &str) -> Result<(RuleConfig, Vec<Problem>), Vec<Problem>> {
    let route: HttpRoute = serde_json::from_str(json).unwrap();
    let kept: Vec<usize> = (0..route.r#match.len()).collect();
    rule(RuleOrigin::default(), &route, &kept, &mut |to| to.host.clone())
}

fn refusal(json: &str) -> (ProblemCode, String) {
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
            ProblemCode::BadRegex,
            "match[0].uri.regex",
        ),
        (
            r#"{"match":[{"headers":{"x":{"regex":"*"}}}],ROUTE}"#,
            ProblemCode::BadRegex,
            "match[0].headers[x].regex",
        ),
        (
            r#"{"match":[{"queryParams":{"x":{"regex":"*"}}}],ROUTE}"#,
            ProblemCode::BadRegex,
            "match[0].queryParams[x].regex",
        ),
        (
            r#"{"match":[{"uri":{"exact":"/a","prefix":"/b"}}],ROUTE}"#,
            ProblemCode::AmbiguousMatch,
            "match[0].uri",
        ),
        (
            r#"{"match":[{"uri":{}}],ROUTE}"#,
            ProblemCode::EmptyMatch,
            "match[0].uri",
        ),
        (
            r#"{"match":[{"headers":{"a b":{}}}],ROUTE}"#,
            ProblemCode::InvalidHeaderName,
            "match[0].headers[a b]",
        ),
        (
            r#"{"redirect":{"uri":"/"},ROUTE}"#,
            ProblemCode::AmbiguousAction,
            "route",
        ),
        ("{}", ProblemCode::NoAction, "route"),
        (
            r#"{"redirect":{"redirectCode":305}}"#,
            ProblemCode::BadRedirect,
            "redirect.redirectCode",
        ),
        (
            r#"{"redirect":{"port":80,"derivePort":"FROM_REQUEST_PORT"}}"#,
            ProblemCode::BadRedirect,
            "redirect.port",
        ),
        (
            r#"{"directResponse":{"status":99}}"#,
            ProblemCode::BadStatus,
            "directResponse.status",
        ),
        (r#"{"timeout":"0s",ROUTE}"#, ProblemCode::BadDuration, "timeout"),
        (r#"{"timeout":"soon",ROUTE}"#, ProblemCode::BadDuration, "timeout"),
        (
            r#"{"retries":{"attempts":-1},ROUTE}"#,
            ProblemCode::BadRetries,
            "retries.attempts",
        ),
        (
            r#"{"retries":{"retryOn":"5xx"},ROUTE}"#,
            ProblemCode::BadRetries,
            "retries.attempts",
        ),
        (
            r#"{"retries":{"attempts":0,"perTryTimeout":"1s"},ROUTE}"#,
            ProblemCode::BadRetries,
            "retries.attempts",
        ),
        (r#"{"redirect":{}}"#, ProblemCode::BadRedirect, "redirect"),
        (
            r#"{"redirect":{"uri":"","redirectCode":302}}"#,
            ProblemCode::BadRedirect,
            "redirect",
        ),
        (
            r#"{"match":[{"uri":{"prefix":"/a"}},{"uri":{"exact":"/b"}}],"redirect":{"prefixRewrite":"/c"}}"#,
            ProblemCode::BadRedirect,
            "redirect.prefixRewrite",
        ),
        (
            r#"{"match":[{"uri":{"regex":"/b.*"}}],"redirect":{"prefixRewrite":"/c"}}"#,
            ProblemCode::BadRedirect,
            "redirect.prefixRewrite",
        ),
        (r#"{"rewrite":{},ROUTE}"#, ProblemCode::BadRewrite, "rewrite"),
        (
            r#"{"rewrite":{"uri":"","authority":""},ROUTE}"#,
            ProblemCode::BadRewrite,
            "rewrite",
        ),
        (
            r#"{"rewrite":{"uriRegexRewrite":{"match":"","rewrite":"/a"}},ROUTE}"#,
            ProblemCode::BadRewrite,
            "rewrite.uriRegexRewrite",
        ),
        (
            r#"{"match":[{"uri":{"regex":""}}],ROUTE}"#,
            ProblemCode::EmptyMatch,
            "match[0].uri.regex",
        ),
        (
            r#"{"match":[{"withoutHeaders":{"x":{"regex":""}}}],ROUTE}"#,
            ProblemCode::EmptyMatch,
            "match[0].withoutHeaders[x].regex",
        ),
        (
            r#"{"match":[{"headers":{"x":{"prefix":""}}}],ROUTE}"#,
            ProblemCode::EmptyMatch,
            "match[0].headers[x].prefix",
        ),
        (
            r#"{"corsPolicy":{"allowOrigins":[{"regex":""}]},ROUTE}"#,
            ProblemCode::EmptyMatch,
            "corsPolicy.allowOrigins[0].regex",
        ),
        (
            r#"{"rewrite":{"uri":"/","uriRegexRewrite":{"match":"a","rewrite":"b"}},ROUTE}"#,
            ProblemCode::AmbiguousRewrite,
            "rewrite",
        ),
        (
            r#"{"rewrite":{"authority":"a"},"headers":{"request":{"set":{"host":"b"}}},ROUTE}"#,
            ProblemCode::AmbiguousAuthority,
            "rewrite.authority",
        ),
        (
            r#"{"headers":{"request":{"set":{"x":"a\r\nb"}}},ROUTE}"#,
            ProblemCode::InvalidHeaderValue,
            "headers.request.set[x]",
        ),
        (
            r#"{"delegate":{"name":"x"}}"#,
            ProblemCode::BadDelegate,
            "delegate",
        ),
        (
            r#"{"headers":{"request":{"set":{"x":"%HOSTNAME%"}}},ROUTE}"#,
            ProblemCode::NotCarriedOut,
            "headers.request.set[x]",
        ),
        (
            r#"{"headers":{"request":{"set":{"host":"a"},"add":{":authority":"b"}}},ROUTE}"#,
            ProblemCode::AmbiguousAuthority,
            "headers.request.add[:authority]",
        ),
        (
            r#"{"retries":{"attempts":1,"retryOn":"5xx,999"},ROUTE}"#,
            ProblemCode::BadRetries,
            "retries.retryOn",
        ),
        (
            r#"{"rewrite":{"uriRegexRewrite":{"match":"(a)","rewrite":"\\2"}},ROUTE}"#,
            ProblemCode::BadRewrite,
            "rewrite.uriRegexRewrite.rewrite",
        ),
        (
            r#"{"rewrite":{"uriRegexRewrite":{"match":"(a)","rewrite":"/\\"}},ROUTE}"#,
            ProblemCode::BadRewrite,
            "rewrite.uriRegexRewrite.rewrite",
        ),
        (r#"{"fault":{},ROUTE}"#, ProblemCode::BadFault, "fault"),
        (
            r#"{"fault":{"delay":{"exponentialDelay":"1s","percentage":{"value":1}}},ROUTE}"#,
            ProblemCode::BadFault,
            "fault.delay.exponentialDelay",
        ),
        (
            r#"{"fault":{"delay":{"fixedDelay":"1s","percentage":{"value":101}}},ROUTE}"#,
            ProblemCode::BadPercentage,
            "fault.delay.percentage",
        ),
        (
            r#"{"fault":{"abort":{"httpStatus":600}},ROUTE}"#,
            ProblemCode::BadStatus,
            "fault.abort.httpStatus",
        ),
        (
            r#"{"fault":{"abort":{"grpcStatus":"BROKEN"}},ROUTE}"#,
            ProblemCode::BadStatus,
            "fault.abort.grpcStatus",
        ),
        (
            r#"{"fault":{"abort":{}},ROUTE}"#,
            ProblemCode::BadFault,
            "fault.abort",
        ),
        (
            r#"{"fault":{"abort":{"httpStatus":500}},"redirect":{}}"#,
            ProblemCode::AmbiguousAction,
            "fault",
        ),
        (
            r#"{"rewrite":{"uri":"/"},"directResponse":{"status":200}}"#,
            ProblemCode::AmbiguousAction,
            "rewrite",
        ),
        (
            r#"{"mirror":{"host":"m"},"mirrorPercentage":{"value":-1},ROUTE}"#,
            ProblemCode::BadPercentage,
            "mirrorPercentage",
        ),
        (
            r#"{"mirrors":[{}],ROUTE}"#,
            ProblemCode::NoDestination,
            "mirrors[0].destination.host",
        ),
        (
            r#"{"corsPolicy":{"allowOrigins":[{"regex":"("}]},ROUTE}"#,
            ProblemCode::BadRegex,
            "corsPolicy.allowOrigins[0].regex",
        ),
        (
            r#"{"corsPolicy":{"allowMethods":["A\r\nB"]},ROUTE}"#,
            ProblemCode::InvalidHeaderName,
            "corsPolicy.allowMethods",
        ),
        (
            r#"{"corsPolicy":{"unmatchedPreflights":"DROP"},ROUTE}"#,
            ProblemCode::BadCors,
            "corsPolicy.unmatchedPreflights",
        ),
        (
            r#"{"corsPolicy":{"maxAge":"soon"},ROUTE}"#,
            ProblemCode::BadDuration,
            "corsPolicy.maxAge",
        ),
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
        ProblemCode::NoWeight
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

/// The route of a rule with one destination and these fields.
fn route(fields: &str) -> RouteAction {
    let json = format!(r#"{{{fields},"route":[{{"destination":{{"host":"a"}}}}]}}"#);
    let Action::Route(route) = convert(&json).unwrap().0.action else {
        panic!()
    };
    *route
}

#[test]
fn of_the_shares_of_a_mirror_the_newest_counts_and_none_is_all() {
    for (fields, shares) in [
        (r#""mirror":{"host":"m"}"#, &[("m", 100.0)][..]),
        (r#""mirror":{"host":"m"},"mirrorPercent":7"#, &[("m", 7.0)]),
        (r#""mirror":{"host":"m"},"mirror_percent":7"#, &[("m", 7.0)]),
        (
            r#""mirror":{"host":"m"},"mirrorPercent":7,"mirrorPercentage":{"value":0.5}"#,
            &[("m", 0.5)],
        ),
        (r#""mirror":{"host":"m"},"mirrorPercentage":{"value":0}"#, &[]),
        (
            r#""mirror":{"host":"m"},"mirrors":[{"destination":{"host":"n"}},{"destination":{"host":"o"},"percentage":{"value":0}}]"#,
            &[("m", 100.0), ("n", 100.0)],
        ),
    ] {
        let mirrors = route(fields).mirrors;
        let found: Vec<_> = mirrors
            .iter()
            .map(|mirror| (mirror.cluster.as_str(), mirror.percent))
            .collect();
        assert_eq!(found, shares, "{fields}");
    }
}

#[test]
fn status_codes_and_grpc_conditions_of_retries_have_headers_of_their_own() {
    for (on, words, grpc, codes) in [
        ("5xx", "5xx", "", ""),
        ("503", "retriable-status-codes", "", "503"),
        (
            "503, gateway-error ,504",
            "gateway-error,retriable-status-codes",
            "",
            "503,504",
        ),
        ("retriable-status-codes,503", "retriable-status-codes", "", "503"),
        (
            "reset,unavailable,internal",
            "reset,unavailable,internal",
            "unavailable,internal",
            "",
        ),
        ("", &Retries::default().retry_on, "unavailable,cancelled", ""),
    ] {
        let retries = route(&format!(r#""retries":{{"attempts":1,"retryOn":"{on}"}}"#))
            .retries
            .unwrap();
        let found = (&*retries.retry_on, &*retries.grpc_on, &*retries.status_codes);
        assert_eq!(found, (words, grpc, codes), "{on}");
    }
    for none in [r#""retries":{"attempts":0}"#, r#""retries":{}"#] {
        assert_eq!(route(none).retries.unwrap().attempts, 0, "{none}");
    }
}

#[test]
fn a_share_of_nothing_is_no_fault_and_a_forgotten_one_is_said() {
    assert_eq!(
        route(r#""fault":{"delay":{"fixedDelay":"1s","percentage":{"value":0}}}"#).fault,
        None
    );
    let (rule, problems) =
        convert(r#"{"fault":{"abort":{"httpStatus":500}},"route":[{"destination":{"host":"a"}}]}"#).unwrap();
    assert!(matches!(rule.action, Action::Route(route) if route.fault.is_none()));
    assert_eq!(
        (problems[0].code, problems[0].field.as_str()),
        (ProblemCode::NoEffect, "fault.abort")
    );
    let fault = route(
        r#""fault":{"delay":{"fixedDelay":"1.5s","percent":10},"abort":{"grpcStatus":"UNAVAILABLE","percentage":{"value":0.1}}}"#,
    );
    let fault = *fault.fault.unwrap();
    assert_eq!(
        fault.delay.map(|delay| (delay.ms, delay.percent)),
        Some((1500, 10.0))
    );
    assert_eq!(
        fault.abort.map(|abort| (abort.status, abort.percent)),
        Some((AbortStatus::Grpc(14), 0.1))
    );
}

#[test]
fn what_needs_an_upstream_is_said_to_do_nothing_without_one() {
    let (_, problems) = convert(
        r#"{"redirect":{"uri":"/"},"corsPolicy":{},"mirror":{"host":"m"},"timeout":"1s","retries":{},"headers":{"request":{"set":{"x":"y"}}}}"#,
    )
    .unwrap();
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["corsPolicy", "mirror", "timeout", "retries", "headers.request"]
    );
    assert!(
        problems
            .iter()
            .all(|problem| problem.code == ProblemCode::NoEffect)
    );
}

#[test]
fn the_host_of_the_rule_wins_over_a_destinations() {
    let own = r#""route":[{"destination":{"host":"a"},"headers":{"request":{"set":{"Host":"own"}}}}]"#;
    for (fields, authority) in [
        (r#""timeout":"1s""#, "own"),
        (r#""headers":{"request":{"add":{":authority":"rule"}}}"#, "rule"),
        (r#""rewrite":{"authority":"rewritten"}"#, "rewritten"),
    ] {
        let Action::Route(route) = convert(&format!("{{{fields},{own}}}")).unwrap().0.action else {
            panic!()
        };
        assert_eq!(
            route.destinations[0].authority.as_deref(),
            Some(authority),
            "{fields}"
        );
    }
}
