//! What routing costs: CPU per request of the real Envoy with our filter, beside Envoy's own router, a module on the
//! bare ABI and the Lua filter. One worker, HTTP/2, a direct response, interleaved rounds, medians.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sealgate_core::table::encode_parts;
use sealgate_tests::bench::filter::{Routing, RoutingSubject, Running, Spot, filter, standalone, table};
use sealgate_tests::bench::{Times, say};
use serde_json::{Value, json};

/// What Envoy enters a filter for that keeps something of a request, whatever it does there.
const FLOOR: &str = "bare ABI, three calls, and our callbacks";
const COUNTS: [usize; 3] = [10, 1_000, 10_000];

fn spots(routes: usize) -> Vec<Spot> {
    // Two of each: half of the routes are exact, half are prefixes.
    let middle = routes / 2;
    [0, 1, middle, middle + 1, routes - 2, routes - 1]
        .map(Spot)
        .to_vec()
}

/// Envoy's own are prefixes alone.
fn native_spots(routes: usize) -> Vec<Spot> {
    [1, routes / 2 + 1, routes - 1].map(Spot).to_vec()
}

fn subjects() -> Vec<RoutingSubject> {
    let first = [Spot(1); 3];
    let mut all = vec![
        RoutingSubject::new("Envoy alone", Routing::Native(0), &first),
        RoutingSubject::new("a module that does nothing", Routing::Idle, &first),
        RoutingSubject::new("bare ABI, three calls", Routing::Bare, &first),
        RoutingSubject::new(FLOOR, Routing::Keeping, &first),
        RoutingSubject::new("Lua, one lookup among 10", Routing::Lua(10), &first),
        RoutingSubject::new("Lua, one lookup among 10,000", Routing::Lua(10_000), &first),
    ];
    for routes in COUNTS {
        let name = format!("native, {routes} prefix routes");
        all.push(RoutingSubject::new(
            &name,
            Routing::Native(routes),
            &native_spots(routes),
        ));
    }
    for routes in COUNTS {
        let name = format!("Sealgate, {routes} routes");
        all.push(RoutingSubject::new(
            &name,
            Routing::Sealgate(routes),
            &spots(routes),
        ));
    }
    // Other builds of the filter beside it, for whoever works on it.
    if let Some(other) = std::env::var_os("SEALGATE_OTHER_FILTER") {
        let way = Routing::Build(other.into(), 10);
        all.push(RoutingSubject::new("another build, 10 routes", way, &spots(10)));
    }
    all
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    // Two Envoys of one configuration differ by where their memory happens to lie, so each is started several times.
    let (starts, rounds, requests) = if quick { (3, 4, 400) } else { (7, 7, 1_000) };
    let mut subjects = subjects();
    for _ in 0..starts {
        let mut running = Vec::with_capacity(subjects.len());
        for subject in &subjects {
            running.push(subject.start().await?);
        }
        for _ in 0..rounds {
            for (subject, running) in subjects.iter_mut().zip(&running) {
                subject.round(running, requests).await?;
            }
        }
    }
    let alone = micros(&subjects, "Envoy alone")?;
    say(&format!(
        "{:<44}{:>9}{:>9}{:>9}",
        format!("CPU per request, us, {starts} x {rounds} rounds"),
        "first",
        "middle",
        "last"
    ));
    for subject in &subjects {
        say(&row(subject));
    }
    let size = std::fs::metadata(filter()?)?.len();
    let standalone_size = std::fs::metadata(standalone()?)?.len();
    let [loading, standalone_loading] = loading().await?;
    for (name, size, loading) in [
        ("that the agent carries", size, loading),
        ("that needs no agent", standalone_size, standalone_loading),
    ] {
        say(&format!(
            "the filter's module {name}: {} KB, CPU {loading:.1} ms to load and configure",
            size / 1000
        ));
    }
    let loads = loads(quick).await?;
    let figures = json!({"alone_us": alone, "rows": rows(&subjects), "module_bytes": size, "module_load_cpu_ms": loading,
        "standalone_bytes": standalone_size, "standalone_load_cpu_ms": standalone_loading, "load": loads});
    say(&json!({"bench": "filter", "ratios": ratios(&subjects, alone)?, "figures": figures}).to_string());
    Ok(())
}

fn find<'s>(subjects: &'s [RoutingSubject], name: &str) -> Result<&'s RoutingSubject> {
    subjects
        .iter()
        .find(|subject| subject.name == name)
        .context(name.to_owned())
}

