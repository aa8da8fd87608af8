//! One name, one type: a name identifies a type in all crates. In the product, this applies to every type of a file,
//! even private ones; in the harness, only to those that are visible outside of their folder. The two are separate,
//! because the harness has similar parts (a client's connection, a control plane's store). Tests may use any names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::modules::sources;
use crate::tokens::{tokens, without_tests};

const PRODUCT: [&str; 5] = [
    "filter/core/src",
    "filter/src",
    "filter/web/src",
    "agent/model/src",
    "agent/src",
];
const HARNESS: [&str; 2] = ["tests/src", "scripts/xtask/src"];

/// The violations, as text.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut wrong = shared(&named(&PRODUCT, |_| true)?);
    wrong.extend(shared(&named(&HARNESS, |found| found.is_shown)?));
    Ok(wrong)
}

/// A declared type.
struct Declared<'t> {
    name: &'t str,
    /// Whether it is visible outside of its folder.
    is_shown: bool,
}

/// The files of each name that counts.
fn named(
    folders: &[&str],
    counts: impl Fn(&Declared<'_>) -> bool,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in folders {
        for path in sources(Path::new(folder))? {
            let own = path.strip_prefix(folder)?.with_extension("");
            if own.iter().any(|part| part == "tests") {
                continue;
            }
            let file = path.to_string_lossy();
            for found in types(&without_tests(&tokens(&fs::read_to_string(&path)?))) {
                if counts(&found) {
                    let files = named.entry(found.name.to_owned()).or_default();
                    files.insert(file.clone().into_owned());
                }
            }
        }
    }
    Ok(named)
}

/// The types of a file, without those in other items (functions, traits).
fn types<'t>(tokens: &[&'t str]) -> Vec<Declared<'t>> {
    let mut types = Vec::new();
    let (mut deep, mut is_shown) = (0_usize, false);
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (*first, rest) {
            ("{", _) => deep += 1,
            ("}", _) => deep = deep.saturating_sub(1),
            ("pub", ["(", "crate", ")", ..]) => {
                is_shown = true;
                rest = rest.get(3..).unwrap_or_default();
                continue;
            }
            // Visible only within one folder.
            ("pub", ["(", ..]) => {}
            ("pub", _) => {
                is_shown = true;
                continue;
            }
            // A path may also contain the word (`r#type::`).
            ("struct" | "enum" | "trait" | "type", [name, ..]) if deep == 0 && *name != "::" => {
                types.push(Declared { name, is_shown });
            }
            _ => {}
        }
        is_shown = false;
    }
    types
}

fn shared(named: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let shared = named.iter().filter(|(_, files)| files.len() > 1);
    let say = |(name, files): (&String, &BTreeSet<String>)| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        format!("{name} is more than one type: {}", files.join(", "))
    };
    shared.map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_a_file_are_seen() {
        let text = "pub struct A; pub(crate) enum B<T> {} struct C; pub(in crate::x) trait D { type H; } pub type E = u8;
            pub fn f() { struct I; } #[cfg(test)] mod tests { pub struct G; }";
        let tokens = without_tests(&tokens(text));
        let found: Vec<_> = types(&tokens)
            .iter()
            .map(|found| (found.name, found.is_shown))
            .collect();
        assert_eq!(
            found,
            [("A", true), ("B", true), ("C", false), ("D", false), ("E", true)]
        );
    }

    #[test]
    fn a_name_that_two_types_have_is_refused() {
        let named = |files: &[&str]| {
            let files = files.iter().map(|file| (*file).to_owned()).collect();
            BTreeMap::from([("Told".to_owned(), files)])
        };
        assert_eq!(shared(&named(&["a", "b"])).len(), 1);
        assert!(shared(&named(&["a"])).is_empty());
    }
}
