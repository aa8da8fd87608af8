//! The codes of findings: every one in the code is in the documentation, and every one there is in the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::rules::sources;

const PAGE: &str = "agent/docs/findings.md";
const CODE: [&str; 2] = ["agent/src", "filter/core/src"];
/// Words with a hyphen in the code that are no codes; header names and header-like words are told by their file.
const OTHER_WORDS: [&str; 3] = ["data-table", "istio-system", "sealgate-filter"];
/// Lists of header names.
const NO_CODES_IN: [&str; 3] = [
    "filter/core/src/cors.rs",
    "filter/core/src/identity/header.rs",
    "filter/core/src/names.rs",
];
/// Codes without a hyphen, which no pattern could tell from other words.
const SHORT: [&str; 3] = ["deleted", "expired", "unreadable"];

pub(crate) fn check() -> Result<()> {
    let mut used = BTreeSet::new();
    for folder in CODE {
        for path in sources(Path::new(folder))? {
            let name = path.to_string_lossy();
            if name.ends_with("tests.rs") || name.contains("/tests/") || NO_CODES_IN.contains(&&*name) {
                continue;
            }
            used.extend(words(&fs::read_to_string(&path)?, '"'));
        }
    }
    let documented = words(&rows(&fs::read_to_string(PAGE)?), '`');
    let broken = differences(&used, &documented);
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// The first column of the tables.
fn rows(page: &str) -> String {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.collect::<Vec<_>>().join("\n")
}

/// Kebab-case words between quotes, without what is only compiled for tests.
fn words(text: &str, quote: char) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let pieces = text.lines().flat_map(|line| line.split(quote).skip(1).step_by(2));
    pieces.filter(|piece| is_code(piece)).map(str::to_owned).collect()
}

fn is_code(word: &str) -> bool {
    let is_kebab = word.contains('-')
        && word.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
        && word.starts_with(|first: char| first.is_ascii_lowercase());
    (is_kebab || SHORT.contains(&word)) && !OTHER_WORDS.contains(&word) && !word.starts_with("x-")
}

fn differences(used: &BTreeSet<String>, documented: &BTreeSet<String>) -> Vec<String> {
    let missing = used
        .difference(documented)
        .map(|code| format!("{PAGE} does not explain `{code}`"));
    let stale = documented
        .difference(used)
        .map(|code| format!("{PAGE} explains `{code}`, which nothing says"));
    missing.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_only_one_side_knows_is_found() {
        let used = words(
            "refuse(\"bad-thing\", \"a-b c\", \"x-header\");\n#[cfg(test)]\n\"in-test\"",
            '"',
        );
        assert_eq!(used, BTreeSet::from(["bad-thing".to_owned()]));
        let documented = words(
            &rows("| `old-thing` | error |\n| `bad-thing` | `not-this` |"),
            '`',
        );
        assert_eq!(
            differences(&used, &documented),
            [format!("{PAGE} explains `old-thing`, which nothing says")]
        );
        assert_eq!(differences(&documented, &used).len(), 1);
    }
}
