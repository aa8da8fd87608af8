//! `cargo xtask checks`: what `.ci/run` checks besides the tests. In parallel: the rules and clippy, and what Go and
//! cargo build once under .tools, as each leaves a processor idle most of the time.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};

use crate::{alerts, chart, deny, lint, rules};

pub(crate) fn main() -> Result<()> {
    thread::scope(|scope| {
        let tools = scope.spawn(|| {
            timed("chart --check", || chart::main(true))?;
            timed("alerts", alerts::main)?;
            // Includes advisories if they can be fetched; otherwise, says so.
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
