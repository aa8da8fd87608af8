//! `cargo xtask test istio` and `cargo xtask test envoy-gateway`: the tests with the real control plane of another
//! project. Both are built from Go modules, once; no other task needs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use xtask::kube;
use xtask::process::{cargo, run};
use xtask::product::{self, build_debug};
use xtask::setup::setup;

use crate::go_assets::GoAssets;
use crate::image;

/// The filter's artifact, as in a registry.
const ARTIFACT: &str = "SEALGATE_FILTER_ARTIFACT";

/// A test program, and what it runs.
pub(crate) struct RealControlPlane {
    /// The test program.
    test: &'static str,
    /// The variable that names the folder of the programs and files.
    variable: &'static str,
    assets: GoAssets,
}

/// Includes the definitions of its kinds, and the template for Envoy's bootstrap that pilot-agent uses.
pub(crate) const ISTIO: RealControlPlane = RealControlPlane {
    test: "with_istio",
    variable: "SEALGATE_ISTIO",
    assets: GoAssets {
        name: "istio",
        module: "istio.io/istio",
        programs: &[
            ("pilot-discovery", "istio.io/istio/pilot/cmd/pilot-discovery"),
            ("pilot-agent", "istio.io/istio/pilot/cmd/pilot-agent"),
        ],
        files: &[
            ("crds.yaml", "manifests/charts/base/files/crd-all.gen.yaml"),
            (
                "envoy_bootstrap.json",
                "tools/packaging/common/envoy_bootstrap.json",
            ),
        ],
    },
};

/// The definitions of all kinds that Envoy Gateway watches, as its chart installs them.
pub(crate) const ENVOY_GATEWAY: RealControlPlane = RealControlPlane {
    test: "with_envoy_gateway",
    variable: "SEALGATE_ENVOY_GATEWAY",
    assets: GoAssets {
        name: "envoy-gateway",
        module: "github.com/envoyproxy/gateway",
        programs: &[("envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway")],
        files: &[("crds", "charts/gateway-helm/charts/crds/crds")],
    },
};

impl RealControlPlane {
    /// Runs them; arguments are passed on to the test program.
    pub(crate) fn test(&self, rest: &[String]) -> Result<()> {
        let envoy = setup()?;
        let agent = build_debug(&[])?;
        let module = agent.with_file_name(product::MODULE);
        let mut command = cargo(&["test", "--workspace", "--test", self.test, "--"]);
        // Each test has its own cluster, so they run one after the other.
        command
            .args(["--ignored", "--test-threads=1", "--nocapture"])
            .args(rest)
            .env(ARTIFACT, artifact(&module)?)
            .env(product::FILTER, module)
            .env(kube::ASSETS, kube::setup()?)
            .env(self.variable, self.assets.get()?)
            .env("SEALGATE_BIN", agent)
            .env("ENVOY_BIN", envoy);
        run(&mut command)
    }
}

fn artifact(module: &Path) -> Result<PathBuf> {
    let artifact = Path::new("target/images").join(image::filter_name());
    fs::create_dir_all("target/images")?;
    fs::write(&artifact, image::filter(fs::read(module)?)?.archive)?;
    Ok(fs::canonicalize(artifact)?)
}
