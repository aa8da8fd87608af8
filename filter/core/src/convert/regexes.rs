//! The memory of all regexes of a VirtualService: each may take a megabyte compiled, and a rule may have many.

use std::collections::BTreeSet;

use super::limits::REGEXES;
use crate::config::{HttpRoute, StringMatch};
use crate::regex::size;

/// Adds up the memory of different regexes.
#[derive(Debug, Default)]
pub struct RegexMeter<'r> {
    seen: BTreeSet<&'r str>,
    bytes: usize,
}

impl<'r> RegexMeter<'r> {
    /// Adds those of a rule; returns whether they are still within the limit. Beyond it, nothing is compiled.
    pub fn add(&mut self, rule: &'r HttpRoute) -> bool {
        for pattern in regexes(rule) {
            if self.bytes > REGEXES {
                break;
            }
            if self.seen.insert(pattern) {
                // An invalid one takes nothing, and is rejected by itself.
                self.bytes = self.bytes.saturating_add(size(pattern).unwrap_or_default());
            }
        }
        self.bytes <= REGEXES
    }
}

fn regexes(rule: &HttpRoute) -> impl Iterator<Item = &str> {
    let blocks = rule.r#match.iter().flat_map(|block| {
        let single = [&block.scheme, &block.method, &block.authority];
        let single = single.into_iter().filter_map(|condition| condition.as_deref());
        let several = [&block.headers, &block.without_headers, &block.query_params];
        let several = several
            .into_iter()
            .flat_map(|conditions| conditions.values().flatten());
        block.uri.iter().chain(single).chain(several)
    });
    let origins = rule.cors_policy.iter().flat_map(|cors| &cors.allow_origins);
    let conditions = blocks
        .chain(origins)
        .filter_map(|condition: &StringMatch| condition.regex.as_deref());
    let rewrite = rule
        .rewrite
        .iter()
        .filter_map(|rewrite| rewrite.uri_regex_rewrite.as_ref());
    conditions.chain(rewrite.map(|regex| regex.r#match.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(patterns: &[String]) -> HttpRoute {
        let blocks: Vec<_> = patterns
            .iter()
            .map(|pattern| json!({"headers": {"x-a": {"regex": pattern}}}))
            .collect();
        serde_json::from_value(json!({"match": blocks})).unwrap()
    }

    #[test]
    fn many_large_ones_are_too_many_and_one_that_repeats_is_one() {
        let large = |at: usize| format!("{at}(?:[a-z]{{1000}}){{10}}");
        let many = rule(&(0..200).map(large).collect::<Vec<_>>());
        assert!(!RegexMeter::default().add(&many));
        let same = rule(&vec![large(0); 1_000]);
        assert!(RegexMeter::default().add(&same));
        // Together with those of other rules.
        let (few, more) = (
            rule(&(0..10).map(large).collect::<Vec<_>>()),
            rule(&(10..60).map(large).collect::<Vec<_>>()),
        );
        let mut meter = RegexMeter::default();
        assert!(meter.add(&few) && !meter.add(&more));
        let small: Vec<_> = (0..2_000).map(|at| format!("/{at}/[0-9]+")).collect();
        assert!(RegexMeter::default().add(&rule(&small)));
    }

    #[test]
    fn no_place_of_a_regex_is_left_out() {
        let rule: HttpRoute = serde_json::from_value(json!({
            "match": [{"uri": {"regex": "a"}, "scheme": {"regex": "b"}, "method": {"regex": "c"},
                "authority": {"regex": "d"}, "headers": {"x": {"regex": "e"}}, "withoutHeaders": {"x": {"regex": "f"}},
                "queryParams": {"x": {"regex": "g"}}}],
            "corsPolicy": {"allowOrigins": [{"regex": "h"}]},
            "rewrite": {"uriRegexRewrite": {"match": "i", "rewrite": "x"}},
        }))
        .unwrap();
        let mut found: Vec<_> = regexes(&rule).collect();
        found.sort_unstable();
        assert_eq!(found.concat(), "abcdefghi");
    }
}
