//! Feeds the engine from the source, and tells the source what is wanted of it.

use std::sync::Arc;
use std::time::Instant;

use sealgate_model::{CredentialName, Step};
use tokio::sync::{mpsc, oneshot, watch};

use super::source::Tell;
use crate::engine::{Engine, View};
use crate::source::demand::Demand;
use crate::source::health::Health;
use crate::xds::wanted::Names;

/// See the module.
pub(super) struct Follower {
    pub(super) engine: Engine,
    /// What the admin interface reads.
    pub(super) show: watch::Sender<Arc<View>>,
    pub(super) events: mpsc::UnboundedReceiver<Step>,
    /// The Secrets that proxies ask for.
    pub(super) asked: watch::Receiver<Names>,
    pub(super) demand: watch::Sender<Option<Demand>>,
    pub(super) health: Health,
    pub(super) tell: Tell,
    /// Told once the first lists are served.
    pub(super) synced: Option<oneshot::Sender<()>>,
}

impl Follower {
    /// Runs until the source ends. All that waits is one change.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let deadline = self.engine.next_deadline();
            tokio::select! {
                count = self.events.recv_many(&mut batch, usize::MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.apply(std::mem::take(&mut batch));
                }
                () = self.health.listed(), if self.synced.is_some() => {
                    // What was sent before the lists were complete.
                    while let Ok(event) = self.events.try_recv() {
                        batch.push(event);
                    }
                    self.engine.set_synced();
                    self.apply(std::mem::take(&mut batch));
                    self.synced.take().map(|synced| synced.send(()));
                }
                Ok(()) = self.asked.changed(), if self.synced.is_none() => self.demand_what_is_wanted(),
                () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now).into()).await }, if deadline.is_some() => {
                    self.engine.expire(Instant::now());
                }
            }
        }
    }

    fn apply(&mut self, batch: Vec<Step>) {
        let before = self.engine.wanted().clone();
        let news = self.engine.apply(batch.into_iter().flatten(), Instant::now());
        self.show.send_replace(Arc::new(self.engine.view()));
        if self.demand.borrow().is_none() || before != *self.engine.wanted() {
            self.demand_what_is_wanted();
        }
        news.iter().for_each(|news| (self.tell)(news));
    }

    /// What Gateways name and what proxies ask for.
    fn demand_what_is_wanted(&mut self) {
        let asked = self.asked.borrow_and_update();
        let asked = asked.keys().filter_map(|name| {
            let (namespace, name) = name.split_once('/')?;
            Some(CredentialName::new(namespace, name))
        });
        let wanted = self.engine.wanted().iter().cloned().chain(asked).collect();
        self.demand.send_replace(Some(Arc::new(wanted)));
    }
}
