//! HTTP/3 by annotation, with the real Envoy and a client that is not Envoy's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_core::names;
use sealgate_tests::client::{self, Answer, Connection, Tls, Version};
use sealgate_tests::front::say;
use sealgate_tests::http3::{self, QuicConnection, QuicTls};
use sealgate_tests::manifests::{entry, plain_server, routes_of, tls_server};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};
use serde_json::Value;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(20);
/// Who is refused is told so, or nobody is there.
const REFUSED: Duration = Duration::from_secs(2);
const HOST: &str = "a.test";
/// Within a wildcard with HTTP/3, and of a Gateway without.
const WITHOUT: &str = "b.wild.test";
const MUTUAL: &str = "mutual.test";
const ALT_SVC: &str = "h3=\":443\"; ma=86400";
const FORGED: &str = "forged-by-the-client";
const ROTATIONS: usize = 10;

const RULES: &str = "  - match: [{uri: {prefix: /api}}]
    route: [{destination: {host: api.test, port: {number: 80}}}]
  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /, redirectCode: 308}
  - match: [{uri: {prefix: /own}}]
    headers: {response: {set: {alt-svc: clear}}}
    route: [{destination: {host: app.test, port: {number: 80}}}]
  - route: [{destination: {host: app.test, port: {number: 80}}}]
";

/// A Gateway with this annotation (`name: value`), and these servers.
fn gateway(name: &str, annotations: &str, servers: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: istio-system, \
         annotations: {{{annotations}}}}}\nspec:\n  selector: {{istio: ingressgateway}}\n  servers:\n{servers}---\n"
    )
}

const WITH: &str = "sealgate.dev/http3: \"true\"";

struct Bed {
    site: Site,
    authority: Authority,
    client: Leaf,
    quic: QuicTls,
    h2: Tls,
}

impl Bed {
    /// Servers with HTTP/3 in the Gateway `with`, of these annotations, and a server of a Gateway without.
    async fn start(annotations: &str) -> Result<Self> {
        let site = Site::start_with(vec!["--on-demand-from=0".to_owned()]).await?;
        let authority = Authority::new("CA")?;
        let clients = Authority::new("clients")?;
        let dir = site.dir();
        let (app, api) = (echo::start("app").await?, echo::start("api").await?);
        authority.leaf(&[HOST, "*.wild.test"])?.write(&dir.join("edge"))?;
        authority.leaf(&[WITHOUT])?.write(&dir.join("without"))?;
        authority.leaf(&[MUTUAL])?.write(&dir.join("mutual"))?;
        clients.write(&dir.join("mutual-cacert"))?;
        let of = |gateway, host| routes_of("istio-system", gateway, (gateway, host), RULES);
        let objects = [
            entry("app", "app.test", 80, app),
            "---\n".to_owned(),
            entry("api", "api.test", 80, api),
            "---\n".to_owned(),
            of("with", "*"),
            of("without", "*"),
        ];
        site.write("objects.yaml", &objects.concat())?;
        let bed = Self {
            client: clients.leaf(&["client"])?,
            quic: QuicTls::new(None)?,
            h2: Tls::new(Version::H2, None)?,
            authority,
            site,
        };
        bed.gateways(annotations)?;
        eventually("HTTP/2 is served", SOON, || async {
            for host in [HOST, WITHOUT] {
                let answer = bed.by_h2(host, "/").await?;
                ensure!(answer.status == 200, "{host}: {}", answer.status);
            }
            Ok(())
        })
        .await?;
        Ok(bed)
    }

    fn gateways(&self, annotations: &str) -> Result<()> {
        let with = [
            tls_server(HOST, "mode: SIMPLE, credentialName: edge"),
            tls_server("*.wild.test", "mode: SIMPLE, credentialName: edge"),
            tls_server(MUTUAL, "mode: MUTUAL, credentialName: mutual"),
            plain_server(80, HOST),
        ];
        let without = tls_server(WITHOUT, "mode: SIMPLE, credentialName: without");
        let all = gateway("with", annotations, &with.concat()) + &gateway("without", "", &without);
        self.site.write("gateways.yaml", &all)
    }

    async fn by_h2(&self, host: &str, path: &str) -> Result<Answer> {
        Ok(client::fetch(self.site.https, host, path, &self.h2).await?.0)
    }

    async fn by_h3(&self, host: &str, path: &str) -> Result<Answer> {
        Ok(http3::fetch(self.site.https, host, path, &self.quic).await?.0)
    }

