//! Hundreds of thousands of names that are not served: server names in real handshakes, then hosts of requests.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt as _, stream};
use tokio::time::MissedTickBehavior;

use super::figures::Figures;
use super::line::Line;
use super::load::Load;
use super::objects::host;
use super::stand::Stand;
use crate::client::Connection;

/// Concurrent clients, and the interval of each one's attempts: a thousand attempts a second in total. A higher rate
/// would measure an overloaded worker, and not the effect of unknown names.
const AT_ONCE: usize = 64;
const PERIOD: Duration = Duration::from_millis(64);
/// A flood ends after this time, even if answers are slow.
const LIMIT: Duration = Duration::from_secs(900);
/// A handshake that hangs is given up, as an attacker would.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// What comes before it, to compare with.
const QUIET: Duration = Duration::from_secs(10);
const SAMPLE: Duration = Duration::from_millis(500);

/// Both floods, each after a quiet stretch.
pub(super) async fn flood(figures: &mut Figures, stand: &Stand, load: &Load, count: usize) -> Result<()> {
    for key in ["names", "hosts"] {
        let quiet = Instant::now();
        tokio::time::sleep(QUIET).await;
        figures.times(&format!("{key}_quiet"), &load.since(quiet).kept);
        figures.memory(&format!("{key}_before"), stand.machine.memory()?);
        let start = Instant::now();
        let over = AtomicBool::new(false);
        let attack = async {
            let sent = match key {
                "names" => names(stand, count).await,
                _ => hosts(stand, count).await,
            };
            over.store(true, Ordering::Relaxed);
            sent
        };
        let (sent, most) = tokio::join!(attack, watch(stand, &over));
        figures.set(&format!("{key}_seconds"), start.elapsed().as_secs_f64());
        figures.set(&format!("{key}_sent"), sent.all as f64);
        figures.set(&format!("{key}_wrong"), sent.wrong as f64);
        let window = load.since(start);
        figures.times(&format!("{key}_during"), &window.kept);
        figures.times(&format!("{key}_probe"), &window.probe);
        figures.memory(&format!("{key}_most"), most?);
        figures.memory(&format!("{key}_after"), stand.settled_memory().await?);
    }
    Ok(())
}

/// The largest memory of both, until it is over.
async fn watch(stand: &Stand, over: &AtomicBool) -> Result<(f64, f64)> {
    let mut most = stand.machine.memory()?;
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(SAMPLE).await;
        let now = stand.machine.memory()?;
        most = (most.0.max(now.0), most.1.max(now.1));
    }
    Ok(most)
}

/// How many were sent, and how many were served as if they were known.
struct Sent {
    all: usize,
    wrong: usize,
}

/// Makes attempts at a fixed rate, and counts the results.
async fn attempts<C, A: Future<Output = (C, bool)>>(
    count: usize,
    client: impl Fn(usize) -> C,
    attempt: impl Fn(C, usize) -> A,
) -> Sent {
    let start = Instant::now();
    let (all, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let clients = stream::iter(0..AT_ONCE).for_each_concurrent(AT_ONCE, |number| {
        let (all, wrong, attempt) = (&all, &wrong, &attempt);
        let mut own = client(number);
        async move {
            let mut tick = tokio::time::interval(PERIOD);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for at in (number..count).step_by(AT_ONCE) {
                tick.tick().await;
                if start.elapsed() > LIMIT {
                    return;
                }
                let is_right;
                (own, is_right) = attempt(own, at).await;
                all.fetch_add(1, Ordering::Relaxed);
                wrong.fetch_add(usize::from(!is_right), Ordering::Relaxed);
            }
        }
    });
    clients.await;
    Sent {
        all: all.into_inner(),
        wrong: wrong.into_inner(),
    }
}

/// Each on a connection of its own; it must not be served.
async fn names(stand: &Stand, count: usize) -> Sent {
    let attempt = |(), at: usize| async move {
        let name = format!("u-{at}.unknown.example");
        let open = Connection::open(stand.machine.https, &name, &stand.tls);
        let opened = tokio::time::timeout(HANDSHAKE, open).await;
        ((), !matches!(opened, Ok(Ok(_))))
    };
    attempts(count, |_| (), attempt).await
}

/// Half on a TLS host's connections, half on port 80.
async fn hosts(stand: &Stand, count: usize) -> Sent {
    let client = |number: usize| {
        if number.is_multiple_of(2) {
            Line::new(stand.machine.https, &host(0), Some(stand.tls.clone()))
        } else {
            Line::new(stand.machine.http, &host(0), None)
        }
    };
    let attempt = |mut line: Line, at: usize| async move {
        let answer = line.get_of(&format!("u-{at}.unknown.example"), "/").await;
        let is_right = answer.is_ok_and(|answer| matches!(answer.status, 404 | 421));
        (line, is_right)
    };
    attempts(count, client, attempt).await
}
