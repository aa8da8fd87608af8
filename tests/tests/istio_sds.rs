//! Certificates for a gateway of Istio, with the names and in the ways in which its Envoy asks for them.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::eventually;
use sealgate_tests::flavour::{Chain, by_hand};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(20);
const HOSTS: [&str; 3] = ["delta.test", "sotw.test", "kubernetes.test"];
/// As Envoy names Istio's clusters, and so, up to 1.30, the service that it asks.
const AUTHORITY: &str = "outbound|9000||sealgate-sds.internal";

async fn shown(site: &Site, leaf: &Leaf) -> Result<()> {
    for host in HOSTS {
        let tls = Tls::new(Version::H1, None)?;
        let attempt = || async {
            let open = Connection::open(site.https, host, &tls).await?;
            ensure!(open.leaf == leaf.der, "another certificate is shown");
            Ok(())
        };
        eventually(&format!("{host} shows serial {}", leaf.serial), SOON, attempt).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_secrets_alone_answers_a_service_with_a_cluster_for_a_name() -> Result<()> {
    let chains = [
        (HOSTS[0], "DELTA_GRPC", &["sds://edge"]),
        (HOSTS[1], "GRPC", &["sds://edge"]),
        (HOSTS[2], "GRPC", &["kubernetes://edge"]),
    ];
    let chains = chains.map(|(host, api, certificates)| Chain {
        host: Some(host),
        api,
        certificates,
        trust: None,
    });
    let mut site = Site::prepare().await?;
    site.flags.push("--only=secrets".to_owned());
    let authority = Authority::new("CA")?;
    let rotate = |site: &Site| -> Result<Leaf> {
        let leaf = authority.leaf(&HOSTS)?;
        leaf.write(&site.dir().join("edge"))?;
        Ok(leaf)
    };
    let leaf = rotate(&site)?;
    site.write("gateway.yaml", "kind: Gateway\nthis: is not read\n")?;
    site.start_agent().await?;
    let named = format!("envoy_grpc: {{ authority: \"{AUTHORITY}\", cluster_name");
    site.start_envoy(|bootstrap, site| {
        by_hand(&bootstrap, site.https, &chains).replace("envoy_grpc: { cluster_name", &named)
    })
    .await?;
    shown(&site, &leaf).await?;
    shown(&site, &rotate(&site)?).await?;

    // Pilot-agent deletes the socket; connections that there are go on, and new ones are possible again.
    fs::remove_file(site.socket())?;
    shown(&site, &rotate(&site)?).await?;
    let bound = || async {
        ensure!(site.socket().exists(), "it is not bound again");
        Ok(())
    };
    eventually("the socket is there", SOON, bound).await?;
    site.agent_says("the socket file was deleted; created it again")
        .await?;
    let modules = fs::read_dir(site.socket().parent().unwrap_or(&site.dir()))?
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_string_lossy().ends_with(".wasm"));
    ensure!(!modules, "a filter that nobody is told of");
    Ok(())
}
