//! What can be checked of the rules and the dashboard without promtool and Grafana.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{RULES, TESTS};

const DOCUMENT: &str = "docs/reference/metrics.md";
const DASHBOARD: &str = "envoy/helm/sealgate/files/dashboard.json";
/// The suffixes of a histogram's series.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// The prefixes of our metrics.
const PREFIXES: [&str; 2] = ["sealgate_", "process_"];

fn read(name: &str) -> String {
    fs::read_to_string(crate::root().unwrap().join(name)).unwrap()
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap()
}

/// The metrics that the document has a row for.
fn documented() -> BTreeSet<String> {
    let text = read(DOCUMENT);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    names
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

/// The metrics that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .map(|word| {
            let histogram = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix));
            histogram.unwrap_or(word).to_owned()
        })
        .collect()
}

fn rules() -> Vec<Value> {
    let file = yaml(RULES);
    let groups = file["groups"].as_array().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().unwrap().clone()
}

fn targets(panel: &Value) -> &Vec<Value> {
    panel["targets"].as_array().unwrap()
}

#[test]
fn each_metric_of_an_alert_or_a_panel_is_in_the_document() {
    let documented = documented();
    assert!(documented.len() > 20, "{documented:?}");
    let (rules, panels) = (rules(), panels());
    let alerts = rules.iter().map(|rule| &rule["expr"]);
    let queries = panels.iter().flat_map(targets).map(|target| &target["expr"]);
    for expression in alerts.chain(queries) {
        let named = named(expression.as_str().unwrap());
        assert!(!named.is_empty(), "{expression} asks for nothing");
        let unknown: Vec<_> = named.difference(&documented).collect();
        assert!(unknown.is_empty(), "{expression}: {unknown:?}");
    }
    let variables = dashboard()["templating"].to_string();
    assert!(named(&variables).is_subset(&documented), "{variables}");
}

#[test]
fn metrics_are_found_in_expressions() {
    let found =
        named("sum by (le) (rate(sealgate_a_seconds_bucket{job=~\"x\"}[5m])) / process_b_total and up");
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["process_b_total", "sealgate_a_seconds"]);
}

#[test]
fn each_alert_has_its_texts_a_row_and_tests_that_it_fires_and_does_not() {
    let (document, tests) = (read(DOCUMENT), yaml(TESTS));
    let tried: Vec<&Value> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .collect();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(
            document.contains(&format!("| `{name}` |")),
            "{name} is not documented"
        );
        assert!(rule["for"].is_string(), "{name} fires at once");
        let severity = rule["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("warning" | "critical")), "{name}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].is_string(), "{name} has no {text}");
        }
        let own = tried.iter().filter(|test| test["alertname"] == name);
        let fires: BTreeSet<bool> = own
            .map(|test| !test["exp_alerts"].as_array().unwrap().is_empty())
            .collect();
        assert_eq!(fires.len(), 2, "{name}: {fires:?}");
    }
}

#[test]
fn each_panel_has_an_id_a_place_and_queries_of_its_own() {
    let dashboard = dashboard();
    for (field, is_good) in [
        ("title", dashboard["title"].is_string()),
        ("uid", dashboard["uid"].is_string()),
        ("schemaVersion", dashboard["schemaVersion"].is_u64()),
    ] {
        assert!(is_good, "{field}");
    }
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: its id is another's"
        );
        assert!(
            matches!(panel["type"].as_str(), Some("stat" | "table" | "timeseries")),
            "{title}"
        );
        let place = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(cells.insert((x, y)), "{title} lies on another");
            }
        }
        let mut letters = BTreeSet::new();
        assert!(!targets(&panel).is_empty(), "{title}");
        for target in targets(&panel) {
            assert!(
                letters.insert(target["refId"].as_str().unwrap().to_owned()),
                "{title}"
            );
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let expression = target["expr"].as_str().unwrap();
            assert!(is_balanced(expression), "{title}: {expression}");
        }
    }
}

fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    for letter in expression.chars() {
        match letter {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(letter) => return false,
            _ => {}
        }
    }
    open.is_empty()
}
