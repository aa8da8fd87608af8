//! Where the rules of a VirtualService end: at what takes every request.

use crate::rules::{MatchConfig, RuleConfig, StringMatcher};

/// A rule without its first block that takes everything, and that block as a rule of its own; what comes after it is
/// dead.
#[must_use]
pub fn split_catch_all(mut rule: RuleConfig) -> (Option<RuleConfig>, Option<RuleConfig>) {
    if rule.matches.is_empty() {
        return (None, Some(rule));
    }
    let Some(at) = rule.matches.iter().position(is_catch_all) else {
        return (Some(rule), None);
    };
    rule.matches.truncate(at + 1);
    let catch_all = RuleConfig {
        matches: rule.matches.split_off(at),
        ..rule.clone()
    };
    (
        Some(rule).filter(|rule| !rule.matches.is_empty()),
        Some(catch_all),
    )
}

fn is_catch_all(block: &MatchConfig) -> bool {
    let everything = match &block.uri {
        None => true,
        Some(StringMatcher::Prefix(prefix)) => prefix == "/",
        Some(StringMatcher::Regex(pattern)) => pattern == ".*",
        Some(_) => false,
    };
    everything
        && block.headers.is_empty()
        && block.without_headers.is_empty()
        && block.query_params.is_empty()
}
