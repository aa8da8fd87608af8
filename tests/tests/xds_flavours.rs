//! The real Envoy gets the same certificate in every variant of the protocol, also after the agent was killed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version, fetch};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand, sotw};
use sealgate_tests::manifests::{HELLO, gateway, services, virtual_service};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(15);
/// Less than the 15 s of an initial fetch timeout: what takes longer has waited for an answer that did not come.
const AT_ONCE: Duration = Duration::from_secs(5);
const CREDENTIAL: &str = "edge";
const HOST: &str = "a.aliyun.com";

async fn shown(site: &Site, host: &str, leaf: &Leaf) -> Result<()> {
    let tls = Tls::new(Version::H1, None)?;
    let attempt = || async {
        let open = Connection::open(site.https, host, &tls).await?;
        ensure!(open.leaf == leaf.der, "an older certificate is shown");
        Ok(())
    };
    eventually(&format!("{host} shows serial {}", leaf.serial), SOON, attempt).await
}

async fn answered(site: &Site) -> Result<()> {
    let tls = Tls::new(Version::H1, None)?;
    let attempt = || async {
        let (answer, _) = fetch(site.https, HOST, "/hello", &tls).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    };
    eventually("the route is served", SOON, attempt).await
}

fn write_site(site: &Site) -> Result<()> {
    site.write("gateway.yaml", &gateway(CREDENTIAL, ""))?;
    site.write("hello.yaml", &virtual_service("hello", HOST, HELLO))?;
    site.write("services.yaml", &services(site.welcome, site.httpbin))
}

/// Rotations before and after the agent is killed, on each of the hosts.
async fn rotates(site: &mut Site, hosts: &[&str]) -> Result<()> {
    let authority = Authority::new("CA")?;
    let folder = site.dir().join(CREDENTIAL);
    let mut leaf = None;
    for killed in [false, false, true] {
        if killed {
            site.kill_agent();
            for host in hosts {
                shown(site, host, leaf.as_ref().unwrap_or(&authority.leaf(&[HOST])?)).await?;
            }
            site.start_agent().await?;
        }
        let next = authority.leaf(&[HOST])?;
        next.write(&folder)?;
        for host in hosts {
            shown(site, host, &next).await?;
        }
        leaf = Some(next);
    }
    Ok(())
}

async fn aggregated(edit: fn(&str) -> String) -> Result<()> {
    let mut site = Site::prepare().await?;
    write_site(&site)?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| edit(&bootstrap)).await?;
    rotates(&mut site, &[HOST]).await?;
    answered(&site).await?;
    cluster_changes(&site).await
}

/// A cluster that changes gets its endpoints although they do not.
async fn cluster_changes(site: &Site) -> Result<()> {
    let changed = services(site.welcome, site.httpbin).replace("protocol: HTTP}", "protocol: HTTP2}");
    site.write("services.yaml", &changed)?;
    let start = Instant::now();
    let attempt = || async {
        let active = site
            .envoy_page("/config_dump?resource=dynamic_active_clusters")
            .await?;
        ensure!(active.contains("http2_protocol_options"), "not active");
        Ok(())
    };
    eventually("the changed cluster is active", Duration::from_secs(25), attempt).await?;
    ensure!(start.elapsed() < AT_ONCE, "active after {:?}", start.elapsed());
    answered(site).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delta_on_one_aggregated_stream() -> Result<()> {
    aggregated(str::to_owned).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_the_world_on_one_aggregated_stream() -> Result<()> {
    aggregated(sotw).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_for_each_secret_of_a_listener_written_by_hand() -> Result<()> {
    let chains = [
        ("delta.test", "DELTA_GRPC", &[CREDENTIAL]),
        ("delta-kubernetes.test", "DELTA_GRPC", &["kubernetes://edge"]),
        ("sotw.test", "GRPC", &[CREDENTIAL]),
        ("sotw-kubernetes.test", "GRPC", &["kubernetes://edge"]),
    ];
    let hosts = chains.map(|(host, ..)| host);
    let chains = chains.map(|(host, api, certificates)| Chain {
        host: Some(host),
        api,
        certificates,
        trust: None,
    });
    let mut site = Site::prepare().await?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, site| by_hand(&bootstrap, site.https, &chains))
        .await?;
    rotates(&mut site, &hosts).await
}
