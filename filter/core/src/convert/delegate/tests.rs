use serde_json::{Value, json};

use super::*;

fn merged(root: &Value, own: &Value) -> Option<(Value, Vec<usize>)> {
    let read = |blocks: &Value| -> Vec<HttpMatch> { serde_json::from_value(blocks.clone()).unwrap() };
    let (blocks, places) = merge_blocks(&read(root), &read(own))?;
    let written = serde_json::to_value(blocks).unwrap();
    Some((without_defaults(&written), places))
}

/// Only the fields that were given.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let given = map.iter().map(|(key, value)| (key, without_defaults(value)));
            let given = given.filter(|(_, value)| {
                !matches!(value, Value::Null | Value::Bool(false))
                    && *value != json!({})
                    && *value != json!([])
            });
            given.map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(list) => list.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_condition_is_within_another_or_the_rule_is_left_out() {
    let exact = |text: &str| json!({"exact": text});
    let prefix = |text: &str| json!({"prefix": text});
    let regex = |text: &str| json!({"regex": text});
    for (root, own, within) in [
        (exact("/a"), exact("/a"), true),
        (exact("/a"), exact("/b"), false),
        (exact("/a"), prefix("/a"), false),
        (prefix("/a"), exact("/a/b"), true),
        (prefix("/a"), exact("/b"), false),
        (prefix("/a"), prefix("/a/b"), true),
        (prefix("/a"), prefix("/a"), true),
        (prefix("/a/b"), prefix("/a"), false),
        (regex("/a.*"), exact("/a"), false),
        (prefix("/a"), regex("/a.*"), false),
        (regex("/a"), regex("/a"), false),
    ] {
        for place in ["uri", "scheme", "method", "authority"] {
            let found = merged(&json!([{place: root}]), &json!([{place: own}]));
            let expected = within.then(|| (json!([{place: own}]), vec![0]));
            assert_eq!(found, expected, "{place}: {root} {own}");
        }
        for place in ["headers", "withoutHeaders", "queryParams"] {
            let found = merged(&json!([{place: {"x": root}}]), &json!([{place: {"x": own}}]));
            assert_eq!(found.is_some(), within, "{place}: {root} {own}");
        }
    }
}

#[test]
fn what_only_one_side_says_counts() {
    let a = json!({"uri": {"regex": "/a.*"}, "headers": {"x": {"exact": "1"}}, "port": 80});
    let b = json!({"method": {"exact": "GET"}, "headers": {"y": {"exact": "2"}}, "gateways": ["g"]});
    let both = json!({
        "uri": {"regex": "/a.*"}, "method": {"exact": "GET"}, "port": 80, "gateways": ["g"],
        "headers": {"x": {"exact": "1"}, "y": {"exact": "2"}},
    });
    assert_eq!(merged(&json!([a]), &json!([b])), Some((json!([both]), vec![0])));
    assert_eq!(merged(&json!([b]), &json!([a])), Some((json!([both]), vec![0])));
    assert_eq!(
        merged(&json!([]), &json!([a, b])),
        Some((json!([a, b]), vec![0, 1]))
    );
    assert_eq!(
        merged(&json!([a, b]), &json!([])),
        Some((json!([a, b]), vec![0, 1]))
    );
}

#[test]
fn every_block_needs_a_place_and_may_have_several() {
    let root = json!([{"uri": {"prefix": "/a"}}, {"headers": {"x": {"exact": "1"}}}]);
    let found = merged(
        &root,
        &json!([{"uri": {"prefix": "/b"}}, {"uri": {"prefix": "/a/b"}}]),
    );
    let blocks = json!([
        {"uri": {"prefix": "/b"}, "headers": {"x": {"exact": "1"}}},
        {"uri": {"prefix": "/a/b"}},
        {"uri": {"prefix": "/a/b"}, "headers": {"x": {"exact": "1"}}},
    ]);
    assert_eq!(found, Some((blocks, vec![0, 1, 1])));
    let narrow = json!([{"uri": {"prefix": "/a"}}]);
    assert_eq!(
        merged(
            &narrow,
            &json!([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}])
        ),
        None
    );
    for (root, own) in [
        (json!({"port": 80}), json!({"port": 81})),
        (json!({"ignoreUriCase": true}), json!({})),
        (json!({"gateways": ["a"]}), json!({"gateways": ["b"]})),
        (
            json!({"sourceLabels": {"a": "b"}}),
            json!({"sourceLabels": {"a": "c"}}),
        ),
        (json!({"sourceNamespace": "a"}), json!({})),
    ] {
        assert_eq!(merged(&json!([root]), &json!([own])), None, "{root} {own}");
    }
}

#[test]
fn the_delegates_word_counts_and_the_roots_fills_the_gaps() {
    let read = |json: Value| -> HttpRoute { serde_json::from_value(json).unwrap() };
    let root = json!({
        "name": "root", "timeout": "1s", "rewrite": {"uri": "/r"}, "fault": {"abort": {"httpStatus": 500}},
        "headers": {"request": {"remove": ["r"]}}, "mirror": {"host": "r"}, "delegate": {"name": "d"},
    });
    let own = json!({"name": "own", "timeout": "2s", "route": [{"destination": {"host": "a"}}]});
    let route = merge(&read(root.clone()), &read(own)).unwrap().route;
    assert_eq!(
        (route.name.as_deref(), route.timeout.as_deref()),
        (Some("root-own"), Some("2s"))
    );
    assert!(
        route.rewrite.is_some() && route.fault.is_some() && route.headers.is_some() && route.mirror.is_some()
    );
    assert!(route.delegate.is_none());
    let redirect = merge(&read(root), &read(json!({"redirect": {"uri": "/"}})))
        .unwrap()
        .route;
    assert!(redirect.rewrite.is_none() && redirect.fault.is_none());
}
