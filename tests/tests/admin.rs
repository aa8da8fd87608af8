//! Thousands of connections to the agent's admin port with incomplete requests do not affect the proxies: with 64
//! descriptors, probes are answered, certificates rotate and a new Envoy starts.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sealgate_tests::client::{self, Tls, Version, fetch};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{entry, gateway, virtual_service};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const HOST: &str = "www.aliyun.com";
const DESCRIPTORS: u32 = 64;
const HALVES: usize = 2000;
const SOON: Duration = Duration::from_secs(10);
/// In which a probe is answered and a rotation arrives, whoever else is there.
const PROMPT: Duration = Duration::from_secs(2);

/// So many connections with half a request each; those that the agent lets go stay in the list.
async fn halves(port: u16) -> Result<Vec<TcpStream>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    let mut streams = Vec::new();
    for _ in 0..HALVES {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: ").await;
        streams.push(stream);
    }
    Ok(streams)
}

async fn serial(site: &Site, tls: &Tls) -> Result<Vec<u8>> {
    let (_, certificate) = fetch(site.https, HOST, "/", tls).await?;
    Ok(certificate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_requests_take_no_descriptors_from_the_proxies() -> Result<()> {
    let mut site = Site::prepare().await?;
    site.descriptors = Some(DESCRIPTORS);
    let authority = Authority::new("CA")?;
    let rotate = |site: &Site| authority.leaf(&[HOST])?.write(&site.dir().join("edge"));
    rotate(&site)?;
    let rules = "  - route: [{destination: {host: app.local, port: {number: 80}}}]\n";
    let objects = [
        gateway("edge", ""),
        virtual_service("app", HOST, rules),
        entry("app", "app.local", 80, site.welcome),
    ];
    site.write("site.yaml", &objects.join("\n---\n"))?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    let tls = Tls::new(Version::H1, None)?;
    eventually("it serves", SOON, || async {
        serial(&site, &tls).await.map(drop)
    })
    .await?;
    let held = halves(site.admin).await?;
    let before = serial(&site, &tls).await?;
    rotate(&site)?;
    eventually("a rotation arrives", PROMPT, || async {
        let now = serial(&site, &tls).await?;
        ensure!(now != before, "the former certificate");
        Ok(())
    })
    .await?;
    eventually("a probe is answered", PROMPT, || async {
        let answer = client::fetch_plain(site.admin, "localhost", "/readyz").await?;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(())
    })
    .await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("a new Envoy serves", SOON, || async {
        serial(&site, &tls).await.map(drop)
    })
    .await?;
    let log = std::fs::read_to_string(site.agent_log())?;
    ensure!(!log.contains("Too many open files"), "{log}");
    ensure!(held.len() == HALVES, "{} half requests", held.len());
    Ok(())
}
