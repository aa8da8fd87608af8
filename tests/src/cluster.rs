//! A gateway whose objects come from an API server: the agent as a ServiceAccount with exactly the rights of
//! `envoy/kubernetes/rbac.yaml`, the real Envoy, and questions that tests ask of them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::client::{self, Connection, Tls, Version};
use crate::eventually;
use crate::kube::{Access, ControlPlane, Objects};
use crate::manifests::{gateway, virtual_service};
use crate::pki::{Authority, Leaf};
use crate::site::{Site, Source};

/// What the API server has to know.
pub const DEFINITIONS: &str = include_str!("../../envoy/kubernetes/crds.yaml");
/// What the agent may do.
pub const RIGHTS: &str = include_str!("../../envoy/kubernetes/rbac.yaml");
/// Longer than the longest delay between two attempts of the agent.
pub const SOON: Duration = Duration::from_secs(30);

/// See the module. Several share an API server: each serves the Gateways of its own label.
#[derive(Debug)]
pub struct Cluster {
    /// The gateway's namespace, as its administrator.
    pub objects: Objects,
    /// The agent and Envoy.
    pub site: Site,
    /// Whose certificates are served.
    pub authority: Authority,
    /// As whom the agent speaks.
    pub access: Access,
}

impl Cluster {
    /// A namespace, the definitions and the rights; the agent is not started.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn prepare(plane: &ControlPlane, flags: &[&str]) -> Result<Self> {
        let cluster = Self::undefined(plane, flags).await?;
        cluster.objects.define(DEFINITIONS).await?;
        Ok(cluster)
    }

    /// The same without the definitions.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn undefined(plane: &ControlPlane, flags: &[&str]) -> Result<Self> {
        Self::with_rights(plane, flags, str::to_owned).await
    }

    /// An agent of Secrets alone, with what is left of the rights; without the definitions.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn secrets_alone(plane: &ControlPlane, left: fn(&str) -> String) -> Result<Self> {
        Self::with_rights(plane, &["--only=secrets"], left).await
    }

    async fn with_rights(plane: &ControlPlane, flags: &[&str], left: fn(&str) -> String) -> Result<Self> {
        let objects = plane.namespace("gw").await?;
        let namespace = objects.namespace.clone();
        objects.apply(&left(&rights(&namespace))).await?;
        let access = plane.service_account(&namespace, "sealgate").await?;
        let mut site = Site::prepare().await?;
        site.source = Source::Kubernetes {
            kubeconfig: access.kubeconfig.clone(),
            namespace: namespace.clone(),
        };
        site.flags = vec![objects.labels()];
        site.flags.extend(flags.iter().map(ToString::to_string));
        Ok(Self {
            objects,
            site,
            authority: Authority::new("CA")?,
            access,
        })
    }

    /// The same, with everything started.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(plane: &ControlPlane, flags: &[&str]) -> Result<Self> {
        let mut cluster = Self::prepare(plane, flags).await?;
        cluster.site.start_agent().await?;
        cluster.site.start_envoy(|bootstrap, _| bootstrap).await?;
        Ok(cluster)
    }

    /// Text that is about the walkthrough's gateway, for this one.
    #[must_use]
    pub fn own(&self, text: &str) -> String {
        let namespace = &self.objects.namespace;
        self.objects
            .own(text)
            // A ServiceEntry counts for every namespace.
            .replace("host: welcome.local", &format!("host: welcome.{namespace}.local"))
            .replace("host: httpbin,", &format!("host: httpbin.{namespace}.local,"))
    }

    /// Applies the Gateway of `*.aliyun.com`, with more servers if given.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn gateway(&self, credential: &str, more: &str) -> Result<()> {
        let text = self.own(&gateway(credential, more));
        self.objects.apply(&text).await.map(drop)
    }

    /// Applies a VirtualService.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn virtual_service(&self, name: &str, host: &str, rules: &str) -> Result<()> {
        let text = self.own(&virtual_service(name, host, rules));
        self.objects.apply(&text).await.map(drop)
    }

    /// Applies what the routes of the walkthrough lead to. The API server takes no EndpointSlice on loopback: both are
    /// ServiceEntries.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn upstreams(&self) -> Result<()> {
        let namespace = &self.objects.namespace;
        for (name, number, port) in [
            ("welcome", 80, self.site.welcome),
            ("httpbin", 8000, self.site.httpbin),
        ] {
            let text = format!(
                "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
                 hosts: [{name}.{namespace}.local]\n  resolution: STATIC\n  \
                 ports: [{{number: {number}, name: http, protocol: HTTP}}]\n  \
                 endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]\n"
            );
            self.objects.apply(&text).await?;
        }
        Ok(())
    }

    /// A new certificate for these names, applied as this Secret.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn rotate(&self, secret: &str, names: &[&str]) -> Result<Leaf> {
        let leaf = self.authority.leaf(names)?;
        self.objects.apply(&leaf.secret(secret)).await?;
        Ok(leaf)
    }

    /// Waits until a handshake shows this.
    ///
    /// # Errors
    /// It does not, with the agent's log.
    pub async fn shown(&self, host: &str, leaf: &Leaf) -> Result<()> {
        let attempt = || async {
            let open = Connection::open(self.site.https, host, &Tls::new(Version::H2, None)?).await?;
            ensure!(open.leaf == leaf.der, "another certificate is shown");
            Ok(())
        };
        eventually(&format!("{host} shows {}", leaf.serial), SOON, attempt)
            .await
            .with_context(|| self.log_end())
    }

    /// Waits until a request is answered with this status.
    ///
    /// # Errors
    /// It is not, with the agent's log.
    pub async fn answered(&self, host: &str, path: &str, status: u16) -> Result<()> {
        let attempt = || async {
            let (answer, _) =
                client::fetch(self.site.https, host, path, &Tls::new(Version::H2, None)?).await?;
            ensure!(answer.status == status, "{}", answer.status);
            Ok(())
        };
        eventually(&format!("{host}{path}: {status}"), SOON, attempt)
            .await
            .with_context(|| self.log_end())
    }

    /// Waits until the status is so.
    ///
    /// # Errors
    /// It is not, with the status and the agent's log.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let attempt = || async {
            let status = self.site.status().await?;
            ensure!(is_so(&status), "{status}");
            Ok(status)
        };
        eventually(what, SOON, attempt)
            .await
            .with_context(|| self.log_end())
    }

    /// The last of the agent's log.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.site.agent_log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        format!("the agent's log:\n{}", end.join("\n"))
    }
}

