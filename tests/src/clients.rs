//! A gateway whose hosts want to know their clients: one host for every TLS mode, and clients with any certificate.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustls::client::{ClientSessionMemoryCache, ResolvesClientCert, Resumption};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme, SupportedProtocolVersion};
use sealgate_core::identity::{IdentityConfig, Unverified};

use crate::beside::ListenerPem;
use crate::client::{Connection, Tls, Version};
use crate::handmade::Handmade;
use crate::manifests::virtual_service;
use crate::pki::Authority;
use crate::site::{Site, free_port};
use crate::{beside, echo, eventually};

/// As long as an unhurried machine takes.
pub const START: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub struct Clients {
    /// The machine.
    pub site: Site,
    /// The CA of clients' certificates.
    pub root: Handmade,
    /// Where Envoy's own XFCC is served.
    pub native: u16,
    /// Where certificates are taken that nobody could verify.
    pub unchecked: u16,
}

/// What the upstream saw of a request.
#[derive(Clone, Debug, Default)]
pub struct SeenRequest {
    /// The status that came back.
    pub status: u16,
    /// The request's headers at the upstream.
    pub headers: Vec<(String, String)>,
    /// The response's headers at the client.
    pub response: http::HeaderMap,
}

impl SeenRequest {
    /// The one value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(own, _)| own == name);
        let value = values.next()?.1.as_str();
        values.next().is_none().then_some(value)
    }
}

impl Clients {
    /// Starts it, with this annotation (YAML in one line) if it is not empty.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(annotation: &str) -> Result<Self> {
        let mut site = Site::prepare().await?;
        let root = Handmade::root("client root")?;
        let folder = site.dir().join("edge");
        let leaf = Authority::new("CA")?.leaf(&["*.example"])?;
        leaf.write(&folder)?;
        fs::write(folder.join("ca.crt"), root.pem())?;
        site.start_agent().await?;
        let (native, unchecked) = (free_port()?, free_port()?);
        let material = ListenerPem {
            certificate: &leaf.certificate,
            key: &leaf.key,
            root: &root.pem(),
        };
        let module = std::env::var_os("SEALGATE_FILTER_WASM").context("SEALGATE_FILTER_WASM is not set")?;
        let show = IdentityConfig {
            unverified: Unverified::Show,
            ..IdentityConfig::default()
        };
        let [table, ours] = beside::unchecked(unchecked, &material, Path::new(&module), show)?;
        let listeners = [beside::native(native, &material), table, ours];
        let upstream = echo::start("beside").await?;
        site.start_envoy(|bootstrap, _| beside::with(&bootstrap, &listeners, upstream))
            .await?;
        let clients = Self {
            site,
            root,
            native,
            unchecked,
        };
        clients.configure(annotation).await?;
        Ok(clients)
    }

    /// Writes the objects.
    ///
    /// # Errors
    /// The file system's.
    pub async fn configure(&self, annotation: &str) -> Result<()> {
        let upstream = echo::start("app").await?;
        let host = "'*.example'";
        // What upstreams say to caches is what the rules are for.
        let rules = "  - match: [{uri: {prefix: /varies}}]
    headers: {response: {set: {vary: 'accept, Client-Cert'}}}
    route: [{destination: {host: app.local, port: {number: 80}}}]
  - headers: {response: {set: {vary: accept}}}
    route: [{destination: {host: app.local, port: {number: 80}}}]
";
        let text = [
            gateway(annotation),
            virtual_service("app", host, rules),
            crate::edge::service("app", upstream),
        ];
        self.site.write("site.yaml", &text.join("\n---\n"))
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&self, tls: &Tls, sni: &str, host: &str) -> Result<SeenRequest> {
        self.ask_at(self.site.https, tls, sni, host).await
    }

    /// The same at another listener.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask_at(&self, port: u16, tls: &Tls, sni: &str, host: &str) -> Result<SeenRequest> {
        let mut connection = Connection::open(port, sni, tls).await?;
        ask_on(&mut connection, host).await
    }

    /// Gives the filter a new configuration, with which it restarts.
    ///
    /// # Errors
    /// It does not get it.
    pub async fn forget(&self) -> Result<()> {
        let updates = || async {
            let stats = self
                .site
                .envoy_page("/stats?filter=extension_config_discovery.*config_reload$")
                .await?;
            let counts = stats
                .lines()
                .filter_map(|line| line.rsplit(": ").next()?.parse::<u64>().ok());
            anyhow::Ok(counts.sum::<u64>())
        };
        let before = updates().await?;
        let path = self.site.dir().join("site.yaml");
        let text = fs::read_to_string(&path)?;
        let changed = text.replace("prefix: /varies", "prefix: /varies/more");
        fs::write(path, changed)?;
        eventually("the filter begins anew", START, || async {
            ensure!(updates().await? > before);
            Ok(())
        })
        .await
    }

    /// Waits until a host answers a client without a certificate, or with this one.
    ///
    /// # Errors
    /// It does not.
    pub async fn ready(&self, host: &str, tls: &Tls) -> Result<SeenRequest> {
        eventually("the gateway serves", START, || async {
            let seen = self.ask(tls, host, host).await?;
            ensure!(seen.status == 200, "{}", seen.status);
            Ok(seen)
        })
        .await
    }
}

