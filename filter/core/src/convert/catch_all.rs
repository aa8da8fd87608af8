//! Where the rules of a VirtualService end: at the first block that takes every request.

use crate::rules::{MatchConfig, RuleConfig, StringMatcher};

/// A rule, split where it takes everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SplitRule {
    /// Its blocks before that; none if there are none.
    pub others: Option<RuleConfig>,
    /// The first block that takes everything, as a separate rule.
    pub catch_all: Option<RuleConfig>,
    /// The blocks after it, which are dead.
    pub dead: Vec<MatchConfig>,
}

/// Splits a rule at its first block that takes everything.
#[must_use]
pub fn split_catch_all(mut rule: RuleConfig) -> SplitRule {
    if rule.matches.is_empty() {
        return SplitRule {
            catch_all: Some(rule),
            ..SplitRule::default()
        };
    }
    let Some(at) = rule.matches.iter().position(is_catch_all) else {
        return SplitRule {
            others: Some(rule),
            ..SplitRule::default()
        };
    };
    let dead = rule.matches.split_off(at + 1);
    let catch_all = RuleConfig {
        matches: rule.matches.split_off(at),
        ..rule.clone()
    };
    SplitRule {
        others: Some(rule).filter(|rule| !rule.matches.is_empty()),
        catch_all: Some(catch_all),
        dead,
    }
}

/// Whether a rule takes every request that gets to it.
#[must_use]
pub fn takes_everything(rule: &RuleConfig) -> bool {
    rule.matches.is_empty() || rule.matches.iter().any(is_catch_all)
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
