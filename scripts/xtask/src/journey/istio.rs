//! `docs/journeys/istio.md`: what `sealgate istio` prints, with a fake kubectl and a fake helm. The tests with istiod
//! check whether Istio accepts it.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;

use super::shell::Shell;
use crate::make_executable;

const PAGE: &str = "docs/journeys/istio.md";
const EXAMPLE: &str = "envoy/kubernetes/example";
/// It has the example's objects, accepts every file that has content, and knows the containers in those files.
const KUBECTL: &str = r#"#!/bin/bash
set -e
previous=
for word in "$@"; do
  case "$previous" in
    -f) [ -s "$word" ]; cat "$word" >> "$HOME/applied" ;;
    -c) grep --quiet "name: $word\$" "$HOME/applied" ;;
  esac
  previous=$word
done
case "$1" in
  get) cat "$EXAMPLE/gateway.yaml"; echo ---; cat "$EXAMPLE/routes.yaml" ;;
esac
"#;

pub(super) fn play(agent: &Path) -> Result<()> {
    let folder = env::temp_dir().join(format!("sealgate-istio-page-{}", std::process::id()));
    let done = play_in(&folder, agent);
    fs::remove_dir_all(&folder)?;
    done
}

fn play_in(folder: &Path, agent: &Path) -> Result<()> {
    let programs = folder.join("bin");
    let home = folder.join("home");
    for path in [&programs, &home] {
        fs::create_dir_all(path)?;
    }
    symlink(fs::canonicalize(agent)?, programs.join("sealgate"))?;
    for name in ["kubectl", "helm"] {
        fs::write(programs.join(name), KUBECTL)?;
        make_executable(&programs.join(name))?;
    }
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let example = fs::canonicalize(EXAMPLE)?;
    let shell = Shell::new(&home, &folder.join("state"))
        .with("PATH", &path)
        .with("EXAMPLE", &example.display().to_string());
    shell.play(PAGE, |_| Ok(()))
}
