//! What ends a request before its upstream, in which order, and how its path is rewritten.

use serde_json::{Value, json};

use super::{ask, table, to};
use crate::table::RouteTable;

/// A rule with one destination, a fault and a cross-origin policy.
fn faulty(fault: Value) -> RouteTable {
    let rules = json!([{
        "route": to("c"), "fault": fault, "corsPolicy": {"allowOrigins": [{"exact": "http://o"}]},
        "rewrite": {"uri": "seen"},
    }]);
    table(&[(&["a"], rules)])
}

#[test]
fn an_abort_comes_before_a_pre_flight_and_that_before_everything_else() {
    let abort = json!({"abort": {"httpStatus": 418, "percentage": {"value": 100}}});
    let delay = json!({"delay": {"fixedDelay": "1s", "percentage": {"value": 100}}});
    let both = json!({"abort": abort["abort"], "delay": delay["delay"]});
    let headers = json!([["origin", "http://o"], ["access-control-request-method", "GET"]]);
    let pre_flight = json!({"authority": "a", "method": "OPTIONS", "headers": headers});
    let simple = json!({"authority": "a"});
    for (fault, question, expected) in [
        (&abort, &pre_flight, json!(["directResponse", 418, null])),
        (&abort, &simple, json!(["directResponse", 418, null])),
        (&both, &pre_flight, json!(["directResponse", 418, 1000])),
        (&both, &simple, json!(["directResponse", 418, 1000])),
        (&delay, &pre_flight, json!(["directResponse", 200, null])),
        (&delay, &simple, json!(["route", null, 1000])),
    ] {
        let decision = &ask(&faulty(fault.clone()), question.clone())["decision"];
        let found = json!([decision["type"], decision["status"], decision["delayMs"]]);
        assert_eq!(found, expected, "{fault} {question}");
    }
}

#[test]
fn a_share_of_aborts_is_said_and_with_a_draw_decided() {
    let table = faulty(json!({"abort": {"httpStatus": 418, "percentage": {"value": 99.9999}}}));
    let kind = |draw: Value| {
        let mut question = json!({"authority": "a"});
        if !draw.is_null() {
            question["abortDraw"] = draw;
        }
        let decision = ask(&table, question)["decision"].clone();
        assert_eq!(decision["fault"]["abort"]["percent"], 99.9999);
        decision["type"].clone()
    };
    assert_eq!(kind(Value::Null), "route");
    assert_eq!(kind(json!(0.9999)), "directResponse");
    assert_eq!(kind(json!(0.999_999_9)), "route");
}

#[test]
fn a_path_begins_with_a_slash_whatever_a_rule_makes_of_it() {
    let rules = json!([
        {"match": [{"uri": {"prefix": "/a"}}], "rewrite": {"uri": "b"}, "route": to("c")},
        {"match": [{"uri": {"prefix": "/r"}}], "route": to("c"),
         "rewrite": {"uriRegexRewrite": {"match": "/r(.*)", "rewrite": "\\1"}}},
        {"match": [{"uri": {"prefix": "/u"}}], "redirect": {"uri": "login"}},
        {"match": [{"uri": {"prefix": "/p"}}], "redirect": {"prefixRewrite": "login"}},
    ]);
    let table = table(&[(&["a"], rules)]);
    let of = |path: &str, field: &str| {
        ask(&table, json!({"authority": "a", "path": path}))["decision"][field].clone()
    };
    assert_eq!(of("/a/x?q", "path"), "/b/x?q");
    assert_eq!(of("/r?q", "path"), "/?q");
    assert_eq!(of("/u?q", "location"), "https://a/login?q");
    assert_eq!(of("/p/x", "location"), "https://a/login/x");
}
