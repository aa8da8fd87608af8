//! Feeds the engine from the source, and tells the source what is wanted of it.

use std::sync::Arc;
use std::time::Instant;

use imbl::OrdSet;
use imbl::ordset::DiffItem;
use sealgate_model::ledger::News;
use sealgate_model::{CredentialName, Kind, ObjectRef, SourceEvent, Step};
use tokio::sync::{mpsc, oneshot, watch};

use super::bulk::Bulk;
use super::source::Tell;
use super::state::State;
use crate::demand::{CredentialDemand, Delta, DemandShare};
use crate::engine::{Engine, View};
use crate::pod_demand::PodDemand;
use crate::questions::HostQuestion;
use crate::scope::Scope;
use crate::source::health::Health;
use crate::xds::proxies::Refusals;

/// See the module.
pub(super) struct Follower {
    /// What is taken from the source.
    pub(super) scope: Scope,
    pub(super) engine: Engine,
    /// What the admin interface reads.
    pub(super) show: watch::Sender<Arc<View>>,
    pub(super) events: mpsc::UnboundedReceiver<Step>,
    pub(super) demand: CredentialDemand,
    /// The credentials that Gateways name.
    pub(super) named: DemandShare,
    /// Of which namespaces pods are needed.
    pub(super) pods: PodDemand,
    pub(super) health: Health,
    pub(super) tell: Tell,
    /// What proxies refuse.
    pub(super) refusals: Refusals,
    /// What somebody wants to know of it.
    pub(super) questions: mpsc::Receiver<HostQuestion>,
    /// When changes go out.
    pub(super) bulk: Bulk,
    /// Outlives the agent.
    pub(super) state: Option<State>,
    /// Told once the first lists are served.
    pub(super) synced: Option<oneshot::Sender<()>>,
}

impl Follower {
    /// Runs until the source ends. All that waits is one change, and so are many that come one after the other.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        let mut refusals = self.refusals.follow();
        loop {
            let deadline = self.engine.next_deadline();
            let due = self.bulk.due();
            let known = batch.len();
            tokio::select! {
                count = self.events.recv_many(&mut batch, usize::MAX) => {
                    if count == 0 {
                        return;
                    }
                    let now = Instant::now();
                    let come = batch.get(known..).unwrap_or_default();
                    let mut at_once = false;
                    for step in come {
                        at_once |= self.bulk.take(step, now);
                    }
                    if at_once {
                        self.apply(std::mem::take(&mut batch));
                    }
                }
                () = until(due) => self.apply(std::mem::take(&mut batch)),
                () = self.health.listed(), if self.synced.is_some() => {
                    // What was sent before the lists were complete.
                    while let Ok(event) = self.events.try_recv() {
                        batch.push(event);
                    }
                    self.engine.set_synced();
                    self.apply(std::mem::take(&mut batch));
                    self.synced.take().map(|synced| synced.send(()));
                }
                () = until(deadline) => {
                    let news = self.engine.go_on(Instant::now());
                    self.keep();
                    if !news.is_empty() {
                        self.show(&news);
                    }
                }
                Some(question) = self.questions.recv() => question.answer(&self.engine),
                // The sender lives as long as this does.
                _ = refusals.changed() => {
                    let news = self.engine.refused(&self.refusals.list(), Instant::now());
                    self.keep();
                    self.show(&news);
                }
            }
        }
    }

    fn apply(&mut self, batch: Vec<Step>) {
        self.bulk.sent();
        let before = self.engine.wanted().clone();
        let scope = self.scope;
        let events = batch.into_iter().flatten();
        let events = events.filter_map(|event| within(scope, event));
        let news = self.engine.apply(events, Instant::now());
        self.keep();
        self.show(&news);
        self.name(&before);
    }

    /// Writes what outlives the agent; without a folder for it nothing piles up.
    fn keep(&mut self) {
        match &mut self.state {
            Some(state) => state.note(&mut self.engine),
            None => drop((
                self.engine.take_claims(),
                self.engine.take_kept(),
                self.engine.take_held(),
                self.engine.take_own_versions(),
            )),
        }
    }

    fn show(&self, news: &[News]) {
        self.show.send_replace(Arc::new(self.engine.view()));
        news.iter().for_each(|news| (self.tell)(news));
    }

    /// Says what Gateways name now and did not, and the other way round.
    fn name(&mut self, before: &OrdSet<CredentialName>) {
        let mut delta = Delta::default();
        for item in before.diff(self.engine.wanted()) {
            match item {
                DiffItem::Add(name) => delta.added.push(name.clone()),
                DiffItem::Remove(name) => delta.removed.push(name.clone()),
            }
        }
        self.named.change(delta);
        self.demand.set_known();
        self.pods.set(self.engine.resolver().pod_namespaces());
    }
}

/// What of an event is read.
fn within(scope: Scope, event: SourceEvent) -> Option<SourceEvent> {
    let is_read = |name: &ObjectRef| scope == Scope::All || matches!(name.kind, Kind::Secret | Kind::File);
    match event {
        SourceEvent::Reset(mut entries) => {
            entries.retain(|entry| is_read(&entry.object_ref));
            Some(SourceEvent::Reset(entries))
        }
        SourceEvent::Apply(entry) => is_read(&entry.object_ref).then_some(SourceEvent::Apply(entry)),
        SourceEvent::Delete(name) => is_read(&name).then_some(SourceEvent::Delete(name)),
    }
}

/// Never, if there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
