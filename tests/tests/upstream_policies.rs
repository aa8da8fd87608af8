//! `trafficPolicy` of DestinationRules, by what real upstreams see.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::{Answer, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of};
use sealgate_tests::origin::{self, OriginServer};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(20);

/// A gateway with a host for each upstream.
struct Stand {
    site: Site,
}

impl Stand {
    async fn start(flags: &[&str]) -> Result<Self> {
        let flags = flags.iter().map(ToString::to_string).collect();
        let site = Site::start_with(flags).await?;
        site.write(
            "gateway.yaml",
            &gateway_of("istio-system", "gateway", &plain_server(80, "*.test")),
        )?;
        Ok(Self { site })
    }

    /// `NAME.test` leads to these ports of this machine, as `NAME.origin`.
    fn route(&self, name: &str, ports: &[u16]) -> Result<()> {
        self.route_with(name, ports, "")
    }

    /// With something more in the rule.
    fn route_with(&self, name: &str, ports: &[u16], more: &str) -> Result<()> {
        let (host, service) = (format!("{name}.test"), format!("{name}.origin"));
        let to = format!("  - route: [{{destination: {{host: {service}}}}}]\n{more}");
        let routes = routes_of("istio-system", name, ("gateway", &host), &to);
        let mut service = entry(name, &service, 80, 1);
        let endpoints = ports
            .iter()
            .map(|port| format!("{{address: 127.0.0.1, ports: {{http: {port}}}}}"));
        let at = service.find("  endpoints").unwrap_or(service.len());
        service.truncate(at);
        let endpoints = endpoints.collect::<Vec<_>>().join(", ");
        let text = format!("{routes}{service}  endpoints: [{endpoints}]\n");
        self.site.write(&format!("{name}.yaml"), &text)
    }

