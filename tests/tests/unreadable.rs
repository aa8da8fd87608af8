//! Objects whose files can no longer be read are still served after a restart of the agent, of Envoy and of both. Real
//! agent, real Envoy, constant requests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
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

const SOON: Duration = Duration::from_secs(15);
/// Hosts in plain text, each of a file of its own or of a document of its own.
const PLAIN: [&str; 6] = [
    "syntax.test",
    "one.test",
    "two.test",
    "link.test",
    "inside.test",
    "shape.test",
];
/// Hosts with certificates, of a folder and of a manifest.
const SECURE: [&str; 2] = ["folder.test", "manifest.test"];
/// What cannot be read once all is broken.
const BROKEN: [&str; 7] = [
    "File folder",
    "File link.yaml",
    "File secret.yaml",
    "File syntax.yaml",
    "File two.yaml",
    "Secret istio-system/folder",
    "VirtualService istio-system/shape",
];

#[derive(Clone)]
struct Probe {
    http: u16,
    https: u16,
    tls: Tls,
}

impl Probe {
    async fn answer(&self, host: &str) -> Result<(u16, String)> {
        let answer = if SECURE.contains(&host) {
            fetch(self.https, host, "/", &self.tls).await?.0
        } else {
            fetch_plain(self.http, host, "/").await?
        };
        Ok((
            answer.status,
            answer.body.lines().next().unwrap_or_default().to_owned(),
        ))
    }

    async fn answers(&self, host: &str, status: u16, upstream: &str) -> Result<()> {
        let (found, body) = self.answer(host).await?;
        ensure!(found == status, "{host}: {found} {body}");
        ensure!(status != 200 || body == upstream, "{host}: {body}");
        Ok(())
    }

    async fn all(&self) -> Result<()> {
        for host in PLAIN.into_iter().chain(SECURE) {
            self.answers(host, 200, "app").await?;
        }
        Ok(())
    }

    /// Asks until it is told to stop: how often that was.
    async fn ask(self, stop: Arc<AtomicBool>) -> Result<u64> {
        let mut rounds = 0;
        while !stop.load(Ordering::Relaxed) {
            self.all()
                .await
                .with_context(|| format!("after {rounds} rounds"))?;
            rounds += 1;
        }
        Ok(rounds)
    }
}

fn routes(name: &str, upstream: &str) -> String {
    let rules = format!("  - route: [{{destination: {{host: {upstream}.test, port: {{number: 80}}}}}}]\n");
    routes_of("istio-system", name, ("edge", &format!("{name}.test")), &rules)
}

/// Puts a link in the place of a file or a link, which leads in a circle: also whoever may read everything cannot read that.
fn unreadable(path: &Path) -> Result<()> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .context("no name")?;
    // Hidden, and no file of the source.
    let aside = path.with_file_name(format!(".{name}"));
    symlink(name, &aside)?;
    Ok(fs::rename(aside, path)?)
}

struct Stand {
    _state: TempDir,
    site: Site,
    probe: Probe,
}

impl Stand {
    /// Good files are served, and then none but the first can be read.
    async fn start() -> Result<Self> {
        let state = TempDir::new()?;
        let flag = format!("--state-dir={}", state.path().join("state").display());
        let site = Site::start_with(vec![flag]).await?;
        let probe = Probe {
            http: site.http,
            https: site.https,
            tls: Tls::new(Version::H1, None)?,
        };
        let stand = Self {
            _state: state,
            site,
            probe,
        };
        stand.write_good().await?;
        eventually("all is served", SOON, || stand.probe.all()).await?;
        stand.break_all()?;
        eventually("each fault is found", SOON, || stand.is_broken()).await?;
        stand.probe.all().await.context("while it cannot be read")?;
        Ok(stand)
    }

    async fn write_good(&self) -> Result<()> {
        let site = &self.site;
        let (app, other) = (echo::start("app").await?, echo::start("other").await?);
        let authority = Authority::new("CA")?;
        let of_manifest = authority.leaf(&["manifest.test"])?.secret("manifest");
        site.write("secret.yaml", &of_manifest)?;
        authority
            .leaf(&["folder.test"])?
            .write(&site.dir().join(".folder-1"))?;
        symlink(".folder-1", site.dir().join("folder"))?;
        site.write("folder/inside.yaml", &routes("inside", "app"))?;
        let servers = ["folder", "manifest"].map(|name| {
            tls_server(
                &format!("{name}.test"),
                &format!("mode: SIMPLE, credentialName: {name}"),
            )
        });
        let edge = gateway_of(
            "istio-system",
            "edge",
            &(plain_server(80, "*") + &servers.concat()),
        );
        let services = entry("app", "app.test", 80, app) + "---\n" + &entry("other", "other.test", 80, other);
        let base = routes("folder", "app") + &routes("manifest", "app") + &edge + &services;
        site.write("base.yaml", &base)?;
        for name in ["syntax", "link", "shape"] {
            site.write(&format!("{name}.yaml"), &routes(name, "app"))?;
        }
        site.write("two.yaml", &(routes("one", "app") + &routes("two", "app")))
    }

    fn break_all(&self) -> Result<()> {
        let site = &self.site;
        let dir = site.dir();
        // An object whose whole shape is wrong, a file without a syntax, and a document of two.
        let shape = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
                     metadata: {name: shape, namespace: istio-system}\nspec: nonsense\n";
        site.write("shape.yaml", shape)?;
        site.write("syntax.yaml", "a: [\n")?;
        site.write("two.yaml", &(routes("one", "app") + "a: [\n"))?;
        site.write("secret.yaml", "a: [\n")?;
        // A file, a key, and a folder that nobody can look into.
        unreadable(&dir.join("link.yaml"))?;
        unreadable(&dir.join("folder/tls.key"))
    }

