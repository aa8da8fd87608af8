//! A hostile namespace that keeps trying: `cargo xtask fuzz tenants`.

use std::path::Path;

use anyhow::Result;
use sealgate_tests::hostile::{FuzzArgs, fuzz};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let args = FuzzArgs::parse(std::env::args().skip(1))?;
    fuzz(&args, Path::new("tests/fuzz/artifacts/tenants")).await
}
