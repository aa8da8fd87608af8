//! Programs that are built once from separate Go modules under `tests`, where each is pinned. So only tasks that need
//! one build it, and `scripts/test` does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::kube::go_build;
use crate::run;

/// About five minutes of one core.
pub(crate) const HELM: GoTool = GoTool {
    name: "helm",
    package: "helm.sh/helm/v4/cmd/helm",
    go: "1.26",
    flags: None,
};

/// About four minutes of one core. Service discovery in clouds is left out: rules do not need it.
pub(crate) const PROMTOOL: GoTool = GoTool {
    name: "promtool",
    package: "github.com/prometheus/prometheus/cmd/promtool",
    go: "1.26.7",
    flags: Some("-tags=remove_all_sd"),
};

/// A program, by the folder of its module below `tests`, and of the program below `.tools`.
pub(crate) struct GoTool {
    name: &'static str,
    package: &'static str,
    /// The first Go that builds it.
    go: &'static str,
    flags: Option<&'static str>,
}

impl GoTool {
    /// The program, built if its module has changed.
    pub(crate) fn get(&self) -> Result<PathBuf> {
        let tools = Path::new(".tools").join(self.name);
        let (program, stamp) = (tools.join(self.name), tools.join("sealgate-stamp"));
        let wanted = fs::read_to_string(Path::new(&self.module()).join("go.sum"))?;
        if !program.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
            self.build(&tools)?;
            fs::write(stamp, wanted)?;
        }
        Ok(fs::canonicalize(program)?)
    }

    fn module(&self) -> String {
        format!("tests/{}", self.name)
    }

    /// Like kube-apiserver: in a folder of this process, and moved when complete.
    #[expect(
        clippy::print_stderr,
        reason = "Go is silent for minutes: say what is going on"
    )]
    fn build(&self, tools: &Path) -> Result<()> {
        let Self { name, go, .. } = self;
        ensure!(
            Command::new("go").arg("version").output().is_ok(),
            "{name} is built from its Go module: install Go {go} or later (https://go.dev/dl)"
        );
        eprintln!(
            "building {name} into {}; this happens once and takes some minutes",
            tools.display()
        );
        fs::create_dir_all(tools)?;
        let scratch = fs::canonicalize(tools)?.join(format!("build-{}", std::process::id()));
        let mut command = go_build(&self.module(), &scratch, name, self.package, "-s -w");
        command.envs(self.flags.map(|flags| ("GOFLAGS", flags)));
        let built = run(&mut command).with_context(|| format!("{name} cannot be built"));
        let moved = built.and_then(|()| Ok(fs::rename(scratch.join(name), tools.join(name))?));
        let _ = fs::remove_dir_all(&scratch);
        moved
    }
}