    /// What the DestinationRule of `NAME.origin` says.
    fn policy(&self, name: &str, policy: &str) -> Result<()> {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}}}\n\
             spec:\n  host: {name}.origin\n  trafficPolicy: {policy}\n"
        );
        self.site.write(&format!("{name}-policy.yaml"), &text)
    }

    async fn get(&self, name: &str) -> Result<Answer> {
        fetch_plain(self.site.http, &format!("{name}.test"), "/").await
    }

    /// Waits until an answer holds this.
    async fn says(&self, name: &str, words: &str) -> Result<()> {
        let attempt = || async {
            let answer = self.get(name).await?;
            ensure!(
                answer.status == 200 && answer.body.contains(words),
                "{} {}",
                answer.status,
                answer.body
            );
            Ok(())
        };
        eventually(&format!("{name}: {words}"), SOON, attempt).await
    }

    async fn is_unavailable(&self, name: &str) -> Result<()> {
        let attempt = || async {
            let answer = self.get(name).await?;
            ensure!(answer.status == 503, "{} {}", answer.status, answer.body);
            Ok(())
        };
        eventually(&format!("{name} is not reached"), SOON, attempt).await
    }

    /// What `check` says of the object of this name.
    fn findings(&self, name: &str) -> Result<Vec<String>> {
        let (_, report) = self.site.check()?;
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        let own = findings.iter().filter(|finding| {
            finding["object"]
                .as_str()
                .is_some_and(|object| object.ends_with(name))
        });
        Ok(own.map(ToString::to_string).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_goes_to_another_endpoint_than_the_one_that_failed() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let good = OriginServer::start("good", None).await?;
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let own = "    retries: {attempts: 1, retryOn: connect-failure}\n";
    for (name, more) in [("default", ""), ("own", own)] {
        stand.route_with(name, &[closed, good.port], more)?;
        stand.says(name, "good").await?;
        for at in 0..100 {
            let answer = stand.get(name).await?;
            ensure!(answer.status == 200, "{name}, {at}: {}", answer.status);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_verifies_the_upstream_and_never_falls_back_to_plain_text() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let (authority, other) = (Authority::new("CA")?, Authority::new("other CA")?);
    let good = authority.leaf(&["good.test", "good.origin"])?;
    let secure = OriginServer::start("secure", Some(origin::tls(&good, None)?)).await?;
    let plain = OriginServer::start("plain", None).await?;
    authority.write(&stand.site.dir().join("upstream-cacert"))?;
    other.write(&stand.site.dir().join("other-cacert"))?;
    let simple = |more: &str| format!("{{tls: {{mode: SIMPLE, credentialName: upstream{more}}}}}");

    // The request's host is asked for and checked.
    stand.route("good", &[secure.port])?;
    stand.policy("good", &simple(""))?;
    stand.says("good", "secure connection=").await?;
    stand.says("good", "sni=good.test").await?;
    // Not in the certificate.
    stand.route("bad", &[secure.port])?;
    stand.policy("bad", &simple(""))?;
    stand.is_unavailable("bad").await?;
    stand.policy("bad", &simple(", subjectAltNames: [good.origin]"))?;
    stand.says("bad", "sni=bad.test").await?;
    stand.policy("bad", &simple(", sni: elsewhere.test"))?;
    stand.says("bad", "sni=elsewhere.test").await?;
    stand.policy(
        "bad",
        &simple(", sni: elsewhere.test, subjectAltNames: [wrong.test]"),
    )?;
    stand.is_unavailable("bad").await?;
    stand.policy("bad", &simple(", insecureSkipVerify: true"))?;
    stand.says("bad", "sni=bad.test").await?;

    // A Secret that is not there yet.
    stand.route("late", &[secure.port])?;
    stand.policy(
        "late",
        "{tls: {mode: SIMPLE, credentialName: late, subjectAltNames: [good.test]}}",
    )?;
    stand.is_unavailable("late").await?;
    authority.write(&stand.site.dir().join("late-cacert"))?;
    stand.says("late", "sni=late.test").await?;
    // Of another authority, and of public ones.
    for tls in ["credentialName: other", "sni: good.test"] {
        stand.policy("good", &format!("{{tls: {{mode: SIMPLE, {tls}}}}}"))?;
        stand.is_unavailable("good").await?;
        stand.policy("good", &simple(""))?;
        stand.says("good", "secure").await?;
    }
    // What cannot be had is no plain text either.
    stand.route("plain", &[plain.port])?;
    stand.says("plain", "plain connection=").await?;
    for tls in [
        "mode: ISTIO_MUTUAL",
        "mode: MUTUAL",
        "mode: SIMPLE, caCertificates: /a",
    ] {
        stand.policy("plain", &format!("{{tls: {{{tls}}}}}"))?;
        stand.is_unavailable("plain").await?;
        let before = plain.firsts().len();
        for _ in 0..3 {
            stand.is_unavailable("plain").await?;
        }
        let said = stand.findings("/plain")?;
        ensure!(said.iter().any(|said| said.contains("upstream-tls")), "{said:?}");
        ensure!(
            plain.firsts().len() == before,
            "{tls}: it was reached in plain text"
        );
        stand.policy("plain", "{tls: {mode: DISABLE}}")?;
        stand.says("plain", "plain connection=").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateways_own_certificate_and_the_authority_are_replaced_under_load() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let authority = Authority::new("CA")?;
    let leaf = authority.leaf(&["m.test"])?;
    let origin = OriginServer::start("mutual", Some(origin::tls(&leaf, Some(&authority))?)).await?;
    let folder = stand.site.dir().join("client");
    let first = authority.leaf(&["gateway.test"])?;
    first.write(&folder)?;
    authority.write(&folder)?;
    stand.route("m", &[origin.port])?;
    // A request a connection: so each shows what is served now.
    let policy = |credential: &str| {
        format!(
            "{{tls: {{mode: MUTUAL, credentialName: {credential}}}, connectionPool: {{http: {{maxRequestsPerConnection: 1}}}}}}"
        )
    };
    stand.policy("m", &policy("client"))?;
    stand.says("m", &format!("client={}", first.serial)).await?;

    let stand = Arc::new(stand);
    let over = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (stand, over) = (Arc::clone(&stand), Arc::clone(&over));
        async move {
            let (mut answers, mut seen) = (0_u32, BTreeSet::new());
            while !over.load(Ordering::Relaxed) {
                let answer = stand.get("m").await?;
                ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
                answers += 1;
                seen.extend(
                    answer
                        .body
                        .lines()
                        .next()
                        .and_then(|line| line.split("client=").nth(1))
                        .map(str::to_owned),
                );
            }
            Ok((answers, seen))
        }
    });
    for _ in 0..5 {
        let leaf = authority.leaf(&["gateway.test"])?;
        leaf.write(&folder)?;
        stand.says("m", &format!("client={}", leaf.serial)).await?;
    }
    // Another Secret, by another name.
    let next = authority.leaf(&["gateway.test"])?;
    next.write(&stand.site.dir().join("next"))?;
    authority.write(&stand.site.dir().join("next"))?;
    stand.policy("m", &policy("next"))?;
    stand.says("m", &format!("client={}", next.serial)).await?;
    // One that is not there: what was served is served on, and it is said.
    stand.policy("m", &policy("missing"))?;
    eventually("it is said", SOON, || async {
        let status = stand.site.status().await?.to_string();
        ensure!(
            status.contains("the previous TLS settings stay in use"),
            "{status}"
        );
        Ok(())
    })
    .await?;
    stand.says("m", &format!("client={}", next.serial)).await?;
    over.store(true, Ordering::Relaxed);
    let (answers, seen) = load.await??;
    ensure!(answers >= 7 && seen.len() >= 3, "{answers} answers, {seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_the_authorities_are_the_public_ones() -> Result<()> {
    let authority = Authority::new("public CA")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &authority.certificate)?;
    let stand = Stand::start(&[&format!("--public-ca={}", file.display())]).await?;
    let leaf = authority.leaf(&["public.test"])?;
    let origin = OriginServer::start("public", Some(origin::tls(&leaf, None)?)).await?;
    stand.route("public", &[origin.port])?;
    stand.policy("public", "{tls: {mode: SIMPLE}}")?;
    stand.says("public", "sni=public.test").await?;
    let stranger = Authority::new("private CA")?.leaf(&["stranger.test"])?;
    let stranger = OriginServer::start("stranger", Some(origin::tls(&stranger, None)?)).await?;
    stand.route("stranger", &[stranger.port])?;
    stand.policy("stranger", "{tls: {mode: SIMPLE}}")?;
    stand.is_unavailable("stranger").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balancing_pools_and_ejection_are_what_the_policy_says() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let (a, b) = (
        OriginServer::start("a", None).await?,
        OriginServer::start("b", None).await?,
    );

    // One after the other.
    stand.route("turns", &[a.port, b.port])?;
    stand.policy("turns", "{loadBalancer: {simple: ROUND_ROBIN}}")?;
    stand.says("turns", "a connection=").await?;
    eventually("they take turns", SOON, || async {
        let mut names = String::new();
        for _ in 0..8 {
            names.push_str(stand.get("turns").await?.body.get(..1).unwrap_or_default());
        }
        // Two workers take turns each; one connection is one worker's, and each request here has its own.
        let (first, second) = (names.matches('a').count(), names.matches('b').count());
        ensure!(first == 4 && second == 4, "{names}");
        Ok(())
    })
    .await?;

    // An endpoint that fails is left out after so many errors, and comes back.
    stand.route("sick", &[a.port, b.port])?;
    stand.policy(
        "sick",
        "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 2, interval: 100ms, \
         baseEjectionTime: 2s, maxEjectionPercent: 100}}",
    )?;
    stand.says("sick", "b connection=").await?;
    b.answer(500);
    eventually("it is left out", SOON, || async {
        for _ in 0..10 {
            let answer = stand.get("sick").await?;
            ensure!(
                answer.status == 200 && answer.body.starts_with('a'),
                "{} {}",
                answer.status,
                answer.body
            );
        }
        Ok(())
    })
    .await?;
    b.answer(200);
    stand.says("sick", "b connection=").await?;

    // A connection is closed after a request.
    let once = OriginServer::start("once", None).await?;
    stand.route("once", &[once.port])?;
    stand.policy("once", "{connectionPool: {http: {maxRequestsPerConnection: 1}}}")?;
    stand.says("once", "once connection=").await?;
    eventually("each request has its own", SOON, || async {
        let before = once.connections();
        for _ in 0..3 {
            stand.get("once").await?;
        }
        ensure!(
            once.connections() == before + 3,
            "{} after {before}",
            once.connections()
        );
        Ok(())
    })
    .await?;

    // Of HTTP/2 the first line is its preface.
    let two = OriginServer::start("two", None).await?;
    stand.route("two", &[two.port])?;
    stand.policy("two", "{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}")?;
    eventually("HTTP/2 is spoken", SOON, || async {
        let _ = stand.get("two").await;
        let firsts = two.firsts();
        ensure!(
            firsts.iter().any(|line| line.starts_with("PRI * HTTP/2.0")),
            "{firsts:?}"
        );
        Ok(())
    })
    .await?;

    // The client's address stands before everything else.
    let told = OriginServer::start("told", None).await?;
    stand.route("told", &[told.port])?;
    stand.policy("told", "{proxyProtocol: {version: V1}}")?;
    eventually("it is told", SOON, || async {
        let _ = stand.get("told").await;
        let firsts = told.firsts();
        ensure!(
            firsts
                .iter()
                .any(|line| line.starts_with("PROXY TCP4 127.0.0.1 ")),
            "{firsts:?}"
        );
        Ok(())
    })
    .await
}

/// The task "circuit breaking": more requests than a connection and a place to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beyond_the_pool_are_turned_away() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let slow = sealgate_tests::upstream::start().await?;
    stand.route("slow", &[slow])?;
    stand.policy(
        "slow",
        "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}}",
    )?;
    let site = &stand.site;
    eventually("it is served", SOON, || async {
        let answer = fetch_plain(site.http, "slow.test", "/hello").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok(())
    })
    .await?;
    eventually("the rest is turned away", SOON, || async {
        let requests = (0..10).map(|_| fetch_plain(site.http, "slow.test", "/delay/0.5"));
        let answers = futures::future::try_join_all(requests).await?;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        let (served, refused) = (count(200), count(503));
        // Envoy's limits are each worker's view of a shared count: a few more may slip through.
        ensure!(
            (1..=6).contains(&served) && served + refused == 10,
            "{served} served, {refused} turned away"
        );
        Ok(())
    })
    .await
}

/// A policy that is wrong is refused, and what it said before stands, or its TLS if it never said anything good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_wrong_changes_nothing() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let origin = OriginServer::start("own", None).await?;
    stand.route("own", &[origin.port])?;
    stand.policy("own", "{connectionPool: {http: {maxRequestsPerConnection: 1}}}")?;
    stand.says("own", "own connection=").await?;
    stand.policy("own", "{connectionPool: {http: {maxRequestsPerConnection: -1}}}")?;
    eventually("it is said", SOON, || async {
        let said = stand.findings("/own")?;
        ensure!(said.iter().any(|said| said.contains("bad-policy")), "{said:?}");
        let before = origin.connections();
        stand.get("own").await?;
        stand.get("own").await?;
        ensure!(origin.connections() == before + 2, "the former limit is gone");
        Ok(())
    })
    .await?;

    let new = OriginServer::start("new", None).await?;
    for policy in [
        "{tls: {mode: SIMPLE}, loadBalancer: {simple: MAGIC}}",
        "{tls: {mode: SIMPLE}, connectionPool: {tcp: {maxConnections: ten}}}",
        "{tls: {mode: [SIMPLE]}}",
        "{tls: {mode: SIMPLE}, portLevelSettings: 7}",
        "{portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE, sni: [a]}}]}",
    ] {
        // Nothing is known of it any more.
        for file in ["new.yaml", "new-policy.yaml"] {
            let path = stand.site.dir().join(file);
            let _ = std::fs::remove_file(path);
        }
        eventually("it is forgotten", SOON, || async {
            let answer = stand.get("new").await?;
            ensure!(answer.status == 404, "{}", answer.status);
            Ok(())
        })
        .await?;
        stand.policy("new", policy)?;
        stand.route("new", &[new.port])?;
        stand.is_unavailable("new").await?;
    }
    ensure!(new.firsts().is_empty(), "{:?}", new.firsts());
    Ok(())
}

