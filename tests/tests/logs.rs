//! The log of the real agent with a real Envoy, as read by a program.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
const HOST: &str = "shop.test";

/// What was logged so far; each line is JSON.
fn logged(site: &Site) -> Result<Vec<Value>> {
    let text = fs::read_to_string(site.agent_log())?;
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// Events at level info with this message and this value of a field.
fn events(site: &Site, message: &str, (field, value): (&str, &str)) -> Result<Vec<Value>> {
    let is_meant =
        |event: &Value| event["level"] == "INFO" && event["message"] == message && event[field] == value;
    Ok(logged(site)?.into_iter().filter(is_meant).collect())
}

/// One line for each rotation, and one for each proxy that connects or leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_and_proxies_are_a_line_of_json_each() -> Result<()> {
    let flags = ["--log-format=json", "--log-level=info"].map(str::to_owned);
    let mut site = Site::start_with(flags.to_vec()).await?;
    let authority = Authority::new("CA")?;
    let folder = site.dir().join("edge");
    authority.leaf(&[HOST])?.write(&folder)?;
    let server = tls_server(HOST, "mode: SIMPLE, credentialName: edge");
    site.write("edge.yaml", &gateway_of("istio-system", "edge", &server))?;

    let edge = ("credential", "istio-system/edge");
    let one = |message: &'static str, field: (&'static str, &'static str)| {
        let site = &site;
        eventually(message, SOON, move || async move {
            let events = events(site, message, field)?;
            ensure!(events.len() == 1, "{events:?}");
            events.into_iter().next().context("none")
        })
    };
    let first = one("served", edge).await?;
    authority.leaf(&[HOST])?.write(&folder)?;
    let second = one("replaced", edge).await?;
    for field in ["version", "sha256"] {
        let (first, second) = (&first[field], &second[field]);
        ensure!(
            first.is_string() && second.is_string() && first != second,
            "{field}: {first} {second}"
        );
    }
    let not_after = second["not_after"].as_str().context("not_after")?;
    let status = site.status().await?;
    ensure!(
        status["credentials"][0]["notAfter"] == not_after,
        "{not_after} {status}"
    );

    let node = status["proxies"][0]["node"]
        .as_str()
        .context("no proxy")?
        .to_owned();
    eventually("it connected", SOON, || async {
        let connected = events(&site, "a proxy connected", ("node", &node))?;
        ensure!(connected.len() == 1, "{connected:?}");
        Ok(())
    })
    .await?;
    site.kill_envoy();
    eventually("it left", SOON, || async {
        let left = events(&site, "a proxy left", ("node", &node))?;
        ensure!(left.len() == 1, "{left:?}");
        Ok(())
    })
    .await
}
