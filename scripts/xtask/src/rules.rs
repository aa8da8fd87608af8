//! The rules of ARCHITECTURE.md that a machine can check.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::circles;
use crate::docs;
use crate::modules::sources;
use crate::type_names;

/// Words that only some files may contain.
struct Rule {
    name: &'static str,
    word: &'static str,
    /// Where to look for it.
    within: &'static str,
    /// The paths that may contain it, by prefix.
    allowed: &'static [&'static str],
}

const RULES: [Rule; 7] = [
    Rule {
        name: "only host.rs calls the host",
        word: "abi::ask",
        within: "filter/src",
        allowed: &["filter/src/host.rs"],
    },
    Rule {
        name: "only the ABI is unsafe",
        word: "unsafe",
        within: "filter/src",
        allowed: &["filter/src/abi/envoy.rs", "filter/src/exports.rs"],
    },
    Rule {
        name: "only pem.rs names rustls_pemfile",
        word: "rustls_pemfile",
        within: "agent/src",
        allowed: &["agent/src/credential/pem.rs"],
    },
    Rule {
        name: "only the Kubernetes source names kube",
        word: "kube::",
        within: "agent/src",
        allowed: &["agent/src/source/kubernetes"],
    },
    Rule {
        name: "xds never imports source",
        word: "crate::source",
        within: "agent/src/xds",
        allowed: &[],
    },
    Rule {
        name: "source never imports xds",
        word: "crate::xds",
        within: "agent/src/source",
        allowed: &[],
    },
    Rule {
        name: "only snapshot.rs makes a Snapshot",
        word: "Snapshot {",
        within: "agent/src",
        allowed: &["agent/src/snapshot"],
    },
];

/// Dependencies that a crate must not have: the core must run in the filter and the browser, and the model in any
/// program.
const STRANGERS: [(&str, &[&str]); 2] = [
    (
        "sealgate-core",
        &["tokio", "proxy-wasm", "wasm-bindgen", "getrandom"],
    ),
    (
        "sealgate-model",
        &[
            "tokio",
            "kube",
            "tonic",
            "envoy-types",
            "rustls",
            "aws-lc-rs",
            "ring",
            "getrandom",
        ],
    ),
];

pub(crate) fn check() -> Result<()> {
    let mut broken = Vec::new();
    for rule in &RULES {
        for path in sources(Path::new(rule.within))? {
            broken.extend(violations(
                rule,
                &path.to_string_lossy(),
                &fs::read_to_string(&path)?,
            ));
        }
    }
    for (package, barred) in STRANGERS {
        broken.extend(strangers(package, barred, &tree(package)?));
    }
    broken.extend(circles::check()?);
    broken.extend(type_names::check()?);
    broken.extend(docs::dead()?);
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// The dependencies of a crate, a name and version per line.
fn tree(package: &str) -> Result<String> {
    let tree = Command::new("cargo")
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .output()?;
    let said = String::from_utf8_lossy(&tree.stderr);
    ensure!(tree.status.success(), "cargo tree: {said}");
    Ok(String::from_utf8_lossy(&tree.stdout).into_owned())
}

fn violations(rule: &Rule, path: &str, text: &str) -> Vec<String> {
    if rule.allowed.iter().any(|allowed| path.starts_with(allowed)) {
        return Vec::new();
    }
    let code = |line: &str| line.split("//").next().unwrap_or_default().contains(rule.word);
    let hits = text.lines().enumerate().filter(|(_, line)| code(line));
    hits.map(|(at, _)| format!("{path}:{}: {}", at + 1, rule.name))
        .collect()
}

fn strangers(package: &str, barred: &[&str], tree: &str) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let found = names.filter(|name| barred.contains(name));
    found.map(|name| format!("{package} depends on {name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_breach() {
        for rule in &RULES {
            let path = format!("{}/elsewhere.rs", rule.within);
            let text = format!("fn a() {{}}\nlet b = {} c;\n", rule.word);
            assert_eq!(violations(rule, &path, &text).len(), 1, "{}", rule.name);
            assert!(violations(rule, &path, &format!("// {}\n", rule.word)).is_empty());
            for allowed in rule.allowed {
                assert!(violations(rule, allowed, &text).is_empty(), "{}", rule.name);
            }
        }
    }

    #[test]
    fn a_stranger_is_found_where_it_is_barred() {
        let tree = "a v0.1.0 (x)\nserde v1.0.0\ntokio v1.48.0\n";
        assert_eq!(strangers("a", &["tokio"], tree), ["a depends on tokio"]);
        assert!(strangers("a", &["kube"], tree).is_empty());
    }
}
