//! Checks that versions are the same in all places.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{image, version};

/// The table of compatible versions.
const COMPATIBILITY: &str = "docs/reference/compatibility.md";

/// The page that says where to get the programs.
const VM: &str = "docs/journeys/vm.md";

/// The places of versions, with the text before them. The version of Sealgate is in `Cargo.toml`, Envoy's in
/// `envoy/version`.
fn mentions() -> [(&'static str, String, &'static str); 6] {
    [
        (
            "envoy/compose/compose.yaml",
            format!("{}:", image::AGENT),
            version::OWN,
        ),
        (
            "envoy/compose/compose.yaml",
            "envoyproxy/envoy:v".to_owned(),
            version::envoy(),
        ),
        (VM, "/sealgate/releases/download/v".to_owned(), version::OWN),
        (VM, "/envoy/releases/download/v".to_owned(), version::envoy()),
        (VM, "tested with Envoy ".to_owned(), version::envoy()),
        (COMPATIBILITY, "| Envoy | ".to_owned(), version::envoy()),
    ]
}

/// Checks all of them; returns the changelog's section of this version, or the unreleased section without a tag.
pub(super) fn check(root: &Path, tag: Option<&str>) -> Result<String> {
    for (file, before, wanted) in mentions() {
        let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
        check_mentions(&text, &before, wanted).with_context(|| file.to_owned())?;
    }
    let table = fs::read_to_string(root.join(COMPATIBILITY))?;
    let kubernetes = required(root, "tests/kube/go.mod", "k8s.io/kubernetes")?;
    check_mentions(&table, "| Kubernetes | ", &kubernetes).context(COMPATIBILITY)?;
    // Istio's own module has no versions, but the one with its types has the version of the release.
    let istio = required(root, "tests/istio/go.mod", "istio.io/client-go")?;
    let minor: Vec<&str> = istio.split('.').take(2).collect();
    check_mentions(&table, "| Istio | ", &minor.join(".")).context(COMPATIBILITY)?;
    let gateway = required(
        root,
        "tests/envoy-gateway/go.mod",
        "github.com/envoyproxy/gateway",
    )?;
    check_mentions(&table, "| Envoy Gateway | ", &gateway).context(COMPATIBILITY)?;
    let section = match tag {
        Some(tag) => {
            let own = version::OWN;
            ensure!(
                tag == format!("v{own}"),
                "the tag {tag} is not that of version {own}"
            );
            own
        }
        None => "Unreleased",
    };
    notes(&fs::read_to_string(root.join("CHANGELOG.md"))?, section)
}

/// The version of a Go module that another one requires.
fn required(root: &Path, file: &str, module: &str) -> Result<String> {
    let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
    let before = format!("{module} v");
    let version = text.lines().find_map(|line| line.trim().strip_prefix(&before));
    let version = version.with_context(|| format!("{file} requires no {module}"))?;
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

/// Checks that every version after these words is the wanted one, and that there is one.
fn check_mentions(text: &str, before: &str, wanted: &str) -> Result<()> {
    let mut mentions = text.split(before).skip(1).peekable();
    ensure!(mentions.peek().is_some(), "{before} is not mentioned");
    for rest in mentions {
        let is_end = |letter: char| letter.is_whitespace() || "\"'`/)".contains(letter);
        let seen = rest.split(is_end).next().unwrap_or_default();
        ensure!(seen == wanted, "{before}{seen} should be {before}{wanted}");
    }
    Ok(())
}

/// The section of a changelog, without its heading.
fn notes(changelog: &str, section: &str) -> Result<String> {
    let mut lines = changelog.lines().skip_while(|line| {
        let title = line.strip_prefix("## ").unwrap_or_default();
        title.split_whitespace().next() != Some(section)
    });
    if lines.next().is_none() {
        bail!("CHANGELOG.md has no section {section}");
    }
    let text: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let text = text.join("\n").trim().to_owned();
    ensure!(!text.is_empty(), "the section {section} of CHANGELOG.md is empty");
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_this_tree_agree() {
        check(&crate::root().unwrap(), None).unwrap();
    }

    #[test]
    fn another_version_is_found() {
        let said = |text: &str| check_mentions(text, "a:v", "1.2").map_err(|error| error.to_string());
        assert_eq!(said("image: a:v1.2\nimage: \"a:v1.2\"\n"), Ok(()));
        assert_eq!(
            said("image: a:v1.2\nimage: a:v1.3\n"),
            Err("a:v1.3 should be a:v1.2".to_owned())
        );
        assert_eq!(
            said("image: a:v1.20\n"),
            Err("a:v1.20 should be a:v1.2".to_owned())
        );
        assert_eq!(said("image: b"), Err("a:v is not mentioned".to_owned()));
    }

    #[test]
    fn a_tag_is_the_versions_own() {
        let refused = check(&crate::root().unwrap(), Some("v9.9.9"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            refused,
            format!("the tag v9.9.9 is not that of version {}", version::OWN)
        );
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let text = "# Changelog\n\n## Unreleased\n\n- c\n\n## 0.2.0 (2026-01-01)\n\n- a\n- b\n\n## 0.1.0\n";
        assert_eq!(notes(text, "0.2.0").unwrap(), "- a\n- b\n");
        assert_eq!(notes(text, "Unreleased").unwrap(), "- c\n");
        for (section, wanted) in [("0.1.0", "is empty"), ("0.3.0", "no section")] {
            assert!(
                notes(text, section).unwrap_err().to_string().contains(wanted),
                "{section}"
            );
        }
    }

    #[test]
    fn actions_are_pinned_to_a_commit() {
        let folder = crate::root().unwrap().join(".github/workflows");
        let mut seen = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let uses = text
                .lines()
                .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
            for action in uses.filter(|action| !action.starts_with("./")) {
                let commit = action.split(['@', ' ']).nth(1).unwrap_or_default();
                let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(is_commit && action.contains(" # v"), "{action}");
                seen += 1;
            }
        }
        assert!(seen > 4, "{seen}");
    }
}
