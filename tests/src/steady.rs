//! Clients that repeat the same requests, and count every answer that is not the expected one. They follow the
//! protocols: when a connection ends (`connection: close`, GOAWAY, close), they open another one. Nothing is sent
//! twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::client::{Answer, Connection, Tls, Version};
use crate::pki::Leaf;

const REMEMBERED_FAILURES: usize = 10;

/// How a client uses its connections, and how often it sends requests.
const HABITS: [Habit; 3] = [
    Habit {
        name: "kept",
        keeps: true,
        every: Duration::from_millis(100),
    },
    // It notices a drain late: with its next answer.
    Habit {
        name: "kept and idle",
        keeps: true,
        every: Duration::from_millis(1_500),
    },
    Habit {
        name: "new",
        keeps: false,
        every: Duration::from_millis(250),
    },
];

#[derive(Clone, Copy, Debug)]
struct Habit {
    name: &'static str,
    keeps: bool,
    every: Duration,
}

/// TLS as a client speaks it, and what it must see.
#[derive(Clone, Debug)]
pub struct Secure {
    /// For HTTP/1.1, and for HTTP/2.
    tls: [Tls; 2],
    /// The certificate that must be shown.
    shown: Vec<u8>,
}

impl Secure {
    /// With a client certificate if given.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(shown: &Leaf, own: Option<&Leaf>) -> Result<Self> {
        Ok(Self {
            tls: [Tls::new(Version::H1, own)?, Tls::new(Version::H2, own)?],
            shown: shown.der.clone(),
        })
    }
}

/// What must become of a request.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// 200, from the upstream that says this first.
    From(&'static str),
    /// An answer with this status.
    Status(u16),
    /// No answer: the client's certificate is not trusted.
    Nothing,
}

/// A request, and what must become of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub port: u16,
    /// None is plain text.
    pub secure: Option<Secure>,
    /// The host, and the SNI.
    pub host: &'static str,
    /// The path.
    pub path: &'static str,
    /// See there.
    pub expected: Expected,
}

impl Target {
    async fn open(&self, version: Version) -> Result<Connection> {
        let Some(Secure { tls: [h1, h2], shown }) = &self.secure else {
            return Connection::open_plain_as(self.port, version).await;
        };
        let tls = if version == Version::H1 { h1 } else { h2 };
        let open = Connection::open(self.port, self.host, tls).await?;
        ensure!(open.leaf == *shown, "another certificate is shown");
        Ok(open)
    }

    /// Whether more may be sent after this answer.
    fn judge(&self, answer: &Answer) -> Result<bool> {
        let first = answer.body.lines().next().unwrap_or_default();
        let good = match self.expected {
            Expected::From(upstream) => answer.status == 200 && first == upstream,
            Expected::Status(status) => answer.status == status,
            Expected::Nothing => false,
        };
        ensure!(good, "{} {first:?}, not {:?}", answer.status, self.expected);
        let connection = answer.headers.get("connection");
        Ok(connection.is_none_or(|value| value != "close"))
    }

    /// One request on a new connection.
    ///
    /// # Errors
    /// Something else became of it.
    pub async fn ask(&self, version: Version) -> Result<()> {
        self.ask_on(self.open(version).await).await.map(drop)
    }

    /// A request; gives the connection back if more may be sent on it.
    async fn ask_on(&self, open: Result<Connection>) -> Result<Option<Connection>> {
        let answer = async {
            let mut open = open?;
            let answer = open.get(self.host, self.path).await?;
            Ok::<_, anyhow::Error>((open, answer))
        };
        if matches!(self.expected, Expected::Nothing) {
            return match answer.await {
                Ok((_, Some(answer))) => bail!("it is answered with {}", answer.status),
                _ => Ok(None),
            };
        }
        let (open, answer) = answer.await?;
        let answer = answer.context("a new connection ended before its first request")?;
        Ok(self.judge(&answer)?.then_some(open))
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
    connections: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
    /// Since the last look, by client.
    rounds: Mutex<BTreeMap<usize, u64>>,
}

/// The clients.
#[derive(Debug)]
pub struct Steady {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    clients: usize,
    start: Instant,
}

/// What they saw.
#[derive(Clone, Debug)]
pub struct SteadyTotals {
    /// Requests of which became what must.
    pub answered: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Everything else.
    pub failed: u64,
    /// The first of these.
    pub failures: Vec<String>,
    /// For how long.
    pub seconds: f64,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Steady {
    /// Starts a client for each target, protocol version and habit.
    #[must_use]
    pub fn start(targets: &[Target]) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let mut clients = 0;
        for target in targets {
            for version in [Version::H1, Version::H2] {
                for habit in HABITS {
                    let client = Client {
                        number: clients,
                        target: target.clone(),
                        version,
                        habit,
                        shared: Arc::clone(&shared),
                    };
                    tasks.spawn(client.run());
                    clients += 1;
                }
            }
        }
        let start = Instant::now();
        Self {
            shared,
            tasks,
            clients,
            start,
        }
    }

    /// How many requests failed so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Waits until every client has had two answers from now on: the first of them may have been on its way.
    pub async fn round(&self) {
        lock(&self.shared.rounds).clear();
        loop {
            let done = {
                let rounds = lock(&self.shared.rounds);
                rounds.values().filter(|count| **count >= 2).count()
            };
            if done == self.clients || self.failed() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it.
    pub async fn stop(mut self) -> SteadyTotals {
        let seconds = self.start.elapsed().as_secs_f64();
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SteadyTotals {
            answered: of(&self.shared.answered),
            connections: of(&self.shared.connections),
            failed: self.failed(),
            failures: lock(&self.shared.failures).clone(),
            seconds,
        }
    }
}

impl SteadyTotals {
    /// Whether nothing failed.
    ///
    /// # Errors
    /// It says what did.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.failed == 0,
            "{} failed, {} did not, the first: {:#?}",
            self.failed,
            self.answered,
            self.failures
        );
        Ok(())
    }
}

struct Client {
    number: usize,
    target: Target,
    version: Version,
    habit: Habit,
    shared: Arc<Shared>,
}

impl Client {
    async fn run(self) {
        let mut tick = tokio::time::interval(self.habit.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = None;
        while !self.shared.stop.load(Ordering::Relaxed) {
            tick.tick().await;
            let usable = kept.take().filter(|open: &Connection| !open.is_over());
            match self.exchange(usable).await {
                Ok(open) => {
                    self.shared.answered.fetch_add(1, Ordering::Relaxed);
                    kept = open.filter(|_| self.habit.keeps);
                }
                Err(error) => self.fail(&error),
            }
            *lock(&self.shared.rounds).entry(self.number).or_default() += 1;
        }
    }

    /// On this connection; on a new one if that has ended before the request was sent.
    async fn exchange(&self, kept: Option<Connection>) -> Result<Option<Connection>> {
        if let Some(mut open) = kept
            && let Some(answer) = open.get(self.target.host, self.target.path).await?
        {
            return Ok(self.target.judge(&answer)?.then_some(open));
        }
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        let open = self.target.open(self.version).await;
        self.target.ask_on(open).await
    }

    fn fail(&self, error: &anyhow::Error) {
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = lock(&self.shared.failures);
        if failures.len() < REMEMBERED_FAILURES {
            let Target { host, path, .. } = self.target;
            let (version, habit) = (self.version, self.habit.name);
            failures.push(format!("{host}{path}, {version:?}, {habit}: {error:#}"));
        }
    }
}
