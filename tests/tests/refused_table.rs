//! A configuration that the filter refuses: with it Envoy does not start, and a running Envoy keeps the one that it
//! has. The configuration comes from a file here, because the agent would never send a bad one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{self, Answer};
use sealgate_tests::site::{Envoy, free_port};
use sealgate_tests::{echo, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1 << 20;

/// A table that sends everything to this cluster.
fn table(cluster: &str) -> Value {
    let route = json!({"route": {"destinations": [{"cluster": cluster, "weight": 1}]}});
    let rule = json!({"origin": {"virtual_service": "default/a", "rule": 0}, "action": route});
    json!({"port": 80, "virtual_hosts": [{"domains": ["*"], "rules": [rule]}]})
}

/// The good table with one value at this place.
fn with(place: &str, value: Value) -> String {
    let mut table = table("b");
    let (parent, name) = place.rsplit_once('/').unwrap_or(("", place));
    match table.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.insert(name.to_owned(), value)),
        other => assert!(other.is_some(), "{place}: no such place"),
    }
    table.to_string()
}

/// What is wrong, and a configuration that has it.
fn broken() -> Vec<(&'static str, String)> {
    let rule = "/virtual_hosts/0/rules/0";
    let at = |place: &str, value| with(&format!("{rule}/{place}"), value);
    vec![
        ("empty", String::new()),
        ("no JSON", "{".to_owned()),
        ("another kind", "[]".to_owned()),
        ("text after it", format!("{} x", table("b"))),
        ("nested for ever", "[".repeat(MEGABYTE)),
        ("a field that nobody knows", with("/deny", json!(true))),
        ("a field of a rule that nobody knows", at("deny", json!(true))),
        (
            "a condition that nobody knows",
            at("matches", json!([{"source": "10.0.0.0/8"}])),
        ),
        ("an action that nobody knows", at("action", json!({"tunnel": {}}))),
        ("a port of text", with("/port", json!("80"))),
        ("a port of no port", with("/port", json!(65536))),
        ("hosts of text", with("/virtual_hosts", json!("*"))),
        ("no action", at("action", Value::Null)),
        ("no destination", at("action/route/destinations", json!([]))),
        (
            "a negative weight",
            at(
                "action/route/destinations",
                json!([{"cluster": "b", "weight": -1}]),
            ),
        ),
        (
            "a pattern that is none",
            at("matches", json!([{"uri": {"regex": "("}}])),
        ),
        (
            "a pattern too large",
            at("matches", json!([{"uri": {"regex": "(?:a{1000}){1000}"}}])),
        ),
        (
            "a domain twice",
            with("/virtual_hosts", json!([{"domains": ["a", "a"]}])),
        ),
        (
            "20 MB of nothing",
            format!("{{\"port\": \"{}\"}}", "x".repeat(20 * MEGABYTE)),
        ),
    ]
}

/// The filter with a configuration, as Envoy's API has it.
fn filter(configuration: &str) -> Result<Value> {
    let module =
        std::env::var("SEALGATE_FILTER_WASM").context("SEALGATE_FILTER_WASM is not set: run scripts/test")?;
    Ok(json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "sealgate",
            "failure_policy": "FAIL_RELOAD",
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
            "vm_config": {"vm_id": "sealgate", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
        },
    }))
}

/// A machine whose filter is configured by hand.
struct ByHand {
    folder: TempDir,
    port: u16,
    admin: u16,
    clusters: Vec<Value>,
}

