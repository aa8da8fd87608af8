//! `cargo xtask`: everything behind `scripts/`.

mod alerts;
mod axe;
mod binary;
mod browser;
mod chart;
mod checks;
mod circles;
mod cluster;
mod compose;
mod crds;
mod debian;
mod deny;
mod docs;
mod findings;
mod fuzz;
mod go_assets;
mod go_tool;
mod image;
mod journey;
mod modules;
mod namespaces;
mod page;
mod real_control_plane;
mod release;
mod rules;
mod tokens;
mod tools;
mod type_names;
mod validators;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Result, anyhow, bail, ensure};
use clap::{Parser, Subcommand};
use xtask::process::{cargo, root, run};
use xtask::product::{self, build, build_debug, build_filter, remapped};
use xtask::setup::{WASM, envoy, make_executable, setup};
use xtask::{demo, kube, version};

/// How many tests run at a time.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

/// Sets up, builds, tests and shows Sealgate.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the other tasks need: wasm targets, and Envoy under .tools
    Setup,
    /// Get kube-apiserver and etcd for the Kubernetes tests, under .tools/kube
    SetupKube,
    /// Get what the page's tests need besides a browser: axe-core, under .tools/axe
    SetupPage,
    /// Write envoy/kubernetes/crds.yaml from the types that the agent reads objects with
    Crds,
    /// Get Helm for `chart`, under .tools/helm
    SetupHelm,
    /// Test the chart with the values in tests/helm, and write envoy/kubernetes/gateway/gateway.yaml from it
    Chart {
        /// Compare instead of writing
        #[arg(long)]
        check: bool,
    },
    /// Test the alert rules of the chart with promtool, which is built once under .tools/promtool
    Alerts,
    /// Write the tables of docs/reference/findings.md from the codes of findings
    Findings,
    /// Write agent/src/valid/generated.rs from the annotations of Envoy's protos
    Validators,
    /// Build the page: static files for any file server (target/page), and the part that the agent contains
    Page,
    /// Build the page, the filter, and the agent that contains both (target/release)
    Build {
        /// The debug profile (target/debug)
        #[arg(long)]
        debug: bool,
    },
    /// Run all tests except those with other projects' control planes; `test istio` and `test envoy-gateway` run those
    Test {
        /// Passed on to cargo test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Run the walkthrough with the real Envoy, under load
    Demo {
        /// With objects from a real API server instead of files
        #[arg(long)]
        kubernetes: bool,
        #[command(flatten)]
        cluster: cluster::ClusterArgs,
    },
    /// Run a benchmark, side by side with alternatives or a baseline
    Bench {
        /// filter, identity, kubernetes, rotation or scale
        name: String,
        /// Fewer rounds
        #[arg(long)]
        quick: bool,
        /// Further arguments of `scale`: --sizes, --source, --svg, --flood, --rotate-all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Fuzz everything that reads untrusted bytes
    Fuzz(fuzz::Args),
    /// Pack the agent's image and the filter's artifact, without a container engine (target/images)
    Image(image::ImageArgs),
    /// Test envoy/compose in containers
    ComposeTest(compose::ComposeArgs),
    /// Run the commands of a page in docs/journeys
    Journey(journey::JourneyArgs),
    /// Build and check the files of a release (target/dist)
    Release(release::ReleaseArgs),
    /// Check licenses, sources and advisories of all dependencies (deny.toml)
    Deny {
        /// Fail if the advisories cannot be fetched, instead of only reporting it
        #[arg(long)]
        advisories: bool,
    },
    /// Build the site of docs/ (target/book) with mdBook, which is built once under .tools/cargo
    Docs,
    /// Check formatting, and run clippy
    Lint,
    /// Run rules, lint, chart --check, alerts and deny, two at a time
    Checks,
    /// Check the rules that ARCHITECTURE.md names
    Rules,
}

fn main() -> Result<()> {
    env::set_current_dir(root()?)?;
    match Args::parse().task {
        Task::Setup => setup().map(drop),
        Task::SetupKube => kube::setup().map(drop),
        Task::SetupPage => axe::get().map(drop),
        Task::Crds => crds::write(),
        Task::SetupHelm => go_tool::HELM.get().map(drop),
        Task::Chart { check } => chart::main(check),
        Task::Alerts => alerts::main(),
        Task::Findings => findings::write(),
        Task::Validators => validators::write(),
        Task::Page => page::build().map(drop),
        Task::Build { debug } => page::build().and_then(|_| build(debug)).map(drop),
        Task::Test { rest } => match rest.split_first() {
            Some((first, rest)) if first == "istio" => real_control_plane::ISTIO.test(rest),
            Some((first, rest)) if first == "envoy-gateway" => real_control_plane::ENVOY_GATEWAY.test(rest),
            _ => test(&rest),
        },
        Task::Demo { cluster, .. } if cluster.cluster => cluster::main(&cluster),
        Task::Demo { kubernetes, .. } => demo::main(kubernetes),
        Task::Bench { name, quick, rest } => bench(&name, quick, &rest),
        Task::Fuzz(args) => fuzz::main(&args),
        Task::Image(args) => image::main(&args),
        Task::ComposeTest(args) => compose::main(&args),
        Task::Journey(args) => journey::main(&args),
        Task::Release(args) => release::main(&args),
        Task::Deny { advisories } => deny::check(advisories),
        Task::Docs => docs::build(),
        Task::Lint => lint(),
        Task::Checks => checks::main(),
        Task::Rules => rules::check(),
    }
}

fn test(rest: &[String]) -> Result<()> {
    let envoy = setup()?;
    browser::get()?;
    // Optimizing the modules takes one processor, Go the other.
    let (control_plane, agent) = thread::scope(|scope| {
        let control_plane = scope.spawn(kube::setup);
        let agent = page::build().and_then(|_| build(true));
        (control_plane.join(), agent)
    });
    let agent = agent?;
    let module = agent.with_file_name(product::MODULE);
    let mut command = cargo(&["test", "--workspace"]);
    command.args(rest).env(product::FILTER, module);
    let control_plane = control_plane.map_err(|_| anyhow!("building the control plane panicked"))?;
    command.env(kube::ASSETS, control_plane?);
    command.env(axe::SCRIPT, axe::get()?);
    // Half of a test's time is waiting.
    if env::var_os(TEST_THREADS).is_none() {
        let processors = thread::available_parallelism()?.get();
        command.env(TEST_THREADS, (processors * 3 / 2).to_string());
    }
    run(command.env("SEALGATE_BIN", agent).env("ENVOY_BIN", envoy))
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
        other => bail!("bench {other}: expected filter, identity, kubernetes, rotation or scale"),
    }
}

