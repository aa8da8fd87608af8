//! Connections that are routed as a whole: TLS that is passed through by server name, TLS that the gateway terminates,
//! and TCP. Real agent, real Envoy, real TLS upstreams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Connection, Tls, Version};
use sealgate_tests::eventually;
use sealgate_tests::lines::{self, Line};
use sealgate_tests::manifests::{self, HELLO, entry, gateway, gateway_of, virtual_service};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, free_port};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

/// Servers that pass TLS for these hosts through, for [`gateway`] and [`gateway_of`].
fn passthrough(protocol: &str, hosts: &str) -> String {
    format!(
        "  - port: {{number: 443, name: tls, protocol: {protocol}}}\n    hosts: [{hosts}]\n    tls: {{mode: PASSTHROUGH}}\n"
    )
}

/// A VirtualService of a namespace with this list of rules (`tls` or `tcp`).
fn streams(namespace: &str, name: &str, (gateway, hosts): (&str, &str), list: &str, rules: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: [{hosts}]
  gateways: [{gateway}]
  {list}:
{rules}---
"
    )
}

fn tls_rule(names: &str, service: &str) -> String {
    format!(
        "  - match: [{{sniHosts: [{names}]}}]\n    route: [{{destination: {{host: {service}, port: {{number: 443}}}}}}]\n"
    )
}

/// Two upstreams with TLS of their own, and what they show.
struct Upstreams {
    one: Leaf,
    two: Leaf,
    /// Their ServiceEntries: `one.local` and `two.local`, port 443.
    entries: String,
}

impl Upstreams {
    async fn start() -> Result<Self> {
        let authority = Authority::new("theirs")?;
        let (one, two) = (authority.leaf(&["one.local"])?, authority.leaf(&["two.local"])?);
        let ports = (
            lines::start("one", Some(&one)).await?,
            lines::start("two", Some(&two)).await?,
        );
        let entries = [("one", ports.0), ("two", ports.1)];
        let entries = entries.map(|(name, port)| entry(name, &format!("{name}.local"), 443, port) + "---\n");
        Ok(Self {
            one,
            two,
            entries: entries.concat(),
        })
    }
}

/// A gateway with the host `a.aliyun.com` beside, and its certificate.
async fn site(flags: &[&str], servers: &str) -> Result<(Site, Leaf)> {
    let site = Site::start_with(flags.iter().map(ToString::to_string).collect()).await?;
    let leaf = Authority::new("CA")?.leaf(&["*.aliyun.com"])?;
    leaf.write(&site.dir().join("edge"))?;
    site.write("gateway.yaml", &gateway("edge", servers))?;
    site.write("hello.yaml", &virtual_service("hello", "a.aliyun.com", HELLO))?;
    let welcome = manifests::entry("welcome", "welcome.local", 80, site.welcome);
    site.write("welcome.yaml", &welcome)?;
    Ok((site, leaf))
}

async fn goes_to(site: &Site, host: &str, upstream: &str, leaf: &Leaf) -> Result<Line> {
    let line = Line::open(site.https, host, &Tls::new(Version::H1, None)?).await?;
    ensure!(line.upstream == upstream, "{host} goes to {}", line.upstream);
    ensure!(
        line.leaf == leaf.der,
        "{host} shows another certificate than {upstream}'s"
    );
    Ok(line)
}

async fn says_hello(site: &Site) -> Result<()> {
    let mut https = Connection::open(site.https, "a.aliyun.com", &Tls::new(Version::H2, None)?).await?;
    let answer = https.get("a.aliyun.com", "/hello").await?.context("no answer")?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(())
}

/// An open connection to the HTTPS host answers, and is not told to end.
async fn stays_open(https: &mut Connection) -> Result<()> {
    let answer = https.get("a.aliyun.com", "/hello").await?;
    let answer = answer.context("HTTPS was closed")?;
    ensure!(
        answer.status == 200 && !https.is_over(),
        "HTTPS ends: {}",
        answer.status
    );
    Ok(())
}

