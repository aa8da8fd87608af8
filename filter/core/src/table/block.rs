//! One virtual host's routes as bytes: whether it redirects, its rules and blocks, each a separate archived value, and
//! the index of the blocks' paths. The agent makes them once, and finds all errors; a filter reads in place what a
//! request needs.

use std::collections::HashSet;
use std::sync::Arc;

use rkyv::api::high;
use rkyv::rancor::Failure;
use thiserror::Error;

use super::bytes::put;
use super::index;
use crate::regex::{self, BadRegex};
use crate::rules::{
    Action, MatchConfig, PathRewrite, RouteAction, RuleConfig, StringMatcher, VirtualHostConfig,
};

/// An invalid table, and where it is invalid.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{place}: {reason}")]
pub struct TableError {
    /// `rules[1].matches[0].uri`.
    pub place: String,
    /// The message.
    pub reason: String,
}

impl TableError {
    pub(super) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
        }
    }

    /// The same, seen from the parent of `place`.
    pub(super) fn within(self, place: &str) -> Self {
        Self {
            place: format!("{place}.{}", self.place),
            ..self
        }
    }
}

/// See the module. Equal virtual hosts have equal bytes, whatever their domains. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBlock(Arc<[u8]>);

impl HostBlock {
    /// Encodes it, without the domains.
    ///
    /// # Errors
    /// The first invalid pattern, or the first rule without a destination.
    pub fn encode(config: &VirtualHostConfig) -> Result<Self, TableError> {
        let mut checked = Checked::default();
        let (mut rule_ends, mut rules) = (Vec::new(), Vec::new());
        let (mut records, mut blocks) = (Vec::new(), Vec::new());
        for (at, rule) in config.rules.iter().enumerate() {
            let place = format!("rules[{at}]");
            checked.rule(rule).map_err(|error| error.within(&place))?;
            archive(rule, &mut rules).map_err(|error| error.within(&place))?;
            put(&mut rule_ends, rules.len());
            for block in conditions(rule) {
                if let Some(block) = block {
                    archive(block, &mut blocks).map_err(|error| error.within(&place))?;
                }
                put(&mut records, at);
                put(&mut records, blocks.len());
            }
        }
        let mut bytes = Vec::new();
        put(&mut bytes, usize::from(config.https_redirect));
        put(&mut bytes, config.rules.len());
        put(&mut bytes, records.len() / RECORD);
        put(&mut bytes, rules.len());
        put(&mut bytes, blocks.len());
        for part in [rule_ends, records, rules, blocks] {
            bytes.extend_from_slice(&part);
        }
        index::encode(config.rules.iter().flat_map(conditions), &mut bytes);
        Ok(Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A block's rule, and where the block ends; a rule without blocks counts as an empty one.
pub(super) const RECORD: usize = 8;

/// The blocks of a rule; none for a rule that takes everything.
fn conditions(rule: &RuleConfig) -> impl Iterator<Item = Option<&MatchConfig>> {
    let whole = rule.matches.is_empty().then_some(None);
    whole.into_iter().chain(rule.matches.iter().map(Some))
}

fn archive<'v, T>(value: &'v T, bytes: &mut Vec<u8>) -> Result<(), TableError>
where
    T: for<'a> rkyv::Serialize<high::HighSerializer<Vec<u8>, rkyv::ser::allocator::ArenaHandle<'a>, Failure>>,
{
    let archived = high::to_bytes_in::<_, Failure>(value, Vec::new());
    let archived = archived.map_err(|_| TableError::new("bytes", "too large"))?;
    bytes.extend_from_slice(&archived);
    Ok(())
}

/// The patterns that are known to be valid.
#[derive(Default)]
struct Checked<'c> {
    patterns: HashSet<&'c str>,
}

impl<'c> Checked<'c> {
    fn rule(&mut self, rule: &'c RuleConfig) -> Result<(), TableError> {
        for (at, block) in rule.matches.iter().enumerate() {
            self.block(block)
                .map_err(|error| error.within(&format!("matches[{at}]")))?;
        }
        match &rule.action {
            Action::Route(route) => self.route(route),
            Action::Redirect(_) | Action::Direct(_) => Ok(()),
        }
    }

    fn block(&mut self, block: &'c MatchConfig) -> Result<(), TableError> {
        if let Some(uri) = &block.uri {
            self.matcher("uri", uri)?;
        }
        let lists = [
            ("headers", &block.headers),
            ("without_headers", &block.without_headers),
            ("query_params", &block.query_params),
        ];
        for (field, list) in lists {
            for (name, matcher) in list {
                self.matcher(&format!("{field}[{name}]"), matcher)?;
            }
        }
        Ok(())
    }

    fn route(&mut self, route: &'c RouteAction) -> Result<(), TableError> {
        if route.destinations.is_empty() {
            return Err(TableError::new("action.destinations", "there is none"));
        }
        if let Some(PathRewrite::Regex(pattern, _)) = &route.path {
            regex::search(pattern).map_err(|BadRegex(reason)| TableError::new("action.path", reason))?;
        }
        for origin in route.cors.iter().flat_map(|cors| &cors.origins) {
            self.matcher("action.cors.origins", origin)?;
        }
        Ok(())
    }

    fn matcher(&mut self, place: &str, matcher: &'c StringMatcher) -> Result<(), TableError> {
        let StringMatcher::Regex(pattern) = matcher else {
            return Ok(());
        };
        if !self.patterns.contains(pattern.as_str()) {
            regex::check(pattern).map_err(|BadRegex(reason)| TableError::new(place, reason))?;
            self.patterns.insert(pattern);
        }
        Ok(())
    }
}
