//! `consistentHash` of DestinationRules: which of several real upstreams answers, depending on the request. Real agent,
//! real Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Answer, Connection};
use sealgate_tests::eventually;
use sealgate_tests::lines;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of};
use sealgate_tests::origin::OriginServer;
use sealgate_tests::site::Site;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpSocket;

const SOON: Duration = Duration::from_secs(20);
const NAMES: [&str; 4] = ["one", "two", "three", "four"];

/// A gateway before four upstreams, which `NAME.test` leads to as `NAME.origin`.
struct Stand {
    site: Site,
    upstreams: Vec<OriginServer>,
}

impl Stand {
    async fn start() -> Result<Self> {
        let site = Site::start().await?;
        site.write(
            "gateway.yaml",
            &gateway_of("istio-system", "gateway", &plain_server(80, "*.test")),
        )?;
        let mut upstreams = Vec::new();
        for name in NAMES {
            upstreams.push(OriginServer::start(name, None).await?);
        }
        Ok(Self { site, upstreams })
    }

    /// `NAME.test` has these rules; the service has two ports, and its first two endpoints are of the subset `v1`.
    fn route(&self, name: &str, rules: &str) -> Result<()> {
        let routes = routes_of("istio-system", name, ("gateway", &format!("{name}.test")), rules);
        let endpoints = self.upstreams.iter().enumerate().map(|(at, own)| {
            let version = if at < 2 { "v1" } else { "v2" };
            let port = own.port;
            format!(
                "{{address: 127.0.0.1, ports: {{one: {port}, two: {port}}}, labels: {{version: {version}}}}}"
            )
        });
        let endpoints = endpoints.collect::<Vec<_>>().join(", ");
        let text = format!(
            "{routes}apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
             hosts: [{name}.origin]\n  resolution: STATIC\n  ports:\n  - {{number: 80, name: one, protocol: HTTP}}\n  \
             - {{number: 81, name: two, protocol: HTTP}}\n  endpoints: [{endpoints}]\n"
        );
        self.site.write(&format!("{name}.yaml"), &text)
    }

    /// All requests to `NAME.test` go to the first port of the service.
    fn route_all(&self, name: &str) -> Result<()> {
        self.route(name, &rule(name, "/", "port: {number: 80}"))
    }