impl ByHand {
    async fn new() -> Result<Self> {
        let mut clusters = Vec::new();
        for name in ["a", "b"] {
            let address =
                json!({"socket_address": {"address": "127.0.0.1", "port_value": echo::start(name).await?}});
            let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address}}]}]);
            clusters.push(
                json!({"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}}),
            );
        }
        Ok(Self {
            folder: tempfile::tempdir()?,
            port: free_port()?,
            admin: free_port()?,
            clusters,
        })
    }

    /// A bootstrap with this filter first. JSON is YAML.
    fn bootstrap(&self, mut first: Value) -> String {
        let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        first["name"] = json!("sealgate");
        let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
        let route = json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-sealgate-cluster"}});
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "by_hand",
            "http_filters": [first, {"name": "router", "typed_config": router}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        });
        let listener = json!({
            "name": "by-hand",
            "address": address(self.port),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        });
        json!({
            "node": {"id": "by-hand", "cluster": "by-hand"},
            "admin": {"address": address(self.admin)},
            "static_resources": {"listeners": [listener], "clusters": self.clusters},
        })
        .to_string()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("filter.json")
    }

    /// Puts another configuration in place, as a rename.
    fn update(&self, version: usize, configuration: &str) -> Result<()> {
        let extension = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "sealgate",
            "typed_config": filter(configuration)?,
        });
        let new = self.path().with_extension("new");
        fs::write(
            &new,
            json!({"version_info": version.to_string(), "resources": [extension]}).to_string(),
        )?;
        Ok(fs::rename(new, self.path())?)
    }

    async fn fetch(&self) -> Result<Answer> {
        client::fetch_plain(self.port, "any.example", "/").await
    }

    async fn reaches(&self, upstream: &str) -> Result<()> {
        let answer = self.fetch().await?;
        ensure!(
            answer.body.starts_with(&format!("{upstream}\n")),
            "{} {}",
            answer.status,
            answer.body
        );
        Ok(())
    }

    /// How many updates Envoy has taken and refused.
    async fn updates(&self) -> Result<(u64, u64)> {
        let page = client::fetch_plain(
            self.admin,
            "localhost",
            "/stats?filter=extension_config_discovery",
        )
        .await?
        .body;
        let sum = |name: &str| {
            let counts = page.lines().filter(|line| line.contains(name));
            counts
                .filter_map(|line| line.rsplit(": ").next()?.parse::<u64>().ok())
                .sum()
        };
        Ok((sum(".config_reload:"), sum(".config_fail:")))
    }
}

/// Runs an Envoy that should end by itself; gives its log.
async fn ends(folder: &Path, bootstrap: &str) -> Result<String> {
    let path = folder.join("refused.yaml");
    fs::write(&path, bootstrap)?;
    let envoy = std::env::var_os("ENVOY_BIN").context("ENVOY_BIN is not set: run scripts/test")?;
    let mut command = tokio::process::Command::new(envoy);
    command.arg("-c").arg(path).args([
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
        "--log-level",
        "warning",
    ]);
    let output = tokio::time::timeout(SOON, command.kill_on_drop(true).output())
        .await
        .context("Envoy has started")??;
    ensure!(!output.status.success(), "Envoy has ended well");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_does_not_start_with_a_table_that_the_filter_refuses() -> Result<()> {
    let machine = ByHand::new().await?;
    let start =
        |configuration: &str| anyhow::Ok(machine.bootstrap(json!({"typed_config": filter(configuration)?})));
    for (what, configuration) in [&broken()[1], &broken()[6], &broken()[15]] {
        let log = ends(machine.folder.path(), &start(configuration)?)
            .await
            .context(*what)?;
        ensure!(
            log.contains("sealgate: the configuration is refused"),
            "{what}: {log}"
        );
    }
    let good = start(&table("a").to_string())?;
    let _envoy = Envoy::start(machine.folder.path(), &good, machine.admin).await?;
    eventually("the good one routes", SOON, || machine.reaches("a")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_update_leaves_the_table_that_routes() -> Result<()> {
    let machine = ByHand::new().await?;
    machine.update(0, &table("a").to_string())?;
    let source = json!({"resource_api_version": "V3", "path_config_source": {"path": machine.path()}});
    let discovery = json!({
        "config_source": source,
        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
    });
    let bootstrap = machine.bootstrap(json!({"config_discovery": discovery}));
    let _envoy = Envoy::start(machine.folder.path(), &bootstrap, machine.admin).await?;
    eventually("the first one routes", SOON, || machine.reaches("a")).await?;
    for (at, (what, configuration)) in broken().iter().enumerate() {
        let (_, before) = machine.updates().await?;
        machine.update(at + 1, configuration)?;
        let refused = || async {
            let (_, now) = machine.updates().await?;
            ensure!(now > before, "{now} refused updates");
            Ok(())
        };
        eventually(&format!("{what}: refused"), SOON, refused).await?;
        machine.reaches("a").await.context(*what)?;
    }
    machine.update(1000, &table("b").to_string())?;
    eventually("the next good one routes", SOON, || machine.reaches("b")).await?;
    let stats = client::fetch_plain(machine.admin, "localhost", "/stats?filter=runtime.v8.active")
        .await?
        .body;
    ensure!(!stats.ends_with(": 0\n"), "the machine is gone: {stats}");
    Ok(())
}