/// The rights for another namespace. What is cluster-wide gets a name of its own.
#[must_use]
pub fn rights(namespace: &str) -> String {
    RIGHTS
        .replace("istio-system", namespace)
        .replace(
            "kind: ClusterRole\nmetadata:\n  name: sealgate",
            &format!("kind: ClusterRole\nmetadata:\n  name: sealgate-{namespace}"),
        )
        .replace(
            "kind: ClusterRoleBinding\nmetadata:\n  name: sealgate",
            &format!("kind: ClusterRoleBinding\nmetadata:\n  name: sealgate-{namespace}"),
        )
        .replace(
            "kind: ClusterRole\n  name: sealgate",
            &format!("kind: ClusterRole\n  name: sealgate-{namespace}"),
        )
}

/// A credential of the status, by its name without namespace.
#[must_use]
pub fn credential<'a>(status: &'a Value, name: &str) -> &'a Value {
    let all = status["credentials"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_it = |own: &&Value| {
        own["name"]
            .as_str()
            .is_some_and(|full| full.rsplit('/').next() == Some(name))
    };
    all.iter().find(is_it).unwrap_or(&Value::Null)
}

/// The state and message of a watch of the status, whose name begins so.
#[must_use]
pub fn watch<'a>(status: &'a Value, name: &str) -> Option<(&'a str, &'a str)> {
    let all = status["source"]["watches"].as_array()?;
    let own = all
        .iter()
        .find(|own| own["name"].as_str().is_some_and(|own| own.starts_with(name)))?;
    Some((
        own["state"].as_str()?,
        own["message"].as_str().unwrap_or_default(),
    ))
}
