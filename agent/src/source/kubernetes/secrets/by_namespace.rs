//! Many Secrets by one watch: that of the namespace's metadata says which of the wanted ones moved, and these are read
//! by name. No other Secret's values are ever held.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::super::follow::{Delays, Told, code, explain, follow as follow_watch};
use super::{Context, News, Task, Wanted};
use crate::source::health::WatchState;

/// Reads at one time: enough to be quick with a thousand, few enough to be polite.
const READS: usize = 16;

pub(super) async fn follow(context: Context, mut wanted: watch::Receiver<Wanted>) {
    let (moved, mut moves) = mpsc::unbounded_channel();
    let _ends_with_us = Task(tokio::spawn(watch_metadata(
        context.clone(),
        wanted.clone(),
        moved,
    )));
    let mut before = Arc::clone(&wanted.borrow_and_update());
    let mut reader = Reader {
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
                let now = Arc::clone(&wanted.borrow_and_update());
                now.difference(&before).for_each(|name| reader.read(name));
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

/// Says which of the wanted ones moved.
async fn watch_metadata(
    context: Context,
    wanted: watch::Receiver<Wanted>,
    moved: UnboundedSender<Told<String>>,
) {
    let watched = context
        .health
        .watch(format!("Secrets of {}", context.source.namespace));
    let mut delays = Delays::new();
    loop {
        let read = |meta: PartialObjectMeta<Secret>| {
            let name = meta.name_any();
            wanted.borrow().contains(&name).then_some(name)
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
struct Reader {
    context: Context,
    wanted: watch::Receiver<Wanted>,
    permits: Arc<Semaphore>,
    reads: JoinSet<String>,
    /// Names that are being read, and whether they moved since.
    reading: BTreeMap<String, bool>,
}

impl Reader {
    fn take(&mut self, told: Told<String>) {
        let wanted = Arc::clone(&self.wanted.borrow());
        match told {
            // A deletion too: an earlier read that is still under way must not have the last word.
            Told::Applied(name) | Told::Deleted(name) => self.read(&name),
            // What moved while nobody watched cannot be told apart: all are read again.
            Told::Listed(_) => {
                self.context.tell(News::AtOnce(true));
                wanted.iter().for_each(|name| self.read(name));
            }
            Told::Forbidden => {
                self.context.tell(News::AtOnce(false));
                for name in wanted.iter() {
                    self.context.tell(News::Forbidden(name.clone()));
                }
            }
        }
    }

    fn read(&mut self, name: &str) {
        if let Some(moved) = self.reading.get_mut(name) {
            *moved = true;
            return;
        }
        self.reading.insert(name.to_owned(), false);
        let (context, wanted) = (self.context.clone(), self.wanted.clone());
        let (permits, name) = (Arc::clone(&self.permits), name.to_owned());
        self.reads.spawn(async move {
            read(&context, &name, &wanted, &permits).await;
            name
        });
    }

    fn done(&mut self, name: &str) {
        if self.reading.remove(name) == Some(true) {
            self.read(name);
        }
    }
}

/// Reads one Secret, as often as it takes while it is wanted. One that cannot be read holds up no other: it waits without
/// a permit.
async fn read(context: &Context, name: &str, wanted: &watch::Receiver<Wanted>, permits: &Semaphore) {
    let watched = context
        .health
        .watch(format!("reading Secret {}/{name}", context.source.namespace));
    let mut delays = Delays::new();
    while wanted.borrow().contains(name) {
        let permit = permits.acquire().await;
        let answer = context.api::<Secret>().get_opt(name).await;
        drop(permit);
        match answer {
            Ok(secret) => {
                let entry = secret.map(|secret| Box::new(context.entry(secret)));
                context.tell(News::Is(name.to_owned(), entry));
                return;
            }
            Err(error) => {
                watched.set(WatchState::Failed, Some(explain(&error)));
                if code(&error) == Some(403) {
                    context.tell(News::Forbidden(name.to_owned()));
                }
            }
        }
        delays.wait().await;
    }
}
