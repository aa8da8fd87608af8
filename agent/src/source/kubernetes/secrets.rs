//! The Secrets that something needs, and no others: with one watch each or, if there are many, with one watch of the
//! namespace's metadata and reads by name.

mod by_name;
mod by_namespace;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher;
use kube::{Api, Resource};
use sealgate_model::{CredentialName, Kind, ObjectRef, SourceEvent, SourceObject, Step};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(super) use self::wanted::sources_of;

use self::wanted::WantedSecrets;
use super::client::without_reuse;
use super::events::Seen;
use super::{KubernetesSource, secret};
use crate::demand::{Delta, DemandWatch};
use crate::scope::Scope;
use crate::source::health::Health;

/// With more Secrets than this, one watch of the namespace takes the place of one watch each.
pub(super) const MANY: usize = 100;
/// With fewer than this, each has its own watch again.
const FEW: usize = 50;
/// A Secret that nothing needs any more is followed a little longer, as proxies and Gateways may come back.
const LINGER: Duration = Duration::from_secs(30);

/// How Secrets are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretWatch {
    /// Each by name, and by namespace above 100.
    Auto,
    /// Each by name: works with `resourceNames` in the Role.
    Name,
    /// All by one watch of the namespace's metadata, bodies by name: needs `list` and `watch` for the namespace.
    Namespace,
}

/// The current state of a Secret; none if it does not exist.
#[derive(Debug)]
pub(super) enum SecretNews {
    Is(String, Option<Box<SourceObject>>),
    /// It may not be read for now.
    Forbidden(String),
    /// Whether the namespace can be watched as a whole.
    AtOnce(bool),
}

/// A task that ends with this value.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What every watch needs.
#[derive(Clone)]
struct Context {
    source: KubernetesSource,
    health: Health,
    seen: Seen,
    news: mpsc::UnboundedSender<SecretNews>,
}

impl Context {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(self.source.vital.spawn("a watch of Secrets", task))
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.source.client.clone(), &self.source.namespace)
    }

    /// For values that must not remain in memory.
    fn api_without_reuse(&self) -> Api<Secret> {
        Api::namespaced(without_reuse(&self.source.client), &self.source.namespace)
    }

    fn config(&self) -> watcher::Config {
        watcher::Config::default().timeout(self.source.watch_seconds())
    }

    /// A Secret as it was read.
    fn entry(&self, secret: Secret) -> SourceObject {
        let uid = secret.metadata.uid.clone();
        let entry = secret::entry(secret);
        self.seen.note(&entry.object_ref, "v1", uid);
        entry
    }

    /// Returns false once nobody listens.
    fn tell(&self, news: SecretNews) -> bool {
        self.news.send(news).is_ok()
    }
}

/// See the module.
pub(super) struct Secrets {
    context: Context,
    sender: mpsc::UnboundedSender<Step>,
    wanted: WantedSecrets,
    /// Secrets of the first demand that have not been read yet; none before the first demand.
    first: Option<BTreeSet<String>>,
    /// What arrived before that; sent together, because one change with thousands of Secrets is much less work than
    /// thousands of changes.
    held: Step,
    known: BTreeSet<String>,
    by_name: BTreeMap<String, Task>,
    by_namespace: Option<Task>,
    /// Whether the namespace may be watched as a whole, as far as is known.
    may_list: bool,
    /// Whether serving waits for the first list of the namespace: if only Secrets are read, it shows that they can be.
    lists_first: bool,
}

impl Secrets {
    pub(super) fn new(
        source: KubernetesSource,
        sender: mpsc::UnboundedSender<Step>,
        health: Health,
        seen: Seen,
    ) -> (Self, mpsc::UnboundedReceiver<SecretNews>) {
        let (news, receiver) = mpsc::unbounded_channel();
        let lists_first = source.scope == Scope::Secrets && source.secrets != SecretWatch::Name;
        let secrets = Self {
            context: Context {
                source,
                health,
                seen,
                news,
            },
            sender,
            wanted: WantedSecrets::default(),
            first: None,
            held: Step::new(),
            known: BTreeSet::new(),
            by_name: BTreeMap::new(),
            by_namespace: None,
            may_list: true,
            lists_first,
        };
        (secrets, receiver)
    }

