//! Cross-origin rules that answer no pre-flight: browsers send it with method OPTIONS, and without the headers of the request
//! that it is about.

use sealgate_core::config::{HttpMatch, HttpRoute, StringMatch, VirtualServiceSpec};

use crate::report::ObjectReport;
use crate::{Code, Severity};

/// Headers that a pre-flight has, or that are put on every request on its way.
const SENT: [&str; 17] = [
    ":authority",
    ":method",
    ":path",
    ":scheme",
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "te",
    "user-agent",
    "via",
];
const SENT_FAMILIES: [&str; 4] = ["access-control-request-", "sec-", "x-envoy-", "x-forwarded-"];

pub(super) fn check(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    let with_policy = || spec.http.iter().filter(|rule| rule.cors_policy.is_some());
    for (at, rule) in spec.http.iter().enumerate() {
        if rule.cors_policy.is_none() || is_reached(rule) {
            continue;
        }
        // Another rule may be there for the pre-flights of the same paths.
        if with_policy().any(|other| is_reached(other) && takes_paths_of(other, rule)) {
            continue;
        }
        let message = "no preflight reaches it: preflights have the method OPTIONS, and none of the actual request's headers. \
                       Add a rule for the same paths without these conditions, and with this corsPolicy";
        let field = format!("spec.http[{at}].corsPolicy");
        report.add(Severity::Warning, Code::UnreachedCors, field, message);
    }
}

fn is_reached(rule: &HttpRoute) -> bool {
    rule.r#match.is_empty() || rule.r#match.iter().any(is_met)
}

fn is_met(block: &HttpMatch) -> bool {
    let mut headers = block.headers.iter();
    takes(block.method.as_deref(), "OPTIONS")
        && headers.all(|(name, condition)| match name.as_str() {
            ":method" => takes(condition.as_ref(), "OPTIONS"),
            name => is_sent(&name.to_ascii_lowercase()),
        })
}

fn is_sent(name: &str) -> bool {
    SENT.contains(&name) || SENT_FAMILIES.iter().any(|family| name.starts_with(family))
}

fn takes(condition: Option<&StringMatch>, value: &str) -> bool {
    let Some(condition) = condition else { return true };
    match (&condition.exact, &condition.prefix, &condition.regex) {
        (Some(text), _, _) => text == value,
        (_, Some(text), _) => value.starts_with(text.as_str()),
        (_, _, Some(pattern)) => may_be(pattern, value),
        _ => true,
    }
}

/// A list of words is understood; anything else may match.
fn may_be(pattern: &str, value: &str) -> bool {
    let is_list = pattern
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'|');
    !is_list || pattern.split('|').any(|word| word == value)
}

/// Whether a rule takes the paths of another one, as far as that is plain.
fn takes_paths_of(wide: &HttpRoute, rule: &HttpRoute) -> bool {
    let any = wide.r#match.is_empty()
        || wide
            .r#match
            .iter()
            .any(|block| is_met(block) && block.uri.is_none());
    let is_taken = |own: &HttpMatch| {
        let mut blocks = wide.r#match.iter().filter(|block| is_met(block));
        blocks.any(|block| block.uri == own.uri || is_within(block.uri.as_ref(), own.uri.as_ref()))
    };
    any || rule.r#match.iter().all(is_taken)
}

fn is_within(wide: Option<&StringMatch>, own: Option<&StringMatch>) -> bool {
    let (Some(wide), Some(own)) = (wide.and_then(|uri| uri.prefix.as_ref()), own) else {
        return false;
    };
    let text = own.exact.as_ref().or(own.prefix.as_ref());
    text.is_some_and(|text| text.starts_with(wide.as_str()))
}

#[cfg(test)]
mod tests {
    use sealgate_core::config::VirtualServiceSpec;
    use serde_json::json;

    use super::*;
    use crate::{Kind, ObjectRef};

    fn unreached(rules: serde_json::Value) -> Vec<String> {
        let spec: VirtualServiceSpec = serde_json::from_value(json!({ "http": rules })).unwrap();
        let mut report = ObjectReport::new(ObjectRef::new(Kind::VirtualService, "a", "b"));
        check(&spec, &mut report);
        report
            .into_findings()
            .into_iter()
            .filter_map(|own| own.field)
            .collect()
    }

    #[test]
    fn a_block_that_wants_more_than_a_preflight_has_is_not_reached_by_one() {
        for (block, is_reached) in [
            (json!({"headers": {"x-want": {"exact": "app"}}}), false),
            (json!({"headers": {"authorization": {}}}), false),
            (
                json!({"method": {"exact": "GET"}, "uri": {"prefix": "/m"}}),
                false,
            ),
            (json!({"method": {"regex": "GET|POST"}}), false),
            (json!({"headers": {":method": {"exact": "PUT"}}}), false),
            (json!({"method": {"regex": "GET|OPTIONS"}}), true),
            (json!({"method": {"regex": "[A-Z]+"}}), true),
            (json!({"headers": {"Origin": {"exact": "https://a.test"}}}), true),
            (json!({"headers": {"user-agent": {"prefix": "Mozilla"}}}), true),
            (json!({"withoutHeaders": {"x-want": {}}}), true),
            (json!({"uri": {"prefix": "/a"}}), true),
        ] {
            let found = unreached(json!([{"match": [block], "corsPolicy": {}}]));
            assert_eq!(found.is_empty(), is_reached, "{block}: {found:?}");
        }
        assert_eq!(unreached(json!([{"corsPolicy": {}}])), Vec::<String>::new());
    }

    #[test]
    fn a_rule_for_the_preflights_of_the_same_paths_is_enough() {
        let narrow =
            json!({"match": [{"method": {"exact": "GET"}, "uri": {"exact": "/m/x"}}], "corsPolicy": {}});
        for (uri, is_enough) in [("/m", true), ("/", true), ("/n", false)] {
            let wide = json!({"match": [{"uri": {"prefix": uri}}], "corsPolicy": {}});
            let found = unreached(json!([narrow, wide]));
            assert_eq!(found.is_empty(), is_enough, "{uri}: {found:?}");
        }
        let all = json!({"corsPolicy": {}});
        assert!(unreached(json!([narrow, all])).is_empty());
        let without = json!({"route": []});
        assert_eq!(unreached(json!([narrow, without])), ["spec.http[0].corsPolicy"]);
    }
}