/// While a destination gets TLS that it could not have before, no request goes out without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_in_plain_text_on_the_way_to_tls() -> Result<()> {
    let stand = Stand::start(&[]).await?;
    let plain = OriginServer::start("plain", None).await?;
    let authority = Authority::new("CA")?;
    let secret = |at: usize| format!("s{at}");
    for at in 0..6 {
        let folder = stand.site.dir().join(secret(at));
        authority.leaf(&["gateway.test"])?.write(&folder)?;
        authority.write(&folder)?;
    }
    stand.policy("flip", "{tls: {mode: ISTIO_MUTUAL}}")?;
    stand.route("flip", &[plain.port])?;
    stand.is_unavailable("flip").await?;
    let stand = Arc::new(stand);
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (stand, over) = (Arc::clone(&stand), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let _ = stand.get("flip").await;
                }
            })
        })
        .collect();
    for at in 0..6 {
        let mutual = format!("{{tls: {{mode: MUTUAL, credentialName: {}}}}}", secret(at));
        stand.policy("flip", &mutual)?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        stand.policy("flip", "{tls: {mode: ISTIO_MUTUAL}}")?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await?;
    }
    ensure!(plain.connections() > 0, "it was never reached at all");
    ensure!(plain.requests() == 0, "{:?}", plain.firsts());
    Ok(())
}
