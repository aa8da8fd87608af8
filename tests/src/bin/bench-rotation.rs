//! How long a rotation takes: file written to new handshake through Sealgate, beside the floor (the same resource
//! pushed by the same server at a moment that it knows) and Envoy's own file-based SDS. Interleaved, medians.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_agent::config::Gateway;
use sealgate_agent::engine::Engine;
use sealgate_agent::source::SourceEvent;
use sealgate_agent::source::directory::DirectorySource;
use sealgate_agent::source::manifest::Namespaces;
use sealgate_agent::translate::Settings;
use sealgate_agent::xds::{self, proxies::Proxies, socket, wanted::Wanted};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::manifests::gateway;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Envoy, Site, free_port};
use serde_json::json;
use tempfile::TempDir;

const HOST: &str = "a.aliyun.com";
const SECRET: &str = "aliyun-com";

fn say(line: &str) {
    // A closed standard output must not end the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn shown(port: u16, leaf: &Leaf, tls: &Tls) -> Result<Duration> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if Connection::open(port, HOST, tls)
            .await
            .is_ok_and(|open| open.leaf == leaf.der)
        {
            return Ok(start.elapsed());
        }
    }
    anyhow::bail!("serial {} is not shown", leaf.serial)
}

/// The floor: an engine of our own, fed in this process.
struct Floor {
    engine: Engine,
    folder: TempDir,
    port: u16,
    _envoy: Option<Envoy>,
}

impl Floor {
    async fn start(leaf: &Leaf) -> Result<Self> {
        let folder = TempDir::new()?;
        let (port, admin) = (free_port()?, free_port()?);
        let objects = folder.path().join("objects");
        leaf.write(&objects.join(SECRET))?;
        fs::write(objects.join("gateway.yaml"), gateway(SECRET, ""))?;
        let module = std::env::var("SEALGATE_BIN")
            .map(|agent| Path::new(&agent).with_file_name("sealgate_filter.wasm"))?;
        let gateway = Gateway {
            namespace: "istio-system".to_owned(),
            labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
            strict_names: false,
            refuse_expired: false,
            port_map: [(443, port), (80, free_port()?)].into(),
        };
        let (engine, snapshots) = Engine::new(Settings {
            gateway,
            listen: "127.0.0.1".to_owned(),
            module,
        });
        let path = folder.path().join("xds.sock");
        let bound = socket::bind(&socket::SocketConfig {
            path: path.clone(),
            mode: 0o600,
            group: None,
        })?;
        let options = xds::Options {
            namespace: "istio-system".to_owned(),
            wanted: Wanted::default(),
            drain: Duration::ZERO,
        };
        tokio::spawn(xds::serve(
            bound,
            snapshots,
            Proxies::default(),
            options,
            std::future::pending(),
        ));
        let bootstrap = std::process::Command::new(std::env::var("SEALGATE_BIN")?)
            .args(["bootstrap", "--admin-port", &admin.to_string(), "--socket"])
            .arg(&path)
            .output()?;
        let mut floor = Self {
            engine,
            folder,
            port,
            _envoy: None,
        };
        floor.push()?;
        let bootstrap = String::from_utf8(bootstrap.stdout)?;
        floor._envoy = Some(Envoy::start(floor.folder.path(), &bootstrap, admin).await?);
        Ok(floor)
    }

    /// Everything is read and checked before the moment that is measured.
    fn push(&mut self) -> Result<Instant> {
        let source = DirectorySource {
            root: self.folder.path().join("objects"),
            namespaces: Namespaces {
                gateway: "istio-system".to_owned(),
                other: "default",
            },
            settled: |_| true,
        };
        let entries = source.read_once()?;
        let now = Instant::now();
        self.engine.apply([SourceEvent::Reset(entries)], now);
        Ok(now)
    }
}

