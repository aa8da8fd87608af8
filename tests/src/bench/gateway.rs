//! A gateway on the Kubernetes API: its own namespace with Secrets, the agent, and Envoy.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::secrets::Secrets;
use super::shown;
use crate::client::Tls;
use crate::kube::{ControlPlane, Objects};
use crate::pki::Leaf;
use crate::site::{Site, Source};

/// Time for the proxy's acknowledgement, which is part of a rotation but comes after it.
const SETTLE: Duration = Duration::from_millis(15);

/// A namespace with Secrets `s-0`, `s-1`, ...
#[derive(Debug)]
pub struct Namespace {
    /// Everything else.
    pub objects: Objects,
    /// Its Secrets.
    pub secrets: Secrets,
}

impl Namespace {
    /// A namespace with this many Secrets, which share `leaves`.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn with(plane: &ControlPlane, prefix: &str, count: usize, leaves: &[Leaf]) -> Result<Self> {
        let objects = plane.namespace(prefix).await?;
        let secrets = Secrets::new(objects.client.clone(), &objects.namespace);
        let all = (0..count).zip(leaves.iter().cycle());
        secrets.create(all.map(|(at, leaf)| (secret(at), leaf))).await?;
        Ok(Self { objects, secrets })
    }

    /// Gateways with this label that serve these Secrets, each for its own host: `h-0.LABEL.example`.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn serve(&self, label: &str, secrets: std::ops::Range<usize>) -> Result<()> {
        /// The API server rejects objects of more than 1.5 MB.
        const SERVERS: usize = 1000;
        for (at, first) in secrets.clone().step_by(SERVERS).enumerate() {
            let mut text = format!(
                "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {label}-{at}}}\n\
                 spec:\n  selector: {{istio: {label}}}\n  servers:\n"
            );
            for at in first..secrets.end.min(first + SERVERS) {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "  - {{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [{}], \
                     tls: {{mode: SIMPLE, credentialName: {}}}}}",
                    host(at, label),
                    secret(at)
                );
            }
            self.objects.create(&text).await?;
        }
        Ok(())
    }

    /// An agent for the Gateways with this label.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn agent(&self, plane: &ControlPlane, label: &str, flags: &[&str]) -> Result<Site> {
        let mut site = Site::prepare().await?;
        site.source = Source::Kubernetes {
            kubeconfig: plane.admin().kubeconfig.clone(),
            namespace: self.objects.namespace.clone(),
        };
        site.flags = vec![format!("--gateway-labels=istio={label}")];
        site.flags.extend(flags.iter().map(ToString::to_string));
        "warn".clone_into(&mut site.log_level);
        site.start_agent().await?;
        Ok(site)
    }
}

/// The name of a Secret.
#[must_use]
pub fn secret(at: usize) -> String {
    format!("s-{at}")
}

/// The host that it is served for.
#[must_use]
pub fn host(at: usize, label: &str) -> String {
    format!("h-{at}.{label}.example")
}

/// What is measured: an agent with its Envoy.
#[derive(Debug)]
pub struct Served<'n> {
    /// Where its Secrets are.
    pub namespace: &'n Namespace,
    /// The agent and Envoy.
    pub site: Site,
    label: &'static str,
}

impl<'n> Served<'n> {
    /// Starts both, and waits until `leaf` is shown for the first host.
    ///
    /// # Errors
    /// One does not start.
    pub async fn start(
        plane: &ControlPlane,
        namespace: &'n Namespace,
        label: &'static str,
        leaf: &Leaf,
        tls: &Tls,
    ) -> Result<Self> {
        let mut site = namespace.agent(plane, label, &[]).await?;
        site.start_envoy(|bootstrap, _| bootstrap).await?;
        shown(site.https, &host(0, label), leaf, tls).await?;
        Ok(Self {
            namespace,
            site,
            label,
        })
    }

    /// From the PUT of a Secret until a handshake shows it, and the agent's processor time for it.
    ///
    /// # Errors
    /// It is not shown.
    pub async fn rotate(&self, leaf: &Leaf, tls: &Tls) -> Result<(Duration, Duration)> {
        let before = self.site.agent_processor_time()?;
        let (sent, _) = self.namespace.secrets.put(&secret(0), leaf).await?;
        shown(self.site.https, &host(0, self.label), leaf, tls).await?;
        let took = Instant::now() - sent;
        tokio::time::sleep(SETTLE).await;
        Ok((took, self.site.agent_processor_time()? - before))
    }
}
