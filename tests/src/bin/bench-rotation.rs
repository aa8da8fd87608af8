//! How long a rotation takes: file written to new handshake through Sealgate, beside the floor (the same resource
//! pushed by the same server at a moment that it knows) and Envoy's own file-based SDS. Interleaved, medians.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sealgate_tests::bench::floor::Floor;
use sealgate_tests::bench::{self, Times, say, shown};
use sealgate_tests::client::{Tls, Version};
use sealgate_tests::manifests::gateway;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Envoy, Site, free_port};
use serde_json::json;
use tempfile::TempDir;

const HOST: &str = "a.aliyun.com";
const SECRET: &str = "aliyun-com";

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
    shown(site.https, HOST, &leaf, tls).await
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
    shown(file_port, HOST, &first, &tls).await.context("files")?;
    for site in [&few, &many] {
        rotate(site, &authority, &tls).await?;
    }
    let memory = [few.agent_memory()?, many.agent_memory()?];
    let before = [few.agent_processor_time()?, many.agent_processor_time()?];
    let [mut ours, mut ours_many, mut floors, mut theirs, mut handshakes] = [const { Times::new() }; 5];
    for _ in 0..rounds {
        ours.push(rotate(&few, &authority, &tls).await?);
        floors.push(floor.rotate(&authority.leaf(&["*.aliyun.com"])?, &tls).await?);
        let leaf = authority.leaf(&["*.aliyun.com"])?;
        replace(&files.path().join("pem"), &leaf)?;
        theirs.push(shown(file_port, HOST, &leaf, &tls).await?);
        // Nothing changed: what cannot be undercut. The rows above come in multiples of it.
        handshakes.push(shown(file_port, HOST, &leaf, &tls).await?);
        ours_many.push(rotate(&many, &authority, &tls).await?);
    }
    let after = [few.agent_processor_time()?, many.agent_processor_time()?];
    let cpu = [0, 1].map(|at| (after[at] - before[at]).as_secs_f64() * 1000.0 / f64::from(rounds));
    bench::head(rounds);
    ours.row("file to handshake, Sealgate, 10 present");
    ours_many.row("file to handshake, Sealgate, 1,000 present");
    floors.row("push to handshake, the floor");
    theirs.row("file to handshake, Envoy's own SDS");
    handshakes.row("a handshake by itself");
    say(&format!(
        "agent: CPU per rotation {:.2} ms with 10, {:.2} ms with 1,000",
        cpu[0], cpu[1]
    ));
    say(&format!(
        "agent: memory {:.1} MB with 10 ({:.2} MB of PEM), {:.1} MB with 1,000 ({:.2} MB of PEM)",
        memory[0] as f64 / 1e6,
        few_bytes as f64 / 1e6,
        memory[1] as f64 / 1e6,
        many_bytes as f64 / 1e6
    ));
    let figures = json!({"sealgate_p50_ms": ours.p50(), "sealgate_p99_ms": ours.p99(), "floor_p50_ms": floors.p50(),
        "floor_p99_ms": floors.p99(), "file_p50_ms": theirs.p50(), "file_p99_ms": theirs.p99(), "handshake_p50_ms": handshakes.p50(),
        "sealgate_1000_p50_ms": ours_many.p50(), "cpu_ms_10": cpu[0], "cpu_ms_1000": cpu[1], "rss_10": memory[0],
        "rss_1000": memory[1], "pem_10": few_bytes, "pem_1000": many_bytes});
    let ratios = json!({"p50_vs_floor": ours.p50() / floors.p50(), "p99_vs_floor": ours.p99() / floors.p99(),
        "p50_vs_file": ours.p50() / theirs.p50(), "p50_1000_vs_10": ours_many.p50() / ours.p50()});
    say(&json!({"bench": "rotation", "ratios": ratios, "figures": figures}).to_string());
    Ok(())
}
