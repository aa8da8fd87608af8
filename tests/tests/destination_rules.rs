//! DestinationRules and services, looked up as in Istio: wildcards, namespaces, selectors; a headless Service and an
//! ExternalName. Real agent, real Envoy, a directory.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::{Answer, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of};
use sealgate_tests::origin::{self, OriginServer};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(60);

async fn start() -> Result<Site> {
    let site = Site::start_with(Vec::new()).await?;
    let server = plain_server(80, "*.test");
    site.write("gateway.yaml", &gateway_of("istio-system", "gateway", &server))?;
    Ok(site)
}

/// `NAME.test` leads to this destination.
fn route(site: &Site, name: &str, destination: &str) -> Result<()> {
    let to = format!("  - route: [{{destination: {{{destination}}}}}]\n");
    let routes = routes_of("istio-system", name, ("gateway", &format!("{name}.test")), &to);
    site.write(&format!("{name}-route.yaml"), &routes)
}

fn rule(site: &Site, namespace: &str, name: &str, spec: &str) -> Result<()> {
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{{spec}}}\n"
    );
    site.write(&format!("{name}.yaml"), &text)
}

async fn get(site: &Site, name: &str) -> Result<Answer> {
    fetch_plain(site.http, &format!("{name}.test"), "/").await
}

async fn answers(site: &Site, name: &str, words: &str) -> Result<()> {
    let attempt = || async {
        let answer = get(site, name).await?;
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

async fn fails(site: &Site, name: &str) -> Result<()> {
    let attempt = || async {
        let answer = get(site, name).await?;
        // 502 where plain text and TLS meet.
        let is_error = [502, 503].contains(&answer.status);
        ensure!(is_error, "{} {}", answer.status, answer.body);
        Ok(())
    };
    eventually(&format!("{name} is not reached"), SOON, attempt).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_found_as_istio_finds_them() -> Result<()> {
    let site = start().await?;
    let authority = Authority::new("CA")?;
    authority.write(&site.dir().join("upstream-cacert"))?;
    let leaf = authority.leaf(&["good.test"])?;
    let secure = OriginServer::start("secure", Some(origin::tls(&leaf, None)?)).await?;
    let plain = OriginServer::start("plain", None).await?;
    for (name, port) in [("one", secure.port), ("two", secure.port), ("plain", plain.port)] {
        let host = format!("{name}.origin");
        site.write(&format!("{name}.yaml"), &entry(name, &host, 80, port))?;
        route(&site, name, &format!("host: {host}"))?;
    }
    fails(&site, "one").await?;
    answers(&site, "plain", "plain").await?;

    // One rule of the root namespace for all of them.
    let tls = "trafficPolicy: {tls: {mode: SIMPLE, credentialName: upstream, subjectAltNames: [good.test]}}";
    rule(&site, "istio-system", "wide", &format!("host: '*.origin', {tls}"))?;
    answers(&site, "one", "sni=one.test").await?;
    answers(&site, "two", "sni=two.test").await?;
    fails(&site, "plain").await?;
    // The namespace of the service comes before it, be it with a wider host.
    let off = "trafficPolicy: {tls: {mode: DISABLE}}";
    rule(&site, "default", "without", &format!("host: '*', {off}"))?;
    answers(&site, "plain", "plain").await?;
    fails(&site, "one").await?;
    rule(&site, "default", "without", &format!("host: plain.origin, {off}"))?;
    answers(&site, "one", "sni=one.test").await?;
    answers(&site, "plain", "plain").await?;
    // Somebody else's means others.
    rule(&site, "other", "others", &format!("host: two.origin, {off}"))?;
    answers(&site, "two", "sni=two.test").await?;
    // What the gateway's namespace keeps for itself comes first, if the labels are the gateway's.
    let own = |labels: &str| {
        format!("host: plain.origin, exportTo: ['.'], workloadSelector: {{matchLabels: {{{labels}}}}}, {tls}")
    };
    rule(&site, "istio-system", "own", &own("istio: other"))?;
    answers(&site, "plain", "plain").await?;
    let (_, report) = site.check()?;
    for code in ["not-selected", "other-clients"] {
        ensure!(report["findings"].to_string().contains(code), "{code}: {report}");
    }
    rule(&site, "istio-system", "own", &own("istio: ingressgateway"))?;
    fails(&site, "plain").await
}

fn slice(pod: &str, port: u16) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: pods-{pod}, labels: {{kubernetes.io/service-name: pods}}}}\naddressType: IPv4\n\
         ports: [{{name: http, port: {port}}}]\nendpoints: [{{addresses: [127.0.0.1], hostname: {pod}}}]\n---\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_headless_service_has_its_pods_and_an_external_name_is_resolved() -> Result<()> {
    let site = start().await?;
    let (one, two) = (
        OriginServer::start("pod-one", None).await?,
        OriginServer::start("pod-two", None).await?,
    );
    let headless = "apiVersion: v1\nkind: Service\nmetadata: {name: pods}\n\
                    spec: {clusterIP: None, ports: [{name: http, port: 80}]}\n";
    site.write(
        "pods.yaml",
        &(slice("one", one.port) + &slice("two", two.port) + headless),
    )?;
    route(&site, "pods", "host: pods.default.svc.cluster.local")?;
    answers(&site, "pods", "pod-").await?;
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        let body = get(&site, "pods").await?.body;
        seen.insert(body.contains("pod-one"));
    }
    ensure!(seen.len() == 2, "only one of two pods is asked");

    let external = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: external}}\n\
         spec: {{type: ExternalName, externalName: localhost, ports: [{{name: http, port: {}}}]}}\n",
        two.port
    );
    site.write("external.yaml", &external)?;
    route(&site, "external", "host: external.default.svc.cluster.local")?;
    answers(&site, "external", "pod-two").await
}
