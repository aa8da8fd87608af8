//! Random rules and requests, of which `explain` and the real Envoy say the same: `cargo xtask fuzz explain`.

use std::path::Path;

use anyhow::{Result, ensure};
use sealgate_tests::agreement::{AgreementArgs, agreement};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "a program's output")]
async fn main() -> Result<()> {
    let args = AgreementArgs::parse(std::env::args().skip(1))?;
    let report = agreement(args, Path::new("tests/fuzz/artifacts/explain")).await?;
    println!("{report}");
    ensure!(report.differences.is_empty(), "explain and Envoy differ");
    Ok(())
}