    pub(super) async fn run(
        mut self,
        mut receiver: mpsc::UnboundedReceiver<SecretNews>,
        mut demand: DemandWatch,
    ) {
        loop {
            let deadline = self.wanted.next_deadline();
            tokio::select! {
                delta = demand.changed() => match delta {
                    Some(delta) => self.want(&delta),
                    None => return,
                },
                Some(news) = receiver.recv() => {
                    if !self.take(news) {
                        return;
                    }
                }
                () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await }, if deadline.is_some() => {
                    self.let_go(Instant::now());
                }
            }
        }
    }

    /// Takes changes in which credentials are needed.
    fn want(&mut self, delta: &Delta<CredentialName>) {
        let namespace = &self.context.source.namespace;
        let new = self.wanted.change(delta, namespace, Instant::now() + LINGER);
        if self.first.is_none() {
            self.first = Some(new.iter().cloned().collect());
        }
        self.watch(new);
        self.heard_of_all();
    }

    fn let_go(&mut self, now: Instant) {
        let due = self.wanted.let_go(now);
        for name in &due {
            self.by_name.remove(name);
            self.context.seen.forget(&self.object_ref(name));
            if self.known.remove(name) {
                self.held.push(SourceEvent::Delete(self.object_ref(name)));
            }
            if let Some(first) = &mut self.first {
                first.remove(name);
            }
        }
        self.heard_of_all();
        self.watch(Vec::new());
    }

    /// Starts and stops watches as needed; these Secrets are newly wanted.
    fn watch(&mut self, new: Vec<String>) {
        if self.watches_at_once(self.wanted.names().len()) {
            if self.by_namespace.is_none() {
                let task = by_namespace::follow(self.context.clone(), self.wanted.follow());
                self.by_namespace = Some(self.context.spawn(task));
            }
            return;
        }
        let all = self.by_namespace.take().map(|_| self.wanted.names().clone());
        for name in all.into_iter().flatten().chain(new) {
            if !self.by_name.contains_key(&name) {
                let task = by_name::follow(self.context.clone(), name.clone());
                self.by_name.insert(name, self.context.spawn(task));
            }
        }
    }

    fn watches_at_once(&self, count: usize) -> bool {
        match self.context.source.secrets {
            SecretWatch::Name => false,
            SecretWatch::Namespace => true,
            SecretWatch::Auto => {
                let is_all = self.context.source.scope == Scope::Secrets;
                self.may_list && (is_all || count > if self.by_namespace.is_some() { FEW } else { MANY })
            }
        }
    }

    /// The watches of single Secrets end once that of the namespace works; without permission for it, they continue.
    fn set_may_list(&mut self, may_list: bool) {
        if may_list {
            self.by_name.clear();
        } else if self.may_list && self.context.source.secrets == SecretWatch::Auto {
            tracing::warn!(
                namespace = self.context.source.namespace,
                "no permission to list Secrets here: watching each one by name, however many there are"
            );
            self.may_list = false;
            self.watch(Vec::new());
        }
    }

    /// Sends what arrived; returns false once nobody listens.
    fn take(&mut self, news: SecretNews) -> bool {
        let (name, event) = match news {
            SecretNews::Is(name, Some(entry)) if self.wanted.names().contains(&name) => {
                self.known.insert(name.clone());
                (name, Some(SourceEvent::Apply(*entry)))
            }
            // It arrived after the watch had ended.
            SecretNews::Is(name, Some(_)) => (name, None),
            SecretNews::Is(name, None) => {
                let gone = self
                    .known
                    .remove(&name)
                    .then(|| SourceEvent::Delete(self.object_ref(&name)));
                self.context.seen.forget(&self.object_ref(&name));
                (name, gone)
            }
            SecretNews::Forbidden(name) => (name, None),
            SecretNews::AtOnce(may_list) => {
                self.set_may_list(may_list);
                // If the namespace's watch was asked for explicitly, wait until there is permission for it.
                self.lists_first &= !may_list && self.context.source.secrets == SecretWatch::Namespace;
                self.heard_of_all();
                return true;
            }
        };
        if let Some(first) = &mut self.first {
            first.remove(&name);
        }
        self.held.extend(event);
        self.heard_of_all();
        !self.sender.is_closed()
    }

    /// The first lists are complete once each Secret of the first demand has been read.
    fn heard_of_all(&mut self) {
        if self.lists_first || !self.first.as_ref().is_some_and(BTreeSet::is_empty) {
            return;
        }
        if !self.held.is_empty() {
            let _ = self.sender.send(std::mem::take(&mut self.held));
        }
        if !self.context.health.is_listed() {
            self.context.health.set_listed();
        }
    }

    fn object_ref(&self, name: &str) -> ObjectRef {
        ObjectRef::new(Kind::Secret, self.context.source.namespace.as_str(), name)
    }
}
