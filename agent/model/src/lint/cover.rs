//! Which earlier block takes all that a later one could: told from the paths of blocks whose other conditions are
//! the same, or that have none. It finds what is certain, not everything: a regex covers itself alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Included, Unbounded};

use sealgate_core::rules::{MatchConfig, StringMatcher};

/// The blocks of a virtual host so far; `P` says where one was written.
#[derive(Debug)]
pub struct Cover<'t, P> {
    /// By the other conditions, in a form that is equal if they are.
    by_conditions: HashMap<String, Paths<'t, P>>,
}

/// The paths of blocks.
#[derive(Debug)]
struct Paths<'t, P> {
    all: Option<P>,
    as_written: Texts<'t, P>,
    /// Of the blocks that ignore case: lower-case.
    folded: Texts<'t, P>,
    regexes: HashMap<&'t str, P>,
}

#[derive(Debug)]
struct Texts<'t, P> {
    exact: HashMap<Cow<'t, str>, P>,
    /// None of them is the start of another: of all that come before a text in order, only the last can be its start.
    prefixes: BTreeMap<Cow<'t, str>, P>,
}

impl<P> Default for Cover<'_, P> {
    fn default() -> Self {
        let by_conditions = HashMap::new();
        Self { by_conditions }
    }
}

impl<P> Default for Paths<'_, P> {
    fn default() -> Self {
        Self {
            all: None,
            as_written: Texts::default(),
            folded: Texts::default(),
            regexes: HashMap::new(),
        }
    }
}

impl<P> Default for Texts<'_, P> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            prefixes: BTreeMap::new(),
        }
    }
}

impl<'t, P: Copy> Cover<'t, P> {
    /// Adds a block, and says which earlier one takes everything that it could.
    pub fn add(&mut self, block: &'t MatchConfig, place: P) -> Option<P> {
        let conditions = conditions(block);
        let unconditional = self.by_conditions.get("");
        let earlier = [unconditional, self.by_conditions.get(&conditions)];
        let found = earlier.into_iter().flatten().find_map(|paths| paths.cover(block));
        if found.is_none() {
            self.by_conditions
                .entry(conditions)
                .or_default()
                .add(block, place);
        }
        found
    }
}

fn conditions(block: &MatchConfig) -> String {
    if block.headers.is_empty() && block.without_headers.is_empty() && block.query_params.is_empty() {
        return String::new();
    }
    format!(
        "{:?} {:?} {:?}",
        block.headers, block.without_headers, block.query_params
    )
}

/// Whether a condition on the path is none.
fn takes_all(uri: &StringMatcher) -> bool {
    match uri {
        StringMatcher::Present => true,
        StringMatcher::Prefix(prefix) => matches!(prefix.as_str(), "" | "/"),
        StringMatcher::Regex(pattern) => matches!(pattern.as_str(), ".*" | "/.*" | "^.*$" | "^/.*$"),
        StringMatcher::Exact(_) => false,
    }
}

impl<'t, P: Copy> Paths<'t, P> {
    fn add(&mut self, block: &'t MatchConfig, place: P) {
        let Some(uri) = block.uri.as_ref().filter(|uri| !takes_all(uri)) else {
            self.all = Some(place);
            return;
        };
        if let StringMatcher::Regex(pattern) = uri {
            self.regexes.insert(pattern, place);
        } else if block.ignore_uri_case {
            self.folded.add(uri, place, fold);
        } else {
            self.as_written.add(uri, place, Cow::Borrowed);
        }
    }

    fn cover(&self, block: &MatchConfig) -> Option<P> {
        let text = match &block.uri {
            Some(StringMatcher::Regex(pattern)) => self.regexes.get(pattern.as_str()).copied(),
            Some(StringMatcher::Exact(text)) => self.cover_text(text, block.ignore_uri_case, true),
            Some(StringMatcher::Prefix(text)) => self.cover_text(text, block.ignore_uri_case, false),
            Some(StringMatcher::Present) | None => None,
        };
        self.all.or(text)
    }

