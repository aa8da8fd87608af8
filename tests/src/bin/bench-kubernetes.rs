//! How long a rotation takes on the Kubernetes API: PUT of a Secret sent to new handshake, beside the floor (PUT sent to
//! the event of a raw watch, and the push floor). With 10 Secrets; with 10,000 of which 1,000 are served; and both while
//! others change every 50 ms. Then what the agent costs: processor time and memory. Interleaved, medians.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sealgate_tests::bench::floor::Floor;
use sealgate_tests::bench::gateway::{Namespace, Served, secret};
use sealgate_tests::bench::material::BenchAuthority;
use sealgate_tests::bench::secrets::{Noise, RawWatch};
use sealgate_tests::bench::{self, Times, say};
use sealgate_tests::client::{Tls, Version};
use sealgate_tests::kube::ControlPlane;
use sealgate_tests::pki::Leaf;
use serde_json::{Value, json};

const DEFINITIONS: &str = include_str!("../../../envoy/kubernetes/crds.yaml");
/// The Secrets of the large namespace, and how many of them a Gateway names.
const ALL: usize = 10_000;
const REFERENCED: usize = 1_000;
/// Of the small one; as many more are unrelated.
const FEW: usize = 10;
const NOISE_PERIOD: Duration = Duration::from_millis(50);
const IDLE_PERIOD: Duration = Duration::from_millis(100);
/// Different certificates among Secrets that nobody compares.
const VARIETY: usize = 256;

/// What is served, and what it is compared with.
struct Bench<'n> {
    material: BenchAuthority,
    tls: Tls,
    few: Served<'n>,
    many: Served<'n>,
    floor: Floor,
    watch: RawWatch,
}

/// Of all rounds, with or without noise.
#[derive(Default)]
struct Rounds {
    few: Times,
    many: Times,
    watch: Times,
    push: Times,
    floor: Times,
    few_cpu: Times,
    many_cpu: Times,
}

impl Bench<'_> {
    async fn round(&mut self, rounds: &mut Rounds) -> Result<()> {
        let leaf = || self.material.leaf("rotated.example");
        let (took, cpu) = self.few.rotate(&leaf()?, &self.tls).await?;
        rounds.few.push(took);
        rounds.few_cpu.push(cpu);
        // What nobody serves: only the watch sees it.
        let (sent, version) = self.few.namespace.secrets.put(&secret(FEW), &leaf()?).await?;
        let seen = self.watch.saw(&version).await? - sent;
        let pushed = self.floor.rotate(&leaf()?, &self.tls).await?;
        rounds.watch.push(seen);
        rounds.push.push(pushed);
        rounds.floor.push(seen + pushed);
        let (took, cpu) = self.many.rotate(&leaf()?, &self.tls).await?;
        rounds.many.push(took);
        rounds.many_cpu.push(cpu);
        Ok(())
    }
}

/// Memory of the agent when it serves so many, and the bytes of what it serves.
fn memory(served: usize, agent: u64, bytes: u64) -> f64 {
    let ratio = agent as f64 / bytes as f64;
    say(&format!(
        "agent: memory {:.1} MB with {served} served, which are {:.2} MB of PEM: {ratio:.2} times that",
        agent as f64 / 1e6,
        bytes as f64 / 1e6
    ));
    ratio
}

fn bytes(leaves: &[Leaf], served: usize) -> u64 {
    let all = leaves.iter().cycle().take(served);
    all.map(|leaf| (leaf.certificate.len() + leaf.key.len()) as u64)
        .sum()
}

