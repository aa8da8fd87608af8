//! The Kubernetes API, followed by watches. Gateways, VirtualServices and what they route to are watched in all
//! namespaces; Secrets only if something needs them, in the gateway's namespace.
//!
//! No failure makes anything disappear here: what is known stays until the API server itself says otherwise.

mod client;
mod collection;
mod events;
mod follow;
mod objects;
mod once;
mod pace;
mod pods;
mod secret;
mod secrets;

use std::time::Duration;

use kube::Client;
use sealgate_model::{SourceEvent, Step};
use tokio::sync::{mpsc, watch};

pub use self::client::{ClientError, connect};
pub use self::events::Reporter;
pub use self::once::{ClusterRead, ClusterReadError, ClusterReader};
pub use self::secrets::SecretWatch;

use self::collection::collections;
use self::events::Seen;
use self::objects::Objects;
use self::pods::PodReader;
use self::secrets::Secrets;
use super::health::{Health, ListedPart};
use crate::demand::DemandWatch;
use crate::pod_demand::PodNamespaces;
use crate::scope::Scope;
use crate::vital::Vital;

/// Where objects come from, and how they are followed.
#[derive(Clone)]
pub struct KubernetesSource {
    /// The API.
    pub client: Client,
    /// The gateway's own namespace.
    pub namespace: String,
    /// What is read.
    pub scope: Scope,
    /// How Secrets are watched.
    pub secrets: SecretWatch,
    /// After how long a watch is restarted, and an idle one is given up.
    pub watch_timeout: Duration,
    /// Where its tasks run.
    pub vital: Vital,
}

impl KubernetesSource {
    /// Follows the API until the receiver is gone. `demand` says which Secrets are wanted, and `pods` in which
    /// namespaces pods are. The returned reporter writes Events.
    pub fn spawn(
        self,
        sender: mpsc::UnboundedSender<Step>,
        (demand, pods): (DemandWatch, watch::Receiver<PodNamespaces>),
        health: Health,
    ) -> Reporter {
        let seen = Seen::default();
        let reporter = Reporter::spawn(self.client.clone(), seen.clone(), &self.vital);
        match self.scope {
            Scope::All => {
                health.expect(ListedPart::Pods);
                self.follow_objects(&sender, &health, &seen);
                let task = PodReader::run(self.clone(), sender.clone(), pods, health.clone());
                self.vital.spawn("the reader of the API's Pods", task);
            }
            // There are no other objects, so their first list is empty.
            Scope::Secrets => drop(sender.send(vec![SourceEvent::Reset(Vec::new())])),
        }
        let vital = self.vital.clone();
        let (secrets, news) = Secrets::new(self, sender, health, seen);
        vital.spawn("the reader of the API's Secrets", secrets.run(news, demand));
        reporter
    }

    /// Follows everything but Secrets.
    fn follow_objects(&self, sender: &mpsc::UnboundedSender<Step>, health: &Health, seen: &Seen) {
        let (told, messages) = mpsc::unbounded_channel();
        for collection in collections() {
            let task = collection.follow(self.clone(), told.clone(), health.clone(), seen.clone());
            self.vital.spawn("a watch of the API", task);
        }
        let objects = Objects::new(sender.clone(), seen.clone()).run(messages);
        self.vital.spawn("the reader of the API's objects", objects);
    }

    /// In whole seconds, as the watch call requires.
    fn watch_seconds(&self) -> u32 {
        u32::try_from(self.watch_timeout.as_secs())
            .unwrap_or(u32::MAX)
            .max(1)
    }
}