/// Runs a program of the harness with the release build, and the folder of a control plane's programs if it needs one.
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

/// Runs a program of the harness with the debug build.
fn debug_program(name: &str, arguments: &[String]) -> Result<()> {
    let envoy = setup()?;
    let agent = build_debug(&[name])?;
    let mut command = Command::new(agent.with_file_name(name));
    command
        .args(arguments)
        .env("SEALGATE_FILTER_WASM", agent.with_file_name(product::MODULE));
    run(command.env("SEALGATE_BIN", agent).env("ENVOY_BIN", envoy))
}

fn lint() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    // The agent also builds without Kubernetes, and the demo and `cargo xtask` without what they do not need.
    run(&mut cargo(&[
        "clippy",
        "--package",
        "sealgate-agent",
        "--package",
        "sealgate-tests",
        "--package",
        "xtask",
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
    // The filter that needs no agent, and the one that is part of the agent.
    for features in [&[][..], &["--no-default-features"]] {
        let mut command = cargo(&["clippy", "--package", "sealgate-filter", "--target", WASM[0]]);
        run(command.args(features).args(["--", "-D", "warnings"]))?;
    }
    // What the page calls only exists in the browser.
    let mut page = cargo(&["clippy", "--package", "sealgate-web", "--target", WASM[1]]);
    run(page.args(["--", "-D", "warnings"]))?;
    Ok(())
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
