//! The output of `sealgate istio full` in listeners that are not ours: the real Envoy and the agent, and a fake istiod.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustls::version::{TLS12, TLS13};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::clients::{SeenRequest, ask_on, client};
use sealgate_tests::fake_istiod::{self, IstioPem, IstioServer, Patched};
use sealgate_tests::handmade::{Content, Handmade};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::{Site, free_port};
use sealgate_tests::{echo, eventually};
use serde_json::Value;

const START: Duration = Duration::from_secs(60);
const CLUSTER: &str = "outbound|80||app.default.svc.cluster.local";
/// Where the printed manifests have the socket.
const SOCKET: &str = "/run/sealgate/xds.sock";

const OBJECTS: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 443, name: s, protocol: HTTPS}, hosts: [simple.example], tls: {mode: SIMPLE, credentialName: edge}}
  - {port: {number: 443, name: m, protocol: HTTPS}, hosts: [mutual.example], tls: {mode: MUTUAL, credentialName: edge}}
  - {port: {number: 443, name: o, protocol: HTTPS}, hosts: [optional.example], tls: {mode: OPTIONAL_MUTUAL, credentialName: edge}}
  - {port: {number: 80, name: h, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: default}
spec:
  hosts: ["*.example"]
  gateways: [istio-system/edge]
  http:
  - match: [{uri: {prefix: /late}}]
    fault: {delay: {fixedDelay: 0.01s, percentage: {value: 100}}, abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: app, port: {number: 80}}}]
  - match: [{uri: {prefix: /old}}]
    rewrite: {uri: /new}
    route: [{destination: {host: app, port: {number: 80}}}]
  - route: [{destination: {host: app, port: {number: 80}}}]
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: default}
spec: {ports: [{name: http, port: 80}]}
"#;

/// A gateway of Istio's.
struct Lent {
    site: Site,
    root: Handmade,
    /// A listener that has the routes, and nothing else yet.
    unguarded: u16,
}

impl Lent {
    async fn start() -> Result<Self> {
        let mut site = Site::prepare().await?;
        let root = Handmade::root("client root")?;
        let leaf = Authority::new("CA")?.leaf(&["*.example"])?;
        let folder = site.dir().join("edge");
        leaf.write(&folder)?;
        fs::write(folder.join("ca.crt"), root.pem())?;
        let unguarded = free_port()?;
        let printed = Self::printed(&site)?;
        let objects: Vec<&Value> = printed["items"].as_array().context("no list")?.iter().collect();
        let of = |kind: &str| {
            let mut all = objects.iter().filter(|object| object["kind"] == kind);
            all.next().context(kind.to_owned())
        };
        // What the agent gets is what is printed, its flags too.
        site.write("objects.json", &printed.to_string())?;
        site.write("services.yaml", OBJECTS.split("---").last().unwrap_or_default())?;
        let container = &of("Deployment")?["spec"]["template"]["spec"]["initContainers"][0];
        let arguments = container["args"]
            .as_array()
            .context("no flags")?
            .iter()
            .filter_map(Value::as_str);
        let own = arguments.filter(|flag| {
            ["--gateway", "--on-demand"]
                .iter()
                .any(|own| flag.starts_with(own))
        });
        site.flags = own.map(str::to_owned).collect();
        ensure!(site.flags.len() == 2, "{:?}", site.flags);
        site.start_agent().await?;
        let pem = IstioPem {
            certificate: &leaf.certificate,
            key: &leaf.key,
            root: &root.pem(),
        };
        let servers = [
            IstioServer {
                hosts: &["simple.example"],
                mode: Some("SIMPLE"),
            },
            IstioServer {
                hosts: &["mutual.example"],
                mode: Some("MUTUAL"),
            },
            IstioServer {
                hosts: &["optional.example"],
                mode: Some("OPTIONAL_MUTUAL"),
            },
        ];
        let plain = [IstioServer {
            hosts: &[],
            mode: None,
        }];
        let filter = of("EnvoyFilter")?;
        let mut listeners = vec![
            fake_istiod::listener(site.https, &pem, &servers),
            fake_istiod::listener(site.http, &pem, &plain),
        ];
        fake_istiod::apply(filter, &mut listeners, Patched::Wholly)?;
        let mut late = vec![fake_istiod::listener(unguarded, &pem, &plain)];
        fake_istiod::apply(filter, &mut late, Patched::Routes)?;
        listeners.extend(late);
        let upstream = echo::start("app").await?;
        let text = fake_istiod::bootstrap(site.envoy_admin, &listeners, &[(CLUSTER, upstream)]);
        let socket = site.socket().display().to_string();
        site.start_envoy(|_, _| text.replace(SOCKET, &socket)).await?;
        Ok(Self {
            site,
            root,
            unguarded,
        })
    }

