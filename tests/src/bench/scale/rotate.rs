//! Every certificate is rotated once, under load: each arrives, and no handshake fails meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt as _, stream};

use super::figures::Figures;
use super::load::Load;
use super::objects::{edge, host};
use super::stand::Stand;
use crate::bench::Times;
use crate::client::Connection;
use crate::pki::Leaf;

/// Rotations at a time.
const AT_ONCE: usize = 8;
/// For one of them.
const LIMIT: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_millis(3);
/// How many failures are described.
const TOLD: usize = 5;

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    took: Times,
    failed: usize,
    told: Vec<String>,
}

/// See the module.
pub(super) async fn all(figures: &mut Figures, stand: &Stand, load: &Load) -> Result<()> {
    let seen = Mutex::new(Seen::default());
    let start = Instant::now();
    let rotations = stand.leaves.iter().enumerate();
    let rotations = stream::iter(rotations).for_each_concurrent(AT_ONCE, |(at, old)| {
        let seen = &seen;
        async move {
            let outcome = rotate(stand, at, old).await;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(took) => seen.took.push(took),
                Err(error) => {
                    seen.failed += 1;
                    seen.told.push(format!("{error:#}"));
                }
            }
        }
    });
    rotations.await;
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    figures.set("rotated", (stand.leaves.len() - seen.failed) as f64);
    figures.set("rotations_failed", seen.failed as f64);
    figures.set("rotations_seconds", start.elapsed().as_secs_f64());
    figures.times("rotation", &seen.took);
    let window = load.since(start);
    figures.times("rotating_kept", &window.kept);
    figures.times("rotating_probe", &window.probe);
    figures.set("rotating_kept_failed", load.failed() as f64);
    let told = seen.told.into_iter().take(TOLD);
    told.for_each(|what| figures.remark(format!("a rotation failed: {what}")));
    Ok(())
}

/// From writing to the first handshake with the new serial number. Until then, only the old certificate is right.
async fn rotate(stand: &Stand, at: usize, old: &Leaf) -> Result<Duration> {
    let host = host(at);
    let new = stand.authority.leaf(&[&host])?;
    let start = Instant::now();
    stand.place.rotate_secret(&edge(at), &new).await?;
    while start.elapsed() < LIMIT {
        let open = Connection::open(stand.machine.https, &host, &stand.tls).await?;
        if open.leaf == new.der {
            return Ok(start.elapsed());
        }
        anyhow::ensure!(open.leaf == old.der, "{host}: a certificate that is neither");
        tokio::time::sleep(EVERY).await;
    }
    anyhow::bail!("{host}: serial {} is not shown within {LIMIT:?}", new.serial)
}
