//! No default ends an idle request: answers, uploads, WebSockets and gRPC streams wait as long as their rule says,
//! through the real Envoy.

mod exchanges;
mod patient;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::join_all;
use sealgate_tests::client::{Tls, Version};
use sealgate_tests::edge::{WAYS, Way};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::{Site, free_port};

use self::exchanges::{Client, Exchange};

const SOON: Duration = Duration::from_secs(20);
/// Envoy's own `stream_idle_timeout` and many a proxy's `request_timeout` are 300 s.
const LONG: Duration = Duration::from_secs(310);
/// What shows that the exchanges work, in the time that an ordinary test has.
const SHORT: Duration = Duration::from_secs(2);
const EXCHANGES: [Exchange; 7] = [
    Exchange::LateAnswer("/report"),
    Exchange::LateAnswer("/none"),
    Exchange::Halves,
    Exchange::SlowUpload,
    Exchange::StalledUpload,
    Exchange::WebSocket,
    Exchange::Grpc,
];

struct Stand {
    site: Site,
    /// A port of a server of protocol GRPC, without TLS.
    grpc: u16,
}

impl Stand {
    async fn start(silence: Duration) -> Result<Self> {
        let site = Site::start().await?;
        Authority::new("CA")?
            .leaf(&["server.test"])?
            .write(&site.dir().join("edge"))?;
        let grpc = free_port()?;
        let servers = plain_server(80, "*")
            + &tls_server("server.test", "mode: SIMPLE, credentialName: edge")
            + &plain_server(grpc, "*").replace("protocol: HTTP}", "protocol: GRPC}");
        let to = |host: &str| {
            format!("    route: [{{destination: {{host: {host}.test, port: {{number: 80}}}}}}]\n")
        };
        let rule = |prefix: &str, timeout: &str, host: &str| {
            format!(
                "  - match: [{{uri: {{prefix: /{prefix}}}}}]\n{timeout}{}",
                to(host)
            )
        };
        let rules = [
            rule("report", "    timeout: 900s\n", "h1"),
            rule("upload", "    timeout: 3600s\n", "h1"),
            rule("grpc.", "", "h2"),
            // Of the rest nothing is said: those have no limit.
            format!("  -\n{}", to("h1")),
        ];
        let h2 = entry("h2", "h2.test", 80, patient::start(Version::H2, silence).await?);
        let services = [
            entry("h1", "h1.test", 80, patient::start(Version::H1, silence).await?),
            h2.replace("protocol: HTTP}", "protocol: GRPC}"),
        ];
        let objects = gateway_of("istio-system", "edge", &servers)
            + &routes_of("istio-system", "all", ("edge", "server.test"), &rules.concat())
            + &services.join("---\n");
        site.write("objects.yaml", &objects)?;
        Ok(Self { site, grpc })
    }

    fn client(&self, way: Way) -> Result<Client> {
        Ok(Client {
            port: if way.secure {
                self.site.https
            } else {
                self.site.http
            },
            tls: way.secure.then(|| Tls::new(way.version, None)).transpose()?,
            version: way.version,
        })
    }

    fn grpc(&self) -> Client {
        Client {
            port: self.grpc,
            tls: None,
            version: Version::H2,
        }
    }

    /// Each kind of exchange in each way that it can be had.
    fn all(&self) -> Result<Vec<(String, Client, Exchange)>> {
        let mut all = Vec::new();
        for way in WAYS {
            for exchange in EXCHANGES.into_iter().filter(|own| own.has(way.version)) {
                let name = format!("{} {}: {exchange:?}", way.scheme(), way.protocol());
                all.push((name, self.client(way)?, exchange));
            }
        }
        all.push((
            "a server of protocol GRPC".to_owned(),
            self.grpc(),
            Exchange::Grpc,
        ));
        Ok(all)
    }
}

#[expect(clippy::print_stderr, reason = "how long each of them was silent")]
/// All at the same time, as they would otherwise take their time one after the other.
async fn waits(silence: Duration) -> Result<()> {
    let stand = Stand::start(silence).await?;
    for way in WAYS {
        let client = stand.client(way)?;
        eventually("all is served", SOON, || client.is_served()).await?;
    }
    let grpc = stand.grpc();
    eventually("the port of gRPC is served", SOON, || grpc.is_served()).await?;
    let all = stand.all()?;
    let count = all.len();
    let run = async |(name, client, exchange): (String, Client, Exchange)| {
        let start = Instant::now();
        let result = exchange.run(&client, silence).await;
        let took = start.elapsed();
        let result = result.and_then(|()| {
            ensure!(took >= silence, "nothing waited");
            Ok(())
        });
        (name, took, result)
    };
    let mut failed = Vec::new();
    for (name, took, result) in join_all(all.into_iter().map(run)).await {
        let line = match &result {
            Ok(()) => format!("{name}: good after {took:.1?}"),
            Err(error) => format!("{name}: after {took:.1?}: {error:#}"),
        };
        eprintln!("{line}");
        failed.extend(result.is_err().then_some(line));
    }
    ensure!(
        failed.is_empty(),
        "{} of {count} failed: {failed:#?}",
        failed.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_silent_for_a_moment_goes_on() -> Result<()> {
    waits(SHORT).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "waits five minutes"]
async fn what_is_silent_for_five_minutes_goes_on() -> Result<()> {
    waits(LONG).await
}