    async fn speaks_h3(&self, host: &str) -> Result<()> {
        eventually(&format!("{host} by HTTP/3"), SOON, || async {
            let answer = self.by_h3(host, "/").await?;
            ensure!(answer.status == 200, "{}", answer.status);
            Ok(())
        })
        .await
    }

    /// No handshake succeeds, with or without a certificate.
    async fn is_silent(&self, host: &str) -> Result<()> {
        for tls in [&self.quic, &QuicTls::new(Some(&self.client))?] {
            let open = QuicConnection::open_within(self.site.https, host, tls, REFUSED).await;
            ensure!(open.is_err(), "{host} speaks HTTP/3");
        }
        Ok(())
    }

    /// What is said of servers without HTTP/3, by field.
    async fn said(&self) -> Result<Vec<(String, String)>> {
        let status = self.site.status().await?;
        let all = status["refusals"].as_array().context("no findings")?;
        let own = all.iter().filter(|finding| finding["code"] == "no-http3");
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        Ok(own
            .map(|finding| (text(finding, "field"), text(finding, "message")))
            .collect())
    }

    async fn listeners(&self) -> Result<String> {
        self.site.envoy_page("/listeners").await
    }
}

fn alt_svc(answer: &Answer) -> Option<&str> {
    answer.headers.get("alt-svc")?.to_str().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_come_by_http3_as_by_http2_where_it_is_asked_for() -> Result<()> {
    let bed = Bed::start(WITH).await?;
    for host in [HOST, "c.wild.test"] {
        bed.speaks_h3(host).await?;
        for path in ["/", "/api/x", "/moved", "/own"] {
            let (two, three) = (bed.by_h2(host, path).await?, bed.by_h3(host, path).await?);
            let told = (two.status, two.body.lines().next(), two.headers.get("location"));
            let same = (
                three.status,
                three.body.lines().next(),
                three.headers.get("location"),
            );
            ensure!(
                told == same,
                "{host}{path}: {told:?} by HTTP/2, {same:?} by HTTP/3"
            );
            // A rule has the last word.
            let expected = if path == "/own" { "clear" } else { ALT_SVC };
            for answer in [&two, &three] {
                ensure!(
                    alt_svc(answer) == Some(expected),
                    "{host}{path}: {:?}",
                    answer.headers
                );
            }
        }
    }
    let moved = bed.by_h3(HOST, "/moved").await?;
    ensure!(moved.status == 308, "{}", moved.status);

    // Of others nobody is told, and nobody answers for them: neither whoever has a wider name, nor by another certificate.
    let answer = bed.by_h2(WITHOUT, "/").await?;
    ensure!(alt_svc(&answer).is_none(), "{:?}", answer.headers);
    let plain = client::fetch_plain(bed.site.http, HOST, "/").await?;
    ensure!(
        plain.status == 200 && alt_svc(&plain).is_none(),
        "{:?}",
        plain.headers
    );
    let identified = Tls::new(Version::H2, Some(&bed.client))?;
    let (answer, _) = client::fetch(bed.site.https, MUTUAL, "/", &identified).await?;
    ensure!(
        answer.status == 200 && alt_svc(&answer).is_none(),
        "{:?}",
        answer.headers
    );
    for host in [WITHOUT, MUTUAL, "nobody.test"] {
        bed.is_silent(host).await?;
    }
    let said = bed.said().await?;
    let [(field, message)] = said.as_slice() else {
        anyhow::bail!("{said:?}");
    };
    ensure!(field == "spec.servers[2].tls.mode", "{field}");
    ensure!(
        message.contains(MUTUAL) && message.contains("client certificates"),
        "{message}"
    );

    // What a host demands of connections holds here too: nobody comes to it on a connection to another server.
    let mut open = QuicConnection::open(bed.site.https, HOST, &bed.quic).await?;
    let answer = open.get(MUTUAL, "/").await?;
    ensure!(answer.status == 421, "{}", answer.status);
    // A session may be resumed, and no request comes before its handshake is done.
    let tickets = http3::early_data(bed.site.https, HOST).await?;
    ensure!(
        !tickets.is_empty() && tickets.iter().all(|bytes| *bytes == 0),
        "{tickets:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_annotation_and_connections_over_tcp_stay() -> Result<()> {
    let bed = Bed::start("").await?;
    let mut other = Connection::open(bed.site.https, WITHOUT, &bed.h2).await?;
    bed.is_silent(HOST).await?;
    ensure!(
        !bed.listeners().await?.contains("-http3"),
        "{}",
        bed.listeners().await?
    );
    for _ in 0..2 {
        bed.gateways(WITH)?;
        bed.speaks_h3(HOST).await?;
        ensure!(alt_svc(&bed.by_h2(HOST, "/").await?) == Some(ALT_SVC));
        bed.gateways("sealgate.dev/http3: \"false\"")?;
        eventually("the listener is gone", SOON, || async {
            let listeners = bed.listeners().await?;
            ensure!(!listeners.contains("-http3"), "{listeners}");
            let answer = bed.by_h2(HOST, "/").await?;
            ensure!(alt_svc(&answer).is_none(), "{:?}", answer.headers);
            Ok(())
        })
        .await?;
        bed.is_silent(HOST).await?;
    }
    // A word that is none keeps what there is, and is named.
    bed.gateways(WITH)?;
    bed.speaks_h3(HOST).await?;
    bed.gateways("sealgate.dev/http3: \"yes\"")?;
    eventually("it is said", SOON, || async {
        let status = bed.site.status().await?;
        ensure!(status.to_string().contains("bad-http3"), "{status}");
        Ok(())
    })
    .await?;
    bed.speaks_h3(HOST).await?;
    let answer = other.get(WITHOUT, "/").await?;
    let answer = answer.context("the connection of another server ended")?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_demand_or_without_tls_1_3_have_none_and_are_named() -> Result<()> {
    let bed = Bed::start(WITH).await?;
    bed.speaks_h3(HOST).await?;
    bed.gateways(&format!("{WITH}, sealgate.dev/certificates: onDemand"))?;
    eventually("it is said", SOON, || async {
        let said = bed.said().await?;
        let demanded = said.iter().filter(|(_, message)| message.contains("on demand"));
        ensure!(demanded.count() == 2 && said.len() == 3, "{said:?}");
        ensure!(!bed.listeners().await?.contains("-http3"));
        Ok(())
    })
    .await?;
    bed.is_silent(HOST).await?;
    let answer = bed.by_h2(HOST, "/").await?;
    ensure!(
        answer.status == 200 && alt_svc(&answer).is_none(),
        "{:?}",
        answer.headers
    );

    let old = tls_server(
        HOST,
        "mode: SIMPLE, credentialName: edge, maxProtocolVersion: TLSV1_2",
    );
    bed.site.write("gateways.yaml", &gateway("with", WITH, &old))?;
    eventually("it is said", SOON, || async {
        let said = bed.said().await?;
        let [(field, message)] = said.as_slice() else {
            anyhow::bail!("{said:?}");
        };
        ensure!(field == "spec.servers[0].tls.maxProtocolVersion" && message.contains("TLS 1.3"));
        Ok(())
    })
    .await?;
    bed.is_silent(HOST).await
}

/// As many servers as others would share a chain: with HTTP/3 each keeps its own, whoever comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_others_take_no_http3_away() -> Result<()> {
    let mut bed = Bed::start(WITH).await?;
    bed.site.kill_agent();
    bed.site.flags = vec!["--on-demand-from=3".to_owned()];
    bed.site.start_agent().await?;
    let many: String = (0..5)
        .map(|at| {
            tls_server(
                &format!("many-{at}.test"),
                "mode: SIMPLE, credentialName: without",
            )
        })
        .collect();
    bed.site.write("many.yaml", &gateway("many", "", &many))?;
    eventually("others share a chain", SOON, || async {
        let page = bed
            .site
            .envoy_page("/config_dump?resource=dynamic_listeners")
            .await?;
        ensure!(page.contains("on-demand/"), "{page}");
        Ok(())
    })
    .await?;
    bed.speaks_h3(HOST).await?;
    bed.is_silent("many-1.test").await
}

/// Requests that were sent, and those that failed.
#[derive(Debug, Default)]
struct Totals {
    over: AtomicBool,
    sent: AtomicU64,
    failed: AtomicU64,
    /// Handshakes that failed for a rotation.
    crossed: AtomicU64,
}

/// A new connection; none if its handshake crossed a rotation. Envoy 1.40 takes the certificate and the key for QUIC one after
/// the other, and may sign with the new key for the old certificate.
async fn opened(port: u16, tls: &QuicTls) -> Result<Option<QuicConnection>> {
    match QuicConnection::open(port, HOST, tls).await {
        Err(error) if format!("{error:#}").contains("BadSignature") => Ok(None),
        open => open.map(Some),
    }
}

/// Asks on a connection that it keeps, or on new ones.
async fn asks(port: u16, tls: QuicTls, keeps: bool, totals: Arc<Totals>) -> Result<()> {
    let mut kept: Option<QuicConnection> = None;
    while !totals.over.load(Ordering::Relaxed) {
        let mut open = match kept.take().filter(|open| !open.is_over()) {
            Some(open) => open,
            None => match opened(port, &tls).await? {
                Some(open) => open,
                None => {
                    totals.crossed.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            },
        };
        let answer = open.get(HOST, "/api").await;
        totals.sent.fetch_add(1, Ordering::Relaxed);
        if !answer.is_ok_and(|answer| answer.status == 200 && answer.body.starts_with("api\n")) {
            totals.failed.fetch_add(1, Ordering::Relaxed);
        }
        kept = Some(open).filter(|_| keeps);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_http3_and_no_request_fails() -> Result<()> {
    let bed = Bed::start(WITH).await?;
    bed.speaks_h3(HOST).await?;
    let totals = Arc::new(Totals::default());
    let mut clients = JoinSet::new();
    for keeps in [true, false] {
        clients.spawn(asks(bed.site.https, bed.quic.clone(), keeps, Arc::clone(&totals)));
    }
    let mut kept = QuicConnection::open(bed.site.https, HOST, &bed.quic).await?;
    let updates = "/stats?filter=listener_manager.listener_(modified|in_place_updated|added)";
    let before = bed.site.envoy_page(updates).await?;
    for _ in 0..ROTATIONS {
        let leaf = bed.authority.leaf(&[HOST, "*.wild.test"])?;
        leaf.write(&bed.site.dir().join("edge"))?;
        eventually("the new certificate is shown", SOON, || async {
            let open = QuicConnection::open(bed.site.https, HOST, &bed.quic).await?;
            ensure!(open.leaf == leaf.der, "another certificate is shown");
            Ok(())
        })
        .await?;
        let (_, shown) = client::fetch(bed.site.https, HOST, "/", &bed.h2).await?;
        ensure!(shown == leaf.der, "another certificate is shown over TCP");
    }
    let after = bed.site.envoy_page(updates).await?;
    ensure!(before == after, "a listener was touched: {before} then {after}");
    // The connection of before all that is still there.
    ensure!(kept.get(HOST, "/").await?.status == 200 && !kept.is_over());
    totals.over.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (sent, failed, crossed) = (count(&totals.sent), count(&totals.failed), count(&totals.crossed));
    say(&format!(
        "{ROTATIONS} rotations, {sent} requests by HTTP/3, {failed} failed; {crossed} handshakes crossed a rotation"
    ));
    ensure!(failed == 0 && sent > 20, "{failed} of {sent} failed");
    ensure!(
        crossed <= ROTATIONS as u64,
        "{crossed} handshakes failed in {ROTATIONS} rotations"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_headers_are_taken_off_and_there_is_no_client_certificate() -> Result<()> {
    let told = "sealgate.dev/identity: \"{headers: [verified, subject]}\"";
    let bed = Bed::start(&format!("{WITH}, {told}")).await?;
    bed.speaks_h3(HOST).await?;
    let forged: Vec<String> = names::never_from_a_client().collect();
    for names in forged.chunks(20) {
        let headers: Vec<_> = names.iter().map(|name| (name.as_str(), FORGED)).collect();
        let mut two = Connection::open(bed.site.https, HOST, &bed.h2).await?;
        let two = two.get_with(HOST, "/", &headers).await?.context("no answer")?;
        let mut three = QuicConnection::open(bed.site.https, HOST, &bed.quic).await?;
        let three = three.get_with(HOST, "/", &headers).await;
        let three = three.with_context(|| format!("{names:?}"))?;
        ensure!(!three.body.contains(FORGED), "{}", three.body);
        let lines = |answer: &Answer| -> Vec<String> {
            let own = answer
                .body
                .lines()
                .filter(|line| !line.starts_with("x-request-id") && !line.starts_with("transfer-encoding"));
            own.map(str::to_owned).collect()
        };
        ensure!(
            three.status == 200 && lines(&two) == lines(&three),
            "by HTTP/2 {:?}, by HTTP/3 {:?}",
            lines(&two),
            lines(&three)
        );
    }
    let answer = bed.by_h3(HOST, "/").await?;
    ensure!(
        answer.body.contains("x-client-cert-verified: none"),
        "{}",
        answer.body
    );
    ensure!(!answer.body.contains("x-client-cert-subject"), "{}", answer.body);
    Ok(())
}
