//! What is served survives a restart of the agent, of Envoy and of both, even if the objects are now rejected. Real
//! agent, real Envoy, constant requests.

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
/// What an Envoy keeps that a new agent cannot judge.
const KINDS: &[&str] = &[
    "Cluster",
    "ClusterLoadAssignment",
    "Listener",
    "Secret",
    "TypedExtensionConfig",
];
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
    /// The ports of both.
    upstreams: (u16, u16),
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
        let upstreams = (app, other);
        let stand = Self {
            folder,
            site,
            probe,
            upstreams,
        };
        eventually("each fault is found", SOON, || stand.is_refused()).await?;
        stand.probe.answers().await.context("while refused")?;
        Ok(stand)
    }

    /// The objects are good again.
    fn mend(&self) -> Result<()> {
        self.site.write(
            "objects.yaml",
            &objects(self.upstreams.0, self.upstreams.1, false),
        )?;
        Authority::new("CA")?
            .leaf(&["server.test"])?
            .write(&self.site.dir().join("edge"))
    }

    /// What a new agent without a folder serves: of the rest, what is a resource of its own.
    async fn is_left(&self) -> Result<()> {
        let left = [
            // A rule of which a part is bad has a place, and its neighbour answers.
            ("rule.test", "/rule", 503),
            ("rule.test", "/", 200),
            // Its destination is bad, and still there in the proxy.
            ("service.test", "/", 200),
            // Its routes are parts of what is served, the table, and its Gateway is refused.
            ("whole.test", "/", 404),
            // The new agent never served it.
            ("match.test", "/", 503),
        ];
        for (host, path, status) in left {
            let answer = fetch_plain(self.probe.http, host, path).await?;
            ensure!(answer.status == status, "{host}{path}: {}", answer.status);
        }
        // Its listener and its certificate are there; its routes are parts of the table.
        let (answer, _) = fetch(self.probe.https, "server.test", "/", &self.probe.tls).await?;
        ensure!(answer.status == 404, "server.test: {}", answer.status);
        Ok(())
    }

    /// The kinds of resources that Envoy keeps of the agent before, and that the agent counts.
    async fn keeps(&self, kinds: &[&str]) -> Result<()> {
        let status = self.site.status().await?;
        let proxy = &status["proxies"][0];
        let types = proxy["types"].as_array().cloned().unwrap_or_default();
        let mut kept: Vec<_> = types
            .iter()
            .filter(|own| own["unjudged"].as_u64().is_some_and(|count| count > 0))
            .filter_map(|own| own["type"].as_str())
            .collect();
        kept.sort_unstable();
        ensure!(kept == kinds, "{proxy}");
        ensure!((proxy["unjudged"] == 0) == kinds.is_empty(), "{proxy}");
        Ok(())
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

/// Without the folder the new agent has only what is good: the proxy keeps what may be of the rest, as far as that is not part of
/// something that is served. The answers are in `docs/reference/refusals.md`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_a_running_envoy_keeps_what_a_new_agent_cannot_judge() -> Result<()> {
    let mut stand = Stand::start(false).await?;
    let listeners = listeners(&stand.site).await?;
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    stand.is_refused().await?;
    eventually("the routes are the new agent's", SOON, || stand.is_left()).await?;
    eventually("it is counted", SOON, || stand.keeps(KINDS)).await?;
    ensure!(
        self::listeners(&stand.site).await? == listeners,
        "a listener was removed or replaced"
    );
    let metrics = stand.site.metrics().await?;
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("sealgate_proxy_unjudged{"));
    ensure!(counted.is_some_and(|line| !line.ends_with(" 0")), "{counted:?}");
    let words = "a proxy keeps what an earlier agent sent";
    stand.site.agent_says(words).await?;

    // What is mended is served, and nothing is kept any more.
    stand.mend()?;
    eventually("all is served again", SOON, || stand.probe.answers()).await?;
    eventually("nothing is kept", SOON, || stand.keeps(&[])).await
}

/// What went while no agent ran is removed: all that there is can be judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_what_is_deleted_goes_once_all_can_be_judged() -> Result<()> {
    let mut stand = Stand::start(false).await?;
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    eventually("it is kept", SOON, || stand.keeps(KINDS)).await?;
    // The bad objects are deleted, and with them all others: nobody can say any more that something may be of them.
    std::fs::remove_file(stand.site.dir().join("objects.yaml"))?;
    std::fs::remove_dir_all(stand.site.dir().join("edge"))?;
    eventually("nothing is kept", SOON, || stand.keeps(&[])).await?;
    let none = || async {
        let left = listeners(&stand.site).await?;
        ensure!(left.iter().all(|name| name == "gateway-0-table"), "{left:?}");
        Ok(())
    };
    eventually("no listener is left", SOON, none).await?;

    // The same where no agent ran meanwhile.
    let mut stand = Stand::start(false).await?;
    stand.site.kill_agent();
    std::fs::remove_file(stand.site.dir().join("objects.yaml"))?;
    std::fs::remove_dir_all(stand.site.dir().join("edge"))?;
    stand.site.start_agent().await?;
    let none = || async {
        let left = listeners(&stand.site).await?;
        ensure!(left.iter().all(|name| name == "gateway-0-table"), "{left:?}");
        Ok(())
    };
    eventually("no listener is left", SOON, none).await?;
    stand.keeps(&[]).await
}

/// The names of Envoy's active listeners.
async fn listeners(site: &Site) -> Result<Vec<String>> {
    let text = site.envoy_page("/listeners?format=json").await?;
    let page: serde_json::Value = serde_json::from_str(&text)?;
    let all = page["listener_statuses"].as_array().cloned().unwrap_or_default();
    Ok(all
        .iter()
        .filter_map(|own| own["name"].as_str().map(str::to_owned))
        .collect())
}
