//! Checks the links of the documents: each must lead to an existing file, and to a heading in it. Links to other sites
//! are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use super::FOLDER;

const SUMMARY: &str = "docs/SUMMARY.md";
/// Documents outside of the book.
const OTHERS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "envoy/compose/README.md",
];

/// The broken links, one line each.
pub(crate) fn dead() -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    let mut paths = OTHERS.map(PathBuf::from).to_vec();
    collect(Path::new(FOLDER), &mut paths)?;
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        pages.insert(path, Page::read(&text));
    }
    let mut dead = broken(&pages, &|path| path.exists());
    dead.extend(unlisted(&pages));
    Ok(dead)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|end| end == "md") {
            into.push(path);
        }
    }
    Ok(())
}

/// A page's links, and the anchors in it.
struct Page {
    links: Vec<(usize, String)>,
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self {
            links: Vec::new(),
            anchors: BTreeSet::new(),
        };
        let mut is_code = false;
        for (at, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
            } else if !is_code {
                page.line(at + 1, line);
            }
        }
        page
    }

    fn line(&mut self, number: usize, line: &str) {
        if let Some(heading) = heading(line) {
            self.anchor(slug(heading));
        }
        let prose = without_code(line);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets {
            self.links.push((number, target.to_owned()));
        }
        let named = prose
            .split("<a id=\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"'));
        self.anchors.extend(named.map(|(name, _)| name.to_owned()));
    }

    /// A second heading with the same name gets a number.
    fn anchor(&mut self, name: String) {
        let mut unique = name.clone();
        let mut count = 0;
        while !self.anchors.insert(unique.clone()) {
            count += 1;
            unique = format!("{name}-{count}");
        }
    }
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let is_heading = text.len() < line.len() && text.starts_with(' ');
    is_heading.then(|| text.trim())
}

/// The anchor of a heading in mdBook and GitHub.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// A line without what is in backticks.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .filter_map(|(at, part)| (at % 2 == 0).then_some(part))
        .collect()
}

fn broken(pages: &BTreeMap<PathBuf, Page>, is_there: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut dead = Vec::new();
    for (path, page) in pages {
        for (line, target) in &page.links {
            if let Err(reason) = follow(pages, is_there, path, target) {
                dead.push(format!("{}:{line}: {target}: {reason}", path.display()));
            }
        }
    }
    dead
}

fn follow(
    pages: &BTreeMap<PathBuf, Page>,
    is_there: &dyn Fn(&Path) -> bool,
    from: &Path,
    target: &str,
) -> Result<(), &'static str> {
    if target.contains("://") {
        return Ok(());
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => from.to_owned(),
        file => beside(from, file),
    };
    if !is_there(&path) {
        return Err("there is no such file");
    }
    // The site only has the book's pages.
    if from.starts_with(FOLDER) && !path.starts_with(FOLDER) {
        return Err("it is not in the book: name the file, or link to its address");
    }
    match pages.get(&path) {
        _ if anchor.is_empty() => Ok(()),
        Some(page) if page.anchors.contains(anchor) => Ok(()),
        Some(_) => Err("the page has no such heading"),
        None => Err("it is no page, and has no headings"),
    }
}

/// The path of a link in a page.
fn beside(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path
}

/// Pages that are missing in the summary: the site would not have them.
fn unlisted(pages: &BTreeMap<PathBuf, Page>) -> Vec<String> {
    let summary = Path::new(SUMMARY);
    let links = pages.get(summary).map_or(&[][..], |page| &page.links);
    let listed: BTreeSet<PathBuf> = links.iter().map(|(_, link)| beside(summary, link)).collect();
    let own = pages
        .keys()
        .filter(|path| path.starts_with(FOLDER) && *path != summary);
    own.filter(|path| !listed.contains(*path))
        .map(|path| format!("{}: {SUMMARY} does not list it", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The broken links of `docs/a.md` with this text, given `docs/b.md` with two headings and a file elsewhere.
    fn seen(text: &str) -> Vec<String> {
        let pages = BTreeMap::from([
            (PathBuf::from("docs/a.md"), Page::read(text)),
            (
                PathBuf::from("docs/b.md"),
                Page::read("# B\n## What `x` is, 2 of 2\n## B\n"),
            ),
            (PathBuf::from("README.md"), Page::read("")),
        ]);
        let there = pages.keys().cloned().collect::<BTreeSet<_>>();
        broken(&pages, &|path| there.contains(path))
    }

    #[test]
    fn a_link_leads_to_a_page_or_a_heading_of_it() {
        let good = "[a](b.md) [b](b.md#b) [c](b.md#b-1) [d](b.md#what-x-is-2-of-2) [e](https://a.test/#x) [f](#own)\n# Own\n";
        assert!(seen(good).is_empty(), "{:?}", seen(good));
        assert_eq!(seen("\n[a](c.md)"), ["docs/a.md:2: c.md: there is no such file"]);
        assert_eq!(
            seen("[a](b.md#c)"),
            ["docs/a.md:1: b.md#c: the page has no such heading"]
        );
        assert_eq!(
            seen("[a](../README.md)"),
            ["docs/a.md:1: ../README.md: it is not in the book: name the file, or link to its address"]
        );
    }

    #[test]
    fn code_has_no_links() {
        assert!(seen("`[a](c.md)`\n```\n[a](c.md)\n# B\n```\n").is_empty());
    }

    #[test]
    fn a_page_that_the_summary_forgets_is_named() {
        let pages = BTreeMap::from([
            (PathBuf::from(SUMMARY), Page::read("- [a](a.md)\n")),
            (PathBuf::from("docs/a.md"), Page::read("")),
            (PathBuf::from("docs/x/b.md"), Page::read("")),
        ]);
        assert_eq!(
            unlisted(&pages),
            ["docs/x/b.md: docs/SUMMARY.md does not list it"]
        );
    }
}
