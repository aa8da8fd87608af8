//! One name, one type: whoever reads a name knows which type it is, in whatever crate. What a file or a folder keeps to
//! itself, and tests, may be called as they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::circles::CRATES;
use crate::modules::sources;
use crate::tokens::{tokens, without_tests};

/// Names that more than one type has. It only gets shorter: one that is one type's has to be taken off.
const KNOWN: [&str; 26] = [
    // One of them is the core's or the filter's, which are being rewritten.
    "Answer",
    "Connection",
    "Demand",
    "Entry",
    "Guard",
    "Origin",
    "Outcome",
    "Port",
    "Root",
    "Side",
    "Taken",
    // One of them is the harness's, or all are.
    "Case",
    "Chain",
    "Cluster",
    "Kind",
    "Machine",
    "Material",
    "Options",
    "Part",
    "Seen",
    "Source",
    "Store",
    "Subject",
    "Tls",
    "Version",
    "Way",
];

/// What is wrong, in words.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in CRATES {
        for path in sources(Path::new(folder))? {
            let own = path.strip_prefix(folder)?.with_extension("");
            if own.iter().any(|part| part == "tests") {
                continue;
            }
            let file = path.to_string_lossy();
            for name in types(&fs::read_to_string(&path)?) {
                named.entry(name).or_default().insert(file.clone().into_owned());
            }
        }
    }
    Ok(judged(&named, &KNOWN))
}

/// The types that a file shows to others.
fn types(text: &str) -> Vec<String> {
    let tokens = without_tests(&tokens(text));
    let mut types = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != "pub" {
            continue;
        }
        match rest {
            ["(", "crate", ")", ..] => rest = rest.get(3..).unwrap_or_default(),
            // Within one folder, whose words are close by.
            ["(", ..] => continue,
            _ => {}
        }
        if let ["struct" | "enum" | "trait" | "type", name, ..] = rest {
            types.push((*name).to_owned());
        }
    }
    types
}

fn judged(named: &BTreeMap<String, BTreeSet<String>>, known: &[&str]) -> Vec<String> {
    let shared = named.iter().filter(|(_, files)| files.len() > 1);
    let new = shared.filter(|(name, _)| !known.contains(&name.as_str()));
    let say = |(name, files): (&String, &BTreeSet<String>)| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        format!("{name} is more than one type: {}", files.join(", "))
    };
    let is_gone = |name: &&&str| named.get(**name).is_none_or(|files| files.len() < 2);
    let gone = known.iter().filter(is_gone);
    new.map(say)
        .chain(gone.map(|name| format!("{name} is not more than one type any more: take it off the list")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_shows_is_seen() {
        let text = "pub struct A; pub(crate) enum B<T> {} struct C; pub(in crate::x) trait D {} pub type E = u8; pub fn f() {}
            #[cfg(test)] mod tests { pub struct G; }";
        assert_eq!(types(text), ["A", "B", "E"]);
    }

    #[test]
    fn a_name_that_two_types_have_is_refused_until_it_is_known() {
        let named = |files: &[&str]| {
            let files = files.iter().map(|file| (*file).to_owned()).collect();
            BTreeMap::from([("Told".to_owned(), files)])
        };
        assert_eq!(judged(&named(&["a", "b"]), &[]).len(), 1);
        assert!(judged(&named(&["a", "b"]), &["Told"]).is_empty());
        assert_eq!(judged(&named(&["a"]), &["Told"]).len(), 1);
        assert!(judged(&named(&["a"]), &[]).is_empty());
    }
}
