//! Every code of `docs/reference/findings.md` has an example in `data/findings`, for which `check` reports only that
//! code. A new code without an example fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sealgate_tests::site::program;
use serde_json::Value;
use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/reference/findings.md");
/// What stands beside every instance.
const SITE: [&str; 2] = ["site.yaml", "good"];
/// Said of what was there and is gone, of what is about to expire, by a proxy, or of what should have been refused before: no
/// directory that is read once can show it. Or of a plugin's configuration, which is in none.
const NO_INSTANCE: [&str; 7] = [
    "bad-plugin-config",
    "deleted",
    "expires-soon",
    "invalid-for-proxy",
    "needs-envoy",
    "refused-by-proxy",
    "trust-fallback",
];
/// Codes that are said if one asks for them.
const FLAGS: [(&str, &str); 10] = [
    ("strict-name", "--strict-names"),
    ("foreign-service", "--tenancy=namespaces"),
    ("host-reserved", "--tenancy=namespaces"),
    ("secret-not-granted", "--tenancy=namespaces"),
    ("behind-others", "--tenancy=namespaces"),
    ("over-budget", "--tenancy=namespaces"),
    ("over-budget", "--budgets=hosts=2"),
    ("near-budget", "--tenancy=namespaces"),
    ("near-budget", "--budgets=hosts=2"),
    (
        "not-allowed",
        concat!(
            "--tenancy-policy=",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/tenancy-policy.yaml"
        ),
    ),
];
/// The severity of a word that is the state of a credential and no finding.
const STATE: &str = "(state)";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/findings")
}

/// The codes of the page with their severities.
fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| {
        let (code, rest) = row.split_once("` | ")?;
        Some((code, rest.split(" | ").next()?.split(", ").collect()))
    });
    cells.collect()
}

/// What neither Git nor a reader of the repository would like to hold.
fn make(code: &str, folder: &Path) -> Result<bool> {
    let path = folder.join("a.yaml");
    match code {
        "not-a-file" => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?,
        "too-many-links" => {
            fs::create_dir(folder.join("z"))?;
            for at in 0..17 {
                symlink("z", folder.join(format!("a{at:02}")))?;
            }
        }
        "file-too-large" => fs::write(&path, vec![b'#'; (8 << 20) + 1])?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A folder with the instances of these codes.
fn instances<'c>(codes: impl IntoIterator<Item = &'c str>) -> Result<TempDir> {
    let made = TempDir::new()?;
    for name in SITE {
        symlink(folder().join(name), made.path().join(name))?;
    }
    for code in codes {
        let own = made.path().join(code);
        fs::create_dir(&own)?;
        if !make(code, &own)? {
            let instance = folder().join(code);
            ensure!(instance.is_dir(), "{code} has no instance in data/findings");
            fs::remove_dir(&own)?;
            symlink(instance, own)?;
        }
    }
    Ok(made)
}

fn sealgate(arguments: &[&str], folder: &TempDir) -> Result<Output> {
    let mut command = Command::new(program("SEALGATE_BIN")?);
    Ok(command.args(arguments).arg("--dir").arg(folder.path()).output()?)
}

fn check(folder: &TempDir, flags: &[&str]) -> Result<Value> {
    let output = sealgate(&[&["check", "--json"], flags].concat(), folder)?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let findings = report["findings"].as_array().context("no findings")?;
    let bad = findings.iter().any(|finding| finding["severity"] == "error");
    ensure!(
        output.status.code() == Some(i32::from(bad)),
        "{:?} of {report}",
        output.status
    );
    Ok(report)
}

/// Pairs of these two fields of a list.
fn pairs<'r>(list: &'r Value, fields: [&str; 2]) -> BTreeSet<(&'r str, &'r str)> {
    let text = |item: &'r Value, field: &str| item[field].as_str().unwrap_or_default();
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| (text(item, fields[0]), text(item, fields[1])))
        .collect()
}

#[test]
fn each_instance_shows_its_code_and_nothing_else() -> Result<()> {
    let documented = documented();
    ensure!(
        documented.len() > 80,
        "the page has shrunk to {} codes",
        documented.len()
    );
    for (code, severities) in documented.iter().filter(|(code, _)| !NO_INSTANCE.contains(code)) {
        let flags: Vec<&str> = FLAGS
            .iter()
            .filter(|(own, _)| own == code)
            .map(|(_, flag)| *flag)
            .collect();
        let report = check(&instances([*code])?, &flags)?;
        let found = pairs(&report["findings"], ["code", "severity"]);
        if severities.contains(&STATE) {
            let states = pairs(&report["credentials"], ["reason", "name"]);
            ensure!(
                states.iter().any(|(reason, _)| reason == code),
                "{code}: {report}"
            );
            ensure!(found.is_empty(), "{code}: {found:?}");
        } else {
            ensure!(!found.is_empty(), "{code}: nothing is found");
            let is_as_documented =
                |(own, severity): &(&str, &str)| own == code && severities.contains(severity);
            ensure!(
                found.iter().all(is_as_documented),
                "{code}: {found:?}, not {severities:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn all_instances_together_show_every_code() -> Result<()> {
    let documented = documented();
    let unasked = |code: &str| !NO_INSTANCE.contains(&code) && FLAGS.iter().all(|(own, _)| *own != code);
    let codes: BTreeSet<&str> = documented.keys().copied().filter(|code| unasked(code)).collect();
    let report = check(&instances(codes.iter().copied())?, &[])?;
    let findings = pairs(&report["findings"], ["code", "object"]);
    let states = pairs(&report["credentials"], ["reason", "name"]);
    let found: BTreeSet<&str> = findings.union(&states).map(|(code, _)| *code).collect();
    let missing: Vec<_> = codes.difference(&found).collect();
    ensure!(missing.is_empty(), "{missing:?}");
    Ok(())
}

#[test]
fn no_instance_is_of_a_code_that_there_is_not() -> Result<()> {
    for entry in fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = SITE.contains(&name.as_str()) || documented().contains_key(name.as_str());
        ensure!(known, "{name} is no code of the page");
    }
    Ok(())
}

/// The page's sections of an example each: the code, and the YAML.
fn examples() -> Vec<(&'static str, &'static str)> {
    let sections = PAGE.split("\n### ").skip(1);
    let example = |section: &'static str| {
        let (code, rest) = section.split_once('\n')?;
        Some((code, rest.split_once("```yaml\n")?.1.split_once("```")?.0))
    };
    sections.filter_map(example).collect()
}

#[test]
fn the_examples_of_the_page_are_the_instances() -> Result<()> {
    let linked: BTreeSet<&str> = PAGE
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    let shown: BTreeSet<&str> = examples().into_iter().map(|(code, _)| code).collect();
    assert_eq!(linked, shown, "the table's links and the examples");
    for (code, example) in examples() {
        let instance = fs::read_to_string(folder().join(code).join("routes.yaml"))?;
        assert_eq!(example, instance, "{code}");
    }
    Ok(())
}

#[test]
fn each_example_can_be_explained() -> Result<()> {
    for (code, _) in examples() {
        let url = format!("http://{code}.example.com/cart/items");
        let output = sealgate(&["explain", &url], &instances([code])?)?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            matches!(output.status.code(), Some(0 | 1)),
            "{code}: {:?}",
            output.status
        );
        for label in ["request   GET ", "host      ", "decided   ", "decision  "] {
            ensure!(text.lines().any(|line| line.starts_with(label)), "{code}: {text}");
        }
        let is_found = output.status.success();
        ensure!(
            is_found == text.contains(&format!("decided   VirtualService default/{code}")),
            "{code}: {text}"
        );
    }
    Ok(())
}