/// The codes of findings, with their fields.
fn findings(report: &Value) -> Vec<String> {
    let all = report["findings"].as_array().into_iter().flatten();
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    all.map(|finding| {
        format!(
            "{} {} {}",
            word(finding, "code"),
            word(finding, "object"),
            word(finding, "field")
        )
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_passes_through_by_server_name() -> Result<()> {
    let upstreams = Upstreams::start().await?;
    let servers =
        passthrough("TLS", "\"*.pass.test\"") + &passthrough("HTTPS", "\"*.aliyun.com\", single.test");
    // The host that HTTPS has stays its own, and the rest of that server is served.
    let (site, edge) = site(&[], &servers).await?;
    site.write("services.yaml", &upstreams.entries)?;
    let rules = [
        tls_rule("\"*.pass.test\"", "two.local"),
        tls_rule("a.pass.test, A.Upper.pass.test", "one.local"),
        tls_rule("lost.pass.test", "lost.local"),
    ];
    let routes = streams(
        "default",
        "pass",
        ("istio-system/gateway", "\"*.pass.test\""),
        "tls",
        &rules.concat(),
    );
    let single = tls_rule("single.test", "one.local");
    let single = streams(
        "default",
        "single",
        ("istio-system/gateway", "single.test"),
        "tls",
        &single,
    );
    site.write("routes.yaml", &(routes + &single))?;
    for (host, upstream, leaf) in [
        ("a.pass.test", "one", &upstreams.one),
        ("a.upper.pass.test", "one", &upstreams.one),
        ("b.pass.test", "two", &upstreams.two),
        ("single.test", "one", &upstreams.one),
    ] {
        let open = || goes_to(&site, host, upstream, leaf);
        eventually(host, SOON, open).await?.echo("through").await?;
    }
    for host in ["lost.pass.test", "unknown.test"] {
        let open = Line::open(site.https, host, &Tls::new(Version::H1, None)?).await;
        ensure!(open.is_err(), "{host} goes somewhere");
    }

    let tls = Tls::new(Version::H2, None)?;
    let mut https = Connection::open(site.https, "a.aliyun.com", &tls).await?;
    ensure!(https.leaf == edge.der, "HTTPS shows another certificate");
    let answer = https.get("a.aliyun.com", "/hello").await?.context("no answer")?;
    ensure!(answer.status == 200, "{}", answer.status);
    let answer = https.get("a.pass.test", "/hello").await?.context("no answer")?;
    ensure!(
        answer.status == 421,
        "a host that is passed through: {}",
        answer.status
    );

    let said = findings(&site.check()?.1);
    let expected = [
        "host-collision Gateway istio-system/gateway spec.servers[3].hosts[0]",
        "unknown-destination VirtualService default/pass spec.tls[2].route[0].destination",
    ];
    ensure!(said == expected, "{said:#?}");
    let folder = site.dir().display().to_string();
    for (host, cluster, code) in [
        ("a.pass.test", "\"outbound|443||one.local\"", Some(0)),
        ("unknown.pass.test", "\"outbound|443||two.local\"", Some(0)),
        ("other.single.test", "notFound", Some(1)),
    ] {
        let output = site.sealgate(&["explain", "--json", "--dir", &folder, &format!("https://{host}/")])?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(
            text.contains(cluster) && output.status.code() == code,
            "{host}: {text}"
        );
    }
    let logged = || async {
        let log = std::fs::read_to_string(site.envoy_log())?;
        let line = log
            .lines()
            .find(|line| line.contains(" a.pass.test outbound|443||one.local "));
        ensure!(line.is_some(), "{log}");
        Ok(())
    };
    eventually("the connection is in the access log", SOON, logged).await
}

/// How often the listener was made anew, as a whole and in part.
async fn listener_updates(site: &Site) -> Result<BTreeMap<String, u64>> {
    let page = site
        .envoy_page("/stats?filter=listener_manager.listener_(modified|in_place_updated)")
        .await?;
    let lines = page.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, count)| Ok((name.to_owned(), count.parse()?)))
        .collect()
}

fn weighted(one: u32, two: u32) -> String {
    let rule = format!(
        "  - match: [{{sniHosts: [a.pass.test]}}]
    route:
    - {{destination: {{host: one.local, port: {{number: 443}}}}, weight: {one}}}
    - {{destination: {{host: two.local, port: {{number: 443}}}}, weight: {two}}}
"
    );
    streams(
        "default",
        "a",
        ("istio-system/gateway", "a.pass.test"),
        "tls",
        &rule,
    )
}

/// To whom so many connections go.
async fn tally(site: &Site, count: usize) -> Result<BTreeMap<String, usize>> {
    let mut tally = BTreeMap::new();
    for _ in 0..count {
        let line = Line::open(site.https, "a.pass.test", &Tls::new(Version::H1, None)?).await?;
        *tally.entry(line.upstream).or_default() += 1;
    }
    Ok(tally)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_and_changes_of_one_route_leave_other_connections_alone() -> Result<()> {
    let upstreams = Upstreams::start().await?;
    let (site, _) = site(&[], &passthrough("TLS", "\"*.pass.test\"")).await?;
    site.write("services.yaml", &upstreams.entries)?;
    let other = tls_rule("b.pass.test", "two.local");
    site.write(
        "b.yaml",
        &streams(
            "default",
            "b",
            ("istio-system/gateway", "b.pass.test"),
            "tls",
            &other,
        ),
    )?;
    site.write("a.yaml", &weighted(1, 3))?;
    let both = || async {
        goes_to(&site, "b.pass.test", "two", &upstreams.two).await?;
        says_hello(&site).await?;
        let tally = tally(&site, 10).await?;
        ensure!(tally.len() == 2, "{tally:?}");
        Ok(())
    };
    eventually("all routes are there", SOON, both).await?;
    let shares = tally(&site, 200).await?;
    // 50 are expected of the first, and 30 to 70 come about but once in a thousand times.
    ensure!((25..=75).contains(&shares["one"]), "{shares:?}");

    let tls = Tls::new(Version::H2, None)?;
    let mut https = Connection::open(site.https, "a.aliyun.com", &tls).await?;
    let mut same = Line::open(site.https, "a.pass.test", &tls).await?;
    let mut beside = Line::open(site.https, "b.pass.test", &tls).await?;
    let before = listener_updates(&site).await?;
    let (site, stop) = (Arc::new(site), Arc::new(AtomicBool::new(false)));
    let load = tokio::spawn({
        let (site, stop) = (Arc::clone(&site), Arc::clone(&stop));
        async move {
            let mut opened = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut own = tally(&site, 1).await.context("under load")?;
                opened += own.pop_first().map_or(0, |(_, count)| count);
            }
            anyhow::Ok(opened)
        }
    });
    for (one, two) in [(0, 1), (1, 0), (1, 1), (0, 1)] {
        site.write("a.yaml", &weighted(one, two))?;
        let shares = || async {
            let tally = tally(&site, 20).await?;
            let expected = usize::from(one > 0) + usize::from(two > 0);
            ensure!(tally.len() == expected, "{tally:?}");
            Ok(())
        };
        eventually("the new weights", SOON, shares).await?;
        stays_open(&mut https).await?;
        beside.echo("beside").await.context("another host's connection")?;
        same.echo("same")
            .await
            .context("the changed route's connection")?;
    }
    stop.store(true, Ordering::Relaxed);
    let opened = load.await??;
    ensure!(opened > 20, "{opened} connections alone");
    let after = listener_updates(&site).await?;
    ensure!(
        after == before,
        "new weights change the listener: {before:?}, then {after:?}"
    );

    // A host's first rule makes a filter chain, and its last one takes it away: of the listener nothing else changes.
    let third = streams(
        "default",
        "c",
        ("istio-system/gateway", "c.pass.test"),
        "tls",
        &tls_rule("c.pass.test", "one.local"),
    );
    site.write("c.yaml", &third)?;
    let mut gone = eventually("a new host", SOON, || {
        goes_to(&site, "c.pass.test", "one", &upstreams.one)
    })
    .await?;
    site.write("c.yaml", "")?;
    let closed = || async {
        let open = Line::open(site.https, "c.pass.test", &Tls::new(Version::H1, None)?).await;
        ensure!(open.is_err(), "the host is still served");
        Ok(())
    };
    eventually("a host that is gone", SOON, closed).await?;
    stays_open(&mut https).await?;
    beside.echo("beside").await.context("another host's connection")?;
    same.echo("same").await.context("the connection from before")?;
    gone.echo("gone")
        .await
        .context("the connection of the host that is gone, while it is drained")?;
    let last = listener_updates(&site).await?;
    // Envoy counts each change as one of the listener, and those of filter chains alone once more.
    let expected: BTreeMap<_, _> = after.into_iter().map(|(name, count)| (name, count + 2)).collect();
    ensure!(last == expected, "{last:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_where_tls_ends_at_the_gateway() -> Result<()> {
    let ends = |host: &str, mode: &str, name: &str| {
        format!(
            "  - port: {{number: 443, name: tls, protocol: TLS}}\n    hosts: [{host}]\n    tls: {{mode: {mode}, credentialName: {name}}}\n"
        )
    };
    let servers = ends("t.ends.test", "SIMPLE", "ends") + &ends("m.ends.test", "MUTUAL", "ends");
    let (site, _) = site(&[], &servers).await?;
    let authority = Authority::new("ours")?;
    let leaf = authority.leaf(&["*.ends.test"])?;
    leaf.write(&site.dir().join("ends"))?;
    authority.write(&site.dir().join("ends-cacert"))?;
    let plain = lines::start("plain", None).await?;
    site.write("services.yaml", &entry("plain", "plain.local", 9000, plain))?;
    let rule = "  - route: [{destination: {host: plain.local, port: {number: 9000}}}]\n";
    site.write(
        "routes.yaml",
        &streams(
            "default",
            "ends",
            ("istio-system/gateway", "\"*.ends.test\""),
            "tcp",
            rule,
        ),
    )?;

    let mut line = eventually("TLS ends", SOON, || goes_to(&site, "t.ends.test", "plain", &leaf)).await?;
    says_hello(&site).await?;
    let anonymous = Line::open(site.https, "m.ends.test", &Tls::new(Version::H1, None)?).await;
    ensure!(anonymous.is_err(), "a client without a certificate is taken");
    let client = authority.leaf(&["client.test"])?;
    let known =
        || async { Line::open(site.https, "m.ends.test", &Tls::new(Version::H1, Some(&client))?).await };
    let mut known = eventually("a client with a certificate is taken", SOON, known).await?;
    known.echo("known").await?;

    let renewed = authority.leaf(&["*.ends.test"])?;
    renewed.write(&site.dir().join("ends"))?;
    let shown = || goes_to(&site, "t.ends.test", "plain", &renewed);
    eventually("the renewed certificate is shown", SOON, shown).await?;
    line.echo("older than the certificate").await?;
    known.echo("likewise").await?;
    let said = findings(&site.check()?.1);
    ensure!(said.is_empty(), "{said:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_for_tcp_goes_to_one_service() -> Result<()> {
    let port = free_port()?;
    let (site, _) = site(&["--envoy-limits=tcp-idle=2s"], "").await?;
    let tcp = format!("  - port: {{number: {port}, name: tcp, protocol: TCP}}\n    hosts: [\"*\"]\n");
    // The second one comes too late, whatever its host.
    site.write("tcp.yaml", &gateway_of("istio-system", "tcp", &tcp))?;
    let (first, second) = (
        lines::start("first", None).await?,
        lines::start("second", None).await?,
    );
    let entries =
        entry("first", "first.local", 9000, first) + "---\n" + &entry("second", "second.local", 9000, second);
    site.write("services.yaml", &entries)?;
    let to = |blocks: &str, service: &str| {
        format!(
            "  - match: [{blocks}]\n    route: [{{destination: {{host: {service}.local, port: {{number: 9000}}}}}}]\n"
        )
    };
    let routes = |first: &str| {
        let rules = to("{port: 1}", "second")
            + &to(&format!("{{port: {port}, gateways: [istio-system/tcp]}}"), first);
        streams("default", "tcp", ("istio-system/tcp", "tcp.test"), "tcp", &rules)
    };
    site.write("routes.yaml", &routes("first"))?;
    let goes = |upstream: &'static str| async move {
        let line = Line::open_plain(port).await?;
        ensure!(line.upstream == upstream, "{}", line.upstream);
        Ok(line)
    };
    let mut line = eventually("TCP goes to the first", SOON, || goes("first")).await?;
    line.echo("bytes").await?;
    site.write("routes.yaml", &routes("second"))?;
    eventually("TCP goes to the second", SOON, || goes("second")).await?;
    line.echo("on the older connection").await?;
    line.closed().await.context("it is idle")?;
    says_hello(&site).await?;

    let late = gateway_of("istio-system", "zz-late", &tcp.replace("\"*\"", "late.test"));
    site.write("late.yaml", &late)?;
    let said = findings(&site.check()?.1);
    let expected = ["host-collision Gateway istio-system/zz-late spec.servers[0].hosts[0]"];
    let said: Vec<_> = said
        .iter()
        .filter(|own| !own.starts_with("dropped-match"))
        .collect();
    ensure!(said == expected, "{said:#?}");
    goes("second").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_team_gets_no_server_name_that_one_has() -> Result<()> {
    let upstreams = Upstreams::start().await?;
    let (site, _) = site(&["--tenancy=namespaces"], "").await?;
    site.write("services.yaml", &upstreams.entries)?;
    let own = gateway_of("team-a", "own", &passthrough("TLS", "\"*.shop.test\""));
    let name = ("team-a/own", "a.shop.test");
    let rule = |service: &str| tls_rule("a.shop.test", service);
    site.write(
        "team-a.yaml",
        &(own + &streams("team-a", "own", name, "tls", &rule("one.local"))),
    )?;
    let first = || goes_to(&site, "a.shop.test", "one", &upstreams.one);
    eventually("the first team is served", SOON, first).await?;

    let foreign = gateway_of(
        "team-b",
        "aa",
        &passthrough("TLS", "\"*.shop.test\", a.shop.test, b.test"),
    );
    let routes = streams(
        "team-b",
        "aa",
        ("team-b/aa", "\"*\""),
        "tls",
        &tls_rule("a.shop.test, b.test", "two.local"),
    );
    let guest = streams("team-b", "guest", name, "tls", &rule("two.local"));
    site.write("team-b.yaml", &(foreign + &routes + &guest))?;
    let second = || goes_to(&site, "b.test", "two", &upstreams.two);
    eventually("the second team has what is left", SOON, second).await?;
    for _ in 0..10 {
        first().await?;
    }
    let status = site.status().await?.to_string();
    for said in [
        "*.shop.test is served by Gateway team-a/own, which keeps it",
        "a.shop.test is served by rules of the namespace team-a",
        "tls[0] of VirtualService team-a/own comes first and gets all connections for a.shop.test",
    ] {
        ensure!(status.contains(said), "{said}: {status}");
    }

    // With the first team's rules gone, its server is still its own, and its guest's rule is the first.
    site.write(
        "team-a.yaml",
        &gateway_of("team-a", "own", &passthrough("TLS", "\"*.shop.test\"")),
    )?;
    let guest = || goes_to(&site, "a.shop.test", "two", &upstreams.two);
    eventually("the guest is served", SOON, guest).await?;
    Ok(())
}