    /// The folder last: the Secret in it could not be read before that.
    async fn is_broken(&self) -> Result<()> {
        let folder = self.site.dir().join("folder");
        let broken = self.errors().await?;
        let is_key = broken.iter().any(|object| object == "Secret istio-system/folder");
        if is_key && folder.is_dir() {
            unreadable(&folder)?;
        }
        ensure!(broken.iter().any(|object| object == "File folder"), "{broken:?}");
        let expected = BROKEN
            .iter()
            .filter(|name| broken.iter().any(|object| object == *name));
        // Of a folder that cannot be looked into nothing else is said.
        ensure!(expected.count() >= BROKEN.len() - 1, "{broken:?}");
        Ok(())
    }

    async fn errors(&self) -> Result<Vec<String>> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().context("no refusals")?;
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        Ok(errors
            .filter_map(|finding| finding["object"].as_str().map(str::to_owned))
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_agent_starts_anew() -> Result<()> {
    let mut stand = Stand::start().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(stand.probe.clone().ask(Arc::clone(&stop)));
    // The second one knows what the first one kept of what it could not read either.
    for _ in 0..3 {
        stand.site.kill_agent();
        stand.site.start_agent().await?;
        stand.is_broken().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = asking.await??;
    ensure!(rounds > 5, "{rounds} rounds");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_starts_anew_serves_what_was_served() -> Result<()> {
    let mut stand = Stand::start().await?;
    stand.site.kill_envoy();
    stand.site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("it serves", SOON, || stand.probe.all()).await?;
    stand.site.kill_envoy();
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    stand.site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("both serve", SOON, || stand.probe.all()).await
}

/// What is gone, mended or elsewhere when the agent starts anew is served as it is now, and later too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_while_no_agent_looked_does_not_come_back() -> Result<()> {
    let mut stand = Stand::start().await?;
    let dir = stand.site.dir();
    stand.site.kill_agent();
    fs::remove_file(dir.join("syntax.yaml"))?;
    fs::remove_file(dir.join("link.yaml"))?;
    stand.site.write("link.yaml", "# nothing is left\n")?;
    // It moved, and another one is still in the file that cannot be read.
    stand.site.write("two.yaml", "a: [\n")?;
    stand.site.write("moved.yaml", &routes("one", "other"))?;
    stand.site.start_agent().await?;
    let probe = &stand.probe;
    for (host, status, upstream) in [
        ("syntax.test", 404, ""),
        ("link.test", 404, ""),
        ("one.test", 200, "other"),
        ("two.test", 200, "app"),
        ("inside.test", 200, "app"),
        ("folder.test", 200, "app"),
    ] {
        eventually(host, SOON, || probe.answers(host, status, upstream)).await?;
    }
    // What the running agent sees mended without an object loses it.
    stand.site.write("two.yaml", "# nothing is left\n")?;
    eventually("it is gone", SOON, || probe.answers("two.test", 404, "")).await?;
    fs::remove_file(dir.join("folder"))?;
    eventually("the folder is gone", SOON, || {
        probe.answers("inside.test", 404, "")
    })
    .await?;
    probe.answers("one.test", 200, "other").await
}

/// The warnings of this code, by object.
async fn warned(site: &Site, code: &str) -> Result<Vec<String>> {
    let status = site.status().await?;
    let findings = status["refusals"].as_array().context("no refusals")?;
    let warnings = findings.iter().filter(|finding| finding["code"] == code);
    Ok(warnings
        .filter_map(|finding| finding["object"].as_str().map(str::to_owned))
        .collect())
}

/// Whom clients are checked against changes without an agent that sees it: the next one says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_bundle_was_deleted_while_no_agent_looked_is_said() -> Result<()> {
    let state = TempDir::new()?;
    let flag = format!("--state-dir={}", state.path().join("state").display());
    let mut site = Site::start_with(vec![flag]).await?;
    let dir = site.dir();
    let [old, new] = [Authority::new("old")?, Authority::new("new")?];
    old.leaf(&["server.test"])?.write(&dir.join("edge"))?;
    old.write(&dir.join("edge"))?;
    new.write(&dir.join("edge-cacert"))?;
    let server = tls_server("server.test", "mode: MUTUAL, credentialName: edge");
    site.write("gateway.yaml", &gateway_of("istio-system", "edge", &server))?;
    let subjects = |status: &serde_json::Value| {
        let all = status["credentials"].as_array().into_iter().flatten();
        let mut own = all.filter(|own| own["name"] == "istio-system/edge-cacert");
        own.next()
            .map(|own| own["subjects"].to_string())
            .unwrap_or_default()
    };
    let trusts = async |site: &Site, name: &str| {
        let found = subjects(&site.status().await?);
        ensure!(found.contains(name), "{found}");
        Ok(())
    };
    eventually("the new one is trusted", SOON, || trusts(&site, "new")).await?;
    // It is there: nothing is said.
    site.kill_agent();
    site.start_agent().await?;
    trusts(&site, "new").await?;
    ensure!(warned(&site, "trust-fallback").await?.is_empty());
    site.kill_agent();
    fs::remove_dir_all(dir.join("edge-cacert"))?;
    for _ in 0..2 {
        site.start_agent().await?;
        trusts(&site, "old").await?;
        let warned = warned(&site, "trust-fallback").await?;
        ensure!(warned == ["Secret istio-system/edge"], "{warned:?}");
        site.kill_agent();
    }
    Ok(())
}
