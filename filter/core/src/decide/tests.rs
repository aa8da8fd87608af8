#[path = "tests/costs.rs"]
mod costs;
#[path = "tests/faults.rs"]
mod faults;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::arrival::PathNormalization;
use crate::config::HttpRoute;
use crate::convert;
use crate::explain::{BatchAnswer, Question};
use crate::rules::{
    Action, DirectAction, MatchConfig, RouteAction, RuleConfig, RuleOrigin, StringMatcher, TableConfig,
    VirtualHostConfig, WeightedCluster,
};

/// A table of one port; each host with its rules as Istio's JSON.
fn table(hosts: &[(&[&str], Value)]) -> RouteTable {
    let virtual_hosts = hosts.iter().map(|(domains, rules)| {
        let rules: Vec<HttpRoute> = serde_json::from_value(rules.clone()).unwrap();
        let convert = |(at, route): (usize, &HttpRoute)| {
            let origin = RuleOrigin {
                virtual_service: "ns/vs".to_owned(),
                rule: at,
                name: route.name.clone(),
                root: None,
            };
            let kept: Vec<usize> = (0..route.r#match.len()).collect();
            convert::rule(origin, route, &kept, &mut |to| to.host.clone())
                .unwrap()
                .0
        };
        VirtualHostConfig {
            domains: domains.iter().map(ToString::to_string).collect(),
            https_redirect: false,
            rules: rules.iter().enumerate().map(convert).collect(),
        }
    });
    let config = TableConfig {
        port: 443,
        virtual_hosts: virtual_hosts.collect(),
        ..TableConfig::default()
    };
    RouteTable::from_configs(&[config]).unwrap()
}

fn ask(table: &RouteTable, question: Value) -> Value {
    let question: Question = serde_json::from_value(question).unwrap();
    serde_json::to_value(BatchAnswer::new(&question, table, PathNormalization::None.into())).unwrap()
}

fn to(host: &str) -> Value {
    json!([{"destination": {"host": host}}])
}

/// The cluster of each request to one host with these rules; empty if there is none.
fn clusters(rules: Value, questions: &[Value]) -> Vec<String> {
    let table = table(&[(&["a"], rules)]);
    let one = |question: &Value| {
        let mut question = question.clone();
        question["authority"] = question.get("authority").cloned().unwrap_or(json!("a"));
        ask(&table, question)["decision"]["cluster"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    questions.iter().map(one).collect()
}

#[test]
fn hosts_go_from_exact_over_the_longest_suffix_to_any() {
    let rules = |cluster: &str| json!([{"route": to(cluster)}]);
    let table = table(&[
        (&["a.foo.com"], rules("exact")),
        (&["*.foo.com"], rules("foo")),
        (&["*.com"], rules("com")),
        (&["*"], rules("any")),
    ]);
    for (authority, cluster) in [
        ("a.foo.com", "exact"),
        ("A.FOO.com:8443", "exact"),
        ("a.foo.com.", "exact"),
        ("b.foo.com", "foo"),
        ("a.b.foo.com", "foo"),
        ("foo.com", "com"),
        ("com", "any"),
        (".com", "any"),
        ("[::1]:443", "any"),
    ] {
        let answer = ask(&table, json!({"authority": authority}));
        assert_eq!(answer["decision"]["cluster"], cluster, "{authority}");
    }
    let empty = ask(&RouteTable::from_configs(&[]).unwrap(), json!({"authority": "x"}));
    assert_eq!(empty["decision"], json!({"type": "notFound", "reason": "host"}));
}

#[test]
fn the_first_rule_that_matches_wins() {
    let rules = json!([
        {"match": [{"uri": {"prefix": "/v2"}}], "route": to("prefix")},
        {"match": [{"uri": {"exact": "/v2/a"}}, {"uri": {"exact": "/b"}}], "route": to("exact")},
        {"match": [{"uri": {"regex": "/r/[0-9]+"}}], "route": to("regex")},
        {"match": [{"uri": {"exact": "/CASE"}, "ignoreUriCase": true}], "route": to("case")},
    ]);
    let path = |path: &str| json!({ "path": path });
    let questions = [
        path("/v2/a"),
        path("/v2example"),
        path("/b?x=1"),
        path("/r/12"),
        path("/r/12x"),
        path("/case"),
        path("/"),
    ];
    assert_eq!(
        clusters(rules, &questions),
        ["prefix", "prefix", "exact", "regex", "", "case", ""]
    );
}

#[test]
fn conditions_on_headers_and_queries() {
    let rules = json!([
        {"match": [{"headers": {"x-a": {"exact": "1"}}}], "route": to("header")},
        {"match": [{"headers": {"x-p": null}}], "route": to("present")},
        {"match": [{"queryParams": {"q": {"exact": ""}}}], "route": to("query")},
        {"match": [{"method": {"exact": "POST"}, "withoutHeaders": {"x-w": {"exact": "foo"}}}], "route": to("without")},
        {"match": [{"authority": {"exact": "a:8443"}}], "route": to("authority")},
    ]);
    let questions = [
        json!({"headers": [["X-A", "0"], ["x-a", "1"]]}),
        json!({"headers": [["x-a", "01"]]}),
        json!({"headers": [["x-p", ""]]}),
        json!({"path": "/?q&q=1"}),
        json!({"method": "POST"}),
        json!({"method": "POST", "headers": [["x-w", "foo"]]}),
        json!({"method": "post"}),
        json!({"authority": "a:8443"}),
    ];
    assert_eq!(
        clusters(rules, &questions),
        ["header", "", "present", "query", "without", "", "", "authority"]
    );
}

#[test]
fn paths_are_rewritten_and_the_query_stays() {
    for (rule, path, rewritten) in [
        (
            json!({"match": [{"uri": {"prefix": "/common"}}], "rewrite": {"uri": "/"}}),
            "/common/api?x",
            "//api?x",
        ),
        (
            json!({"match": [{"uri": {"exact": "/a"}}], "rewrite": {"uri": "/b"}}),
            "/a?x=1",
            "/b?x=1",
        ),
        (json!({"rewrite": {"uri": "/p/"}}), "/a/b", "/p/a/b"),
        (
            json!({"match": [{"uri": {"regex": "/x.*"}}], "rewrite": {"uri": "/y"}}),
            "/x/1?q",
            "/y?q",
        ),
        (
            json!({"rewrite": {"uriRegexRewrite": {"match": "/(a)(b)", "rewrite": "/\\2\\1"}}}),
            "/ab/ab?ab",
            "/ba/ba?ab",
        ),
    ] {
        let mut rule = rule;
        rule["route"] = to("c");
        let answer = ask(
            &table(&[(&["a"], json!([rule]))]),
            json!({"authority": "a", "path": path}),
        );
        assert_eq!(answer["decision"]["path"], rewritten, "{path}");
    }
}

#[test]
fn redirects_lead_where_istios_do() {
    for (redirect, scheme, authority, path, location) in [
        (
            json!({"uri": "/new"}),
            "https",
            "a",
            "/old?q=1",
            "https://a/new?q=1",
        ),
        (
            json!({"uri": "/new?own=1"}),
            "https",
            "a",
            "/old?q=1",
            "https://a/new?own=1",
        ),
        (json!({"authority": "b"}), "http", "a:8080", "/", "http://b/"),
        (json!({"scheme": "https"}), "http", "a:80", "/x", "https://a/x"),
        (json!({"uri": "/foo"}), "http", "a:80", "/", "http://a:80/foo"),
        (json!({"port": 443}), "https", "a:8443", "/", "https://a/"),
        (json!({"port": 8443}), "https", "a", "/", "https://a:8443/"),
        (
            json!({"derivePort": "FROM_REQUEST_PORT"}),
            "http",
            "a",
            "/",
            "http://a:443/",
        ),
    ] {
        let table = table(&[(&["a"], json!([{"redirect": redirect}]))]);
        let answer = ask(
            &table,
            json!({"port": 443, "scheme": scheme, "authority": authority, "path": path}),
        );
        assert_eq!(
            answer["decision"],
            json!({"type": "redirect", "status": 301, "location": location})
        );
    }
}

#[test]
fn plain_http_is_led_to_https_and_keeps_its_port() {
    let host = VirtualHostConfig {
        domains: vec!["a".to_owned()],
        https_redirect: true,
        rules: Vec::new(),
    };
    let table = RouteTable::from_configs(&[TableConfig {
        port: 80,
        virtual_hosts: vec![host],
        ..TableConfig::default()
    }])
    .unwrap();
    for (authority, location) in [("a", "https://a/x?y"), ("A:80", "https://A:80/x?y")] {
        let answer = ask(
            &table,
            json!({"scheme": "http", "authority": authority, "path": "/x?y"}),
        );
        assert_eq!(answer["decision"]["location"], location);
    }
}

#[test]
fn an_answer_has_the_form_of_the_contract() {
    let rules = json!([{"name": "r", "match": [{"uri": {"exact": "/x"}}, {"uri": {"exact": "/hello"}}], "route": to("c")}]);
    let answer = ask(
        &table(&[(&["a"], rules)]),
        json!({"id": 7, "authority": "a", "path": "/hello?x=1"}),
    );
    let empty = json!({"set": [], "add": [], "remove": []});
    let expected = json!({
        "id": 7,
        "matched": {"virtualService": "ns/vs", "rule": 0, "ruleName": "r", "match": 1},
        "decision": {
            "type": "route", "cluster": "c", "destinations": [{"cluster": "c", "weight": 100}],
            "authority": "a", "path": "/hello?x=1", "timeoutMs": null,
            "retries": {"attempts": 2, "perTryTimeoutMs": null,
                "retryOn": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"},
            "mirrors": [], "requestHeaders": empty, "responseHeaders": empty,
        },
    });
    assert_eq!(answer, expected);
}

#[test]
fn weights_are_cumulative_in_declared_order() {
    let rules = json!([{"route": [
        {"destination": {"host": "x"}, "weight": 1}, {"destination": {"host": "y"}, "weight": 3}]}]);
    let draws: Vec<Value> = [0.0, 0.24, 0.25, 0.99]
        .iter()
        .map(|draw| json!({ "draw": draw }))
        .collect();
    assert_eq!(clusters(rules, &draws), ["x", "x", "y", "y"]);
}

fn matcher() -> impl Strategy<Value = Option<StringMatcher>> {
    let text = "/[ab]{0,2}(/[ab])?";
    prop_oneof![
        Just(None),
        text.prop_map(|text| Some(StringMatcher::Exact(text))),
        text.prop_map(|text| Some(StringMatcher::Prefix(text))),
        text.prop_map(|text| Some(StringMatcher::Regex(format!("{text}.*")))),
    ]
}

fn block() -> impl Strategy<Value = MatchConfig> {
    (matcher(), any::<bool>(), any::<bool>()).prop_map(|(uri, ignore_uri_case, header)| MatchConfig {
        uri,
        ignore_uri_case,
        headers: if header {
            vec![("x".to_owned(), StringMatcher::Present)]
        } else {
            Vec::new()
        },
        ..MatchConfig::default()
    })
}

/// Directly from the semantics: every rule in order, every block.
fn naive(rules: &[RuleConfig], path: &str, header: bool) -> Option<usize> {
    let holds = |block: &MatchConfig| {
        let fold = |text: &str| {
            if block.ignore_uri_case {
                text.to_ascii_lowercase()
            } else {
                text.to_owned()
            }
        };
        let uri = match &block.uri {
            None | Some(StringMatcher::Present) => true,
            Some(StringMatcher::Exact(text)) => fold(text) == fold(path),
            Some(StringMatcher::Prefix(text)) => fold(path).starts_with(&fold(text)),
            // The generator only makes prefixes with `.*`.
            Some(StringMatcher::Regex(text)) => path.starts_with(text.trim_end_matches(".*")),
        };
        uri && (header || block.headers.is_empty())
    };
    rules
        .iter()
        .position(|rule| rule.matches.is_empty() || rule.matches.iter().any(holds))
}

proptest! {
    #[test]
    fn the_index_only_narrows(
        blocks in proptest::collection::vec(proptest::collection::vec(block(), 0..3), 0..8),
        path in "/[abAB]{0,3}(/[ab])?",
        header: bool,
    ) {
        let rules: Vec<RuleConfig> = blocks.into_iter().enumerate().map(|(at, matches)| RuleConfig {
            origin: RuleOrigin { rule: at, ..RuleOrigin::default() },
            matches,
            action: Action::Direct(DirectAction { status: 200, ..DirectAction::default() }),
        }).collect();
        let host = VirtualHostConfig { domains: vec!["a".to_owned()], rules: rules.clone(), ..Default::default() };
        let table = RouteTable::from_configs(&[TableConfig { port: 443, virtual_hosts: vec![host], ..TableConfig::default() }]).unwrap();
        let mut question: Question = serde_json::from_value(json!({"authority": "a", "path": path})).unwrap();
        if header {
            question.headers.push(("x".to_owned(), "1".to_owned()));
        }
        let decision = table.decide(443, &question, |_| 0.0);
        prop_assert_eq!(decision.matched.map(|matched| matched.origin.rule.to_native() as usize), naive(&rules, &path, header));
    }
}