    /// What the command prints for this gateway.
    fn printed(site: &Site) -> Result<Value> {
        let file = site.dir().with_file_name("users.yaml");
        fs::write(&file, OBJECTS)?;
        let ports = format!("443={},80={}", site.https, site.http);
        let file = file.display().to_string();
        let words = [
            "istio",
            "full",
            "-f",
            &file,
            "--port-map",
            &ports,
            "--output",
            "json",
        ];
        let output = site.sealgate(&words)?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    async fn ask(&self, tls: &Tls, sni: &str, host: &str) -> Result<SeenRequest> {
        ask_on(&mut Connection::open(self.site.https, sni, tls).await?, host).await
    }

    async fn ready(&self, host: &str, tls: &Tls) -> Result<SeenRequest> {
        eventually("the gateway serves", START, || async {
            let seen = self.ask(tls, host, host).await?;
            ensure!(seen.status == 200, "{}", seen.status);
            Ok(seen)
        })
        .await
    }
}

fn alice(root: &Handmade) -> Result<Handmade> {
    root.signs(&Content {
        sans: vec![(6, b"spiffe://example/alice".to_vec())],
        ..Content::default()
    })
}

fn is_alice(seen: &SeenRequest) -> Result<()> {
    ensure!(seen.status == 200, "{}", seen.status);
    ensure!(
        seen.get("x-client-cert-verified") == Some("true"),
        "{:?}",
        seen.headers
    );
    let uri = seen.get("x-client-cert-uri-san");
    ensure!(uri == Some("spiffe://example/alice"), "{:?}", seen.headers);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_and_identity_are_as_in_our_own_listeners() -> Result<()> {
    let lent = Lent::start().await?;
    let alice = alice(&lent.root)?;
    let tls = client(&[&alice], Version::H1, &[&TLS13], false)?;
    let nobody = client(&[], Version::H1, &[&TLS13], false)?;
    for host in ["mutual.example", "optional.example"] {
        is_alice(&lent.ready(host, &tls).await?).context(host)?;
    }
    let seen = lent.ready("optional.example", &nobody).await?;
    ensure!(
        seen.get("x-client-cert-verified") == Some("none"),
        "{:?}",
        seen.headers
    );
    let seen = lent.ready("simple.example", &tls).await?;
    let told = |(name, _): &(String, String)| name.contains("client-cert") || name.starts_with("x-tls-");
    ensure!(!seen.headers.iter().any(told), "{:?}", seen.headers);
    ensure!(
        lent.ask(&nobody, "mutual.example", "mutual.example")
            .await
            .is_err()
    );
    let mut connection = Connection::open(lent.site.https, "simple.example", &tls).await?;
    let answer = connection
        .get("simple.example", "/old/a")
        .await?
        .context("it has ended")?;
    ensure!(answer.body.contains(" /new/a "), "{}", answer.body);
    // Held back by Envoy's own filter, which then answers it as it is asked to.
    let answer = connection
        .get("simple.example", "/late")
        .await?
        .context("it has ended")?;
    ensure!(answer.status == 418, "{}", answer.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_good_for_hosts_of_its_own_server() -> Result<()> {
    let lent = Lent::start().await?;
    let alice = alice(&lent.root)?;
    let tls = client(&[&alice], Version::H1, &[&TLS13], false)?;
    let hosts = ["simple.example", "mutual.example", "optional.example"];
    for sni in hosts {
        lent.ready(sni, &tls).await?;
        for host in hosts {
            let expected = if host == sni { 200 } else { 421 };
            let seen = lent.ask(&tls, sni, host).await?;
            ensure!(seen.status == expected, "{host} over {sni}: {}", seen.status);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_session_is_the_same_client() -> Result<()> {
    let lent = Lent::start().await?;
    let alice = alice(&lent.root)?;
    for protocol in [&TLS12, &TLS13] {
        let tls = client(&[&alice], Version::H1, &[protocol], true)?;
        lent.ready("mutual.example", &tls).await?;
        let mut resumed = 0;
        for _ in 0..4 {
            let mut connection = Connection::open(lent.site.https, "mutual.example", &tls).await?;
            resumed += usize::from(connection.is_resumed);
            is_alice(&ask_on(&mut connection, "mutual.example").await?)?;
        }
        ensure!(resumed > 0, "{:?}: nothing was resumed", protocol.version);
    }
    Ok(())
}

/// A route table may be ahead of its listener: there a client's own headers are still there, and lead nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_chooses_its_cluster() -> Result<()> {
    let lent = Lent::start().await?;
    let nobody = client(&[], Version::H1, &[&TLS13], false)?;
    lent.ready("simple.example", &nobody).await?;
    let forged = [
        ("x-sealgate-cluster", CLUSTER),
        ("x_sealgate_cluster", CLUSTER),
        ("x-client-cert-subject", "CN=root"),
        ("x-forwarded-client-cert", "Subject=\"CN=root\""),
    ];
    let mut connection = Connection::open_plain(lent.unguarded).await?;
    let answer = connection
        .get_with("elsewhere.test", "/", &forged)
        .await?
        .context("it has ended")?;
    ensure!(answer.status == 404, "{}: {}", answer.status, answer.body);
    let mut connection = Connection::open_plain(lent.site.http).await?;
    let answer = connection
        .get_with("elsewhere.test", "/", &forged)
        .await?
        .context("it has ended")?;
    ensure!(answer.status == 404, "{}: {}", answer.status, answer.body);
    let answer = connection
        .get_with("a.example", "/", &forged)
        .await?
        .context("it has ended")?;
    ensure!(answer.status == 200, "{}", answer.status);
    for (name, _) in forged {
        ensure!(!answer.body.to_lowercase().contains(name), "{}", answer.body);
    }
    Ok(())
}
