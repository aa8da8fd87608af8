//! Certificates on demand, with the real Envoy: many servers on one filter chain, whose certificates it asks for when a
//! handshake needs them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version, fetch};
use sealgate_tests::eventually;
use sealgate_tests::hello;
use sealgate_tests::manifests::{HELLO, services, virtual_service};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(8);
/// A client that is refused does not wait for that.
const AT_ONCE: Duration = Duration::from_secs(1);
const EXACT: &str = "one.test";
const WILDCARD: &str = "*.wild.test";
/// By a server of its own, which demands a certificate; it lies within the wildcard.
const MUTUAL: &str = "mutual.wild.test";

/// A server of a Gateway.
fn server(host: &str, secret: &str, tls: &str) -> String {
    format!(
        "  - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: [{host:?}]\n    tls: {{mode: \
         {tls}, credentialName: {secret}}}\n"
    )
}

struct Bed {
    site: Site,
    authority: Authority,
    client: Leaf,
    exact: Leaf,
    wildcard: Leaf,
}

impl Bed {
    /// Three servers of one policy, and one that demands certificates.
    async fn start() -> Result<Self> {
        let site = Site::start_with(vec!["--on-demand-from=3".to_owned()]).await?;
        let authority = Authority::new("CA")?;
        let clients = Authority::new("clients")?;
        let bed = Self {
            client: clients.leaf(&["client"])?,
            exact: authority.leaf(&[EXACT])?,
            wildcard: authority.leaf(&[WILDCARD])?,
            authority,
            site,
        };
        let dir = bed.site.dir();
        bed.exact.write(&dir.join("one"))?;
        bed.wildcard.write(&dir.join("wild"))?;
        bed.authority.leaf(&["two.test"])?.write(&dir.join("two"))?;
        bed.authority.leaf(&[MUTUAL])?.write(&dir.join("mutual"))?;
        clients.write(&dir.join("mutual-cacert"))?;
        let route = virtual_service("hello", r#""*""#, HELLO);
        bed.site.write("route.yaml", &route)?;
        bed.site
            .write("services.yaml", &services(bed.site.welcome, bed.site.httpbin))?;
        bed.gateway("")?;
        eventually("the exact name is served", SOON, || bed.shows(EXACT, &bed.exact)).await?;
        Ok(bed)
    }

    fn gateway(&self, more: &str) -> Result<()> {
        self.gateway_of(&[
            server(EXACT, "one", "SIMPLE"),
            server(WILDCARD, "wild", "SIMPLE"),
            server("two.test", "two", "SIMPLE"),
            server(MUTUAL, "mutual", "MUTUAL"),
            more.to_owned(),
        ])
    }

    fn gateway_of(&self, servers: &[String]) -> Result<()> {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gateway, namespace: \
             istio-system}}\nspec:\n  selector: {{istio: ingressgateway}}\n  servers:\n{}",
            servers.concat()
        );
        self.site.write("gateway.yaml", &text)
    }

    async fn shows(&self, sni: &str, leaf: &Leaf) -> Result<()> {
        let shown = hello::shown(self.site.https, Some(sni.as_bytes())).await?;
        ensure!(shown == leaf.der, "{sni}: another certificate is shown");
        Ok(())
    }

    /// Nothing is shown, and that is said at once.
    async fn refuses(&self, sni: Option<&[u8]>) -> Result<()> {
        let start = Instant::now();
        let shown = hello::shown(self.site.https, sni).await;
        ensure!(shown.is_err(), "{sni:?}: a certificate is shown");
        ensure!(start.elapsed() < AT_ONCE, "{sni:?}: {:?}", start.elapsed());
        Ok(())
    }

    async fn on_demand(&self) -> Result<Value> {
        Ok(self.site.status().await?["onDemand"].clone())
    }

    /// Waits until every proxy has confirmed this leaf.
    async fn confirmed(&self, credential: &str, leaf: &Leaf) -> Result<f64> {
        let attempt = || async {
            let status = self.site.status().await?;
            let all = status["credentials"].as_array().context("credentials")?;
            let own = all.iter().find(|own| own["name"] == credential).context("none")?;
            ensure!(
                own["serial"] == leaf.serial && own["proxies"][0]["version"] == own["version"],
                "{own}"
            );
            own["rotationMs"].as_f64().with_context(|| own.to_string())
        };
        eventually(&format!("{credential} is confirmed"), SOON, attempt).await
    }

    async fn listener_updates(&self) -> Result<u64> {
        let filter = "/stats?filter=listener_manager.listener_(modified|in_place_updated|added)";
        let stats = self.site.envoy_page(filter).await?;
        let counts = stats
            .lines()
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(counts.sum())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_found_by_the_name_as_a_client_writes_it() -> Result<()> {
    let bed = Bed::start().await?;
    let chains = bed
        .site
        .envoy_page("/config_dump?resource=dynamic_listeners")
        .await?;
    ensure!(
        chains.contains("on-demand/") && !chains.contains("istio-system/gateway/0"),
        "{chains}"
    );
    for sni in [EXACT, "One.TEST", "one.test.", "ONE.test."] {
        bed.shows(sni, &bed.exact).await?;
    }
    for sni in ["a.wild.test", "b.a.wild.test", "A.Wild.Test"] {
        bed.shows(sni, &bed.wildcard).await?;
    }
    let unknown = [
        Some(&b"three.test"[..]),
        Some(b"wild.test"),
        Some(b"one.test:443"),
        Some(b"*.wild.test"),
        Some(b"one..test"),
        Some(b"\xff\xfe.wild.test"),
        Some("ä.wild.test".as_bytes()),
        None,
    ];
    for sni in unknown {
        bed.refuses(sni).await?;
    }
    let counts = bed.on_demand().await?;
    // Bytes that are no host's never reach the agent: Envoy could not be told that nobody has them.
    ensure!(counts["resident"] == 7 && counts["unknown"] == 4, "{counts}");
    let tls = Tls::new(Version::H2, None)?;
    for host in [EXACT, "a.wild.test"] {
        let (answer, _) = fetch(bed.site.https, host, "/hello", &tls).await?;
        ensure!(answer.status == 200, "{host}: {} {}", answer.status, answer.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_arrives_and_is_confirmed() -> Result<()> {
    let bed = Bed::start().await?;
    bed.shows("a.wild.test", &bed.wildcard).await?;
    bed.shows("b.wild.test", &bed.wildcard).await?;
    let port = bed.site.https;
    let load = tokio::spawn(async move {
        let mut count = 0_u32;
        loop {
            let name = [EXACT, "a.wild.test", "b.wild.test"][(count % 3) as usize];
            if let Err(error) = hello::shown(port, Some(name.as_bytes())).await {
                return (count, error.context(name));
            }
            count += 1;
        }
    });
    for round in 0..10 {
        let renewed = [bed.authority.leaf(&[EXACT])?, bed.authority.leaf(&[WILDCARD])?];
        renewed[0].write(&bed.site.dir().join("one"))?;
        renewed[1].write(&bed.site.dir().join("wild"))?;
        for (name, leaf) in [(EXACT, 0), ("a.wild.test", 1), ("b.wild.test", 1)] {
            eventually(name, SOON, || bed.shows(name, &renewed[leaf])).await?;
        }
        for (name, leaf) in [("istio-system/one", 0), ("istio-system/wild", 1)] {
            let took = bed.confirmed(name, &renewed[leaf]).await?;
            ensure!(took < 1000.0, "round {round}: {name} took {took} ms");
        }
        ensure!(!load.is_finished(), "{:?}", load.await?);
    }
    load.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_comes_and_goes_without_the_listener() -> Result<()> {
    let bed = Bed::start().await?;
    let before = bed.listener_updates().await?;
    let late = bed.authority.leaf(&["late.test"])?;
    bed.gateway(&server("late.test", "late", "SIMPLE"))?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.refuses(Some(b"late.test"))
        .await
        .context("its Secret is not there yet")?;
    late.write(&bed.site.dir().join("late"))?;
    eventually("the late one", SOON, || bed.shows("late.test", &late)).await?;

    // The last good version stays for as long as somebody names it.
    std::fs::remove_dir_all(bed.site.dir().join("late"))?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    bed.shows("late.test", &late)
        .await
        .context("its Secret is gone")?;
    bed.shows("LATE.test", &late)
        .await
        .context("its Secret is gone, and it is asked for anew")?;
    bed.gateway("")?;
    eventually("the late one is gone", SOON, || bed.refuses(Some(b"late.test"))).await?;
    bed.shows(EXACT, &bed.exact).await?;
    ensure!(
        bed.listener_updates().await? == before,
        "a host changed the listener"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_holds_outlives_the_agent() -> Result<()> {
    let mut bed = Bed::start().await?;
    bed.shows("a.wild.test", &bed.wildcard).await?;
    let port = bed.site.https;
    let load = tokio::spawn(async move {
        loop {
            for name in [EXACT, "a.wild.test"] {
                if let Err(error) = hello::shown(port, Some(name.as_bytes())).await {
                    return error.context(name);
                }
            }
        }
    });
    for _ in 0..3 {
        bed.site.kill_agent();
        tokio::time::sleep(Duration::from_secs(1)).await;
        bed.site.start_agent().await?;
        eventually("names are held again", SOON, || async {
            let counts = bed.on_demand().await?;
            ensure!(counts["resident"] == 2, "{counts}");
            Ok(())
        })
        .await?;
        let renewed = bed.authority.leaf(&[EXACT])?;
        renewed.write(&bed.site.dir().join("one"))?;
        eventually("the renewed one", SOON, || bed.shows(EXACT, &renewed)).await?;
        bed.confirmed("istio-system/one", &renewed).await?;
        ensure!(!load.is_finished(), "{:?}", load.await?);
    }
    load.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_good_for_hosts_of_its_own_policy() -> Result<()> {
    let bed = Bed::start().await?;
    for version in [Version::H1, Version::H2] {
        let (nobody, client) = (Tls::new(version, None)?, Tls::new(version, Some(&bed.client))?);
        eventually("the mutual one", SOON, || async {
            let (answer, _) = fetch(bed.site.https, MUTUAL, "/hello", &client).await?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
            Ok(())
        })
        .await?;
        ensure!(
            fetch(bed.site.https, MUTUAL, "/hello", &nobody).await.is_err(),
            "without a certificate"
        );
        for (sni, tls, expected) in [
            (EXACT, &nobody, [200, 200, 200, 421]),
            ("a.wild.test", &nobody, [200, 200, 200, 421]),
            (MUTUAL, &client, [421, 421, 421, 200]),
        ] {
            let mut connection = Connection::open(bed.site.https, sni, tls).await?;
            for (host, status) in [EXACT, "two.test", "b.wild.test", MUTUAL]
                .into_iter()
                .zip(expected)
            {
                let answer = connection.get(host, "/hello").await?.context("it ended")?;
                ensure!(
                    answer.status == status,
                    "{version:?} {sni} {host}: {}",
                    answer.status
                );
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_demand_certificates_can_share_a_chain_too() -> Result<()> {
    let bed = Bed::start().await?;
    let mutual = "MUTUAL, caCertCredentialName: mutual";
    let servers = [("one.test", "one"), ("two.test", "two"), ("*.wild.test", "wild")];
    bed.gateway_of(&servers.map(|(host, secret)| server(host, secret, mutual)))?;
    let (nobody, client) = (
        Tls::new(Version::H2, None)?,
        Tls::new(Version::H2, Some(&bed.client))?,
    );
    let stranger = Tls::new(Version::H2, Some(&Authority::new("others")?.leaf(&["client"])?))?;
    for host in ["one.test", "two.test", "a.wild.test"] {
        eventually(host, SOON, || async {
            ensure!(
                fetch(bed.site.https, host, "/hello", &nobody).await.is_err(),
                "without a certificate"
            );
            ensure!(
                fetch(bed.site.https, host, "/hello", &stranger).await.is_err(),
                "a stranger's"
            );
            let (answer, _) = fetch(bed.site.https, host, "/hello", &client).await?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
            Ok(())
        })
        .await?;
    }
    let chains = bed
        .site
        .envoy_page("/config_dump?resource=dynamic_listeners")
        .await?;
    ensure!(
        chains.contains("on-demand/") && !chains.contains("istio-system/gateway/0"),
        "{chains}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_names_leave_nothing_behind() -> Result<()> {
    let bed = Bed::start().await?;
    let flood = async |from: u32, count: u32| {
        let mut tasks = tokio::task::JoinSet::new();
        for at in from..from + count {
            let port = bed.site.https;
            tasks.spawn(async move {
                hello::shown(port, Some(format!("n{at}.nobody").as_bytes()))
                    .await
                    .is_err()
            });
            if tasks.len() >= 32 {
                ensure!(
                    tasks.join_next().await.context("none")??,
                    "a certificate is shown"
                );
            }
        }
        while let Some(refused) = tasks.join_next().await {
            ensure!(refused?, "a certificate is shown");
        }
        Ok(())
    };
    flood(0, 500).await?;
    let before = bed.site.agent_memory()?;
    flood(500, 2000).await?;
    bed.shows(EXACT, &bed.exact).await?;
    let counts = bed.on_demand().await?;
    ensure!(counts["resident"] == 1 && counts["unknown"] == 2500, "{counts}");
    let after = bed.site.agent_memory()?;
    ensure!(
        after < before + 1024 * 1024,
        "the agent grew from {before} to {after} bytes"
    );
    let log = std::fs::read_to_string(bed.site.agent_log())?;
    ensure!(!log.contains("nobody"), "names of strangers are logged");
    Ok(())
}

/// `cargo test --release ... -- --ignored --nocapture`, with SEALGATE_BIN of a release build.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints what a resident name costs the agent"]
#[expect(clippy::print_stdout, reason = "the figure is what people run this test for")]
async fn what_a_resident_name_costs() -> Result<()> {
    const NAMES: u32 = 5000;
    let bed = Bed::start().await?;
    let servers: Vec<_> = (0..NAMES)
        .map(|at| server(&format!("n{at}.test"), "wild", "SIMPLE"))
        .collect();
    bed.gateway_of(&servers)?;
    eventually("it is there", SOON, || bed.shows("n0.test", &bed.wildcard)).await?;
    let before = bed.site.agent_memory()?;
    let start = Instant::now();
    for at in 0..NAMES {
        bed.shows(&format!("n{at}.test"), &bed.wildcard).await?;
    }
    let count = u64::from(NAMES);
    let counts = bed.on_demand().await?;
    let grown = bed.site.agent_memory()? - before;
    println!(
        "{counts}; {} bytes a name; {:?} for all",
        grown / count,
        start.elapsed()
    );
    Ok(())
}
