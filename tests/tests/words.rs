//! The exact findings of `check` for mistakes that share a code, and no others.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::manifests::{gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::program;
use serde_json::Value;
use tempfile::TempDir;

const HOST: &str = "shop.test";
const OK: &str = "directResponse: {status: 200}\n";

/// A finding: severity, code, object and field, and its message.
type Said<'a> = (&'a str, &'a str);

fn edge(servers: &str) -> String {
    gateway_of("istio-system", "edge", servers)
}

fn routes(rules: &str) -> String {
    routes_of("istio-system", "site", ("edge", HOST), rules)
}

/// What is said of the objects of a folder.
fn said(folder: &TempDir, objects: &str) -> Result<Vec<(String, String)>> {
    fs::write(folder.path().join("objects.yaml"), objects)?;
    let checked = Command::new(program("SEALGATE_BIN")?)
        .args(["check", "--json", "--dir"])
        .arg(folder.path())
        .output()?;
    let report: Value = serde_json::from_slice(&checked.stdout)?;
    let findings = report["findings"].as_array().context("no findings")?;
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let place = |finding: &Value| ["severity", "code", "object", "field"].map(|key| text(finding, key));
    let said = findings
        .iter()
        .map(|own| (place(own).join(" "), text(own, "message")));
    Ok(said.collect())
}

fn says(folder: &TempDir, objects: &str, expected: &[Said<'_>]) -> Result<()> {
    let said = said(folder, objects)?;
    let same = said.len() == expected.len()
        && said
            .iter()
            .zip(expected)
            .all(|((place, message), own)| (&**place, &**message) == *own);
    ensure!(same, "{said:#?}\nis not\n{expected:#?}");
    Ok(())
}

#[test]
fn rules_after_a_catch_all_are_dead() -> Result<()> {
    let rules = format!(
        "  - match: [{{uri: {{exact: /a}}}}, {{uri: {{prefix: /}}}}]\n    {OK}  - match: [{{uri: {{prefix: /b}}}}]\n    {OK}  - {OK}"
    );
    let by = "never reached: http[0].match[1] takes every request that it matches";
    says(
        &TempDir::new()?,
        &(edge(&plain_server(80, HOST)) + &routes(&rules)),
        &[
            (
                "warning dead-rule VirtualService istio-system/site spec.http[1]",
                by,
            ),
            (
                "warning dead-rule VirtualService istio-system/site spec.http[2]",
                by,
            ),
        ],
    )
}

/// The host is a narrower server's, of a Gateway that has no rules at all.
#[test]
fn rules_that_a_narrower_server_hides_are_dead() -> Result<()> {
    let narrow = gateway_of("istio-system", "narrow", &plain_server(80, HOST));
    says(
        &TempDir::new()?,
        &(edge(&plain_server(80, "*.test")) + &narrow + &routes(&format!("  - {OK}"))),
        &[(
            "warning dead-rule VirtualService istio-system/site spec.http[0]",
            "never reached at this gateway: a server of another Gateway, to which this VirtualService is not bound, takes \
             shop.test from the wider server",
        )],
    )
}

#[test]
fn a_mirror_to_what_is_not_there_takes_copies_alone() -> Result<()> {
    let service = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: app, namespace: istio-system}\nspec:\n  hosts: [app.test]\n  location: MESH_EXTERNAL\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  endpoints: [{address: 127.0.0.1}]\n---\n";
    let rules = "  - route: [{destination: {host: app.test, port: {number: 80}}}]\n    mirrors: [{destination: {host: nowhere.test, port: {number: 80}}}]\n";
    says(
        &TempDir::new()?,
        &(service.to_owned() + &edge(&plain_server(80, HOST)) + &routes(rules)),
        &[(
            "warning unknown-destination VirtualService istio-system/site spec.http[0].mirrors[0].destination",
            "there is no Service or ServiceEntry nowhere.test: copies of requests go nowhere",
        )],
    )
}

#[test]
fn a_secret_of_that_name_elsewhere_is_named() -> Result<()> {
    let folder = TempDir::new()?;
    let pair = folder.path().join("pair");
    Authority::new("CA")?.leaf(&[HOST])?.write(&pair)?;
    let indented = |file: &str| -> Result<String> {
        let text = fs::read_to_string(pair.join(file))?;
        Ok(text.lines().map(|line| format!("    {line}\n")).collect())
    };
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: mine, namespace: dev}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}---\n",
        indented("tls.crt")?,
        indented("tls.key")?
    );
    fs::remove_dir_all(&pair)?;
    let server = tls_server(HOST, "mode: SIMPLE, credentialName: mine");
    says(
        &folder,
        &(secret + &edge(&server) + &routes(&format!("  - {OK}"))),
        &[(
            "error credential-not-ready Gateway istio-system/edge spec.servers[0].tls.credentialName",
            "there is no valid Secret istio-system/mine yet: until there is, connections to its hosts fail, except on proxies \
             that already have it; there is dev/mine, but Gateways name Secrets of the namespace istio-system",
        )],
    )
}

#[test]
fn the_hosts_of_a_refused_server_are_named() -> Result<()> {
    let hosts = (0..8)
        .map(|at| format!("h{at}.test"))
        .collect::<Vec<_>>()
        .join(", ");
    let database = format!("  - port: {{number: 53, name: udp, protocol: UDP}}\n    hosts: [{hosts}]\n");
    says(
        &TempDir::new()?,
        &(edge(&(plain_server(80, HOST) + &database)) + &routes(&format!("  - {OK}"))),
        &[(
            "error not-carried-out Gateway istio-system/edge spec.servers[1].port.protocol",
            "\"UDP\": expected HTTP, HTTP2, GRPC, HTTPS, TLS or TCP; the server's hosts are not served: h0.test, h1.test, \
             h2.test, h3.test, h4.test and 3 more",
        )],
    )
}
