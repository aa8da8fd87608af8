//! Many Secrets with one watch of the namespace's metadata, which says which of the wanted ones changed; these are read
//! by name. Values of other Secrets are never in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::ordset::DiffItem;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::GetParams;
use kube::core::PartialObjectMeta;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::super::follow::{Delays, Heard, code, explain, follow as follow_watch};
use super::wanted::SecretNames;
use super::{Context, SecretNews};
use crate::source::health::WatchState;

/// Concurrent reads: enough to be quick with a thousand, few enough to spare the API server.
const READS: usize = 16;

/// A wanted Secret that changed.
struct SecretMove {
    name: String,
    to: ResourceVersion,
}

/// The version that a read must not be older than; none for the newest. The API server answers without asking etcd if
/// it already has the version.
type ResourceVersion = Option<String>;

pub(super) async fn follow(context: Context, mut wanted: watch::Receiver<SecretNames>) {
    let (moved, mut moves) = mpsc::unbounded_channel();
    let task = watch_metadata(context.clone(), wanted.clone(), moved);
    let _ends_with_us = context.spawn(task);
    let mut before = wanted.borrow_and_update().clone();
    let mut reader = SecretReader {
        context,
        wanted: wanted.clone(),
        permits: Arc::new(Semaphore::new(READS)),
        reads: JoinSet::new(),
        reading: BTreeMap::new(),
    };
    loop {
        tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = wanted.borrow_and_update().clone();
                for item in before.diff(&now) {
                    if let DiffItem::Add(name) = item {
                        reader.read(name, None);
                    }
                }
                before = now;
            }
            told = moves.recv() => match told {
                Some(told) => reader.take(told),
                None => return,
            },
            Some(done) = reader.reads.join_next() => {
                if let Ok(name) = done {
                    reader.done(&name);
                }
            }
        }
    }
}

/// Reports which of the wanted ones changed.
async fn watch_metadata(
    context: Context,
    wanted: watch::Receiver<SecretNames>,
    moved: UnboundedSender<Heard<SecretMove>>,
) {
    let watched = context
        .health
        .watch(format!("Secrets of {}", context.source.namespace));
    let mut delays = Delays::new();
    loop {
        let read = |meta: PartialObjectMeta<Secret>| {
            let name = meta.name_any();
            let is_wanted = wanted.borrow().contains(&name);
            is_wanted.then(|| SecretMove {
                name,
                to: meta.resource_version(),
            })
        };
        let api = context.api::<PartialObjectMeta<Secret>>();
        follow_watch(api, context.config(), &watched, read, |told| {
            moved.send(told).is_ok()
        })
        .await;
        delays.wait().await;
    }
}

/// Reads Secrets, each name at most once at a time.
struct SecretReader {
    context: Context,
    wanted: watch::Receiver<SecretNames>,
    permits: Arc<Semaphore>,
    reads: JoinSet<String>,
    /// Names that are being read, and the version to which they have changed since, if any.
    reading: BTreeMap<String, Option<ResourceVersion>>,
}

impl SecretReader {
    fn take(&mut self, told: Heard<SecretMove>) {
        let wanted = self.wanted.borrow().clone();
        match told {
            // Also after a deletion: the result of an earlier read that is still running must not be the last.
            Heard::Applied(moved) | Heard::Deleted(moved) => self.read(&moved.name, moved.to),
            // Which ones changed while nothing was watched is unknown: all are read again.
            Heard::Listed(_) => {
                self.context.tell(SecretNews::AtOnce(true));
                wanted.iter().for_each(|name| self.read(name, None));
            }
            Heard::Forbidden => {
                self.context.tell(SecretNews::AtOnce(false));
                for name in wanted.iter() {
                    self.context.tell(SecretNews::Forbidden(name.clone()));
                }
            }
        }
    }

    fn read(&mut self, name: &str, version: ResourceVersion) {
        if let Some(moved) = self.reading.get_mut(name) {
            *moved = Some(version);
            return;
        }
        self.reading.insert(name.to_owned(), None);
        let (context, wanted) = (self.context.clone(), self.wanted.clone());
        let (permits, name) = (Arc::clone(&self.permits), name.to_owned());
        self.reads.spawn(async move {
            read(&context, (&name, version), &wanted, &permits).await;
            name
        });
    }

    fn done(&mut self, name: &str) {
        if let Some(Some(version)) = self.reading.remove(name) {
            self.read(name, version);
        }
    }
}

/// Reads one Secret, retrying while it is wanted. One that cannot be read does not delay others: it waits without a
/// permit.
async fn read(
    context: &Context,
    (name, mut version): (&str, ResourceVersion),
    wanted: &watch::Receiver<SecretNames>,
    permits: &Semaphore,
) {
    let watched = context
        .health
        .watch(format!("reading Secret {}/{name}", context.source.namespace));
    watched.set(WatchState::Listing, None);
    let mut delays = Delays::new();
    while wanted.borrow().contains(name) {
        let permit = permits.acquire().await;
        // Only once: the API server may never reach this version, so a retry asks for the newest.
        let params = GetParams {
            resource_version: version.take(),
        };
        let answer = context.api::<Secret>().get_with(name, &params).await;
        drop(permit);
        match answer {
            Ok(secret) => {
                let entry = Box::new(context.entry(secret));
                context.tell(SecretNews::Is(name.to_owned(), Some(entry)));
                return;
            }
            Err(error) if code(&error) == Some(404) => {
                context.tell(SecretNews::Is(name.to_owned(), None));
                return;
            }
            Err(error) => {
                watched.set(WatchState::Failed, Some(explain(&error)));
                if code(&error) == Some(403) {
                    context.tell(SecretNews::Forbidden(name.to_owned()));
                }
            }
        }
        delays.wait().await;
    }
}