/// One more request on a connection.
///
/// # Errors
/// There is no answer.
pub async fn ask_on(connection: &mut Connection, host: &str) -> Result<SeenRequest> {
    ask_for(connection, host, "/").await
}

/// The same with another path.
///
/// # Errors
/// There is no answer.
pub async fn ask_for(connection: &mut Connection, host: &str, path: &str) -> Result<SeenRequest> {
    let answer = connection
        .get(host, path)
        .await?
        .context("the connection has ended")?;
    let headers = answer.body.lines().filter_map(|line| line.split_once(": "));
    Ok(SeenRequest {
        status: answer.status,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        response: answer.headers,
    })
}

/// A client that shows `chain`, which begins with its own certificate, whatever is in there. With `resumes`, later
/// connections resume the first one's session.
///
/// # Errors
/// The key cannot be used.
pub fn client(
    chain: &[&Handmade],
    version: Version,
    protocols: &[&'static SupportedProtocolVersion],
    resumes: bool,
) -> Result<Tls> {
    Tls::with(version, protocols, |builder| {
        let mut config: ClientConfig = match chain.first() {
            Some(leaf) => builder.with_client_cert_resolver(Arc::new(Shows::new(leaf, chain)?)),
            None => builder.with_no_client_auth(),
        };
        config.resumption = if resumes {
            Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)))
        } else {
            Resumption::disabled()
        };
        Ok(config)
    })
}

/// A client with any server name, which shows this certificate.
///
/// # Errors
/// The key cannot be used.
pub fn with_any_sni(leaf: Option<&Handmade>, version: Version) -> Result<Tls> {
    let shows = leaf.map(|leaf| Shows::new(leaf, &[leaf])).transpose()?;
    Tls::for_any_sni(version, shows.map(|shows| Arc::new(shows) as _))
}

/// Shows a certificate without having read it.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl Shows {
    fn new(leaf: &Handmade, chain: &[&Handmade]) -> Result<Self> {
        let key = PrivatePkcs8KeyDer::from(leaf.key.serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into())?;
        let chain = chain
            .iter()
            .map(|one| CertificateDer::from(one.der.clone()))
            .collect();
        Ok(Self(Arc::new(CertifiedKey::new(chain, key))))
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// `simple.example`, `mutual.example` and `optional.example`, and everything by plain HTTP.
fn gateway(annotation: &str) -> String {
    let annotations = if annotation.is_empty() {
        String::new()
    } else {
        format!(", annotations: {{sealgate.dev/identity: '{annotation}'}}")
    };
    let server = |mode: &str| {
        let host = mode.split('_').next().unwrap_or_default().to_ascii_lowercase();
        crate::manifests::server(&format!("{host}.example"), mode, "edge")
    };
    let servers = ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"].map(server).concat();
    format!(
        r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: gateway, namespace: istio-system{annotations}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
{servers}  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: ["*.example"]
"#
    )
}
