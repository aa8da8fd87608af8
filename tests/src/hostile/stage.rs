//! The platform beside which the hostile namespace lives: three teams with hosts by plain HTTP, TLS and mutual TLS, and a
//! change of theirs for every step.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::ground::Ground;
use crate::client::{Tls, Version};
use crate::clients::with_any_sni;
use crate::echo;
use crate::handmade::{Content, Handmade};
use crate::manifests::{gateway_of, plain_server, routes_of, tls_server};
use crate::pki::{Authority, Leaf};
use crate::site::{Site, free_port};

/// Which namespaces may use which certificates. The attackers may use one of the platform's, too.
const POLICY: &str = "
secrets:
- names: [shop, bank, wild, bank-cacert]
  namespaces: [a-team, b-team, c-team]
- names: [evil, wild]
  namespaces: [evil, evil-too, default]
";

/// The number of ports besides the usual ones.
const PORTS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) site: Site,
    pub(super) ground: Ground,
    /// The certificates of `shop.test`, `bank.test` and `*.wild.test`.
    pub(super) shop: Leaf,
    pub(super) bank: Leaf,
    pub(super) wild: Leaf,
    pub(super) clients: FuzzClients,
    /// How often certificates were rotated; each time a host by TLS is another one, and with it the listener.
    rotations: u64,
    servers: Authority,
    roots: [Handmade; 2],
    upstreams: [u16; 6],
}

/// The clients' TLS configurations.
#[derive(Debug)]
pub(super) struct FuzzClients {
    /// Without a certificate.
    pub(super) nobody: Tls,
    /// With one of the bank's authority.
    pub(super) alice: Tls,
    /// With one that says the same, of the authority that the bank had before the last rotation, or will have after it.
    pub(super) former: Tls,
    /// With one that says the same, of the attacker's authority.
    pub(super) mallory: Tls,
}

/// What the platform serves at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edition(pub(super) u64);

impl Edition {
    /// Where `shop.test` leads.
    pub(super) fn web(self) -> &'static str {
        if self.0 % 4 < 2 { "web" } else { "web-too" }
    }

    fn subset(self) -> String {
        format!("v{}", self.0 / 3)
    }
}

impl Stage {
    /// The agent and Envoy with the platform's objects, but before anything is served.
    ///
    /// # Errors
    /// Something does not start.
    pub(super) async fn start() -> Result<Self> {
        let mut site = Site::prepare().await?;
        let beside = site.dir().with_file_name("policy.yaml");
        fs::write(&beside, POLICY)?;
        site.flags = vec![
            format!("--tenancy-policy={}", beside.display()),
            format!("--state-dir={}", site.dir().with_file_name("state").display()),
            "--allow-local-upstreams=true".to_owned(),
        ];
        "info".clone_into(&mut site.log_level);
        let root = || Handmade::root("clients");
        let ([own, other, foreign], servers) = ([root()?, root()?, root()?], Authority::new("CA")?);
        let write = |name: &str, hosts: &[&str], root: Option<&Handmade>| -> Result<Leaf> {
            let (leaf, folder) = (servers.leaf(hosts)?, site.dir().join(name));
            leaf.write(&folder)?;
            root.map_or(Ok(()), |root| fs::write(folder.join("ca.crt"), root.pem()))?;
            Ok(leaf)
        };
        let shop = write("shop", &["shop.test"], None)?;
        let bank = write("bank", &["bank.test"], Some(&own))?;
        let wild = write("wild", &["*.wild.test"], None)?;
        write("evil", &["evil.test"], Some(&foreign))?;
        let client = |root: &Handmade| {
            let sans = vec![(6, b"spiffe://test/alice".to_vec())];
            with_any_sni(
                Some(&root.signs(&Content {
                    sans,
                    ..Content::default()
                })?),
                Version::H1,
            )
        };
        let clients = FuzzClients {
            nobody: with_any_sni(None, Version::H1)?,
            alice: client(&own)?,
            former: client(&other)?,
            mallory: client(&foreign)?,
        };
        let names = ["web", "web-too", "bank", "audit", "wild", "docs"];
        let mut upstreams = [0; 6];
        for (port, name) in upstreams.iter_mut().zip(names) {
            *port = echo::start(name).await?;
        }
        let mut ports = vec![site.admin, site.envoy_admin, site.http, site.https];
        while ports.len() < PORTS {
            ports.push(free_port()?);
        }
        let ground = Ground {
            stolen: echo::start("stolen").await?,
            ports,
        };
        site.start_agent().await?;
        site.start_envoy(|bootstrap, _| bootstrap).await?;
        let stage = Self {
            site,
            ground,
            shop,
            bank,
            wild,
            clients,
            rotations: 0,
            servers,
            roots: [own, other],
            upstreams,
        };
        stage.publish(Edition(0))?;
        Ok(stage)
    }

    /// The host that is new since the last rotation, with the certificate of `shop.test`.
    pub(super) fn fresh(&self) -> String {
        format!("fresh-{}.test", self.rotations)
    }

