//! What is served survives a restart of the agent, of Envoy and of both, also where the objects are refused now. Real agent,
//! real Envoy, requests all the while.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);
/// Hosts, each with whether TLS ends there, a path and the upstream that answers.
const ANSWERS: [(&str, bool, &str, &str); 7] = [
    ("server.test", true, "/", "app"),
    ("server.test", false, "/", "app"),
    ("whole.test", false, "/", "app"),
    ("rule.test", false, "/rule", "app"),
    ("rule.test", false, "/", "other"),
    ("match.test", false, "/", "app"),
    ("service.test", false, "/", "app"),
];

#[derive(Clone)]
struct Probe {
    http: u16,
    https: u16,
    tls: Tls,
}

impl Probe {
    async fn answers(&self) -> Result<()> {
        for (host, secure, path, upstream) in ANSWERS {
            let answer = if secure {
                fetch(self.https, host, path, &self.tls).await?.0
            } else {
                fetch_plain(self.http, host, path).await?
            };
            let body = answer.body.lines().next().unwrap_or_default();
            ensure!(
                answer.status == 200 && body == upstream,
                "{host}{path}, TLS {secure}: {} {body}",
                answer.status
            );
        }
        Ok(())
    }

    /// Asks until it is told to stop: how often that was.
    async fn ask(self, stop: Arc<AtomicBool>) -> Result<u64> {
        let mut rounds = 0;
        while !stop.load(Ordering::Relaxed) {
            self.answers()
                .await
                .with_context(|| format!("after {rounds} rounds"))?;
            rounds += 1;
        }
        Ok(rounds)
    }
}

fn route(upstream: &str) -> String {
    format!("    route: [{{destination: {{host: {upstream}.test, port: {{number: 80}}}}}}]\n")
}

/// All objects; with a fault in each of them, or with none.
fn objects(app: u16, other: u16, broken: bool) -> String {
    let fault = |good: &str, bad: &str| if broken { bad.to_owned() } else { good.to_owned() };
    let all = |upstream: &str| format!("  -\n{}", route(upstream));
    // A part of a Gateway, a whole one, a rule, a rule whose conditions nobody can read, a service, and its subset.
    let tls = fault("", ", minProtocolVersion: TLS_ONE");
    let edge = plain_server(80, "*")
        + &tls_server("server.test", &format!("mode: SIMPLE, credentialName: edge{tls}"));
    let whole = fault("", ", annotations: {sealgate.dev/identity: \"{]\"}");
    let whole = gateway_of("istio-system", "whole", &plain_server(80, "whole.test")).replace(
        "namespace: istio-system",
        &format!("namespace: istio-system{whole}"),
    );
    let header = fault("", "    headers: {request: {set: {\"a b\": x}}}\n");
    let rule = format!(
        "  - match: [{{uri: {{prefix: /rule}}}}]\n{}{header}",
        route("app")
    );
    let regex = fault("/.*", "(");
    let conditions = format!("  - match: [{{uri: {{regex: \"{regex}\"}}}}]\n{}", route("app"));
    let host = fault("kept.test", "kept test");
    let kept = entry("kept", &host, 80, app).replace("number: 80", &fault("number: 80", "number: eighty"));
    [
        entry("app", "app.test", 80, app),
        entry("other", "other.test", 80, other),
        kept,
    ]
    .map(|entry| entry + "---\n")
    .concat()
        + &gateway_of("istio-system", "edge", &edge)
        + &whole
        + &routes_of("istio-system", "server", ("edge", "server.test"), &all("app"))
        + &routes_of("istio-system", "whole", ("whole", "whole.test"), &all("app"))
        + &routes_of(
            "istio-system",
            "rule",
            ("edge", "rule.test"),
            &(rule + &all("other")),
        )
        + &routes_of("istio-system", "match", ("edge", "match.test"), &conditions)
        + &routes_of("istio-system", "service", ("edge", "service.test"), &all("kept"))
}

struct Stand {
    folder: TempDir,
    site: Site,
    probe: Probe,
}

impl Stand {
    /// Good objects are served, and then each of them gets a fault.
    async fn start(with_state: bool) -> Result<Self> {
        Self::start_with(with_state, "true").await
    }

