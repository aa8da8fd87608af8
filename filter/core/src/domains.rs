//! Which of many host names and wildcards a request is for.

use std::collections::HashMap;

use crate::host;

/// Host names, `*.suffix` and `*`, each with the place of what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    exact: HashMap<Box<[u8]>, usize>,
    /// By suffix, with its dot: `.example.com`.
    wildcards: HashMap<Box<[u8]>, usize>,
    any: Option<usize>,
}

impl Domains {
    /// Adds a name, in lower case; says whether it is new.
    pub(crate) fn insert(&mut self, domain: &str, at: usize) -> bool {
        let former = match domain.strip_prefix('*') {
            Some("") => self.any.replace(at),
            Some(suffix) => self.wildcards.insert(suffix.as_bytes().into(), at),
            None => self.exact.insert(domain.as_bytes().into(), at),
        };
        former.is_none()
    }

    /// Exact, then the longest wildcard suffix, then `*`.
    pub(crate) fn find(&self, authority: &[u8]) -> Option<usize> {
        if self.exact.is_empty() && self.wildcards.is_empty() {
            return self.any;
        }
        let name = host::normalize(authority);
        let exact = self.exact.get(&*name).copied();
        exact.or_else(|| self.wildcard(&name)).or(self.any)
    }

    fn wildcard(&self, name: &[u8]) -> Option<usize> {
        if self.wildcards.is_empty() {
            return None;
        }
        // From the left, so that the longest suffix comes first; never the whole name.
        let dots = name.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
        dots.filter_map(|(at, _)| name.get(at..))
            .find_map(|suffix| self.wildcards.get(suffix).copied())
    }
}
