//! Envoy has the limits that `docs/reference/envoy.md` lists, and `--envoy-limits` changes them. Real agent, real
//! Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_agent::envoy_limits::{EnvoyLimit, EnvoyLimits};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::eventually;
use sealgate_tests::manifests::{HTTPBIN, gateway, services, virtual_service};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);
const HOST: &str = "b.aliyun.com";
/// What bounds something is called so in Envoy.
const WORDS: [&str; 8] = [
    "timeout",
    "max_",
    "window_size",
    "limit",
    "interval",
    "num_",
    "duration",
    "socket_options",
];

const PASSTHROUGH: &str = "  - port: {number: 443, name: tls, protocol: TLS}
    hosts: [pass.test]
    tls: {mode: PASSTHROUGH}
";
const PASSED: &str = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: passed}
spec:
  hosts: [pass.test]
  gateways: [istio-system/gateway]
  tls:
  - match: [{sniHosts: [pass.test]}]
    route: [{destination: {host: httpbin, port: {number: 8000}}}]
";

/// A row of the page.
#[derive(Debug)]
struct Row {
    /// None if it cannot be changed.
    name: Option<String>,
    default: String,
    field: String,
}

fn page() -> Result<Vec<Row>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/envoy.md");
    let text = std::fs::read_to_string(path)?;
    let mut rows: Vec<Row> = Vec::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with('|') && line.contains("er: "))
    {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect();
        let row = match cells.as_slice() {
            [_, name, default, field, _, _] if name.is_empty() => {
                ensure!(default.is_empty(), "{line}");
                let above = rows.last().context("nothing above")?;
                Row {
                    name: above.name.clone(),
                    default: above.default.clone(),
                    field: field.clone(),
                }
            }
            [_, name, default, field, _, _] => Row {
                name: Some(name.clone()),
                default: default.clone(),
                field: field.clone(),
            },
            [_, default, field, _, _] => Row {
                name: None,
                default: default.clone(),
                field: field.clone(),
            },
            _ => anyhow::bail!("{line}"),
        };
        rows.push(row);
    }
    Ok(rows)
}

/// Everything in Envoy's configuration that bounds something, by the last names of its field.
async fn bounds(site: &Site) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut all = BTreeMap::new();
    for (what, resources) in [
        ("listener", "dynamic_listeners"),
        ("cluster", "dynamic_active_clusters"),
    ] {
        let page = site
            .envoy_page(&format!("/config_dump?resource={resources}"))
            .await?;
        let dump: Value = serde_json::from_str(&page)?;
        let configs = dump["configs"].as_array().context("no configuration")?;
        ensure!(!configs.is_empty(), "no {resources}");
        for config in configs {
            let config = if what == "cluster" {
                &config["cluster"]
            } else {
                &config["active_state"]["listener"]
            };
            walk(config, &mut vec![what.to_owned()], &mut all);
        }
    }
    for proxy in tcp_proxies(site).await? {
        walk(&proxy, &mut vec!["tcp filter".to_owned()], &mut all);
    }
    Ok(all)
}

/// The filters of connections that are passed on. Asked for `ecds_filters` alone, Envoy shows those of requests.
async fn tcp_proxies(site: &Site) -> Result<Vec<Value>> {
    let page = site.envoy_page("/config_dump").await?;
    let dump: Value = serde_json::from_str(&page)?;
    let dumps = dump["configs"].as_array().into_iter().flatten();
    let filters = dumps.flat_map(|dump| dump["ecds_filters"].as_array().into_iter().flatten());
    let filters = filters.map(|filter| filter["ecds_filter"]["typed_config"].clone());
    let is_proxy = |filter: &Value| {
        filter["@type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with(".TcpProxy"))
    };
    Ok(filters.filter(is_proxy).collect())
}

fn walk(value: &Value, path: &mut Vec<String>, all: &mut BTreeMap<String, BTreeSet<String>>) {
    let name = path.last().cloned().unwrap_or_default();
    if WORDS.iter().any(|word| name.contains(word)) {
        let parent = path.iter().rev().nth(1).cloned().unwrap_or_default();
        let is_of_parent = parent.ends_with("protocol_options") || name == "initial_fetch_timeout";
        let field = if is_of_parent {
            format!("{parent}.{name}")
        } else {
            name
        };
        let kind = path.first().cloned().unwrap_or_default();
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(options) => options
                .iter()
                .filter_map(|own| own["int_value"].as_str())
                .collect::<Vec<_>>()
                .join(" "),
            other => other.to_string(),
        };
        all.entry(format!("{kind}: {field}")).or_default().insert(value);
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                walk(value, path, all);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, all)),
        _ => {}
    }
}

