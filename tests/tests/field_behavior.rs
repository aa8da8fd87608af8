//! Fields whose effect on real clients and upstreams no other test covers; `docs/reference/fields.md` lists all of
//! them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealgate_tests::client::{Connection, Tls, Version, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::lines::{self, Line};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::origin::{self, OriginServer};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, free_port};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const SOON: Duration = Duration::from_secs(20);
const EDGE: &str = "istio-system";

async fn site(flags: &[String]) -> Result<Site> {
    Site::start_with(flags.to_vec()).await
}

/// Waits until a plain request for the host is answered with this status, by this upstream if it is named.
async fn answers(site: &Site, host: &str, (status, upstream): (u16, &str)) -> Result<()> {
    let attempt = || async {
        let answer = fetch_plain(site.http, host, "/").await?;
        let right = answer.status == status && answer.body.starts_with(upstream);
        ensure!(right, "{} {}", answer.status, answer.body);
        Ok(())
    };
    eventually(&format!("{host} is answered with {status}"), SOON, attempt).await
}

fn to(host: &str) -> String {
    format!("  - route: [{{destination: {{host: {host}}}}}]\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selector_chooses_the_gateways_with_its_labels() -> Result<()> {
    let site = site(&["--gateway-labels=istio=edge,team=shop".to_owned()]).await?;
    let origin = OriginServer::start("origin", None).await?;
    site.write("origin.yaml", &entry("origin", "origin.local", 80, origin.port))?;
    let selectors = [
        ("none", "{}"),
        ("one", "{istio: edge}"),
        ("both", "{team: shop, istio: edge}"),
        ("other", "{istio: ingressgateway}"),
        ("more", "{istio: edge, team: bank}"),
    ];
    for (name, selector) in selectors {
        let host = format!("{name}.test");
        let gateway = gateway_of(EDGE, name, &plain_server(80, &host));
        let gateway = gateway.replace("{istio: ingressgateway}", selector);
        let routes = routes_of(EDGE, name, (name, &host), &to("origin.local"));
        site.write(&format!("{name}.yaml"), &(gateway + &routes))?;
    }
    for name in ["none", "one", "both"] {
        answers(&site, &format!("{name}.test"), (200, "origin")).await?;
    }
    for name in ["other", "more"] {
        answers(&site, &format!("{name}.test"), (404, "")).await?;
    }
    Ok(())
}

/// Whether a client with this certificate is answered.
async fn is_let_in(site: &Site, host: &str, client: &Leaf) -> Result<bool> {
    let tls = Tls::new(Version::H1, Some(client))?;
    let answer = async {
        let mut open = Connection::open(site.https, host, &tls).await?;
        open.get(host, "/").await
    };
    Ok(matches!(answer.await, Ok(Some(answer)) if answer.status == 200))
}

/// As `openssl` prints it: with colons.
fn fingerprint(der: &[u8]) -> String {
    let bytes = Sha256::digest(der);
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificates_are_held_to_the_names_and_pins_of_the_server() -> Result<()> {
    let site = site(&[]).await?;
    let (authority, other) = (Authority::new("CA")?, Authority::new("other CA")?);
    authority.leaf(&["*.test"])?.write(&site.dir().join("edge"))?;
    authority.write(&site.dir().join("clients"))?;
    let origin = OriginServer::start("origin", None).await?;
    let known = authority.leaf(&["known.client"])?;
    let unnamed = authority.leaf(&["other.client"])?;
    let stranger = other.leaf(&["known.client"])?;
    let (_, certificate) = X509Certificate::from_der(&known.der)?;
    let spki = STANDARD.encode(Sha256::digest(certificate.public_key().raw));
    let servers = [
        ("bundle", String::new()),
        ("named", ", subjectAltNames: [known.client]".to_owned()),
        ("pinned-key", format!(", verifyCertificateSpki: [\"{spki}\"]")),
        (
            "pinned",
            format!(", verifyCertificateHash: [\"{}\"]", fingerprint(&known.der)),
        ),
    ];
    let servers = servers.map(|(name, more)| {
        let tls = format!("mode: MUTUAL, credentialName: edge, caCertCredentialName: clients{more}");
        (name, tls_server(&format!("{name}.test"), &tls))
    });
    let all: String = servers.iter().map(|(_, server)| server.as_str()).collect();
    let routes = routes_of(EDGE, "all", ("gateway", "*.test"), &to("origin.local"));
    let origin = entry("origin", "origin.local", 80, origin.port);
    site.write(
        "all.yaml",
        &(gateway_of(EDGE, "gateway", &all) + &routes + &origin),
    )?;

    for (name, _) in &servers {
        let host = format!("{name}.test");
        let attempt = || async {
            ensure!(is_let_in(&site, &host, &known).await?, "not let in");
            Ok(())
        };
        eventually(&format!("{host} takes the client"), SOON, attempt).await?;
        let by_the_bundle_alone = *name == "bundle";
        let found = is_let_in(&site, &host, &unnamed).await?;
        ensure!(
            found == by_the_bundle_alone,
            "{host}, of the same authority: {found}"
        );
        ensure!(
            !is_let_in(&site, &host, &stranger).await?,
            "{host} takes a client of another authority"
        );
    }
    Ok(())
}

/// A VirtualService of whole connections.
fn streams(name: &str, (gateways, hosts): (&str, &str), list: &str, rules: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {EDGE}}}
spec:
  hosts: [{hosts}]
  gateways: [{gateways}]
  {list}:
{rules}---
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_routes_hold_for_their_ports_and_gateways_and_not_for_a_mesh() -> Result<()> {
    let site = site(&[]).await?;
    let (first, second) = (site.https, free_port()?);
    let authority = Authority::new("theirs")?;
    let leaf = authority.leaf(&["*.test"])?;
    let mut all = String::new();
    for name in ["one", "two", "mesh"] {
        let port = lines::start(name, Some(&leaf)).await?;
        all += &entry(name, &format!("{name}.local"), 443, port);
        all += "---\n";
    }
    let server = |number: u16, host: &str| {
        format!(
            "  - port: {{number: {number}, name: tls-{number}, protocol: TLS}}\n    hosts: [\"{host}\"]\n    \
             tls: {{mode: PASSTHROUGH}}\n"
        )
    };
    all += &gateway_of(EDGE, "both", &(server(443, "*.test") + &server(second, "*.test")));
    all += &gateway_of(EDGE, "other", &server(443, "*.other.test"));
    let rule = |conditions: &str, service: &str| {
        format!(
            "  - match: [{{{conditions}}}]\n    route: [{{destination: {{host: {service}.local, port: {{number: 443}}}}}}]\n"
        )
    };
    let rules = [
        // For clients in a mesh: a gateway does not look at them.
        rule("sniHosts: [a.test], sourceLabels: {app: web}", "mesh"),
        rule("sniHosts: [a.test], sourceNamespace: shop", "mesh"),
        rule(&format!("sniHosts: [a.test], port: {second}"), "two"),
        rule("sniHosts: [a.test, a.other.test], gateways: [other]", "two"),
        rule("sniHosts: [a.test, a.other.test]", "one"),
    ];
    let hosts = "a.test, a.other.test";
    all += &streams("routes", ("both, other", hosts), "tls", &rules.concat());
    site.write("all.yaml", &all)?;
    let any = Tls::new(Version::H1, None)?;
    let cases = [
        (first, "a.test", "one"),
        (second, "a.test", "two"),
        (first, "a.other.test", "two"),
    ];
    for (port, name, upstream) in cases {
        let attempt = || async {
            let line = Line::open(port, name, &any).await?;
            ensure!(line.upstream == upstream, "{}", line.upstream);
            Ok(())
        };
        eventually(&format!("{name} at {port} goes to {upstream}"), SOON, attempt).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_routes_share_connections_by_weight_and_are_not_for_a_mesh() -> Result<()> {
    let (site, port) = (site(&[]).await?, free_port()?);
    let mut all = String::new();
    for name in ["one", "two", "none", "mesh"] {
        all += &entry(
            name,
            &format!("{name}.local"),
            9000,
            lines::start(name, None).await?,
        );
        all += "---\n";
    }
    all += &gateway_of(
        EDGE,
        "gateway",
        &format!("  - port: {{number: {port}, name: tcp, protocol: TCP}}\n    hosts: [\"*\"]\n"),
    );
    let destination = |name: &str, weight: u32| {
        format!("{{destination: {{host: {name}.local, port: {{number: 9000}}}}, weight: {weight}}}")
    };
    let shares = [
        destination("one", 3),
        destination("two", 1),
        destination("none", 0),
    ]
    .join(", ");
    let mesh = destination("mesh", 1);
    let rules = format!(
        "  - match: [{{sourceLabels: {{app: web}}}}]\n    route: [{mesh}]\n  \
         - match: [{{sourceNamespace: shop}}]\n    route: [{mesh}]\n  - route: [{shares}]\n"
    );
    all += &streams("routes", ("gateway", "\"*\""), "tcp", &rules);
    site.write("all.yaml", &all)?;
    let open = || Line::open_plain(port);
    eventually("the port is served", SOON, || async { open().await.map(drop) }).await?;
    let mut counts = BTreeMap::<String, u32>::new();
    for _ in 0..200 {
        *counts.entry(open().await?.upstream).or_default() += 1;
    }
    let two = counts.get("two").copied().unwrap_or_default();
    // 50 are expected; 25 is four standard deviations away.
    ensure!(counts.len() == 2 && (25..=75).contains(&two), "{counts:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_spellings_of_a_mirrors_share_hold() -> Result<()> {
    let site = site(&[]).await?;
    let origin = OriginServer::start("origin", None).await?;
    let mut all = gateway_of(EDGE, "gateway", &plain_server(80, "*.test"));
    all += &(entry("origin", "origin.local", 80, origin.port) + "---\n");
    let cases = [
        ("all", "mirrorPercent: 100", 40..=40),
        ("none", "mirrorPercent: 0", 0..=0),
        ("some", "mirror_percent: 50", 5..=35),
    ];
    let mut mirrors = Vec::new();
    for (name, share, expected) in cases {
        let mirror = OriginServer::start(name, None).await?;
        all += &(entry(name, &format!("{name}.local"), 80, mirror.port) + "---\n");
        let rule = format!(
            "{}    mirror: {{host: {name}.local}}\n    {share}\n",
            to("origin.local")
        );
        all += &routes_of(EDGE, name, ("gateway", &format!("{name}.test")), &rule);
        mirrors.push((name, mirror, expected));
    }
    site.write("all.yaml", &all)?;
    for (name, mirror, expected) in mirrors {
        let host = format!("{name}.test");
        answers(&site, &host, (200, "origin")).await?;
        let before = mirror.requests();
        for _ in 0..40 {
            answers(&site, &host, (200, "origin")).await?;
        }
        let attempt = || async {
            let found = mirror.requests() - before;
            // The one that showed that the route is there may be on its way.
            let late = expected.contains(&found.saturating_sub(1)) && *expected.end() > 0;
            ensure!(expected.contains(&found) || late, "{found} of 40");
            Ok(())
        };
        eventually(&format!("the mirror of {host} gets its share"), SOON, attempt).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_budget_says_how_many_retries_there_are_at_a_time() -> Result<()> {
    let site = site(&[]).await?;
    let mut all = gateway_of(EDGE, "gateway", &plain_server(80, "*.test"));
    let cases = [
        ("free", None, 3),
        ("spent", Some("{percent: 0, minRetryConcurrency: 0}"), 1),
    ];
    let mut origins = Vec::new();
    for (name, budget, tries) in cases {
        let (origin, service) = (OriginServer::start(name, None).await?, format!("{name}.local"));
        let rule = format!("{}    retries: {{attempts: 2, retryOn: 5xx}}\n", to(&service));
        all += &(entry(name, &service, 80, origin.port) + "---\n");
        all += &routes_of(EDGE, name, ("gateway", &format!("{name}.test")), &rule);
        if let Some(budget) = budget {
            all += &rule_of(
                name,
                EDGE,
                &service,
                &format!("trafficPolicy: {{retryBudget: {budget}}}"),
            );
        }
        origins.push((name, origin, tries));
    }
    site.write("all.yaml", &all)?;
    for (name, origin, tries) in origins {
        let host = format!("{name}.test");
        answers(&site, &host, (200, name)).await?;
        origin.answer(503);
        let before = origin.requests();
        answers(&site, &host, (503, "")).await?;
        let found = origin.requests() - before;
        ensure!(found == tries, "{host}: {found} tries");
    }
    Ok(())
}

/// A DestinationRule.
fn rule_of(name: &str, namespace: &str, host: &str, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  host: {host}\n  {more}\n---\n"
    )
}

/// What is exported to others is not there for the gateway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_and_their_rules_are_exported_to_the_gateway_or_not() -> Result<()> {
    let site = site(&[]).await?;
    let origin = OriginServer::start("origin", None).await?;
    let mut all = gateway_of(EDGE, "gateway", &plain_server(80, "*.test"));
    let exports = [
        ("everybody", "[\"*\"]", true),
        ("edge", "[istio-system]", true),
        ("own", "[\".\"]", false),
        ("others", "[shop]", false),
    ];
    for (name, export, _) in exports {
        let (service, ruled) = (format!("{name}.local"), format!("{name}.ruled.local"));
        all += &format!(
            "{}  exportTo: {export}\n---\n",
            entry(name, &service, 80, origin.port)
        );
        all += &routes_of(
            "default",
            name,
            ("istio-system/gateway", &format!("{name}.test")),
            &to(&service),
        );
        // A rule whose TLS the upstream does not speak: with it, requests fail.
        let ruled_name = format!("{name}-ruled");
        all += &(entry(&ruled_name, &ruled, 80, origin.port) + "---\n");
        let more = format!(
            "exportTo: {export}\n  trafficPolicy: {{tls: {{mode: SIMPLE, insecureSkipVerify: true}}}}"
        );
        all += &rule_of(&ruled_name, "default", &ruled, &more);
        let host = format!("{name}.ruled.test");
        all += &routes_of(
            "default",
            &ruled_name,
            ("istio-system/gateway", &host),
            &to(&ruled),
        );
    }
    site.write("all.yaml", &all)?;
    for (name, _, is_there) in exports {
        let service = if is_there { (200, "origin") } else { (503, "") };
        answers(&site, &format!("{name}.test"), service).await?;
        let ruled = if is_there { (503, "") } else { (200, "origin") };
        answers(&site, &format!("{name}.ruled.test"), ruled).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_services_names_must_be_in_its_certificate_unless_its_rule_has_others() -> Result<()> {
    let site = site(&[]).await?;
    let authority = Authority::new("CA")?;
    authority.write(&site.dir().join("upstream-cacert"))?;
    let leaf = authority.leaf(&["real.local"])?;
    let origin = OriginServer::start("origin", Some(origin::tls(&leaf, None)?)).await?;
    let mut all = gateway_of(EDGE, "gateway", &plain_server(80, "*.test"));
    let cases = [
        ("right", "[real.local]", "", true),
        ("wrong", "[other.local]", "", false),
        (
            "replaced",
            "[other.local]",
            ", subjectAltNames: [real.local]",
            true,
        ),
    ];
    for (name, names, more, _) in cases {
        let service = format!("{name}.local");
        all += &format!(
            "{}  subjectAltNames: {names}\n---\n",
            entry(name, &service, 80, origin.port)
        );
        all += &routes_of(
            "default",
            name,
            ("istio-system/gateway", &format!("{name}.test")),
            &to(&service),
        );
        let tls = format!("trafficPolicy: {{tls: {{mode: SIMPLE, credentialName: upstream{more}}}}}");
        all += &rule_of(name, "default", &service, &tls);
    }
    site.write("all.yaml", &all)?;
    for (name, _, _, is_good) in cases {
        let expected = if is_good { (200, "origin") } else { (503, "") };
        answers(&site, &format!("{name}.test"), expected).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_versions_and_ciphers_are_the_servers() -> Result<()> {
    let site = site(&[]).await?;
    Authority::new("CA")?
        .leaf(&["*.test"])?
        .write(&site.dir().join("edge"))?;
    let cases = [
        ("default", "", "TLSv1_3", "TLS13_"),
        (
            "old",
            "maxProtocolVersion: TLSV1_2",
            "TLSv1_2",
            "TLS_ECDHE_ECDSA_",
        ),
        ("new", "minProtocolVersion: TLSV1_3", "TLSv1_3", "TLS13_"),
        (
            "aes",
            "maxProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384]",
            "TLSv1_2",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
        (
            "chacha",
            "maxProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-CHACHA20-POLY1305]",
            "TLSv1_2",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
    ];
    let servers = cases.map(|(name, more, ..)| {
        let tls = format!("mode: SIMPLE, credentialName: edge, {more}");
        tls_server(&format!("{name}.test"), &tls)
    });
    let direct = "  - directResponse: {status: 200}\n";
    let routes = routes_of(EDGE, "all", ("gateway", "*.test"), direct);
    site.write(
        "all.yaml",
        &(gateway_of(EDGE, "gateway", &servers.concat()) + &routes),
    )?;
    let any = Tls::new(Version::H1, None)?;
    for (name, _, version, suite) in cases {
        let host = format!("{name}.test");
        let attempt = || async {
            let stream = any.connect(site.https, &host).await?;
            let (_, session) = stream.get_ref();
            let found = (session.protocol_version(), session.negotiated_cipher_suite());
            let is_version = format!("{:?}", found.0).contains(version);
            let is_suite = found
                .1
                .is_some_and(|found| format!("{:?}", found.suite()).starts_with(suite));
            ensure!(is_version && is_suite, "{found:?}");
            Ok(())
        };
        eventually(&format!("{host} speaks {version} with {suite}"), SOON, attempt).await?;
    }
    let old = Tls::with(Version::H1, &[&rustls::version::TLS12], |builder| {
        Ok(builder.with_no_client_auth())
    })?;
    old.connect(site.https, "default.test").await?;
    let refused = old.connect(site.https, "new.test").await;
    ensure!(refused.is_err(), "TLS 1.2 is spoken below the server's minimum");
    Ok(())
}

/// A port's settings replace those of the service, a subset's only what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_and_subsets_have_policies_of_their_own() -> Result<()> {
    let site = site(&[]).await?;
    let leaf = Authority::new("CA")?.leaf(&["shop.local"])?;
    let secure = OriginServer::start("secure", Some(origin::tls(&leaf, None)?)).await?;
    let plain = OriginServer::start("plain", None).await?;
    let service = format!(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: shop}}
spec:
  hosts: [shop.local]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 81, name: more, protocol: HTTP}}]
  endpoints:
  - {{address: 127.0.0.1, ports: {{http: {0}, more: {1}}}, labels: {{version: v1}}}}
  - {{address: 127.0.0.1, ports: {{http: {1}, more: {0}}}, labels: {{version: v2}}}}
---
",
        secure.port, plain.port
    );
    let rule = "trafficPolicy:
    tls: {mode: SIMPLE, insecureSkipVerify: true}
    portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: RANDOM}}]
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {tls: {mode: DISABLE}}}
  - name: v2-tls
    labels: {version: v2}
    trafficPolicy: {portLevelSettings: [{port: {number: 81}, tls: {mode: SIMPLE, insecureSkipVerify: true}}]}";
    let mut all = gateway_of(EDGE, "gateway", &plain_server(80, "*.test"));
    all += &service;
    all += &rule_of("shop", "default", "shop.local", rule);
    let cases = [
        ("tls", 80, "v1", "secure"),
        ("port", 81, "v1", "plain"),
        ("subset", 80, "v2", "plain"),
        ("port-of-subset", 81, "v2-tls", "secure"),
    ];
    for (name, port, subset, _) in cases {
        let rules = format!(
            "  - route: [{{destination: {{host: shop.local, port: {{number: {port}}}, subset: {subset}}}}}]\n"
        );
        all += &routes_of(
            "default",
            name,
            ("istio-system/gateway", &format!("{name}.test")),
            &rules,
        );
    }
    site.write("all.yaml", &all)?;
    for (name, _, _, upstream) in cases {
        answers(&site, &format!("{name}.test"), (200, upstream)).await?;
    }
    Ok(())
}
