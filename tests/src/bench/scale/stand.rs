//! One build of the agent, its Envoy, and a number of hosts and routes.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::machine::Machine;
use super::objects::{
    Route, edge, entry, entry_host, gateway, host, name, path, plain_gateway, policy, service, service_host,
    slice,
};
use super::place::Place;
use super::poll::{Target, until_host};
use super::{Origin, Size};
use crate::client::{Tls, Version};
use crate::echo;
use crate::pki::{Authority, Leaf};

/// A build that was made for ten hosts may be slow with thousands.
const START: Duration = Duration::from_secs(600);
/// Memory is read when it has moved by less than a hundredth for this long.
const SETTLED: Duration = Duration::from_secs(2);
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// See [`Stand::calm`].
const CALM: Duration = Duration::from_secs(1);
/// Longer than Envoy's `--drain-time-s`.
const DRAINED: Duration = Duration::from_secs(6);
/// The longest wait: with other load on this machine, values never settle.
const CALM_LIMIT: Duration = Duration::from_secs(30);
/// The route whose rule changes, and the one whose endpoint moves; each has its own file.
pub(super) const RULE: &str = "rule";
pub(super) const MOVED: &str = "moved";

/// Two upstreams that answer with their names.
#[derive(Debug)]
pub(super) struct Upstreams([u16; 2]);

/// Their names, in the first line of their answers.
pub(super) const UPSTREAMS: [&str; 2] = ["a", "b"];

impl Upstreams {
    async fn start(address: &str) -> Result<Self> {
        let [a, b] = UPSTREAMS;
        Ok(Self([
            echo::start_at(address, a).await?,
            echo::start_at(address, b).await?,
        ]))
    }

    /// One of them.
    pub(super) fn port(&self, at: usize) -> u16 {
        let [a, b] = self.0;
        if at.is_multiple_of(2) { a } else { b }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) machine: Machine,
    pub(super) place: Place,
    pub(super) size: Size,
    pub(super) authority: Authority,
    /// Of the hosts, in order.
    pub(super) leaves: Vec<Leaf>,
    /// HTTP/1.1.
    pub(super) tls: Tls,
    /// On loopback.
    pub(super) upstreams: Upstreams,
    /// The upstreams for EndpointSlices.
    far: Upstreams,
    next: AtomicUsize,
    /// How many times the endpoint was moved.
    moves: AtomicUsize,
}

impl Stand {
    /// Prepares one with everything written, and nothing started.
    pub(super) async fn prepare(binary: &Path, origin: Origin, size: Size) -> Result<Self> {
        let machine = Machine::new(binary)?;
        let place = Place::start(origin, machine.folder()).await?;
        let authority = Authority::new("Bench CA")?;
        let leaf = |at| authority.leaf(&[&host(at)]);
        let stand = Self {
            leaves: (0..size.hosts).map(leaf).collect::<Result<_>>()?,
            upstreams: Upstreams::start("127.0.0.1").await?,
            far: Upstreams::start(place.slice_address().unwrap_or("127.0.0.1")).await?,
            tls: Tls::new(Version::H1, None)?,
            next: AtomicUsize::new(0),
            moves: AtomicUsize::new(0),
            authority,
            machine,
            place,
            size,
        };
        stand.fill().await?;
        Ok(stand)
    }

    async fn fill(&self) -> Result<()> {
        let Size {
            routes,
            hosts,
            policies,
        } = self.size;
        let upstream = self.upstreams.port(0);
        let mut gateways: Vec<Value> = (0..hosts).map(|at| gateway(&edge(at), &host(at))).collect();
        gateways.push(plain_gateway());
        let virtual_services = (0..routes).map(|at| Route::new(&name(at), at % hosts).object("0"));
        let entries = (0..routes).map(|at| entry(&name(at), upstream));
        let secrets = self.leaves.iter().enumerate();
        let secrets: Vec<_> = secrets.map(|(at, leaf)| (edge(at), leaf)).collect();
        self.place.fill_secrets(&secrets).await?;
        self.place.fill("entries", entries.collect()).await?;
        if policies {
            let all = (0..routes).map(|at| policy(&name(at)));
            self.place.fill("policies", all.collect()).await?;
        }
        self.place.fill("gateways", gateways).await?;
        self.place.fill("routes", virtual_services.collect()).await?;
        let rule = vec![self.rule().object("0")];
        self.place.create(RULE, rule).await?;
        let entry = vec![entry(RULE, upstream)];
        self.place.create("rule-service", entry).await?;
        self.place
            .create("moved-route", vec![self.moved().object("0")])
            .await?;
        if self.place.slice_address().is_some() {
            self.place.create("moved-service", vec![service(MOVED)]).await?;
        }
        self.place.create(MOVED, vec![self.endpoint(0)]).await
    }

