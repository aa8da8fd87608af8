//! ServiceEntries that select WorkloadEntries, and all kinds of `resolution`. Real agent, real Envoy, a directory.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::{Answer, fetch_plain};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of};
use sealgate_tests::origin::OriginServer;
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(60);

async fn start() -> Result<Site> {
    let site = Site::start_with(Vec::new()).await?;
    let server = plain_server(80, "*.test");
    site.write("gateway.yaml", &gateway_of("istio-system", "gateway", &server))?;
    Ok(site)
}

/// A ServiceEntry, and `NAME.test` that leads to its host.
fn service(site: &Site, name: &str, host: &str, port: u16, more: &str) -> Result<()> {
    let to = format!("  - route: [{{destination: {{host: \"{host}\"}}}}]\n");
    let routes = routes_of("istio-system", name, ("gateway", &format!("{name}.test")), &to);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\n\
         spec: {{hosts: [\"{host}\"], ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}], {more}}}\n"
    );
    site.write(&format!("{name}.yaml"), &(routes + &entry))
}

fn workload(site: &Site, namespace: &str, name: &str, labels: &str, spec: &str) -> Result<()> {
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n\
         metadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\nspec: {{{spec}}}\n"
    );
    site.write(&format!("{namespace}-{name}.yaml"), &text)
}

async fn get(site: &Site, name: &str) -> Result<Answer> {
    fetch_plain(site.http, &format!("{name}.test"), "/").await
}

/// These upstreams answer, and no others.
async fn answered_by(site: &Site, name: &str, expected: &[&str]) -> Result<()> {
    let attempt = || async {
        let mut seen = BTreeSet::new();
        for _ in 0..30 {
            let answer = get(site, name).await?;
            ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
            let body = answer.body;
            seen.insert(body.split_whitespace().next().unwrap_or_default().to_owned());
        }
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        ensure!(seen == expected, "{seen:?}");
        Ok(())
    };
    eventually(&format!("{name} is answered by {expected:?}"), SOON, attempt).await
}

async fn fails(site: &Site, name: &str, code: &str) -> Result<()> {
    let attempt = || async {
        let answer = get(site, name).await?;
        ensure!(answer.status == 503, "{} {}", answer.status, answer.body);
        Ok(())
    };
    eventually(&format!("{name} is not reached"), SOON, attempt).await?;
    let (_, report) = site.check()?;
    ensure!(report["findings"].to_string().contains(code), "{code}: {report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workload_entries_are_endpoints_of_the_entry_that_selects_them() -> Result<()> {
    let site = start().await?;
    let (one, two, three) = (
        OriginServer::start("one", None).await?,
        OriginServer::start("two", None).await?,
        OriginServer::start("three", None).await?,
    );
    let select = "workloadSelector: {labels: {app: vm}}";
    let vm = "vm.origin";
    service(
        &site,
        "vm",
        vm,
        one.port,
        &format!("resolution: STATIC, {select}"),
    )?;
    fails(&site, "vm", "no-workload").await?;

    // By its labels, or those of its metadata; at the entry's port, or its own.
    workload(
        &site,
        "default",
        "one",
        "",
        "address: 127.0.0.1, labels: {app: vm}",
    )?;
    answered_by(&site, "vm", &["one"]).await?;
    let own_port = format!("address: 127.0.0.1, ports: {{http: {}}}", two.port);
    workload(&site, "default", "two", "app: vm", &own_port)?;
    answered_by(&site, "vm", &["one", "two"]).await?;
    // Of other labels, or in another namespace.
    let third = format!("address: 127.0.0.1, ports: {{http: {}}}", three.port);
    workload(&site, "default", "three", "app: db", &third)?;
    workload(&site, "other", "three", "app: vm", &third)?;
    fs::remove_file(site.dir().join("default-one.yaml"))?;
    answered_by(&site, "vm", &["two"]).await?;
    workload(&site, "default", "three", "app: vm", &third)?;
    answered_by(&site, "vm", &["three", "two"]).await?;

    // Names.
    service(&site, "vm", vm, one.port, &format!("resolution: DNS, {select}"))?;
    let named = format!("address: localhost, ports: {{http: {}}}", two.port);
    workload(&site, "default", "two", "app: vm", &named)?;
    answered_by(&site, "vm", &["three", "two"]).await?;

    // A subset of them.
    let rule = format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: vm}}\n\
         spec: {{host: {vm}, subsets: [{{name: v1, labels: {{version: v1}}}}]}}\n"
    );
    site.write("rule.yaml", &rule)?;
    let labels = format!("{named}, labels: {{version: v1}}");
    workload(&site, "default", "two", "app: vm", &labels)?;
    let to = format!("  - route: [{{destination: {{host: {vm}, subset: v1}}}}]\n");
    site.write(
        "subset.yaml",
        &routes_of("istio-system", "subset", ("gateway", "subset.test"), &to),
    )?;
    answered_by(&site, "subset", &["two"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_wildcards_are_resolved_as_the_page_says() -> Result<()> {
    let site = start().await?;
    let (one, two) = (
        OriginServer::start("one", None).await?,
        OriginServer::start("two", None).await?,
    );
    // A name that resolves to loopback everywhere.
    service(
        &site,
        "own",
        "own.localhost",
        one.port,
        "resolution: DNS_ROUND_ROBIN",
    )?;
    answered_by(&site, "own", &["one"]).await?;
    let page = site
        .envoy_page("/config_dump?resource=dynamic_active_clusters")
        .await?;
    ensure!(page.contains("LOGICAL_DNS"), "{page}");
    let listed = format!(
        "resolution: DNS_ROUND_ROBIN, endpoints: [{{address: localhost, ports: {{http: {}}}}}]",
        two.port
    );
    service(&site, "listed", "listed.origin", one.port, &listed)?;
    answered_by(&site, "listed", &["two"]).await?;
    let several = format!(
        "resolution: DNS_ROUND_ROBIN, endpoints: [{{address: localhost}}, {{address: localhost, ports: {{http: {}}}}}]",
        two.port
    );
    service(&site, "several", "several.origin", one.port, &several)?;
    answered_by(&site, "several", &["one", "two"]).await?;

    for (name, resolution) in [("none", "NONE"), ("dynamic", "DYNAMIC_DNS")] {
        let listed = format!("resolution: {resolution}, endpoints: [{{address: 127.0.0.1}}]");
        service(&site, name, &format!("{name}.origin"), one.port, &listed)?;
        answered_by(&site, name, &["one"]).await?;
    }
    let (_, report) = site.check()?;
    let findings = report["findings"].to_string();
    ensure!(findings.matches("not-carried-out").count() == 3, "{findings}");

    // By its very name, and with endpoints alone.
    let wildcard = "*.wild.origin";
    service(&site, "wild", wildcard, one.port, "resolution: DNS")?;
    fails(&site, "wild", "bad-host").await?;
    let listed = "resolution: DNS, endpoints: [{address: localhost}]";
    service(&site, "wild", wildcard, one.port, listed)?;
    answered_by(&site, "wild", &["one"]).await
}