    /// The specification of the DestinationRule of `NAME.origin`.
    fn policy(&self, name: &str, spec: &str) -> Result<()> {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}}}\n\
             spec: {{host: {name}.origin, {spec}}}\n"
        );
        self.site.write(&format!("{name}-policy.yaml"), &text)
    }

    /// By this the endpoints of `NAME.origin` are found.
    fn hash(&self, name: &str, by: &str) -> Result<()> {
        self.policy(name, &format!("trafficPolicy: {}", hash(by)))
    }

    /// An answer to a request on a connection of its own, so that any worker may give it.
    async fn get(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut connection = Connection::open_plain(self.site.http).await?;
        let answer = connection
            .get_with(&format!("{name}.test"), path, headers)
            .await?;
        answer.context("the connection was closed")
    }

    /// Which upstream answers.
    async fn who(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Result<String> {
        let answer = self.get(name, path, headers).await?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        said(&answer)
    }

    /// Waits until each of these, asked some times, is answered by the same upstream, and all together by all upstreams.
    /// Gives who answers which.
    async fn sticks(&self, name: &str, request: impl Fn(usize) -> Request) -> Result<Vec<String>> {
        let attempt = || async {
            let mut answers = Vec::new();
            for at in 0..40 {
                let Request { path, headers } = request(at);
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
                let first = self.who(name, &path, &headers).await?;
                for _ in 0..3 {
                    let next = self.who(name, &path, &headers).await?;
                    ensure!(next == first, "{path} {headers:?}: {first}, then {next}");
                }
                answers.push(first);
            }
            Ok(answers)
        };
        eventually(&format!("{name} sticks"), SOON, attempt).await
    }

    /// Waits until the same request is answered by several upstreams.
    async fn spreads(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Result<()> {
        let attempt = || async {
            let mut seen = BTreeSet::new();
            for _ in 0..40 {
                seen.insert(self.who(name, path, headers).await?);
            }
            ensure!(seen.len() > 1, "all are answered by {seen:?}");
            Ok(())
        };
        eventually(&format!("{name} spreads"), SOON, attempt).await
    }

    /// Who answers a request from each of these addresses of this machine.
    async fn by_address(&self, name: &str, addresses: u8) -> Result<BTreeMap<u8, String>> {
        let mut answers = BTreeMap::new();
        for last in 1..=addresses {
            let request = format!("GET / HTTP/1.1\r\nhost: {name}.test\r\nconnection: close\r\n\r\n");
            let mut socket = connect_from(last, self.site.http).await?;
            socket.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await?;
            let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
            let who = body.split(' ').next().unwrap_or_default();
            ensure!(NAMES.contains(&who), "{answer}");
            answers.insert(last, who.to_owned());
        }
        Ok(answers)
    }
}

/// What a request says besides its host.
struct Request {
    path: String,
    headers: Vec<(&'static str, String)>,
}

fn path(path: String) -> Request {
    let headers = Vec::new();
    Request { path, headers }
}

fn header(name: &'static str, value: String) -> Request {
    let path = "/".to_owned();
    let headers = vec![(name, value)];
    Request { path, headers }
}

fn rule(name: &str, prefix: &str, to: &str) -> String {
    format!(
        "  - match: [{{uri: {{prefix: {prefix}}}}}]\n    route: [{{destination: {{host: {name}.origin, {to}}}}}]\n"
    )
}

fn balancer(by: &str) -> String {
    format!("loadBalancer: {{consistentHash: {{{by}}}}}")
}

fn hash(by: &str) -> String {
    format!("{{{}}}", balancer(by))
}

fn said(answer: &Answer) -> Result<String> {
    let who = answer.body.split(' ').next().unwrap_or_default();
    ensure!(NAMES.contains(&who), "{}", answer.body);
    Ok(who.to_owned())
}

async fn connect_from(last: u8, port: u16) -> Result<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    Ok(socket
        .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?)
}

/// What `explain` says of a request.
fn explained(site: &Site, url: &str, flags: &[&str]) -> Result<String> {
    let folder = site.dir().display().to_string();
    let mut arguments = vec!["explain", "--dir", &folder, url];
    arguments.extend(flags);
    Ok(String::from_utf8(site.sealgate(&arguments)?.stdout)?)
}

fn all(answers: &[String]) -> BTreeSet<&str> {
    answers.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_value_goes_to_the_same_endpoint_and_many_to_all() -> Result<()> {
    let stand = Stand::start().await?;
    // Rings and tables alike.
    for (name, table) in [
        ("ring", ""),
        ("small", ", ringHash: {minimumRingSize: 64}"),
        ("old", ", minimumRingSize: 2048"),
        ("maglev", ", maglev: {}"),
        ("prime", ", maglev: {tableSize: 1009}"),
    ] {
        stand.route_all(name)?;
        stand.hash(name, &format!("httpHeaderName: X-User{table}"))?;
        let answers = stand
            .sticks(name, |at| header("x-user", format!("user-{at}")))
            .await?;
        // A small ring gives some endpoints little.
        let least = if name == "small" { 2 } else { NAMES.len() };
        ensure!(all(&answers).len() >= least, "{name}: {answers:?}");
        // Without the header there is nothing to go by.
        stand.spreads(name, "/", &[]).await?;
        stand.spreads(name, "/", &[("x-other", "user-1")]).await?;
    }
    // Their sizes are those that were asked for.
    let clusters = stand
        .site
        .envoy_page("/config_dump?resource=dynamic_active_clusters")
        .await?;
    for size in ["1024", "64", "2048"].map(|size| format!("\"minimum_ring_size\": \"{size}\"")) {
        ensure!(clusters.contains(&size), "{size}: {clusters}");
    }
    for size in ["65537", "1009"].map(|size| format!("\"table_size\": \"{size}\"")) {
        ensure!(clusters.contains(&size), "{size}: {clusters}");
    }

    stand.route_all("query")?;
    stand.hash("query", "httpQueryParameterName: user")?;
    let answers = stand
        .sticks("query", |at| path(format!("/?a=1&user=u{at}&b={at}")))
        .await?;
    ensure!(all(&answers).len() == NAMES.len(), "{answers:?}");
    stand.spreads("query", "/?users=1&b=user", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_given_with_its_lifetime_and_then_sticks() -> Result<()> {
    let stand = Stand::start().await?;
    for (name, cookie, attributes) in [
        (
            "hour",
            "path: /shop, ttl: 1h, attributes: [{name: Secure}, {name: SameSite, value: Strict}]",
            "; Max-Age=3600; Path=/shop; Secure; SameSite=Strict; HttpOnly",
        ),
        ("session", "ttl: 0s", "; HttpOnly"),
    ] {
        stand.route_all(name)?;
        stand.hash(name, &format!("httpCookie: {{name: user, {cookie}}}"))?;
        let attempt = || async {
            let answer = stand.get(name, "/", &[("cookie", "other=1")]).await?;
            let given = answer.headers.get("set-cookie").context("no cookie")?;
            Ok((given.to_str()?.to_owned(), said(&answer)?))
        };
        let (given, _) = eventually("a cookie is given", SOON, attempt).await?;
        let (pair, rest) = given.split_once(';').unwrap_or((&given, ""));
        ensure!(pair.starts_with("user=\""), "{given}");
        ensure!(format!(";{rest}") == attributes, "{given}");
        // Several clients, each with the cookie that it was given.
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let (given, first) = attempt().await?;
            let pair = given.split(';').next().unwrap_or_default();
            for _ in 0..5 {
                let answer = stand.get(name, "/", &[("cookie", pair)]).await?;
                ensure!(!answer.headers.contains_key("set-cookie"), "{:?}", answer.headers);
                ensure!(said(&answer)? == first, "{pair}: {first}, then {}", answer.body);
            }
            seen.insert(first);
        }
        ensure!(seen.len() > 1, "{name}: {seen:?}");
    }
    // Without a lifetime none is given, and a client's own sticks.
    stand.route_all("own")?;
    stand.hash("own", "httpCookie: {name: user}")?;
    let answers = stand
        .sticks("own", |at| header("cookie", format!("a=b; user={at}")))
        .await?;
    ensure!(all(&answers).len() == NAMES.len(), "{answers:?}");
    let answer = stand.get("own", "/", &[]).await?;
    ensure!(!answer.headers.contains_key("set-cookie"), "{:?}", answer.headers);
    stand.spreads("own", "/", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_apart_by_their_addresses() -> Result<()> {
    let stand = Stand::start().await?;
    stand.route_all("address")?;
    stand.hash("address", "useSourceIp: true")?;
    let attempt = || async {
        let first = stand.by_address("address", 40).await?;
        for _ in 0..3 {
            let next = stand.by_address("address", 40).await?;
            ensure!(next == first, "{first:?}, then {next:?}");
        }
        let seen: BTreeSet<_> = first.values().collect();
        ensure!(seen.len() == NAMES.len(), "{first:?}");
        Ok(())
    };
    eventually("addresses stick", SOON, attempt).await?;
    // A client's word for its address is none.
    let mut seen = BTreeSet::new();
    for at in 0..40 {
        let forged = format!("10.0.0.{at}");
        let headers = [
            ("x-forwarded-for", &*forged),
            ("x-envoy-external-address", &*forged),
        ];
        seen.insert(stand.who("address", "/", &headers).await?);
    }
    ensure!(seen.len() == 1, "{seen:?}");
    Ok(())
}

/// Connections that are passed on as a whole have an address too, and nothing else that could be hashed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_stick_to_their_clients_address() -> Result<()> {
    let site = Site::start().await?;
    let mut ports = Vec::new();
    for name in NAMES {
        ports.push(lines::start(name, None).await?);
    }
    let endpoints = ports
        .iter()
        .map(|port| format!("{{address: 127.0.0.1, ports: {{tcp: {port}}}}}"));
    let endpoints = endpoints.collect::<Vec<_>>().join(", ");
    let server = "  - port: {number: 80, name: tcp, protocol: TCP}\n    hosts: [\"*\"]\n";
    let objects = |by: &str| {
        format!(
            "{}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: own, namespace: \
             istio-system}}\nspec:\n  hosts: [\"*\"]\n  gateways: [gateway]\n  tcp:\n  - route: [{{destination: {{host: \
             own.origin, port: {{number: 9000}}}}}}]\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: \
             {{name: own}}\nspec:\n  hosts: [own.origin]\n  resolution: STATIC\n  ports: [{{number: 9000, name: tcp, \
             protocol: TCP}}]\n  endpoints: [{endpoints}]\n---\napiVersion: networking.istio.io/v1\nkind: \
             DestinationRule\nmetadata: {{name: own}}\nspec: {{host: own.origin, trafficPolicy: {}}}\n",
            gateway_of("istio-system", "gateway", server),
            hash(by)
        )
    };
    let who = |last: u8| {
        let port = site.http;
        async move {
            let mut line = String::new();
            let socket = connect_from(last, port).await?;
            BufReader::new(socket).read_line(&mut line).await?;
            let line = line.trim().to_owned();
            ensure!(NAMES.contains(&&*line), "{line:?}");
            Ok(line)
        }
    };
    site.write("own.yaml", &objects("useSourceIp: true"))?;
    let attempt = || async {
        let mut seen = BTreeSet::new();
        for last in 1..=40 {
            let first = who(last).await?;
            for _ in 0..3 {
                let next = who(last).await?;
                ensure!(next == first, "{last}: {first}, then {next}");
            }
            seen.insert(first);
        }
        ensure!(seen.len() == NAMES.len(), "{seen:?}");
        Ok(())
    };
    eventually("addresses stick", SOON, attempt).await?;
    let says = || explained(&site, "http://own.test/", &["--json"]);
    ensure!(says()?.contains(r#""hash":{"by":"sourceIp"}"#), "{}", says()?);
    site.write("own.yaml", &objects("httpHeaderName: x-user"))?;
    ensure!(!says()?.contains("hash"), "{}", says()?);
    let attempt = || async {
        let mut seen = BTreeSet::new();
        for _ in 0..40 {
            seen.insert(who(1).await?);
        }
        ensure!(seen.len() > 1, "{seen:?}");
        Ok(())
    };
    eventually("a connection has no header", SOON, attempt).await
}

/// A subset and a port have their own, in place of the service's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_of_the_chosen_destination_counts() -> Result<()> {
    let stand = Stand::start().await?;
    let rules = rule("own", "/subset", "port: {number: 80}, subset: v1")
        + &rule("own", "/none", "port: {number: 80}, subset: v2")
        + &rule("own", "/port", "port: {number: 81}")
        + &rule("own", "/", "port: {number: 80}");
    stand.route("own", &rules)?;
    let service = balancer("httpHeaderName: x-user");
    let port = balancer("httpCookie: {name: user}");
    let subset = balancer("httpQueryParameterName: user");
    stand.policy(
        "own",
        &format!(
            "trafficPolicy: {{{service}, portLevelSettings: [{{port: {{number: 81}}, {port}}}]}}, subsets: [\
             {{name: v1, labels: {{version: v1}}, trafficPolicy: {{{subset}}}}}, \
             {{name: v2, labels: {{version: v2}}, trafficPolicy: {{loadBalancer: {{simple: RANDOM}}}}}}]"
        ),
    )?;
    let answers = stand.sticks("own", |at| header("x-user", at.to_string())).await?;
    ensure!(all(&answers).len() == NAMES.len(), "{answers:?}");
    let answers = stand
        .sticks("own", |at| path(format!("/subset?user={at}")))
        .await?;
    ensure!(all(&answers) == BTreeSet::from(["one", "two"]), "{answers:?}");
    let in_port = |at: usize| Request {
        path: "/port".to_owned(),
        headers: vec![("cookie", format!("user={at}"))],
    };
    let answers = stand.sticks("own", in_port).await?;
    ensure!(all(&answers).len() == NAMES.len(), "{answers:?}");
    // `explain` says the same.
    for (path, by, text) in [
        (
            "/",
            json!({"by": "header", "name": "x-user"}),
            "the header x-user",
        ),
        (
            "/subset",
            json!({"by": "queryParameter", "name": "user"}),
            "the query parameter user",
        ),
        (
            "/port",
            json!({"by": "cookie", "name": "user"}),
            "the cookie user",
        ),
        ("/none", Value::Null, ""),
    ] {
        let url = format!("http://own.test{path}");
        let answer: Value = serde_json::from_str(&explained(&stand.site, &url, &["--json"])?)?;
        ensure!(answer["hash"] == by, "{url}: {answer}");
        let page = explained(&stand.site, &url, &[])?;
        let line = format!("endpoint  by a hash of {text}");
        ensure!(page.contains(&line) != text.is_empty(), "{url}: {page}");
    }
    // None goes by what another one goes by.
    let everything = [("x-user", "1"), ("cookie", "user=1")];
    stand.spreads("own", "/none?user=1", &everything).await?;
    stand.spreads("own", "/port?user=1", &everything[..1]).await?;
    stand.spreads("own", "/subset", &everything).await?;
    stand.spreads("own", "/?user=1", &everything[1..]).await
}

/// Policies come and go while requests do, and none of them fails. What the upstream is sent is what the client says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_changes_under_load() -> Result<()> {
    let stand = Arc::new(Stand::start().await?);
    stand.route_all("own")?;
    stand.hash("own", "httpHeaderName: x-user")?;
    stand.sticks("own", |at| header("x-user", at.to_string())).await?;
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|client| {
            let (stand, over) = (Arc::clone(&stand), Arc::clone(&over));
            tokio::spawn(async move {
                let user = format!("user-{client}");
                let mut count = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let answer = stand.get("own", "/?user=1", &[("x-user", &user)]).await?;
                    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
                    ensure!(!answer.body.contains("x-sealgate"), "{}", answer.body);
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    for by in [
        "httpQueryParameterName: user",
        "httpCookie: {name: user, ttl: 1h}",
        "useSourceIp: true, maglev: {}",
        "httpHeaderName: x-user, maglev: {tableSize: 1009}",
    ] {
        stand.hash("own", by)?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        stand.policy("own", "trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}")?;
        stand.spreads("own", "/?user=1", &[("x-user", "1")]).await?;
    }
    stand.hash("own", "httpHeaderName: x-user")?;
    let answers = stand.sticks("own", |at| header("x-user", at.to_string())).await?;
    ensure!(all(&answers).len() == NAMES.len(), "{answers:?}");
    over.store(true, Ordering::Relaxed);
    let mut total = 0;
    for client in clients {
        total += client.await??;
    }
    ensure!(total > 100, "only {total} requests");
    Ok(())
}

/// A policy that Envoy would not take is refused, and what it said before stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_beyond_envoys_is_refused() -> Result<()> {
    let stand = Stand::start().await?;
    stand.route_all("own")?;
    stand.hash("own", "httpHeaderName: x-user")?;
    let before = stand.sticks("own", |at| header("x-user", at.to_string())).await?;
    for by in [
        "httpHeaderName: x-user, ringHash: {minimumRingSize: 8388609}",
        "httpHeaderName: x-user, maglev: {tableSize: 65536}",
        "httpHeaderName: x-user, useSourceIp: true",
        "httpCookie: {name: \"a\\r\\nx: y\", ttl: 1h}",
    ] {
        stand.hash("own", by)?;
        let attempt = || async {
            let (_, report) = stand.site.check()?;
            let status = stand.site.status().await?.to_string();
            ensure!(report.to_string().contains("bad-policy"), "{report}");
            ensure!(status.contains("bad-policy"), "{status}");
            Ok(())
        };
        eventually("it is said", SOON, attempt).await?;
        let after = stand.sticks("own", |at| header("x-user", at.to_string())).await?;
        ensure!(after == before, "{by}: {before:?}, then {after:?}");
        stand.hash("own", "httpHeaderName: x-user")?;
        let attempt = || async {
            let status = stand.site.status().await?.to_string();
            ensure!(!status.contains("bad-policy"), "{status}");
            Ok(())
        };
        eventually("it is good again", SOON, attempt).await?;
    }
    Ok(())
}

/// As with a route's hash policy of Envoy's, header operations come before the hash, and retries go where the hash says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_count_as_the_upstream_gets_them_and_retries_go_round() -> Result<()> {
    let stand = Stand::start().await?;
    let rules = rule("own", "/set", "port: {number: 80}").replace(
        "    route",
        "    headers: {request: {set: {x-user: \"%REQ(x-team)%\"}}}\n    route",
    ) + &rule("own", "/gone", "port: {number: 80}").replace(
        "    route",
        "    headers: {request: {remove: [x-user]}}\n    route",
    ) + &rule("own", "/again", "port: {number: 80}")
        .replace("    route", "    retries: {attempts: 3, retryOn: 5xx}\n    route");
    stand.route("own", &rules)?;
    stand.hash("own", "httpHeaderName: x-user")?;
    let by_team = |at: usize| Request {
        path: format!("/set/{at}"),
        headers: vec![("x-user", at.to_string()), ("x-team", format!("team-{}", at % 8))],
    };
    let answers = stand.sticks("own", by_team).await?;
    let teams = answers.chunks(8).collect::<BTreeSet<_>>();
    ensure!(teams.len() == 1 && all(&answers).len() > 1, "{answers:?}");
    stand.spreads("own", "/gone", &[("x-user", "1")]).await?;

    for own in &stand.upstreams {
        own.answer(503);
    }
    for at in 0..10 {
        let before: Vec<_> = stand.upstreams.iter().map(OriginServer::requests).collect();
        let user = format!("user-{at}");
        let answer = stand.get("own", "/again", &[("x-user", &user)]).await?;
        ensure!(answer.status == 503, "{} {}", answer.status, answer.body);
        let tries = stand.upstreams.iter().zip(&before);
        let mut tries: Vec<_> = tries.map(|(own, before)| own.requests() - before).collect();
        tries.sort_unstable();
        // The next places on the ring may be those of an endpoint that was tried: Envoy looks at five.
        let is_elsewhere = tries.iter().filter(|own| **own > 0).count() > 1;
        ensure!(tries.iter().sum::<usize>() == 4 && is_elsewhere, "{tries:?}");
    }
    Ok(())
}