/// Envoy's own way: it watches the files itself.
async fn by_files(folder: &Path, port: u16) -> Result<Envoy> {
    let admin = free_port()?;
    let pem = folder.join("pem");
    let sds = format!(
        "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  name: s\n  tls_certificate:\n    certificate_chain: {{filename: {0}/tls.crt}}\n    private_key: {{filename: {0}/tls.key}}\n    watched_directory: {{path: {0}}}\n",
        pem.display()
    );
    fs::write(folder.join("sds.yaml"), sds)?;
    let bootstrap = format!(
        r#"node: {{id: files, cluster: files}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: files
          route_config: {{virtual_hosts: [{{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, direct_response: {{status: 200}}}}]}}]}}
          http_filters: [{{name: router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificate_sds_secret_configs:
            - name: s
              sds_config: {{path_config_source: {{path: {}}}}}
"#,
        folder.join("sds.yaml").display()
    );
    Envoy::start(folder, &bootstrap, admin).await
}

/// By rename: Envoy's own watcher sees nothing else.
fn replace(folder: &Path, leaf: &Leaf) -> Result<()> {
    for (name, text) in [("tls.key", &leaf.key), ("tls.crt", &leaf.certificate)] {
        let new = folder.join(format!("{name}.new"));
        fs::write(&new, text)?;
        fs::rename(new, folder.join(name))?;
    }
    Ok(())
}

fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort();
    let at = ((times.len().saturating_sub(1)) as f64 * share).round() as usize;
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// A site with this many certificates, and the bytes of their PEM.
async fn site(certificates: usize, authority: &Authority) -> Result<(Site, u64)> {
    let site = Site::start().await?;
    let mut bytes = 0;
    for at in 0..certificates {
        let name = if at == 0 {
            SECRET.to_owned()
        } else {
            format!("other-{at}")
        };
        let leaf = authority.leaf(&["*.aliyun.com"])?;
        bytes += leaf.certificate.len() + leaf.key.len();
        leaf.write(&site.dir().join(name))?;
    }
    site.write("gateway.yaml", &gateway(SECRET, ""))?;
    Ok((site, bytes as u64))
}

async fn rotate(site: &Site, authority: &Authority, tls: &Tls) -> Result<Duration> {
    let leaf = authority.leaf(&["*.aliyun.com"])?;
    leaf.write(&site.dir().join(SECRET))?;
    shown(site.https, &leaf, tls).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 40 } else { 300 };
    let authority = Authority::new("Bench CA")?;
    let tls = Tls::new(Version::H2, None)?;
    let (few, few_bytes) = site(10, &authority).await?;
    let (many, many_bytes) = site(1000, &authority).await?;
    let first = authority.leaf(&["*.aliyun.com"])?;
    let mut floor = Floor::start(&first).await?;
    let files = TempDir::new()?;
    let file_port = free_port()?;
    first.write(&files.path().join("pem"))?;
    let _file_envoy = by_files(files.path(), file_port).await?;
    shown(file_port, &first, &tls).await.context("files")?;
    shown(floor.port, &first, &tls).await.context("floor")?;
    for site in [&few, &many] {
        rotate(site, &authority, &tls).await?;
    }
    let usage = [few.agent_usage()?, many.agent_usage()?];
    let (mut ours, mut ours_many, mut floors, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(rotate(&few, &authority, &tls).await?);
        let leaf = authority.leaf(&["*.aliyun.com"])?;
        leaf.write(&floor.folder.path().join("objects").join(SECRET))?;
        let pushed = floor.push()?;
        shown(floor.port, &leaf, &tls).await?;
        floors.push(pushed.elapsed());
        let leaf = authority.leaf(&["*.aliyun.com"])?;
        replace(&files.path().join("pem"), &leaf)?;
        theirs.push(shown(file_port, &leaf, &tls).await?);
        ours_many.push(rotate(&many, &authority, &tls).await?);
    }
    let spent = [
        few.agent_usage()?.1 - usage[0].1,
        many.agent_usage()?.1 - usage[1].1,
    ];
    ensure!(!ours.is_empty(), "no rounds");
    say(&format!(
        "{rounds} interleaved rounds, milliseconds             p50     p99"
    ));
    let row = |name: &str, times: &mut Vec<Duration>| {
        let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
        say(&format!("{name:<44}{p50:>9.2}{p99:>8.2}"));
        (p50, p99)
    };
    let a = row("file to handshake, Sealgate, 10 present", &mut ours);
    let many_row = row("file to handshake, Sealgate, 1,000 present", &mut ours_many);
    let b = row("push to handshake, the floor", &mut floors);
    let c = row("file to handshake, Envoy's own SDS", &mut theirs);
    let cpu: Vec<f64> = spent
        .iter()
        .map(|time| time.as_secs_f64() * 1000.0 / f64::from(rounds))
        .collect();
    say(&format!(
        "agent: CPU per rotation {:.2} ms with 10, {:.2} ms with 1,000",
        cpu[0], cpu[1]
    ));
    say(&format!(
        "agent: memory {:.1} MB with 10 ({:.2} MB of PEM), {:.1} MB with 1,000 ({:.2} MB of PEM)",
        usage[0].0 as f64 / 1e6,
        few_bytes as f64 / 1e6,
        usage[1].0 as f64 / 1e6,
        many_bytes as f64 / 1e6
    ));
    let figures = json!({"sealgate_p50_ms": a.0, "sealgate_p99_ms": a.1, "floor_p50_ms": b.0, "floor_p99_ms": b.1,
        "file_p50_ms": c.0, "file_p99_ms": c.1, "sealgate_1000_p50_ms": many_row.0, "cpu_ms_10": cpu[0], "cpu_ms_1000": cpu[1],
        "rss_10": usage[0].0, "rss_1000": usage[1].0, "pem_10": few_bytes, "pem_1000": many_bytes});
    let ratios = json!({"p50_vs_floor": a.0 / b.0, "p99_vs_floor": a.1 / b.1, "p50_vs_file": a.0 / c.0, "p50_1000_vs_10": many_row.0 / a.0});
    say(&json!({"bench": "rotation", "ratios": ratios, "figures": figures}).to_string());
    Ok(())
}