    fn cover_text(&self, text: &str, ignore_case: bool, exact: bool) -> Option<P> {
        let as_written = (!ignore_case)
            .then(|| self.as_written.cover(text, exact))
            .flatten();
        as_written.or_else(|| self.folded.cover(&fold(text), exact))
    }
}

fn fold(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.to_ascii_lowercase())
}

impl<'t, P: Copy> Texts<'t, P> {
    fn add(&mut self, uri: &'t StringMatcher, place: P, form: impl Fn(&'t str) -> Cow<'t, str>) {
        match uri {
            StringMatcher::Exact(text) => {
                self.exact.insert(form(text), place);
            }
            StringMatcher::Prefix(text) => {
                let text = form(text);
                self.forget_longer(&text);
                self.prefixes.insert(text, place);
            }
            StringMatcher::Regex(_) | StringMatcher::Present => {}
        }
    }

    /// Each is forgotten once, so all of it is linear.
    fn forget_longer(&mut self, text: &str) {
        let after = (Excluded(text), Unbounded);
        let longer = self.prefixes.range::<str, _>(after).map(|(own, _)| own);
        let longer: Vec<_> = longer.take_while(|own| own.starts_with(text)).cloned().collect();
        for own in longer {
            self.prefixes.remove(&own);
        }
    }

    fn cover(&self, text: &str, exact: bool) -> Option<P> {
        let same = exact.then(|| self.exact.get(text).copied()).flatten();
        let prefix = || {
            let (own, place) = self
                .prefixes
                .range::<str, _>((Unbounded, Included(text)))
                .next_back()?;
            text.starts_with(&**own).then_some(*place)
        };
        same.or_else(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> MatchConfig {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_later_block_is_covered_by_the_same_or_a_wider_one() {
        let header =
            |uri: &str, value: &str| format!(r#"{{"uri":{uri},"headers":[["x",{{"exact":"{value}"}}]]}}"#);
        let uri = |uri: &str| format!(r#"{{"uri":{uri}}}"#);
        let folded = |uri: &str| format!(r#"{{"uri":{uri},"ignore_uri_case":true}}"#);
        let (exact, prefix, regex) = (r#"{"exact":"/a/b"}"#, r#"{"prefix":"/a"}"#, r#"{"regex":"/a.*"}"#);
        for (earlier, later, covered) in [
            (uri(prefix), uri(exact), true),
            (uri(prefix), uri(r#"{"prefix":"/ab"}"#), true),
            (uri(prefix), uri(prefix), true),
            (uri(exact), uri(prefix), false),
            (uri(exact), uri(exact), true),
            (uri(exact), uri(r#"{"exact":"/a/bc"}"#), false),
            (uri(regex), uri(regex), true),
            (uri(regex), uri(exact), false),
            (uri(r#"{"prefix":"/"}"#), uri(regex), true),
            (uri(r#"{"regex":".*"}"#), "{}".to_owned(), true),
            ("{}".to_owned(), header(exact, "1"), true),
            (header(prefix, "1"), header(exact, "1"), true),
            (header(prefix, "1"), header(exact, "2"), false),
            (header(prefix, "1"), uri(exact), false),
            (folded(r#"{"prefix":"/A"}"#), uri(exact), true),
            (uri(prefix), folded(exact), false),
        ] {
            let (first, second) = (block(&earlier), block(&later));
            let mut cover = Cover::default();
            assert_eq!(cover.add(&first, 0), None);
            assert_eq!(
                cover.add(&second, 1),
                covered.then_some(0),
                "{earlier} then {later}"
            );
        }
    }

    #[test]
    fn a_shorter_prefix_takes_the_place_of_longer_ones() {
        let blocks = ["/a/b", "/a/c", "/ab", "/b", "/a", "/a/b/c", "/ab", "/c", "/bb"]
            .map(|prefix| block(&format!(r#"{{"uri":{{"prefix":"{prefix}"}}}}"#)));
        let mut cover = Cover::default();
        let found: Vec<_> = blocks
            .iter()
            .enumerate()
            .map(|(at, block)| cover.add(block, at))
            .collect();
        assert_eq!(
            found,
            [None, None, None, None, None, Some(4), Some(4), None, Some(3)]
        );
    }
}
