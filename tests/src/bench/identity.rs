//! What `bench identity` compares: gateways that tell their upstreams different things about a client, under the same
//! load.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use rustls::version::TLS13;
use sealgate_core::identity::header_names;
use tempfile::TempDir;

use crate::bench::{Times, bare};
use crate::beside::{self, Forwarding, ListenerPem};
use crate::client::{Connection, Tls, Version};
use crate::clients::{Clients, ask_on, client};
use crate::echo;
use crate::handmade::{Content, Handmade};
use crate::pki::Authority;
use crate::site::{Envoy, free_port};

const HOST: &str = "mutual.example";
/// Envoy removes what clients say about themselves.
const SANITIZE: &str = "SANITIZE";
/// Persistent connections, each with one request after the other.
const KEPT: usize = 8;
/// New connections at a time.
const AT_ONCE: usize = 4;

/// Who serves.
#[derive(Debug)]
enum Gateway {
    Sealgate(Box<Clients>),
    Native(Envoy, #[expect(dead_code, reason = "held for its drop")] TempDir),
}

/// A gateway and the cost of its requests.
#[derive(Debug)]
pub struct IdentitySubject {
    /// Its name in the output.
    pub name: String,
    gateway: Gateway,
    port: u16,
    tls: Tls,
    connections: Vec<Connection>,
    /// CPU per request on persistent connections.
    pub kept: Times,
    /// CPU per request, each on a new connection.
    pub fresh: Times,
}

fn alice(root: &Handmade) -> Result<Tls> {
    let alice = root.signs(&Content {
        sans: vec![
            (6, b"spiffe://example/ns/default/sa/alice".to_vec()),
            (2, b"alice.example".to_vec()),
        ],
        ..Content::default()
    })?;
    client(&[&alice], Version::H2, &[&TLS13], false)
}

impl IdentitySubject {
    /// Ours, with this annotation; empty is what a Gateway without one does.
    ///
    /// # Errors
    /// It does not start.
    pub async fn sealgate(name: &str, annotation: &str) -> Result<Self> {
        let clients = Box::new(Clients::start(annotation).await?);
        let tls = alice(&clients.root)?;
        clients.ready(HOST, &tls).await?;
        let port = clients.site.https;
        Self::connected(name, Gateway::Sealgate(clients), port, tls).await
    }

    /// Only Envoy, with this policy for XFCC.
    ///
    /// # Errors
    /// It does not start.
    pub async fn native(name: &str, policy: &'static str) -> Result<Self> {
        let does = Forwarding {
            xfcc: policy,
            ..Forwarding::default()
        };
        Self::without_us(name, does, None).await
    }

    /// Envoy's route adds these headers: the minimum cost of sending them to an upstream.
    ///
    /// # Errors
    /// It does not start.
    pub async fn adding(name: &str, headers: &[(String, String)]) -> Result<Self> {
        let as_it_is = |(key, value): &(String, String)| (key.clone(), value.replace('%', "%%"));
        let does = Forwarding {
            xfcc: SANITIZE,
            adds: headers.iter().map(as_it_is).collect(),
            ..Forwarding::default()
        };
        Self::without_us(name, does, None).await
    }

    /// A bare module: no filter can do the same for less. It routes, and adds these headers if there are any.
    ///
    /// # Errors
    /// It does not start.
    pub async fn bare(name: &str, headers: &[(String, String)]) -> Result<Self> {
        let module = if headers.is_empty() {
            bare::ROUTING.to_owned()
        } else {
            bare::telling(headers)
        };
        let does = Forwarding {
            xfcc: SANITIZE,
            ..Forwarding::default()
        };
        Self::without_us(name, does, Some(&module)).await
    }

    async fn without_us(name: &str, mut does: Forwarding, module: Option<&str>) -> Result<Self> {
        let root = Handmade::root("client root")?;
        let leaf = Authority::new("CA")?.leaf(&["*.example"])?;
        let material = ListenerPem {
            certificate: &leaf.certificate,
            key: &leaf.key,
            root: &root.pem(),
        };
        let folder = TempDir::new()?;
        does.filters = module
            .map(|text| bare::filter(folder.path(), text))
            .transpose()?
            .into_iter()
            .collect();
        let (port, admin) = (free_port()?, free_port()?);
        let listener = beside::forwarding(port, &material, does);
        let bootstrap = beside::alone(admin, &[listener], echo::start("beside").await?);
        let envoy = Envoy::start(folder.path(), &bootstrap, admin).await?;
        Self::connected(name, Gateway::Native(envoy, folder), port, alice(&root)?).await
    }

    /// The headers that tell its upstream about the client.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn told(&self) -> Result<Vec<(String, String)>> {
        let mut connection = Connection::open(self.port, HOST, &self.tls).await?;
        let seen = ask_on(&mut connection, HOST).await?;
        let names: Vec<String> = header_names(None).collect();
        let told = seen.headers.into_iter();
        Ok(told.filter(|(name, _)| names.contains(name)).collect())
    }

    async fn connected(name: &str, gateway: Gateway, port: u16, tls: Tls) -> Result<Self> {
        let opened = (0..KEPT).map(|_| Connection::open(port, HOST, &tls));
        Ok(Self {
            name: name.to_owned(),
            connections: future::try_join_all(opened).await?,
            gateway,
            port,
            tls,
            kept: Times::new(),
            fresh: Times::new(),
        })
    }

    fn processor_time(&self) -> Result<Duration> {
        match &self.gateway {
            Gateway::Sealgate(clients) => clients.site.envoy_processor_time(),
            Gateway::Native(envoy, _) => envoy.processor_time(),
        }
    }

    /// One round: this many requests per persistent connection, and as many new connections.
    ///
    /// # Errors
    /// A request fails.
    pub async fn round(&mut self, requests: u32) -> Result<()> {
        self.keep(requests / 4).await?;
        let before = self.processor_time()?;
        self.keep(requests).await?;
        let between = self.processor_time()?;
        self.renew(requests).await?;
        let after = self.processor_time()?;
        let kept = requests * u32::try_from(KEPT)?;
        self.kept.push((between - before) / kept);
        self.fresh.push((after - between) / requests);
        Ok(())
    }

    /// Forgets the rounds so far.
    pub fn forget(&mut self) {
        self.kept = Times::new();
        self.fresh = Times::new();
    }

    /// Adds the rounds of another instance of the same.
    pub fn gather(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.fresh.extend(other.fresh);
    }

    async fn keep(&mut self, requests: u32) -> Result<()> {
        let all = self.connections.iter_mut().map(|connection| async move {
            for _ in 0..requests {
                ask(connection).await?;
            }
            anyhow::Ok(())
        });
        future::try_join_all(all).await.map(drop)
    }

    async fn renew(&self, requests: u32) -> Result<()> {
        stream::iter(0..requests)
            .map(|_| async { ask(&mut Connection::open(self.port, HOST, &self.tls).await?).await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

async fn ask(connection: &mut Connection) -> Result<()> {
    let answer = connection
        .get(HOST, "/")
        .await?
        .context("the connection has ended")?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(())
}
