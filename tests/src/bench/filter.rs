//! What `bench filter` compares: an Envoy for each way of routing, all with the same listener and direct response, so
//! that the difference in CPU per request is the cost of routing.

mod config;
mod load;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

pub(super) use config::wasm;
pub use config::{Spot, table};

use config::Filters;

use crate::bench::{Times, bare};
use crate::site::{Envoy, free_port};

/// A way of routing.
#[derive(Clone, Debug)]
pub enum Routing {
    /// Envoy alone, with this many prefix routes.
    Native(usize),
    /// Our filter with this many routes.
    Sealgate(usize),
    /// Another build of the filter, as a file.
    Build(PathBuf, usize),
    /// A module that does nothing.
    Idle,
    /// A module that makes three calls.
    Bare,
    /// The same with the callbacks of a module that keeps something of a request.
    Keeping,
    /// The Lua filter: one lookup among this many.
    Lua(usize),
}

/// A way of routing, and its cost.
#[derive(Debug)]
pub struct RoutingSubject {
    /// Its name in the output.
    pub name: String,
    way: Routing,
    /// CPU per request in each round, for each path.
    times: Vec<(Spot, Times)>,
}

impl RoutingSubject {
    /// Prepares one; nothing runs yet.
    #[must_use]
    pub fn new(name: &str, way: Routing, spots: &[Spot]) -> Self {
        Self {
            name: name.to_owned(),
            way,
            times: spots.iter().map(|spot| (*spot, Times::new())).collect(),
        }
    }

    /// How many paths there are.
    #[must_use]
    pub fn paths(&self) -> usize {
        self.times.len()
    }

    /// The median of a path's rounds, in microseconds; 0 without such a path.
    #[must_use]
    pub fn micros(&self, at: usize) -> f64 {
        self.times.get(at).map_or(0.0, |(_, times)| times.p50() * 1000.0)
    }

    /// The mean of the paths' medians, in microseconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let all = (0..self.paths()).map(|at| self.micros(at));
        all.sum::<f64>() / self.paths().max(1) as f64
    }

    /// One round: this many requests to each path, after some that only warm up the processor's caches, which other
    /// subjects have used in between.
    ///
    /// # Errors
    /// A request fails.
    pub async fn round(&mut self, running: &Running, requests: u32) -> Result<()> {
        for (spot, times) in &mut self.times {
            running.load.run(&spot.path(), requests / 4).await?;
            let before = running.envoy.processor_time()?;
            running.load.run(&spot.path(), requests).await?;
            times.push((running.envoy.processor_time()? - before) / requests);
        }
        Ok(())
    }

    /// Starts an Envoy for it, connects, and warms it up.
    ///
    /// # Errors
    /// Envoy does not start.
    pub async fn start(&self) -> Result<Running> {
        let running = Running::start(&self.way)
            .await
            .with_context(|| self.name.clone())?;
        for (spot, _) in &self.times {
            running.load.run(&spot.path(), WARM).await?;
        }
        Ok(running)
    }
}

/// Until V8 has optimized what it first compiled quickly.
const WARM: u32 = 2_000;

/// An Envoy that routes one way.
#[derive(Debug)]
pub struct Running {
    /// The Envoy.
    pub envoy: Envoy,
    load: load::Load,
    #[expect(dead_code, reason = "held for its drop")]
    folder: TempDir,
}

impl Running {
    /// Starts it, and connects to it.
    ///
    /// # Errors
    /// Envoy does not start.
    pub async fn start(way: &Routing) -> Result<Self> {
        let folder = TempDir::new()?;
        let (port, admin) = (free_port()?, free_port()?);
        let one = |filter| Filters {
            filters: vec![filter],
            ..Filters::default()
        };
        let filters = match way {
            Routing::Native(_) => Filters::default(),
            Routing::Lua(routes) => one(config::lua(*routes)),
            Routing::Idle => one(bare::filter(folder.path(), bare::IDLE)?),
            Routing::Keeping => one(bare::filter(folder.path(), &bare::keeping())?),
            Routing::Bare => one(bare::filter(folder.path(), bare::ROUTING)?),
            Routing::Sealgate(routes) => config::sealgate(&filter()?, *routes)?,
            Routing::Build(path, routes) => config::sealgate(path, *routes)?,
        };
        let native = if let Routing::Native(routes) = way {
            *routes
        } else {
            0
        };
        let bootstrap = config::bootstrap(port, admin, filters, native);
        Ok(Self {
            envoy: Envoy::start(folder.path(), &bootstrap, admin).await?,
            load: load::Load::open(port).await?,
            folder,
        })
    }
}

/// The filter that needs no agent: also next to the agent.
///
/// # Errors
/// The environment does not name the agent.
pub fn standalone() -> Result<PathBuf> {
    Ok(filter()?.with_file_name("sealgate_filter.wasm"))
}

/// The filter that is part of the agent: next to it.
///
/// # Errors
/// The environment does not name the agent.
pub fn filter() -> Result<PathBuf> {
    let agent =
        std::env::var_os("SEALGATE_BIN").context("SEALGATE_BIN is not set: run cargo xtask bench filter")?;
    Ok(PathBuf::from(agent).with_file_name("sealgate_agent_filter.wasm"))
}
