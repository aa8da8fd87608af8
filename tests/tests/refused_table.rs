//! Configurations that the filter rejects, of a port and of a part of the table: with them, Envoy does not start, and a
//! running Envoy keeps what it has. They come from a file here, because the agent would never send invalid ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_core::rules::TableConfig;
use sealgate_core::table::{encode_parts, part_of};
use sealgate_tests::by_hand::{self, Machine};
use sealgate_tests::client::{self, Answer};
use sealgate_tests::site::{Envoy, free_port};
use sealgate_tests::{echo, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1 << 20;

/// The part that the tests are about.
fn index() -> u16 {
    part_of(80, "*")
}

/// The parts of a table that sends everything to this cluster.
fn parts(cluster: &str) -> Result<Vec<Vec<u8>>> {
    let route = json!({"route": {"destinations": [{"cluster": cluster, "weight": 1}]}});
    let rule = json!({"origin": {"virtual_service": "default/a", "rule": 0}, "action": route});
    let table: TableConfig =
        serde_json::from_value(json!({"port": 80, "virtual_hosts": [{"domains": ["*"], "rules": [rule]}]}))?;
    Ok(encode_parts([&table])?)
}

/// The part that matters.
fn part(cluster: &str) -> Result<Vec<u8>> {
    let mut parts = parts(cluster)?;
    Ok(parts.swap_remove(usize::from(index())))
}

/// What is wrong with the configuration of a port, and one that has it.
fn broken_ports() -> Vec<(&'static str, Value)> {
    let text = by_hand::text;
    vec![
        ("no JSON", text("{")),
        ("another kind", text("[]")),
        ("text after it", text(r#"{"port": 80} x"#)),
        ("nested for ever", text(&"[".repeat(MEGABYTE))),
        ("what was told, without a port", text(r#"{"told": []}"#)),
        ("a field that nobody knows", text(r#"{"port": 80, "deny": true}"#)),
        (
            "a table, as it was before",
            text(r#"{"port": 80, "virtual_hosts": []}"#),
        ),
        ("a port of text", text(r#"{"port": "80"}"#)),
        ("a port of no port", text(r#"{"port": 65536}"#)),
        (
            "20 MB of nothing",
            text(&format!("{{\"port\": \"{}\"}}", "x".repeat(20 * MEGABYTE))),
        ),
    ]
}

/// What is wrong with a part, and one that has it.
fn broken_parts() -> Result<Vec<(&'static str, Value)>> {
    let good = part("b")?;
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        by_hand::bytes(&bytes)
    };
    let nothing = [good.get(..4).unwrap_or_default(), &vec![0; 20 * MEGABYTE]].concat();
    Ok(vec![
        ("another magic", with(0, b'X')),
        ("another version", with(4, 0xff)),
        ("another number of parts", with(6, 32)),
        ("a number of no part", with(8, 64)),
        ("the number of another part", with(8, index() as u8 ^ 1)),
        ("more hosts than there are", with(15, 1)),
        ("a name that lies elsewhere", with(27, 0xff)),
        ("a block that lies elsewhere", with(39, 0xff)),
        ("cut off", by_hand::bytes(good.get(..30).unwrap_or_default())),
        ("20 MB of nothing", by_hand::bytes(&nothing)),
    ])
}

/// Which plugin's configuration comes from a file, so that it can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replaced {
    Port,
    Part,
}

/// An Envoy whose plugins are configured by hand.
struct ByHand {
    folder: TempDir,
    port: u16,
    admin: u16,
    module: PathBuf,
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
        let module = std::env::var_os("SEALGATE_FILTER_WASM")
            .context("SEALGATE_FILTER_WASM is not set: run scripts/test")?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            port: free_port()?,
            admin: free_port()?,
            module: module.into(),
            clusters,
        })
    }

    fn machine(&self) -> Machine<'_> {
        Machine {
            module: &self.module,
            id: "sealgate",
        }
    }

    /// The good configuration of the port's plugin.
    fn traffic() -> Value {
        by_hand::text(r#"{"port": 80}"#)
    }

    fn configured(&self, configuration: Value) -> Value {
        json!({"typed_config": self.machine().plugin("sealgate", Some(configuration))})
    }

    /// Comes from the file.
    fn discovered(&self) -> Value {
        let source = json!({"resource_api_version": "V3", "path_config_source": {"path": self.path()}});
        json!({"config_discovery": {
            "config_source": source,
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        }})
    }

    /// A bootstrap with these plugins of the port and of the part; the other parts are as they should be. JSON is YAML.
    fn bootstrap(&self, mut traffic: Value, mut part: Value) -> Result<String> {
        let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        traffic["name"] = json!("sealgate");
        part["name"] = json!("sealgate");
        let others = parts("a")?.into_iter().enumerate();
        let others = others.filter(|(at, _)| *at != usize::from(index()));
        let mut data: Vec<Value> = others
            .map(|(at, bytes)| {
                let mut filter = self.configured(by_hand::bytes(&bytes));
                filter["name"] = json!(format!("part-{at}"));
                filter
            })
            .collect();
        data.push(part);
        let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
        let route = json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-sealgate-cluster"}});
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "by_hand",
            "http_filters": [traffic, {"name": "router", "typed_config": router}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        });
        let listener = json!({
            "name": "by-hand",
            "address": address(self.port),
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        });
        let listeners = [by_hand::data_listener(data), listener];
        let bootstrap = json!({
            "node": {"id": "by-hand", "cluster": "by-hand"},
            "admin": {"address": address(self.admin)},
            "static_resources": {"listeners": listeners, "clusters": self.clusters},
        });
        Ok(bootstrap.to_string())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("filter.json")
    }

    /// Puts another configuration in place, as a rename.
    fn update(&self, version: usize, configuration: Value) -> Result<()> {
        let mut extension = self.configured(configuration);
        extension["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
        extension["name"] = json!("sealgate");
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

    async fn stats(&self, filter: &str) -> Result<String> {
        let page = client::fetch_plain(self.admin, "localhost", &format!("/stats?filter={filter}")).await?;
        Ok(page.body)
    }

    /// How many updates Envoy has taken and refused.
    async fn updates(&self) -> Result<(u64, u64)> {
        let page = self.stats("extension_config_discovery").await?;
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
async fn envoy_does_not_start_with_what_the_filter_refuses() -> Result<()> {
    let machine = ByHand::new().await?;
    let good = (ByHand::traffic(), by_hand::bytes(&part("a")?));
    let start = |traffic: &Value, part: &Value| {
        machine.bootstrap(
            machine.configured(traffic.clone()),
            machine.configured(part.clone()),
        )
    };
    let (ports, parts) = (broken_ports(), broken_parts()?);
    let ports = [&ports[0], &ports[5]].map(|(what, config)| (*what, start(config, &good.1)));
    let parts = [&parts[1], &parts[5]].map(|(what, config)| (*what, start(&good.0, config)));
    for (what, bootstrap) in ports.into_iter().chain(parts) {
        let log = ends(machine.folder.path(), &bootstrap?).await.context(what)?;
        ensure!(
            log.contains("sealgate: the configuration is rejected"),
            "{what}: {log}"
        );
    }
    let _envoy = Envoy::start(machine.folder.path(), &start(&good.0, &good.1)?, machine.admin).await?;
    eventually("the good one routes", SOON, || machine.reaches("a")).await
}

async fn refuses(replaced: Replaced, broken: Vec<(&str, Value)>) -> Result<()> {
    let machine = ByHand::new().await?;
    let part_a = by_hand::bytes(&part("a")?);
    let bootstrap = match replaced {
        Replaced::Port => {
            machine.update(0, ByHand::traffic())?;
            machine.bootstrap(machine.discovered(), machine.configured(part_a))?
        }
        Replaced::Part => {
            machine.update(0, part_a)?;
            machine.bootstrap(machine.configured(ByHand::traffic()), machine.discovered())?
        }
    };
    let _envoy = Envoy::start(machine.folder.path(), &bootstrap, machine.admin).await?;
    eventually("the first one routes", SOON, || machine.reaches("a")).await?;
    for (at, (what, configuration)) in broken.into_iter().enumerate() {
        let (_, before) = machine.updates().await?;
        machine.update(at + 1, configuration)?;
        let refused = || async {
            let (_, now) = machine.updates().await?;
            ensure!(now > before, "{now} refused updates");
            Ok(())
        };
        eventually(&format!("{what}: refused"), SOON, refused).await?;
        machine.reaches("a").await.context(what.to_owned())?;
    }
    if replaced == Replaced::Part {
        machine.update(1000, by_hand::bytes(&part("b")?))?;
        eventually("the next good one routes", SOON, || machine.reaches("b")).await?;
    }
    let stats = machine.stats("runtime.v8.active").await?;
    ensure!(!stats.ends_with(": 0\n"), "the machine is gone: {stats}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_update_leaves_what_a_port_was_told() -> Result<()> {
    refuses(Replaced::Port, broken_ports()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_update_leaves_the_part_that_routes() -> Result<()> {
    refuses(Replaced::Part, broken_parts()?).await
}

/// What a part points to is looked at when a request asks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_that_cannot_be_read_are_an_error_of_their_requests_alone() -> Result<()> {
    let machine = ByHand::new().await?;
    machine.update(0, by_hand::bytes(&part("a")?))?;
    let bootstrap = machine.bootstrap(machine.configured(ByHand::traffic()), machine.discovered())?;
    let _envoy = Envoy::start(machine.folder.path(), &bootstrap, machine.admin).await?;
    eventually("the first one routes", SOON, || machine.reaches("a")).await?;
    let mut bytes = part("a")?;
    bytes.iter_mut().rev().take(100).for_each(|byte| *byte = 0xff);
    machine.update(1, by_hand::bytes(&bytes))?;
    let fails = || async {
        let status = machine.fetch().await?.status;
        ensure!(status == 500, "{status}");
        Ok(())
    };
    eventually("its requests fail", SOON, fails).await?;
    let count = machine.stats("sealgate_table_corrupt").await?;
    ensure!(count.contains("sealgate_table_corrupt: "), "{count}");
    machine.update(2, by_hand::bytes(&part("b")?))?;
    eventually("a good one routes", SOON, || machine.reaches("b")).await
}

/// A machine that was made anew after a crash has no table, and nobody tells it the parts: here it is one that never had
/// any, and shares no more than its name with the one that does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_machine_finds_the_parts_that_another_one_was_told() -> Result<()> {
    let machine = ByHand::new().await?;
    machine.update(0, by_hand::bytes(&part("a")?))?;
    let mut alone = machine.configured(ByHand::traffic());
    alone["typed_config"]["config"]["vm_config"]["configuration"] = by_hand::text("another machine");
    let bootstrap = machine.bootstrap(alone, machine.discovered())?;
    let _envoy = Envoy::start(machine.folder.path(), &bootstrap, machine.admin).await?;
    eventually("it routes", SOON, || machine.reaches("a")).await
}