async fn start(limits: &str) -> Result<Site> {
    let site = Site::start_with(vec![format!("--envoy-limits={limits}")]).await?;
    Authority::new("CA")?
        .leaf(&["*.aliyun.com"])?
        .write(&site.dir().join("edge"))?;
    let gateway = gateway("edge", PASSTHROUGH).replacen(
        "namespace: istio-system",
        "namespace: istio-system, annotations: {sealgate.dev/http3: \"true\"}",
        1,
    );
    site.write("gateway.yaml", &gateway)?;
    site.write("passed.yaml", PASSED)?;
    site.write("services.yaml", &services(site.welcome, site.httpbin))?;
    let patient = "  - match: [{uri: {prefix: /delay}, headers: {x-patient: {}}}]
    timeout: 8s
    route: [{destination: {host: httpbin, port: {number: 8000}}}]
";
    site.write(
        "routes.yaml",
        &virtual_service("httpbin", HOST, &(patient.to_owned() + HTTPBIN)),
    )?;
    eventually("it serves", SOON, || async {
        let answer = fetch_plain(site.http, HOST, "/status/200").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        ensure!(!tcp_proxies(&site).await?.is_empty(), "no filter for connections");
        Ok(())
    })
    .await?;
    Ok(site)
}

/// Envoy writes durations in seconds, and numbers as they are.
fn in_envoy(limit: EnvoyLimit, value: u32) -> String {
    match limit {
        EnvoyLimit::Keepalive => format!("1 {value} 15 4"),
        limit if limit.written(3600) == "1h" => format!("{value}s"),
        _ => value.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_has_the_limits_of_the_page_and_no_others() -> Result<()> {
    let rows = page()?;
    let names: BTreeSet<_> = rows.iter().filter_map(|row| row.name.as_deref()).collect();
    ensure!(
        names == EnvoyLimit::all().map(EnvoyLimit::word).collect(),
        "{names:?}"
    );
    let bounds = bounds(&start("").await?).await?;
    let fields: BTreeSet<_> = rows.iter().map(|row| row.field.clone()).collect();
    let found: BTreeSet<_> = bounds.keys().cloned().collect();
    ensure!(
        found == fields,
        "in Envoy {:?}, on the page {:?}",
        &found - &fields,
        &fields - &found
    );
    for row in rows {
        let limit = EnvoyLimit::all().find(|limit| Some(limit.word()) == row.name.as_deref());
        let expected = match limit {
            Some(limit) => {
                let default = EnvoyLimits::default().of(limit);
                ensure!(row.default == limit.written(default), "{row:?}");
                in_envoy(limit, default)
            }
            None => row.default.clone(),
        };
        ensure!(
            bounds[&row.field] == BTreeSet::from([expected]),
            "{row:?}: {:?}",
            bounds[&row.field]
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_can_be_changed() -> Result<()> {
    // Each has a value that no other has.
    let value = |limit: EnvoyLimit| match limit {
        EnvoyLimit::Keepalive => 77,
        limit if limit.written(3600) == "1h" => 1000 + limit as u32,
        limit => 70_000 + limit as u32,
    };
    let written = EnvoyLimit::all().map(|limit| format!("{}={}", limit.word(), limit.written(value(limit))));
    let bounds = bounds(&start(&written.collect::<Vec<_>>().join(",")).await?).await?;
    for row in page()? {
        let Some(limit) = EnvoyLimit::all().find(|limit| Some(limit.word()) == row.name.as_deref()) else {
            continue;
        };
        ensure!(
            bounds[&row.field] == BTreeSet::from([in_envoy(limit, value(limit))]),
            "{row:?}: {:?}",
            bounds[&row.field]
        );
    }
    Ok(())
}

/// A rule's own `timeout` stands before the limit of requests on which nothing moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_stands_before_the_limit() -> Result<()> {
    let site = start("stream-idle=1s").await?;
    let impatient = fetch_plain(site.http, HOST, "/delay/3").await?;
    ensure!(impatient.status == 504, "{}", impatient.status);
    let mut connection = sealgate_tests::client::Connection::open_plain(site.http).await?;
    let patient = connection
        .get_with(HOST, "/delay/3", &[("x-patient", "yes")])
        .await?;
    let patient = patient.context("no answer")?;
    ensure!(patient.status == 200, "{}", patient.status);
    Ok(())
}
