//! Secrets of one namespace: written as fast as the API server accepts them, changed in the background, and watched by
//! a minimal client.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pki::Leaf;

/// Concurrent writes.
const WRITES: usize = 64;
/// For an event of a watch.
const LIMIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone)]
pub struct Secrets(Api<Secret>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.resource_url()).finish()
    }
}

fn object(name: &str, leaf: &Leaf) -> Secret {
    let value = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut secret = Secret {
        data: Some(BTreeMap::from([
            ("tls.crt".to_owned(), value(&leaf.certificate)),
            ("tls.key".to_owned(), value(&leaf.key)),
        ])),
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name.to_owned());
    secret
}

impl Secrets {
    /// Those of a namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self(Api::namespaced(client, namespace))
    }

    /// Creates many at once.
    ///
    /// # Errors
    /// The API server refuses one.
    pub async fn create<'a>(&self, all: impl IntoIterator<Item = (String, &'a Leaf)>) -> Result<()> {
        let create = |(name, leaf): (String, &Leaf)| {
            let (api, secret) = (self.0.clone(), object(&name, leaf));
            async move { api.create(&PostParams::default(), &secret).await.map(drop) }
        };
        let created = stream::iter(all.into_iter().map(create)).buffer_unordered(WRITES);
        created.try_collect::<()>().await.context("Secrets")
    }

    /// Puts a certificate into an existing Secret; returns the time before it was sent, and the new version in the API
    /// server.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn put(&self, name: &str, leaf: &Leaf) -> Result<(Instant, String)> {
        let secret = object(name, leaf);
        let sent = Instant::now();
        let made = self.0.replace(name, &PostParams::default(), &secret).await?;
        Ok((sent, made.metadata.resource_version.unwrap_or_default()))
    }

    /// Watches one Secret.
    #[must_use]
    pub fn watch(&self, name: &str) -> RawWatch {
        let (sender, events) = mpsc::unbounded_channel();
        RawWatch {
            events,
            task: tokio::spawn(watch(self.0.clone(), name.to_owned(), sender)),
        }
    }
}

/// The watch call of one Secret, and when its events arrived.
#[derive(Debug)]
pub struct RawWatch {
    events: mpsc::UnboundedReceiver<(String, Instant)>,
    task: JoinHandle<Result<()>>,
}

impl RawWatch {
    /// When the event of this version arrived.
    ///
    /// # Errors
    /// It does not arrive.
    pub async fn saw(&mut self, version: &str) -> Result<Instant> {
        let saw = async {
            loop {
                let (seen, at) = self.events.recv().await.context("the watch has ended")?;
                if seen == version {
                    return Ok(at);
                }
            }
        };
        tokio::time::timeout(LIMIT, saw).await.context("no event")?
    }
}

impl Drop for RawWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(
    api: Api<Secret>,
    name: String,
    sender: mpsc::UnboundedSender<(String, Instant)>,
) -> Result<()> {
    let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut version = "0".to_owned();
    loop {
        let mut events = pin!(api.watch(&parameters, &version).await?);
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(secret) | WatchEvent::Modified(secret) = event? {
                version = secret.metadata.resource_version.unwrap_or_default();
                sender.send((version.clone(), Instant::now()))?;
            }
        }
    }
}

/// Secrets that change in the background, in turn, while it is switched on.
#[derive(Debug)]
pub struct Noise {
    on: Arc<AtomicBool>,
    task: JoinHandle<Result<()>>,
}

impl Noise {
    /// Initially off. Every `period`, one of `names` of each of `places` gets one of the certificates.
    #[must_use]
    pub fn new(places: Vec<(Secrets, Vec<String>)>, leaves: Vec<Leaf>, period: Duration) -> Self {
        let on = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(make_noise(Arc::clone(&on), places, leaves, period));
        Self { on, task }
    }

    /// Switches it on or off.
    ///
    /// # Errors
    /// It has failed.
    pub fn switch(&self, on: bool) -> Result<()> {
        anyhow::ensure!(!self.task.is_finished(), "the background's writes have failed");
        self.on.store(on, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn make_noise(
    on: Arc<AtomicBool>,
    places: Vec<(Secrets, Vec<String>)>,
    leaves: Vec<Leaf>,
    period: Duration,
) -> Result<()> {
    let mut tick = tokio::time::interval(period);
    for turn in 0usize.. {
        tick.tick().await;
        let Some(leaf) = leaves.get(turn % leaves.len()) else {
            break;
        };
        if !on.load(Ordering::Relaxed) {
            continue;
        }
        for (secrets, names) in &places {
            if let Some(name) = names.get(turn % names.len()) {
                secrets.put(name, leaf).await?;
            }
        }
    }
    Ok(())
}
