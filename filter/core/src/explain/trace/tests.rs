use super::*;
use crate::table::RouteTable;

/// Every kind of condition, each in its own rule.
const TABLE: &str = r#"{"port":80,"virtual_hosts":[
    {"domains":["*.b.example","c.example"],"rules":[RULE]},
    {"domains":["*.example"],"rules":[
        {"origin":{"virtual_service":"ns/a","rule":0},"matches":[
            {"uri":{"prefix":"/a"}},
            {"index":3,"uri":{"exact":"/ab"},"ignore_uri_case":true},
            {"index":4,"uri":{"regex":"/[0-9]+"}}],ACTION},
        {"origin":{"virtual_service":"ns/a","rule":1,"name":"query"},"matches":[
            {"query_params":[["q",{"exact":"1"}]]}, {"index":1,"query_params":[["q","present"]]}],ACTION},
        {"origin":{"virtual_service":"ns/a","rule":3},"matches":[
            {"headers":[[":method",{"exact":"PUT"}],["x-a",{"exact":"1"}]]},
            {"index":1,"headers":[["x-a",{"prefix":"1"}]]}],ACTION},
        {"origin":{"virtual_service":"ns/b","rule":0},"matches":[
            {"without_headers":[["x-b","present"]]},
            {"index":1,"without_headers":[["x-b",{"exact":"2"}]]},
            {"index":2,"without_headers":[["x-c",{"exact":""}]]}],ACTION},
        RULE]},
    {"domains":["*"],"https_redirect":true,"rules":[RULE]}]}"#;
const RULE: &str = r#"{"origin":{"virtual_service":"ns/b","rule":9},ACTION}"#;
const ACTION: &str = r#""action":{"direct":{"status":200}}"#;

fn table() -> TableConfig {
    serde_json::from_str(&TABLE.replace("RULE", RULE).replace("ACTION", ACTION)).unwrap()
}

fn question(text: &str) -> Question {
    serde_json::from_str(text).unwrap()
}

#[test]
fn each_block_names_the_one_condition_that_failed() {
    let question = question(r#"{"authority":"a.example","path":"/b?r","headers":[["X-B","1"],["x-b","2"]]}"#);
    let trace = trace(&question, &table());
    let messages: Vec<_> = trace
        .earlier
        .iter()
        .map(|trial| {
            format!(
                "{} {} {} {}",
                trial.virtual_service, trial.rule, trial.r#match, trial.failure.message
            )
        })
        .collect();
    let expected = [
        r#"ns/a 0 0 uri: prefix "/a" does not match "/b""#,
        r#"ns/a 0 3 uri: exact "/ab" (case-insensitive) does not match "/b""#,
        r#"ns/a 0 4 uri: regex `/[0-9]+` does not match "/b""#,
        r#"ns/a 1 0 queryParams[q]: exact "1", the request has none"#,
        r#"ns/a 1 1 queryParams[q]: any value, the request has none"#,
        r#"ns/a 3 0 method: exact "PUT" does not match "GET""#,
        r#"ns/a 3 1 headers[x-a]: prefix "1", the request has none"#,
        r#"ns/b 0 0 withoutHeaders[x-b]: must be absent, the request has "1", "2""#,
        r#"ns/b 0 1 withoutHeaders[x-b]: exact "2" must not match "1", "2""#,
        r#"ns/b 0 2 withoutHeaders[x-c]: exact "", the request has none, which counts as """#,
    ];
    assert_eq!(messages, expected);
    assert_eq!(trace.earlier[3].rule_name.as_deref(), Some("query"));
    let failure = &trace.earlier[8].failure;
    assert_eq!(
        (failure.wanted.as_str(), failure.found.len()),
        (r#"exact "2""#, 2)
    );
}

#[test]
fn the_host_says_why_it_is_the_one() {
    for (authority, domain, by) in [
        ("C.example:80", "c.example", HostMatch::Exact),
        ("a.b.example.", "*.b.example", HostMatch::Wildcard),
        ("b.example", "*.example", HostMatch::Wildcard),
        ("elsewhere", "*", HostMatch::Any),
    ] {
        let question = question(&format!(r#"{{"authority":"{authority}"}}"#));
        let host = trace(&question, &table()).host.unwrap();
        assert_eq!((host.domain.as_str(), host.by), (domain, by), "{authority}");
        assert_eq!(host.https_redirect, domain == "*");
    }
    let none = trace(&question(r#"{"authority":"a"}"#), &TableConfig::default());
    assert_eq!(none, Trace::default());
}

#[test]
fn it_tells_the_decision_that_is_taken() {
    let config = table();
    let table = RouteTable::from_configs(std::slice::from_ref(&config)).unwrap();
    for line in [
        r#"{"authority":"a.example","path":"/a/b"}"#,
        r#"{"authority":"a.example","path":"/AB"}"#,
        r#"{"authority":"a.example","path":"/7?q=1"}"#,
        r#"{"authority":"a.example","path":"/b?q=1"}"#,
        r#"{"authority":"a.example","path":"/b?q"}"#,
        r#"{"authority":"a.example","method":"PUT","headers":[["x-a","1"]]}"#,
        r#"{"authority":"a.example","headers":[["x-a","0"],["X-A","12"]]}"#,
        r#"{"authority":"a.example"}"#,
        r#"{"authority":"a.example","headers":[["x-b","1"]]}"#,
        r#"{"authority":"a.example","headers":[["x-b","2"],["x-c",""]]}"#,
        r#"{"authority":"a.example","headers":[["x-b","2"],["x-c","c"]]}"#,
        r#"{"authority":"c.example"}"#,
    ] {
        let question = question(line);
        let matched = table.decide(config.port, &question, |_| 0.0).matched.unwrap();
        let rule = matched.origin.rule.to_native() as usize;
        let tried = trace(&question, &config).earlier;
        // The block that matched is the one after the last that did not.
        let all: Vec<_> = blocks(&config, &question);
        assert_eq!(
            all.get(tried.len()).copied(),
            Some((matched.origin.virtual_service.as_str(), rule, matched.block)),
            "{line}"
        );
    }
}

/// Rule and block, by their places.
type Block<'t> = (&'t str, usize, Option<usize>);

/// The blocks of the question's virtual host, in declared order.
fn blocks<'t>(config: &'t TableConfig, question: &Question) -> Vec<Block<'t>> {
    let (_, host) = virtual_host(question, config).unwrap();
    let of_rule = |rule: &'t RuleConfig| {
        let origin = &rule.origin;
        let one = |block| (origin.virtual_service.as_str(), origin.rule, block);
        let blocks: Vec<_> = rule.matches.iter().map(|block| one(Some(block.index))).collect();
        if blocks.is_empty() {
            vec![one(None)]
        } else {
            blocks
        }
    };
    host.rules.iter().flat_map(of_rule).collect()
}
