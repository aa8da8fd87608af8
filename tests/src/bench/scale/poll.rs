//! Sends requests until the answer is the new one, and counts the answers before it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::line::Line;
use crate::client::{Answer, Connection, Tls};

/// The longest wait for a change.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(1);
/// Answers after the first new one, all of which must be new.
const AFTER: usize = 10;
/// The timeout of a handshake with a host that may not exist yet.
const ATTEMPT: Duration = Duration::from_millis(250);
/// How many wrong answers are described.
const TOLD: usize = 3;

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Right before the change.
    Old,
    /// Right after the change.
    New,
    /// Never right.
    Wrong,
}

/// What was seen during one change.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// From the start to the end of the first new answer.
    pub(super) took: Duration,
    /// From the start to the first handshake with the right certificate, of a new host.
    pub(super) handshake: Duration,
    /// Wrong answers.
    pub(super) wrong: usize,
    /// The first of them.
    pub(super) told: Vec<String>,
}

impl Seen {
    fn wrong(&mut self, what: String) {
        self.wrong += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }
}

/// For a route that does not exist yet, and then answers.
pub(super) fn appears(answer: &Answer) -> Kind {
    match answer.status {
        200 => Kind::New,
        404 => Kind::Old,
        _ => Kind::Wrong,
    }
}

/// Sends requests on a persistent connection.
///
/// # Errors
/// The new answer does not come.
pub(super) async fn until(
    line: &mut Line,
    path: &str,
    start: Instant,
    kind: impl Fn(&Answer) -> Kind,
) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut news = 0;
    while news <= AFTER {
        if start.elapsed() > LIMIT {
            bail!("{path}: not served within {LIMIT:?}; {:?}", seen.told);
        }
        match line.get(path).await {
            Err(error) => seen.wrong(format!("{error:#}")),
            Ok(answer) => match kind(&answer) {
                Kind::New => {
                    if news == 0 {
                        seen.took = start.elapsed();
                    }
                    news += 1;
                }
                Kind::Old if news == 0 => {}
                _ => seen.wrong(format!("{} after {:?}", answer.status, start.elapsed())),
            },
        }
        tokio::time::sleep(EVERY).await;
    }
    Ok(seen)
}

/// A host that is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) port: u16,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    /// The right certificate.
    pub(super) leaf: &'a [u8],
    pub(super) tls: &'a Tls,
    /// The longest wait.
    pub(super) limit: Duration,
}

/// Shakes hands with a new host until it shows its certificate and answers.
///
/// # Errors
/// It does not.
pub(super) async fn until_host(target: &Target<'_>, start: Instant) -> Result<Seen> {
    let mut seen = Seen::default();
    while start.elapsed() < target.limit {
        if look(target, start, &mut seen).await {
            seen.took = start.elapsed();
            return Ok(seen);
        }
        tokio::time::sleep(EVERY).await;
    }
    bail!(
        "{}: not served within {:?}; {:?}",
        target.host,
        target.limit,
        seen.told
    )
}

/// Whether a new connection is served as it should be.
async fn look(target: &Target<'_>, start: Instant, seen: &mut Seen) -> bool {
    let open = Connection::open(target.port, target.host, target.tls);
    // A host that is not there fails the handshake; an attempt that hangs is abandoned.
    let Ok(Ok(mut open)) = tokio::time::timeout(ATTEMPT, open).await else {
        return false;
    };
    if open.leaf != target.leaf {
        seen.wrong("another certificate".to_owned());
        return false;
    }
    if seen.handshake.is_zero() {
        seen.handshake = start.elapsed();
    }
    match open.get(target.host, target.path).await {
        Ok(Some(answer)) => match appears(&answer) {
            Kind::New => return true,
            Kind::Old => {}
            Kind::Wrong => seen.wrong(answer.status.to_string()),
        },
        Ok(None) => {}
        Err(error) => seen.wrong(format!("{error:#}")),
    }
    false
}
