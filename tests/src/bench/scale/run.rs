//! One size after the other, on each source, with each build.

use std::path::Path;

use anyhow::Result;

use super::args::{Mode, Options};
use super::bulk::bulk;
use super::changes::What;
use super::figures::{Figures, Place, Results};
use super::load::{Load, Window};
use super::rows::rounds;
use super::series::series;
use super::stand::Stand;
use super::visit::visit_all;
use super::{Origin, Side, Size, chart, flood, pods, report, rotate};
use crate::bench::say;

/// From this many hosts on, memory is measured again after each host was visited.
const VISITED_FROM: usize = 1_000;
/// Changes of a series, for each of three kinds.
const SERIES: usize = 30;
const QUICK_SERIES: usize = 15;
/// How long the load takes to start.
const LOAD_COMES: std::time::Duration = std::time::Duration::from_secs(3);
/// The kinds of changes under load.
const SERIES_OF: [What; 3] = [What::Rule, What::Endpoint, What::Host];
const ROWS_OF: [What; 5] = [
    What::Route,
    What::PlainRoute,
    What::Rule,
    What::Endpoint,
    What::Host,
];

/// Does what the command line says; the last line that it prints is JSON.
///
/// # Errors
/// Nothing could be measured. A failure at one size is reported there, and the others continue.
pub async fn run(options: &Options) -> Result<()> {
    let mut results = Results::default();
    for origin in &options.origins {
        for (size, memory_only) in sizes(options) {
            for (side, binary) in sides(options, size) {
                let mut figures = Figures::default();
                if let Err(error) = measure(&mut figures, options, binary, *origin, size, memory_only).await {
                    figures.remark(format!("ended early: {error:#}"));
                }
                let place = Place {
                    origin: *origin,
                    size,
                    side,
                };
                results.0.insert(place, figures);
            }
            report::size(&results, *origin, size);
        }
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, chart::picture(&results, &options.origins))?;
    }
    say(&results.json(&options.origins).to_string());
    Ok(())
}

/// The sizes, and those of which only the memory is needed: ten hosts as the reference, and half of the largest.
fn sizes(options: &Options) -> Vec<(Size, bool)> {
    let mut sizes: Vec<(Size, bool)> = options.sizes.iter().map(|size| (*size, false)).collect();
    if options.mode != Mode::Rows {
        return sizes;
    }
    let has = |sizes: &[(Size, bool)], routes| sizes.iter().any(|(size, _)| *size == Size::of(routes));
    if !has(&sizes, 10) {
        sizes.insert(0, (Size::of(10), true));
    }
    if has(&sizes, 10_000) && !has(&sizes, 5_000) {
        let at = sizes.iter().position(|(size, _)| *size == Size::of(10_000));
        sizes.insert(at.unwrap_or(0), (Size::of(5_000), true));
    }
    sizes
}

fn sides(options: &Options, size: Size) -> Vec<(Side, &Path)> {
    let other = options.other.as_ref().filter(|(_, max)| size.routes <= *max);
    let other = other.map(|(path, _)| (Side::Other, path.as_path()));
    [(Side::Own, options.own.as_path())]
        .into_iter()
        .chain(other)
        .collect()
}

async fn measure(
    figures: &mut Figures,
    options: &Options,
    binary: &Path,
    origin: Origin,
    size: Size,
    memory_only: bool,
) -> Result<()> {
    let mut stand = Stand::prepare(binary, origin, size).await?;
    figures.set("start_agent", stand.start_agent().await?.as_secs_f64());
    figures.set("start_envoy", stand.start_envoy().await?.as_secs_f64());
    figures.memory("rss", stand.settled_memory().await?);
    if size.hosts >= VISITED_FROM {
        visit_all(&stand).await?;
        figures.memory("rss_visited", stand.settled_memory().await?);
    }
    if memory_only {
        return Ok(());
    }
    let load = Load::start(stand.machine.https, size.hosts)?;
    tokio::time::sleep(LOAD_COMES).await;
    load.check()?;
    let outcome = match options.mode {
        Mode::Rows => rows(figures, options, &stand, &load).await,
        Mode::Flood(count) => flood::flood(figures, &stand, &load, count).await,
        Mode::RotateAll => rotate::all(figures, &stand, &load).await,
        Mode::Pods(count) => pods::pods(figures, &stand, count).await,
    };
    figures.set("kept_failed", load.failed() as f64);
    for failure in load.failures() {
        figures.remark(format!("the kept load failed: {failure}"));
    }
    outcome?;
    stand.machine.check()
}

async fn rows(figures: &mut Figures, options: &Options, stand: &Stand, load: &Load) -> Result<()> {
    let (mut quiet, mut changing) = (Window::default(), Window::default());
    for what in SERIES_OF {
        let count = if options.quick { QUICK_SERIES } else { SERIES };
        let series = series(stand, load, what, count).await?;
        figures.set(&format!("{}_cpu_agent", what.key()), series.agent);
        figures.set(&format!("{}_cpu_envoy", what.key()), series.envoy);
        quiet.extend(series.quiet);
        changing.extend(series.changing);
    }
    for (name, window) in [("quiet", &quiet), ("changing", &changing)] {
        figures.times(&format!("kept_{name}"), &window.kept);
        figures.times(&format!("probe_{name}"), &window.probe);
    }
    for what in ROWS_OF {
        let rounds = rounds(stand, what, options.rounds()).await?;
        let key = what.key();
        figures.times(key, &rounds.took);
        figures.times(&format!("{key}_handshake"), &rounds.handshake);
        figures.set(&format!("{key}_wrong"), rounds.wrong as f64);
        for told in rounds.told {
            figures.remark(format!("{key}, a wrong answer: {told}"));
        }
    }
    let bulk = bulk(stand).await?;
    figures.set("bulk_ms", bulk.took.as_secs_f64() * 1000.0);
    figures.set("bulk_written_ms", bulk.written.as_secs_f64() * 1000.0);
    figures.set("bulk_publications", bulk.publications as f64);
    figures.set("bulk_wrong", bulk.wrong as f64);
    Ok(())
}
