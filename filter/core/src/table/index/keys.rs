//! The flat radix tree.

use std::collections::BTreeMap;

use super::regexes::RegexSet;
use super::{Position, Source, Sources};
use crate::regex::Pattern;

/// What is found at a key.
#[derive(Debug, Default)]
struct Node {
    /// Blocks that want the path to be the key.
    exact: Box<[Position]>,
    /// Blocks that want the path to begin with it.
    prefix: Box<[Position]>,
    /// Regexes whose every match begins with it, if there are many.
    regexes: Option<Box<RegexSet>>,
    /// The longest other key that this one begins with.
    parent: Option<u32>,
}

/// See the parent module.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Sorted.
    keys: Box<[Box<[u8]>]>,
    /// One per key.
    nodes: Box<[Node]>,
}

impl Keys {
    /// Everything that `path` can reach.
    pub(super) fn collect<'a>(&'a self, path: &[u8], sources: &mut Sources<'a>) {
        let after = self.keys.partition_point(|key| **key <= *path);
        let Some(last) = after.checked_sub(1) else {
            return;
        };
        let Some((key, node)) = self.at(last) else {
            return;
        };
        if key == path && !node.exact.is_empty() {
            sources.push(Source::List(&node.exact));
        }
        // An ancestor is what its descendants begin with: by its length alone one can tell whether the path does too.
        let common = key.iter().zip(path).take_while(|(a, b)| a == b).count();
        let mut next = Some((key, node));
        while let Some((key, node)) = next {
            if key.len() <= common {
                node.collect(sources);
            }
            next = node.parent.and_then(|parent| self.at(parent as usize));
        }
    }

    fn at(&self, at: usize) -> Option<(&[u8], &Node)> {
        Some((self.keys.get(at)?, self.nodes.get(at)?))
    }
}

impl Node {
    fn collect<'a>(&'a self, sources: &mut Sources<'a>) {
        if !self.prefix.is_empty() {
            sources.push(Source::List(&self.prefix));
        }
        sources.extend(self.regexes.as_deref().map(Source::Set));
    }
}

/// Collects what is at each key.
#[derive(Default)]
pub(super) struct Builder<'m>(BTreeMap<Box<[u8]>, Draft<'m>>);

#[derive(Default)]
struct Draft<'m> {
    exact: Vec<Position>,
    prefix: Vec<Position>,
    regexes: Vec<(Position, &'m Pattern)>,
}

impl<'m> Builder<'m> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn exact(&mut self, key: &[u8], at: Position) {
        self.draft(key).exact.push(at);
    }

    pub(super) fn prefix(&mut self, key: &[u8], at: Position) {
        self.draft(key).prefix.push(at);
    }

    pub(super) fn regex(&mut self, pattern: &'m Pattern, at: Position) {
        self.draft(&pattern.literal_prefix()).regexes.push((at, pattern));
    }

    fn draft(&mut self, key: &[u8]) -> &mut Draft<'m> {
        self.0.entry(key.into()).or_default()
    }

    pub(super) fn build(self) -> Keys {
        let mut keys: Vec<Box<[u8]>> = Vec::with_capacity(self.0.len());
        let mut nodes: Vec<Node> = Vec::with_capacity(self.0.len());
        for (key, draft) in self.0 {
            let parent = parent(&keys, &nodes, &key);
            nodes.push(draft.build(parent));
            keys.push(key);
        }
        Keys {
            keys: keys.into(),
            nodes: nodes.into(),
        }
    }
}

impl Draft<'_> {
    fn build(mut self, parent: Option<u32>) -> Node {
        let regexes = RegexSet::new(&self.regexes).map(Box::new);
        if regexes.is_none() && !self.regexes.is_empty() {
            self.prefix.extend(self.regexes.iter().map(|(at, _)| *at));
            self.prefix.sort_unstable();
        }
        Node {
            exact: self.exact.into(),
            prefix: self.prefix.into(),
            regexes,
            parent,
        }
    }
}

/// The longest key so far that `key` begins with: the last one or an ancestor of it, because they come sorted.
fn parent(keys: &[Box<[u8]>], nodes: &[Node], key: &[u8]) -> Option<u32> {
    let mut next = keys.len().checked_sub(1);
    while let Some(at) = next {
        if key.starts_with(keys.get(at)?) {
            return u32::try_from(at).ok();
        }
        next = nodes.get(at)?.parent.map(|parent| parent as usize);
    }
    None
}
