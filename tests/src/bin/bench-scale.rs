//! What a change, a host and a route cost among thousands: `cargo xtask bench scale`.

use anyhow::Result;
use sealgate_tests::bench::scale::{args::Options, run};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    run(&options).await
}
