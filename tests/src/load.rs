//! Load that checks every answer and every certificate.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, Tls, Version};
use crate::pki::Leaf;
use crate::upstream::{TEAPOT, WELCOME};

const KEPT_CONNECTIONS: u64 = 8;
const REQUEST_EVERY: Duration = Duration::from_millis(30);
const HANDSHAKERS: u64 = 4;
const HANDSHAKE_EVERY: Duration = Duration::from_millis(55);
const REMEMBERED_FAILURES: usize = 10;

/// The least that a run must have done to count.
const REQUESTS_PER_SECOND: f64 = 200.0;
const HANDSHAKES_PER_SECOND: f64 = 50.0;

/// What the load may be shown, and what it saw.
#[derive(Debug, Default)]
struct Shared {
    allowed: Mutex<Vec<Vec<u8>>>,
    stop: AtomicBool,
    requests: AtomicU64,
    handshakes: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    start: Instant,
}

/// What a load saw in all.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Requests that were answered as they should.
    pub requests: u64,
    /// Handshakes that showed an allowed certificate.
    pub handshakes: u64,
    /// Everything else.
    pub failed: u64,
    /// The first failures.
    pub failures: Vec<String>,
    /// For how long.
    pub seconds: f64,
}

impl Load {
    /// Starts it against `a.aliyun.com` and `b.aliyun.com`.
    ///
    /// # Errors
    /// The clients cannot be made.
    pub fn start(port: u16, leaf: &Leaf) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let mut load = Self {
            shared,
            tasks: JoinSet::new(),
            start: Instant::now(),
        };
        load.allow(leaf);
        for at in 0..KEPT_CONNECTIONS {
            let tls = Tls::new(if at % 2 == 0 { Version::H1 } else { Version::H2 }, None)?;
            tasks.spawn(keep_open(Arc::clone(&load.shared), port, tls, at));
        }
        for at in 0..HANDSHAKERS {
            let tls = [Tls::new(Version::H1, None)?, Tls::new(Version::H2, None)?];
            tasks.spawn(shake_hands(Arc::clone(&load.shared), port, tls, at));
        }
        load.tasks = tasks;
        Ok(load)
    }

    /// A certificate that may be shown from now on, beside those that were.
    pub fn allow(&self, leaf: &Leaf) {
        lock(&self.shared.allowed).push(leaf.der.clone());
    }

    /// The only certificate that may be shown from now on.
    pub fn only(&self, leaf: &Leaf) {
        *lock(&self.shared.allowed) = vec![leaf.der.clone()];
    }

    /// How many failed so far.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub async fn stop(mut self) -> Totals {
        let seconds = self.start.elapsed().as_secs_f64();
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        let failures = lock(&self.shared.failures).clone();
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Totals {
            requests: of(&self.shared.requests),
            handshakes: of(&self.shared.handshakes),
            failed: of(&self.shared.failed),
            failures,
            seconds,
        }
    }
}

impl Totals {
    /// Whether nothing failed, and the load was one.
    ///
    /// # Errors
    /// It says what was not so.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.failed == 0,
            "{} failed, the first: {:#?}",
            self.failed,
            self.failures
        );
        let requests = self.requests as f64 / self.seconds;
        let handshakes = self.handshakes as f64 / self.seconds;
        ensure!(
            requests >= REQUESTS_PER_SECOND,
            "only {requests:.0} requests a second"
        );
        ensure!(
            handshakes >= HANDSHAKES_PER_SECOND,
            "only {handshakes:.0} handshakes a second"
        );
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn fail(&self, what: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = lock(&self.failures);
        if failures.len() < REMEMBERED_FAILURES {
            failures.push(what);
        }
    }

    async fn open(&self, port: u16, host: &str, tls: &Tls) -> Option<Connection> {
        // What was allowed when the handshake began is allowed: it may have been decided then.
        let before = lock(&self.allowed).clone();
        match Connection::open(port, host, tls).await {
            Ok(connection)
                if before.contains(&connection.leaf) || lock(&self.allowed).contains(&connection.leaf) =>
            {
                self.handshakes.fetch_add(1, Ordering::Relaxed);
                Some(connection)
            }
            Ok(_) => {
                self.fail(format!("{host}: a certificate that should not be shown"));
                None
            }
            Err(error) => {
                self.fail(format!("{host}: {error:#}"));
                None
            }
        }
    }

    fn judge(&self, host: &str, (status, body): (u16, &str), answer: Result<Option<Answer>>) -> bool {
        match answer {
            Ok(Some(answer)) if answer.status == status && answer.body == body => {
                self.requests.fetch_add(1, Ordering::Relaxed);
                answer
                    .headers
                    .get("connection")
                    .is_none_or(|value| value != "close")
            }
            Ok(Some(answer)) => {
                self.fail(format!("{host}: {} {:?}", answer.status, answer.body));
                true
            }
            // It was never sent: the connection had ended in order.
            Ok(None) => false,
            Err(error) => {
                self.fail(format!("{host}: {error:#}"));
                false
            }
        }
    }
}

fn target(at: u64) -> (&'static str, &'static str, (u16, &'static str)) {
    if at.is_multiple_of(2) {
        ("a.aliyun.com", "/hello", (200, WELCOME))
    } else {
        ("b.aliyun.com", "/status/418", (418, TEAPOT))
    }
}

async fn keep_open(shared: Arc<Shared>, port: u16, tls: Tls, at: u64) {
    let (host, path, expected) = target(at / 2);
    let mut tick = tokio::time::interval(REQUEST_EVERY);
    let mut connection: Option<Connection> = None;
    while shared.running() {
        tick.tick().await;
        let mut open = match connection.take().filter(|open| !open.is_over()) {
            Some(open) => open,
            None => match shared.open(port, host, &tls).await {
                Some(open) => open,
                None => continue,
            },
        };
        let answer = open.get(host, path).await;
        if shared.judge(host, expected, answer) {
            connection = Some(open);
        }
    }
}

async fn shake_hands(shared: Arc<Shared>, port: u16, tls: [Tls; 2], at: u64) {
    let mut tick = tokio::time::interval(HANDSHAKE_EVERY);
    let mut turn = at;
    while shared.running() {
        tick.tick().await;
        turn += 1;
        let (host, path, expected) = target(turn);
        let [h1, h2] = &tls;
        let tls = if (turn / 2).is_multiple_of(2) { h1 } else { h2 };
        if let Some(mut open) = shared.open(port, host, tls).await {
            let answer = open.get(host, path).await;
            shared.judge(host, expected, answer);
        }
    }
}
