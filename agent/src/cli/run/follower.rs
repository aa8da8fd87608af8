//! Feeds the engine from the source, and tells the source what is wanted of it.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use super::source::Tell;
use crate::engine::Shared;
use crate::source::SourceEvent;
use crate::source::demand::Demand;
use crate::source::health::Health;

/// See the module.
pub(super) struct Follower {
    pub(super) shared: Shared,
    pub(super) events: mpsc::UnboundedReceiver<SourceEvent>,
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
            let deadline = self.shared.with(|engine| engine.next_deadline());
            tokio::select! {
                count = self.events.recv_many(&mut batch, usize::MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.apply(&mut batch);
                }
                () = self.health.listed(), if self.synced.is_some() => {
                    // What was sent before the lists were complete.
                    while let Ok(event) = self.events.try_recv() {
                        batch.push(event);
                    }
                    self.apply(&mut batch);
                    self.shared.with(|engine| engine.set_synced());
                    self.synced.take().map(|synced| synced.send(()));
                }
                () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now).into()).await }, if deadline.is_some() => {
                    self.shared.with(|engine| engine.expire(Instant::now()));
                }
            }
        }
    }

    fn apply(&mut self, batch: &mut Vec<SourceEvent>) {
        let (news, wanted) = self.shared.with(|engine| {
            (
                engine.apply(batch.drain(..), Instant::now()),
                Arc::clone(engine.referenced()),
            )
        });
        news.iter().for_each(|news| (self.tell)(news));
        self.demand.send_if_modified(|demand| {
            let moved = !demand.as_ref().is_some_and(|demand| Arc::ptr_eq(demand, &wanted));
            *demand = Some(wanted);
            moved
        });
    }
}