/// The share of a core that an agent takes which watches one Secret among 10,000, of which others change ten times a
/// second.
async fn idle(plane: &ControlPlane, large: &Namespace, leaves: &[Leaf], seconds: u64) -> Result<f64> {
    large.serve("idle", ALL..ALL + 1).await?;
    let site = large.agent(plane, "idle", &["--secret-watch=name"]).await?;
    let names = (REFERENCED..ALL).map(secret).collect();
    let noise = Noise::new(vec![(large.secrets.clone(), names)], leaves.to_vec(), IDLE_PERIOD);
    noise.switch(true)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (start, before) = (Instant::now(), site.agent_processor_time()?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    // Had it failed, nothing would have been measured.
    noise.switch(false)?;
    let spent = site.agent_processor_time()? - before;
    Ok(spent.as_secs_f64() / start.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, idle_seconds) = if quick { (60, 5) } else { (300, 30) };
    let plane = ControlPlane::start().await?;
    let (material, tls) = (BenchAuthority::new()?, Tls::new(Version::H2, None)?);
    let leaves: Vec<Leaf> = (0..VARIETY)
        .map(|at| material.leaf(&format!("any-{at}.example")))
        .collect::<Result<_>>()?;
    let first = leaves.first().context("no certificates")?.clone();
    let small = Namespace::with(&plane, "small", 2 * FEW, &leaves).await?;
    small.objects.define(DEFINITIONS).await?;
    small.serve("few", 0..FEW).await?;
    let few = Served::start(&plane, &small, "few", &first, &tls).await?;
    let few_memory = few.site.agent_memory()?;
    let large = Namespace::with(&plane, "large", ALL + 1, &leaves).await?;
    large.serve("many", 0..REFERENCED).await?;
    let many = Served::start(&plane, &large, "many", &first, &tls).await?;
    let many_memory = many.site.agent_memory()?;
    let mut bench = Bench {
        floor: Floor::start(&first).await?,
        watch: small.secrets.watch(&secret(FEW)),
        material,
        tls,
        few,
        many,
    };
    shown_first(&mut bench).await?;
    let unrelated = |range: std::ops::Range<usize>| range.map(secret).collect();
    let places = vec![
        (small.secrets.clone(), unrelated(FEW + 1..2 * FEW)),
        (large.secrets.clone(), unrelated(REFERENCED..ALL)),
    ];
    let noise = Noise::new(places, leaves.clone(), NOISE_PERIOD);
    let (mut quiet, mut noisy) = (Rounds::default(), Rounds::default());
    for _ in 0..rounds {
        bench.round(&mut quiet).await?;
        noise.switch(true)?;
        tokio::time::sleep(NOISE_PERIOD).await;
        bench.round(&mut noisy).await?;
        noise.switch(false)?;
        tokio::time::sleep(NOISE_PERIOD).await;
    }
    drop((noise, bench));
    let idle = idle(&plane, &large, &leaves, idle_seconds).await?;
    // The rounds have put another there.
    large.secrets.put(&secret(0), &first).await?;
    large.serve("all", 0..ALL).await?;
    let all = Served::start(&plane, &large, "all", &first, &Tls::new(Version::H2, None)?).await;
    let all = all.context("10,000 served")?;
    let all_memory = all.site.agent_memory()?;
    bench::head(rounds);
    report(&quiet, "");
    report(&noisy, ", noise");
    say(&format!(
        "agent: CPU per rotation {:.2} ms with 10, {:.2} ms with 10,000; idle among 10,000 that change {:.3} % of a core",
        quiet.few_cpu.p50(),
        quiet.many_cpu.p50(),
        idle * 100.0
    ));
    let memories = [
        (FEW, few_memory, bytes(&leaves, FEW)),
        (REFERENCED, many_memory, bytes(&leaves, REFERENCED)),
        (ALL, all_memory, bytes(&leaves, ALL)),
    ];
    let mut ratios = ratios(&quiet, &noisy);
    let mut figures = json!({"quiet": figures(&quiet), "noisy": figures(&noisy), "idle_core_share": idle});
    for (served, agent, bytes) in memories {
        ratios[format!("rss_vs_bytes_{served}")] = memory(served, agent, bytes).into();
        figures[format!("rss_{served}")] = agent.into();
        figures[format!("pem_{served}")] = bytes.into();
    }
    say(&json!({"bench": "kubernetes", "ratios": ratios, "figures": figures}).to_string());
    Ok(())
}

/// Everything works, and is warm, before anything is measured.
async fn shown_first(bench: &mut Bench<'_>) -> Result<()> {
    for _ in 0..3 {
        bench.round(&mut Rounds::default()).await?;
    }
    Ok(())
}

fn report(rounds: &Rounds, how: &str) {
    rounds.few.row(&format!("PUT to handshake, 10 Secrets{how}"));
    rounds
        .many
        .row(&format!("PUT to handshake, 1,000 served of 10,000{how}"));
    rounds.floor.row(&format!("the floor: both of these{how}"));
    rounds.watch.row(&format!("  PUT to event of a raw watch{how}"));
    rounds.push.row(&format!("  push to handshake{how}"));
}

fn ratios(quiet: &Rounds, noisy: &Rounds) -> Value {
    json!({
        "p50_vs_floor": quiet.few.p50() / quiet.floor.p50(),
        "p99_vs_floor": quiet.few.p99() / quiet.floor.p99(),
        "p50_vs_floor_noise": noisy.few.p50() / noisy.floor.p50(),
        "p99_vs_floor_noise": noisy.few.p99() / noisy.floor.p99(),
        "p50_10000_vs_10": quiet.many.p50() / quiet.few.p50(),
        "p50_10000_vs_10_noise": noisy.many.p50() / noisy.few.p50(),
        "cpu_10000_vs_10": quiet.many_cpu.p50() / quiet.few_cpu.p50(),
    })
}

fn figures(rounds: &Rounds) -> Value {
    json!({
        "sealgate_10_p50_ms": rounds.few.p50(), "sealgate_10_p99_ms": rounds.few.p99(),
        "sealgate_10000_p50_ms": rounds.many.p50(), "sealgate_10000_p99_ms": rounds.many.p99(),
        "floor_p50_ms": rounds.floor.p50(), "floor_p99_ms": rounds.floor.p99(),
        "watch_p50_ms": rounds.watch.p50(), "push_p50_ms": rounds.push.p50(),
        "cpu_ms_10": rounds.few_cpu.p50(), "cpu_ms_10000": rounds.many_cpu.p50(),
    })
}
