//! What `bench filter` compares: an Envoy per way to route, all with the same listener and direct response, so that
//! the difference in CPU per request is what the routing costs.

mod config;
mod load;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use sealgate_core::table::TableConfig;
use tempfile::TempDir;

pub use config::{Spot, table};

use crate::bench::Times;
use crate::site::{Envoy, free_port};

/// The least that a filter can do: see the file.
const BARE: &str = include_str!("filter/bare.wat");
/// The same without the calls.
const IDLE: &str = r#"(module (memory (export "memory") 2) (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))"#;

/// A way to route.
#[derive(Clone, Debug)]
pub enum Way {
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
    /// The Lua filter: one lookup among this many.
    Lua(usize),
}

/// A way to route, running.
#[derive(Debug)]
pub struct Subject {
    /// For people.
    pub name: String,
    /// CPU per request, of each round, for each of the paths.
    pub times: Vec<(Spot, Times)>,
    envoy: Envoy,
    load: load::Load,
    #[expect(dead_code, reason = "held for its drop")]
    folder: TempDir,
}

impl Subject {
    /// Starts an Envoy for `way`, and connects to it.
    ///
    /// # Errors
    /// Envoy does not start.
    pub async fn start(name: &str, way: &Way, spots: &[Spot]) -> Result<Self> {
        let folder = TempDir::new()?;
        let (port, admin) = (free_port()?, free_port()?);
        let filters = match way {
            Way::Native(_) => Vec::new(),
            Way::Lua(routes) => vec![config::lua(*routes)],
            Way::Idle => vec![module(&folder, IDLE, None)?],
            Way::Bare => vec![module(&folder, BARE, None)?],
            Way::Sealgate(routes) => vec![config::wasm(&filter()?, Some(&table(*routes)))],
            Way::Build(path, routes) => vec![config::wasm(path, Some(&table(*routes)))],
        };
        let native = if let Way::Native(routes) = way { *routes } else { 0 };
        let bootstrap = config::bootstrap(port, admin, filters, native);
        let envoy = Envoy::start(folder.path(), &bootstrap, admin)
            .await
            .with_context(|| name.to_owned())?;
        Ok(Self {
            name: name.to_owned(),
            times: spots.iter().map(|spot| (*spot, Times::new())).collect(),
            envoy,
            load: load::Load::open(port).await?,
            folder,
        })
    }

    /// One round: so many requests to each of the paths, after some that only warm the processor's caches up: other
    /// subjects had them in between.
    ///
    /// # Errors
    /// A request fails.
    pub async fn round(&mut self, requests: u32) -> Result<()> {
        let warm = self
            .times
            .first()
            .map_or_else(String::new, |(spot, _)| spot.path());
        self.load.run(&warm, requests / 4).await?;
        for (spot, times) in &mut self.times {
            let before = self.envoy.processor_time()?;
            self.load.run(&spot.path(), requests).await?;
            times.push((self.envoy.processor_time()? - before) / requests);
        }
        Ok(())
    }

    /// Forgets the rounds so far.
    pub fn forget(&mut self) {
        self.times.iter_mut().for_each(|(_, times)| *times = Times::new());
    }

    /// The mean of the paths' medians, in microseconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let all = (0..self.times.len()).map(|at| self.micros(at));
        all.sum::<f64>() / self.times.len().max(1) as f64
    }

    /// The median of a path's rounds, in microseconds; 0 without such a path.
    #[must_use]
    pub fn micros(&self, at: usize) -> f64 {
        self.times.get(at).map_or(0.0, |(_, times)| times.p50() * 1000.0)
    }

    /// Envoy's memory, in bytes.
    ///
    /// # Errors
    /// It is gone.
    pub fn memory(&self) -> Result<u64> {
        self.envoy.memory()
    }

    /// What Envoy has spent since it started.
    ///
    /// # Errors
    /// It is gone.
    pub fn processor_time(&self) -> Result<std::time::Duration> {
        self.envoy.processor_time()
    }
}

/// The filter that the agent carries: beside it.
///
/// # Errors
/// The environment does not name the agent.
pub fn filter() -> Result<PathBuf> {
    let agent =
        std::env::var_os("SEALGATE_BIN").context("SEALGATE_BIN is not set: run cargo xtask bench filter")?;
    Ok(PathBuf::from(agent).with_file_name("sealgate_filter.wasm"))
}

fn module(folder: &TempDir, text: &str, table: Option<&TableConfig>) -> Result<serde_json::Value> {
    let path = folder.path().join("module.wasm");
    fs::write(&path, wat::parse_str(text)?)?;
    Ok(config::wasm(&path, table))
}