    async fn start_with(with_state: bool, keys: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let state = folder.path().join("state");
        let state = if with_state {
            state.display().to_string()
        } else {
            String::new()
        };
        let site = Site::start_with(vec![
            format!("--state-dir={state}"),
            format!("--state-keys={keys}"),
        ])
        .await?;
        Authority::new("CA")?
            .leaf(&["server.test"])?
            .write(&site.dir().join("edge"))?;
        let (app, other) = (echo::start("app").await?, echo::start("other").await?);
        let probe = Probe {
            http: site.http,
            https: site.https,
            tls: Tls::new(Version::H1, None)?,
        };
        site.write("objects.yaml", &objects(app, other, false))?;
        eventually("all is served", SOON, || probe.answers()).await?;
        site.write("objects.yaml", &objects(app, other, true))?;
        site.write("edge/tls.crt", "no certificate\n")?;
        let stand = Self { folder, site, probe };
        eventually("each fault is found", SOON, || stand.is_refused()).await?;
        stand.probe.answers().await.context("while refused")?;
        Ok(stand)
    }

    async fn is_refused(&self) -> Result<()> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().context("no refusals")?;
        let mut objects: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .filter_map(|finding| finding["object"].as_str())
            .collect();
        objects.dedup();
        objects.sort_unstable();
        objects.dedup();
        let expected = [
            "Gateway istio-system/edge",
            "Gateway istio-system/whole",
            "Secret istio-system/edge",
            "ServiceEntry default/kept",
            "VirtualService istio-system/match",
            "VirtualService istio-system/rule",
        ];
        ensure!(objects == expected, "{objects:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_agent_starts_anew() -> Result<()> {
    let mut stand = Stand::start(true).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(stand.probe.clone().ask(Arc::clone(&stop)));
    for _ in 0..3 {
        stand.site.kill_agent();
        stand.site.start_agent().await?;
        stand.is_refused().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = asking.await??;
    ensure!(rounds > 10, "{rounds} rounds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_starts_anew_serves_what_was_served() -> Result<()> {
    let mut stand = Stand::start(true).await?;
    stand.site.kill_envoy();
    stand.site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("it serves", SOON, || stand.probe.answers()).await?;
    // And with an agent that starts anew too.
    stand.site.kill_envoy();
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    stand.site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("both serve", SOON, || stand.probe.answers()).await?;
    stand.is_refused().await
}

/// What is mended is served, and nothing that was kept comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_or_mended_is_not_kept() -> Result<()> {
    let mut stand = Stand::start(true).await?;
    stand.site.kill_agent();
    std::fs::remove_file(stand.site.dir().join("objects.yaml"))?;
    stand.site.start_agent().await?;
    let status = stand.site.status().await?;
    ensure!(
        status["gateways"].as_array().is_some_and(Vec::is_empty),
        "{status}"
    );
    Ok(())
}

/// Private keys are kept for nobody else's eyes, and only if they may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_kept_if_they_may_be_and_for_the_agent_alone() -> Result<()> {
    for (keys, expected) in [("true", 1), ("false", 0)] {
        let stand = Stand::start_with(true, keys).await?;
        let folder = stand.folder.path().join("state/credentials");
        ensure!(
            std::fs::metadata(&folder)?.permissions().mode() & 0o777 == 0o700,
            "{folder:?}"
        );
        let mut found = 0;
        for entry in walk(&stand.folder.path().join("state"))? {
            if std::fs::read_to_string(&entry)?.contains("PRIVATE KEY") {
                found += 1;
                let mode = std::fs::metadata(&entry)?.permissions().mode() & 0o777;
                ensure!(mode == 0o600, "{entry:?}: {mode:o}");
            }
        }
        ensure!(found == expected, "--state-keys={keys}: {found} files with a key");
    }
    Ok(())
}

fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// What the tests above would not see otherwise: without the folder the new agent has only what is good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_what_is_refused_is_not_served_by_a_new_agent() -> Result<()> {
    let mut stand = Stand::start(false).await?;
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    let is_gone = || async {
        let answer = fetch_plain(stand.site.http, "match.test", "/").await?;
        ensure!(answer.status == 404, "{}", answer.status);
        Ok(())
    };
    eventually(
        "a VirtualService that nobody can read is not served",
        SOON,
        is_gone,
    )
    .await
}
