//! In place of `cluster.rs`, where nothing of Kubernetes is built: there is no such store, and what would be asked of one
//! is asked of nobody.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::site::Source;

/// None.
#[derive(Debug)]
pub struct NoCluster(Infallible);

impl NoCluster {
    pub(super) async fn start() -> Result<Self> {
        bail!("this build knows no Kubernetes: it lacks the feature `full`")
    }

    pub(super) fn source(&self) -> Source {
        match self.0 {}
    }

    pub(super) async fn apply(&self, _: &str) -> Result<()> {
        match self.0 {}
    }

    pub(super) async fn delete(&self, _: &str) -> Result<()> {
        match self.0 {}
    }

    pub(super) async fn apply_broken(&self, _: &str, _: &str) -> Result<()> {
        match self.0 {}
    }

    pub(super) async fn put_secret(&self, _: &str) -> Result<()> {
        match self.0 {}
    }

    pub(super) async fn delete_secret(&self, _: &str) -> Result<()> {
        match self.0 {}
    }

    /// Of nobody.
    ///
    /// # Errors
    /// None.
    pub async fn events(&self) -> Result<Vec<Value>> {
        match self.0 {}
    }

    /// Of nobody.
    ///
    /// # Errors
    /// None.
    pub fn kill(&mut self) -> Result<()> {
        match self.0 {}
    }

    /// Of nobody.
    ///
    /// # Errors
    /// None.
    pub async fn start_again(&mut self) -> Result<Duration> {
        match self.0 {}
    }
}