    /// Gives `shop.test` and `bank.test` new certificates, and the bank's clients another authority; with the edition that is
    /// published next there is a new host.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn rotate(&mut self) -> Result<()> {
        self.rotations += 1;
        self.roots.swap(0, 1);
        std::mem::swap(&mut self.clients.alice, &mut self.clients.former);
        let [own, _] = &self.roots;
        self.shop = self.servers.leaf(&["shop.test"])?;
        self.bank = self.servers.leaf(&["bank.test"])?;
        for (leaf, name) in [(&self.shop, "shop"), (&self.bank, "bank")] {
            leaf.write(&self.site.dir().join(name))?;
        }
        Ok(fs::write(self.site.dir().join("bank/ca.crt"), own.pem())?)
    }

    /// A new Envoy in the place of the one that runs.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn restart(&mut self) -> Result<()> {
        self.site.kill_envoy();
        self.site.start_envoy(|bootstrap, _| bootstrap).await
    }

    /// A new agent in the place of the one that runs, which takes its claims over.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn restart_agent(&mut self) -> Result<()> {
        self.site.kill_agent();
        self.site.start_agent().await
    }

    /// Writes the platform's objects.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn publish(&self, edition: Edition) -> Result<()> {
        self.replace("a-platform.yaml", Some(&self.platform(edition)))
    }

    /// Puts a file there at once, or takes it away: half a file would be another one.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn replace(&self, name: &str, text: Option<&str>) -> Result<()> {
        let path = self.site.dir().join(name);
        let Some(text) = text else {
            return match fs::remove_file(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                other => Ok(other?),
            };
        };
        let aside = self.site.dir().parent().unwrap_or(Path::new("/")).join("aside");
        fs::write(&aside, text)?;
        Ok(fs::rename(aside, path)?)
    }

    /// The platform's objects. The names are smaller than the attacker's, and so these are the older objects.
    pub(super) fn platform(&self, edition: Edition) -> String {
        let [web, web_too, bank, audit, wild, docs] = self.upstreams;
        let web = if edition.web() == "web" { web } else { web_too };
        let (step, subset, fresh) = (edition.0, edition.subset(), self.fresh());
        format!(
            "{}{}{}{}",
            entries(&[
                ("a-team", "web.a-team.svc.cluster.local", web),
                ("b-team", "bank.b-team.svc.cluster.local", bank),
                ("b-team", "audit.b-team.svc.cluster.local", audit),
                ("c-team", "wild.c-team.svc.cluster.local", wild),
                ("c-team", "docs.example", docs),
            ]),
            gateway(
                "a-team",
                "a-shop",
                &format!("shop.test\", \"a-team/{fresh}"),
                "mode: SIMPLE, credentialName: shop",
                true
            ) + &gateway(
                "b-team",
                "a-bank",
                "bank.test",
                "mode: MUTUAL, credentialName: bank",
                false
            ) + &gateway(
                "c-team",
                "a-wild",
                "*.wild.test\", \"c-team/named.wild.test",
                "mode: SIMPLE, credentialName: wild",
                false
            ) + &plain("c-team", "a-docs", "docs.test"),
            format_args!(
                "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: a-web, namespace: a-team}}
spec: {{host: web, subsets: [{{name: {subset}, labels: {{version: good}}}}]}}
---
"
            ),
            routes(
                "a-team",
                "a-shop",
                &format!("shop.test\", \"{fresh}"),
                &format!(
                    "  - headers: {{response: {{set: {{x-step: '{step}'}}}}}}\n    route: [{{destination: {{host: web, subset: {subset}, port: {{number: 80}}}}}}]\n"
                )
            ) + &routes(
                "b-team",
                "a-bank",
                "bank.test",
                &("  - match: [{uri: {prefix: /audit}}]\n".to_owned()
                    + &to("audit").replacen("  -", "   ", 1)
                    + &to("bank"))
            ) + &routes("c-team", "a-wild", "*.wild.test", &to("wild"))
                + &routes("c-team", "a-docs", "docs.test", &to("docs.example")),
        )
    }
}

fn to(host: &str) -> String {
    format!("  - route: [{{destination: {{host: {host}, port: {{number: 80}}}}}}]\n")
}

fn entries(all: &[(&str, &str, u16)]) -> String {
    let one = |(namespace, host, port): &(&str, &str, u16)| {
        let name = host.split('.').next().unwrap_or_default();
        format!(
            "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: a-{name}, namespace: {namespace}}}
spec:
  hosts: [{host}]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}, labels: {{version: good}}}}]
---
"
        )
    };
    all.iter().map(one).collect()
}

fn gateway(namespace: &str, name: &str, host: &str, tls: &str, is_plain_too: bool) -> String {
    let host = format!("{namespace}/{host}");
    let mut servers = tls_server(&host, tls);
    if is_plain_too {
        servers += &plain_server(80, &host);
    }
    gateway_of(namespace, name, &servers)
}

fn plain(namespace: &str, name: &str, host: &str) -> String {
    gateway_of(namespace, name, &plain_server(80, &format!("{namespace}/{host}")))
}

fn routes(namespace: &str, name: &str, host: &str, rules: &str) -> String {
    routes_of(namespace, name, (name, host), rules)
}
