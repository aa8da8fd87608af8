//! Starts the source that was asked for.

use std::path::Path;

#[cfg(feature = "kubernetes")]
use anyhow::Context as _;
use anyhow::{Result, anyhow};
use sealgate_model::manifest::Namespaces;
use sealgate_model::{ObjectRef, SecretObject, Step};
use tokio::sync::{mpsc, watch};

use super::state::unusable;
use crate::config::{Run, Source};
use crate::credential::{self, CredentialOutcome, CredentialPolicy};
use crate::demand::DemandWatch;
use crate::kept::unread::KeptUnread;
use crate::pod_demand::PodNamespaces;
use crate::source::directory::DirectorySource;
use crate::source::health::Health;
use crate::vital::Vital;
use sealgate_model::ledger::News;

/// Tells whoever wrote an object what became of it, where the source has a way to.
pub(super) type Tell = Box<dyn Fn(&News) + Send>;

/// Also the files that an agent before this one could not read any more, and whose objects it kept.
pub(super) async fn start(
    run: &Run,
    sender: mpsc::UnboundedSender<Step>,
    (demand, pods): (DemandWatch, watch::Receiver<PodNamespaces>),
    health: &Health,
    vital: &Vital,
) -> Result<(Tell, Vec<ObjectRef>)> {
    match &run.source {
        Source::Directory(root) => {
            // Whoever reads files reads them all, in a thread that takes its events along when it ends.
            drop((demand, pods, vital));
            let open = |folder| KeptUnread::open(folder).map_err(|error| unusable(folder, &error));
            let unread = run.state_dir.as_deref().map(open).transpose()?;
            let names = unread.iter().flat_map(|(_, names)| names.keys());
            let files = names.map(|file| ObjectRef::file(file.as_str())).collect();
            directory(root, &run.gateway.namespace)
                .follow(sender, unread)
                .map_err(|error| anyhow!("--source dir:{error}"))?;
            // The first list was sent by that.
            health.set_listed();
            Ok((Box::new(|_| ()), files))
        }
        #[cfg(feature = "kubernetes")]
        Source::Kubernetes(api) => {
            use crate::source::kubernetes::{KubernetesSource, connect};
            let source = KubernetesSource {
                client: connect(api.context.as_deref(), api.watch_timeout)
                    .await
                    .context("--source kubernetes")?,
                namespace: run.gateway.namespace.clone(),
                scope: run.scope,
                secrets: api.secrets,
                watch_timeout: api.watch_timeout,
                vital: vital.clone(),
            };
            let reporter = source.spawn(sender, (demand, pods), health.clone());
            Ok((Box::new(move |news| reporter.report(news)), Vec::new()))
        }
    }
}

fn directory(root: &Path, namespace: &str) -> DirectorySource {
    DirectorySource {
        root: root.to_owned(),
        namespaces: Namespaces {
            gateway: namespace.to_owned(),
            other: "default",
        },
        settled: is_whole,
    }
}

/// Whether a Secret looks whole: what is half written, or new beside old, is read again before it is judged.
fn is_whole(secret: &SecretObject) -> bool {
    let policy = CredentialPolicy {
        strict_names: false,
        refuse_expired: false,
        now: time::OffsetDateTime::now_utc(),
    };
    let reading = credential::read(secret, &policy);
    [reading.key_pair, reading.trust_bundle]
        .iter()
        .flatten()
        .all(|outcome| {
            matches!(
                outcome,
                CredentialOutcome::Ready(_) | CredentialOutcome::Ignored(_)
            )
        })
}