    /// The route whose rule changes.
    pub(super) fn rule(&self) -> Route {
        Route::new(RULE, self.size.hosts / 2)
    }

    /// The route whose endpoint moves.
    pub(super) fn moved(&self) -> Route {
        let mut route = Route::new(MOVED, self.size.hosts / 3);
        if self.place.slice_address().is_some() {
            route.service = service_host(MOVED);
        }
        route
    }

    /// The object with that endpoint, when it is one of the upstreams.
    pub(super) fn endpoint(&self, at: usize) -> Value {
        match self.place.slice_address() {
            Some(address) => slice(MOVED, address, self.far.port(at)),
            None => entry(MOVED, self.upstreams.port(at)),
        }
    }

    /// A number that no earlier change had.
    pub(super) fn fresh(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The upstream that the endpoint moves to next, alternately.
    pub(super) fn next_upstream(&self) -> usize {
        (self.moves.fetch_add(1, Ordering::Relaxed) + 1) % UPSTREAMS.len()
    }

    /// A service that existed before.
    pub(super) fn old_service(&self) -> String {
        entry_host(&name(0))
    }

    /// Starts the agent; returns how long it took to be ready.
    pub(super) async fn start_agent(&mut self) -> Result<Duration> {
        let (flags, variables) = (self.place.flags(), self.place.variables());
        self.machine.start_agent(&flags, &variables).await
    }

    /// Starts Envoy; returns how long it took until the first right answer.
    pub(super) async fn start_envoy(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.machine.start_envoy()?;
        let at = self.size.hosts / 2;
        let (host, path) = (host(at), path(&name(at)));
        let target = Target {
            port: self.machine.https,
            host: &host,
            path: &path,
            leaf: &self
                .leaves
                .get(at)
                .map(|leaf| leaf.der.clone())
                .unwrap_or_default(),
            tls: &self.tls,
            limit: START,
        };
        match until_host(&target, start).await {
            Ok(seen) => Ok(seen.took),
            Err(error) => Err(self.machine.failure(&format!("{error:#}"))),
        }
    }

    /// Resident memory of the agent and of Envoy in MB, once it is stable.
    pub(super) async fn settled_memory(&self) -> Result<(f64, f64)> {
        let start = Instant::now();
        let mut before = self.machine.memory()?;
        loop {
            tokio::time::sleep(SETTLED).await;
            let now = self.machine.memory()?;
            let moved = |(before, now): (f64, f64)| (now - before).abs() > now / 100.0;
            if start.elapsed() > SETTLE_LIMIT || !(moved((before.0, now.0)) || moved((before.1, now.1))) {
                return Ok(now);
            }
            before = now;
        }
    }

    /// Waits until everything before is finished: nothing is published any more, Envoy has drained, and its processor
    /// time is the same from one second to the next.
    pub(super) async fn calm(&self) -> Result<()> {
        let start = Instant::now();
        let mut published = self.machine.publications().await?;
        let mut usage = self.machine.envoy()?.usage()?;
        let mut spent = Duration::MAX;
        while start.elapsed() < START {
            tokio::time::sleep(CALM).await;
            let now = (self.machine.publications().await?, self.machine.envoy()?.usage()?);
            let took = now.1.since(&usage);
            let is_even = took.abs_diff(spent) < took / 6 || start.elapsed() > CALM_LIMIT;
            if now.0 == published && is_even && start.elapsed() > DRAINED {
                return Ok(());
            }
            (published, usage) = now;
            spent = took;
        }
        Err(self.machine.failure("the agent publishes without end"))
    }
}
