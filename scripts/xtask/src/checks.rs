//! `cargo xtask checks`: what `.ci/run` checks besides the tests. The rules and clippy on the one side, on the other what Go and
//! cargo build once under .tools: each leaves a processor idle for most of its time.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};

use crate::{alerts, chart, deny, lint, rules};

pub(crate) fn main() -> Result<()> {
    thread::scope(|scope| {
        let tools = scope.spawn(|| {
            timed("chart --check", || chart::main(true))?;
            timed("alerts", alerts::main)?;
            // Advisories too, where they can be fetched; where not, it says so.
            timed("deny", || deny::check(false))
        });
        let own = timed("rules", rules::check).and_then(|()| timed("lint", lint));
        let tools = tools.join().map_err(|_| anyhow!("a check panicked"))?;
        own.and(tools)
    })
}

#[expect(clippy::print_stdout, reason = "where the time goes")]
fn timed(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    check().with_context(|| name.to_owned())?;
    println!("{} s: {name}", begin.elapsed().as_secs());
    Ok(())
}
