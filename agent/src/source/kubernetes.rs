//! The Kubernetes API, followed by watches. Gateways, VirtualServices and what they route to are watched everywhere;
//! of Secrets only those that somebody asked for, in the gateway's own namespace.
//!
//! Nothing here is ever lost by a failure: what was told stands until the API server itself says otherwise.

mod client;
mod collection;
mod events;
mod follow;
mod objects;
mod pace;
mod secret;
mod secrets;

use std::time::Duration;

use kube::Client;
use sealgate_model::{SourceEvent, Step};
use tokio::sync::mpsc;

pub use self::client::{ClientError, connect};
pub use self::events::Reporter;
pub use self::secrets::SecretWatch;

use self::collection::collections;
use self::events::Seen;
use self::objects::Objects;
use self::secrets::Secrets;
use super::health::Health;
use crate::demand::DemandWatch;
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
    /// After how long a watch is begun anew, and an idle one is given up.
    pub watch_timeout: Duration,
    /// Where its tasks run.
    pub vital: Vital,
}

impl KubernetesSource {
    /// Follows the API until the receiver is gone. `demand` says which Secrets are wanted. The returned reporter
    /// writes Events.
    pub fn spawn(self, sender: mpsc::UnboundedSender<Step>, demand: DemandWatch, health: Health) -> Reporter {
        let seen = Seen::default();
        let reporter = Reporter::spawn(self.client.clone(), seen.clone(), &self.vital);
        match self.scope {
            Scope::All => self.follow_objects(&sender, &health, &seen),
            // There are no others, and that is the first list of them.
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

    /// As the watch call wants it: whole seconds.
    fn watch_seconds(&self) -> u32 {
        u32::try_from(self.watch_timeout.as_secs())
            .unwrap_or(u32::MAX)
            .max(1)
    }
}
