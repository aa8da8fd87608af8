//! The short form of `cargo xtask fuzz explain`: `explain` and the real Envoy agree about random requests.

use std::path::Path;

use anyhow::{Result, ensure};
use sealgate_tests::agreement::{AgreementArgs, agreement};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_and_envoy_agree_on_random_requests_to_random_rules() -> Result<()> {
    let args = AgreementArgs {
        requests: 4_000,
        seed: 16,
    };
    let folder = tempfile::tempdir()?;
    let report = agreement(args, Path::new(folder.path())).await?;
    ensure!(report.differences.is_empty(), "{report}");
    // Each kind of decision is there, or the rules and requests do not meet.
    for kind in ["directResponse", "failure", "notFound", "redirect", "route"] {
        let count = report.decisions.get(kind).copied().unwrap_or_default();
        ensure!(count >= 40, "{kind}: {report}");
    }
    ensure!(report.http1 > 1_000 && report.http2 > 1_000, "{report}");
    ensure!(report.secure > 1_000 && report.copied > 40, "{report}");
    Ok(())
}