fn micros(subjects: &[RoutingSubject], name: &str) -> Result<f64> {
    Ok(find(subjects, name)?.mean())
}

fn row(subject: &RoutingSubject) -> String {
    let mut text = format!("{:<44}", subject.name);
    // Exact and prefix of one place as one figure.
    let each = if subject.paths() == 6 { 2 } else { 1 };
    for at in (0..subject.paths()).step_by(each) {
        let mean = (at..at + each).map(|at| subject.micros(at)).sum::<f64>() / each as f64;
        text += &format!("{mean:>9.1}");
    }
    text
}

fn rows(subjects: &[RoutingSubject]) -> Value {
    let row = |subject: &RoutingSubject| {
        let times: Vec<f64> = (0..subject.paths()).map(|at| subject.micros(at)).collect();
        (subject.name.clone(), json!(times))
    };
    Value::Object(subjects.iter().map(row).collect())
}

/// Added over Envoy alone, ours over theirs. Of the native routes the last one: that is what their number costs.
fn ratios(subjects: &[RoutingSubject], alone: f64) -> Result<Value> {
    let ours = |routes: usize| {
        Ok::<_, anyhow::Error>(micros(subjects, &format!("Sealgate, {routes} routes"))? - alone)
    };
    let native = |routes: usize| {
        let subject = find(subjects, &format!("native, {routes} prefix routes"))?;
        Ok::<_, anyhow::Error>(subject.micros(2) - alone)
    };
    let bare = micros(subjects, "bare ABI, three calls")? - alone;
    let floor = micros(subjects, FLOOR)? - alone;
    let lua = micros(subjects, "Lua, one lookup among 10")? - alone;
    Ok(json!({
        "added_vs_bare": ours(10)? / bare,
        "added_vs_floor": ours(10)? / floor,
        "added_10000_vs_10": ours(10_000)? / ours(10)?,
        "added_vs_native_1000": ours(1_000)? / native(1_000)?,
        "added_vs_native_10000": ours(10_000)? / native(10_000)?,
        "added_vs_lua": ours(10)? / lua,
    }))
}

/// What the module itself costs when it comes, in CPU of Envoy beyond that of one which does nothing: to compile it, and
/// to read ten routes.
async fn loading() -> Result<[f64; 2]> {
    let mut times = [Times::new(), Times::new(), Times::new()];
    let ways = [
        Routing::Idle,
        Routing::Sealgate(10),
        Routing::Build(standalone()?, 10),
    ];
    for _ in 0..5 {
        for (way, times) in ways.iter().zip(&mut times) {
            times.push(Running::start(way).await?.envoy.processor_time()?);
        }
    }
    let [idle, ours, standalone] = times.map(|times| times.p50());
    Ok([ours - idle, standalone - idle])
}

/// What a table costs when it comes: CPU and memory of Envoy beyond those for 10 routes (it reads a configuration
/// twice: once to check it, once for its worker), and how long this machine takes to make it.
async fn loads(quick: bool) -> Result<Vec<Value>> {
    let counts: &[usize] = if quick {
        &[10, 1_000, 10_000]
    } else {
        &[10, 1_000, 10_000, 100_000]
    };
    let mut base: Option<(Duration, u64)> = None;
    let mut all = Vec::new();
    for routes in counts {
        let table = table(*routes);
        let start = std::time::Instant::now();
        let parts = encode_parts([&table])?;
        let native = start.elapsed();
        let size: usize = parts.iter().map(Vec::len).sum();
        let envoy = Running::start(&Routing::Sealgate(*routes)).await?.envoy;
        let (time, memory) = (envoy.processor_time()?, envoy.memory()?);
        let (base_time, base_memory) = *base.get_or_insert((time, memory));
        let (time, memory) = (time.saturating_sub(base_time), memory.saturating_sub(base_memory));
        say(&format!(
            "{routes:>7} routes: {:>8.1} KB of parts, CPU {:>7.1} ms and {:>7.1} MB more in Envoy than for 10, {:>6.1} ms to make them",
            size as f64 / 1e3,
            time.as_secs_f64() * 1e3,
            memory as f64 / 1e6,
            native.as_secs_f64() * 1e3
        ));
        all.push(
            json!({"routes": routes, "part_bytes": size, "cpu_ms": time.as_secs_f64() * 1e3,
            "memory_bytes": memory, "encode_ms": native.as_secs_f64() * 1e3}),
        );
    }
    Ok(all)
}
