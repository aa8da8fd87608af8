//! The maximum cost of a request, whatever the rules and the request.

use std::time::{Duration, Instant};

use super::*;
use crate::rules::PathRewrite;

/// A worker takes about a tenth of this: the tests are not optimized.
const MUCH: Duration = Duration::from_secs(10);

/// This many patterns of half a megabyte are several times what is kept.
const MANY: usize = 200;

fn question(path: String) -> Question {
    Question {
        authority: "a".to_owned(),
        path,
        ..Question::default()
    }
}

fn regex_rule(pattern: &str) -> Value {
    json!({"match": [{"uri": {"regex": pattern}}], "route": to("b")})
}

#[test]
fn no_request_costs_more_than_its_budget_and_the_next_has_its_own() {
    let mut rules: Vec<Value> = (0..20)
        .map(|at| regex_rule(&format!(".*a.{{4000}}b{at}")))
        .collect();
    rules.push(regex_rule("/cheap/[0-9]+"));
    let table = table(&[(&["a"], Value::from(rules))]);
    let start = Instant::now();
    let dear = question("/".to_owned() + &"a".repeat(50_000));
    assert!(matches!(
        table.decide(443, &dear, |_| 0.5).outcome,
        Outcome::TooExpensive
    ));
    assert!(start.elapsed() < MUCH, "{:?}", start.elapsed());
    // Without the states of other patterns, which are valid for every path.
    let cheap = question("/cheap/1".to_owned());
    let decided = (0..20).map(|_| table.decide(443, &cheap, |_| 0.5).outcome);
    assert!(matches!(decided.last(), Some(Outcome::Route(_))));
    assert!(matches!(
        table.decide(443, &dear, |_| 0.5).outcome,
        Outcome::TooExpensive
    ));
}

#[test]
fn an_ordinary_request_takes_a_small_part_of_its_budget() {
    let mut rules: Vec<Value> = (0..1_000)
        .map(|at| {
            regex_rule(&format!(
                "/api/v[0-9]+/service-{at}/(?:items|orders)/[^/]+(?:/.*)?"
            ))
        })
        .collect();
    rules.push(regex_rule(".*\\.(?:png|jpg|css|js)"));
    let table = table(&[(&["a"], Value::from(rules))]);
    for path in ["/api/v2/service-999/orders/4711/lines", "/static/img/logo.png"] {
        let question = question(path.to_owned());
        for (time, share) in [("first", 2), ("second", 1_000)] {
            assert!(matches!(
                table.decide(443, &question, |_| 0.5).outcome,
                Outcome::Route(_)
            ));
            let (spent, budget) = table.regexes.spent();
            assert!(spent < budget / share, "{path}, the {time} time: {spent}");
        }
    }
}

#[test]
fn the_regexes_of_a_worker_take_so_much_memory_and_no_more() {
    // Each separately, and all of them for one path.
    let many = |beginning: &dyn Fn(usize) -> String| {
        let rules = (0..MANY).map(|at| regex_rule(&format!("{}(?:[a-z]{{1000}}){{14}}{at}", beginning(at))));
        rules.collect::<Value>()
    };
    let own = table(&[(&["a"], many(&|at| format!("/t{at}/")))]);
    for at in 0..MANY {
        let question = question(format!("/t{at}/{}", "a".repeat(100)));
        let outcome = own.decide(443, &question, |_| 0.5).outcome;
        assert!(matches!(outcome, Outcome::NotFound(_)), "{at}: {outcome:?}");
    }
    let same = table(&[(&["a"], many(&|_| "/".to_owned()))]);
    let all = question("/".to_owned() + &"a".repeat(100));
    for _ in 0..3 {
        assert!(matches!(
            same.decide(443, &all, |_| 0.5).outcome,
            Outcome::TooExpensive
        ));
    }
    for table in [own, same] {
        let (kept, bound) = table.regexes.memory();
        assert!(kept <= bound && bound <= 40 << 20, "{kept} of {bound}");
    }
}

/// A table that the agent would not make: the filter still works.
fn rewriting(pattern: &str, template: &str) -> RouteTable {
    let mut action = RouteAction {
        path: Some(PathRewrite::Regex(pattern.to_owned(), template.to_owned())),
        ..RouteAction::default()
    };
    action.destinations.push(WeightedCluster::default());
    let config = TableConfig {
        port: 443,
        virtual_hosts: vec![VirtualHostConfig {
            domains: vec!["a".to_owned()],
            rules: vec![RuleConfig {
                origin: RuleOrigin::default(),
                matches: Vec::new(),
                action: Action::Route(Box::new(action)),
            }],
            ..VirtualHostConfig::default()
        }],
        ..TableConfig::default()
    };
    RouteTable::from_configs([&config]).unwrap()
}

#[test]
fn what_a_rewrite_writes_is_never_too_long() {
    let outcome = |table: &RouteTable, path: String| {
        let question = question(path);
        match table.decide(443, &question, |_| 0.5).outcome {
            Outcome::Route(route) => Ok(route.path.map_or(0, |path| path.len())),
            Outcome::TooLong => Err("too long"),
            Outcome::TooExpensive => Err("too expensive"),
            other => panic!("{other:?}"),
        }
    };
    let path = "/".to_owned() + &"a".repeat(20_000);
    let huge = rewriting(".*", &"\\0".repeat(50_000));
    assert_eq!(outcome(&huge, path.clone()), Err("too long"));
    assert_eq!(outcome(&rewriting(".*", "\\0\\0\\0"), path.clone()), Ok(60_003));
    assert_eq!(outcome(&rewriting("a", "b"), "/a".repeat(100)), Ok(200));
    // Every `a` searches for a `b` up to the end.
    let start = Instant::now();
    assert_eq!(outcome(&rewriting("a.*b|a", "c"), path), Err("too expensive"));
    assert!(start.elapsed() < MUCH, "{:?}", start.elapsed());
}

#[test]
fn a_redirect_is_never_too_long() {
    let rules = json!([{"redirect": {"uri": "/".to_owned() + &"a".repeat(4_000)}}]);
    let table = table(&[(&["a"], rules)]);
    let ask = |query: usize| {
        let question = question("/?".to_owned() + &"q".repeat(query));
        table.decide(443, &question, |_| 0.5).outcome
    };
    assert!(matches!(ask(1_000), Outcome::Redirect { .. }));
    assert!(matches!(ask(64 << 10), Outcome::TooLong));
}
