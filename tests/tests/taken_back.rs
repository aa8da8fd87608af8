//! An object that makes the real Envoy reject a listener which others are part of, forced past all checks: only this
//! object is found and held back, and all other changes arrive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::engine::Engine;
use sealgate_agent::translate::Settings;
use sealgate_agent::xds::proxies::Proxies;
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::{Code, SourceEvent};
use sealgate_tests::client::{Tls, Version, fetch};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::{Site, program};
use sealgate_tests::{eventually, unchecked};

const SOON: Duration = Duration::from_secs(10);
const PROMPT: Duration = Duration::from_secs(2);

/// The agent without its checks, and Envoy.
struct Stand {
    engine: Arc<Mutex<Engine>>,
    site: Site,
    tls: Tls,
    leaf: Leaf,
    /// What the finding says.
    reason: &'static str,
}

impl Stand {
    async fn start(reason: &'static str) -> Result<Self> {
        let mut site = Site::prepare().await?;
        let mut gateway = GatewaySettings::new("ns");
        gateway.port_map = BTreeMap::from([(443, site.https)]);
        let module = program("SEALGATE_FILTER_WASM")?;
        let (mut engine, snapshots) = Engine::without_checks(Settings {
            gateway,
            listen: "127.0.0.1".to_owned(),
            module,
        });
        let proxies = Proxies::default();
        let asked = proxies.clone();
        engine.ask_proxies(move |key, snapshot| asked.reception(key, snapshot));
        let engine = Arc::new(Mutex::new(engine));
        tokio::spawn(follow(Arc::clone(&engine), proxies.clone()));
        unchecked::serve(&mut site, snapshots, &proxies, |bootstrap, _| bootstrap).await?;
        let authority = Authority::new("CA")?;
        let leaf = authority.leaf(&["*.test"])?;
        let stand = Self {
            engine,
            site,
            tls: Tls::new(Version::H1, None)?,
            leaf,
            reason,
        };
        stand.write(&[stand.leaf.secret("edge"), authority.secret("edge-cacert")])?;
        Ok(stand)
    }

    /// Objects that change at once.
    fn write(&self, objects: &[String]) -> Result<()> {
        let namespaces = Namespaces {
            gateway: "ns".to_owned(),
            other: "default",
        };
        let entries = manifest::read("a.yaml", objects.join("\n---\n").as_bytes(), &namespaces);
        for entry in &entries {
            ensure!(entry.object.is_some(), "{:?}", entry.findings);
        }
        self.locked()?
            .apply(entries.into_iter().map(SourceEvent::Apply), Instant::now());
        Ok(())
    }

    fn locked(&self) -> Result<std::sync::MutexGuard<'_, Engine>> {
        self.engine.lock().ok().context("the engine panicked")
    }

    async fn answers(&self, host: &str) -> Result<()> {
        let (answer, _) = fetch(self.site.https, host, "/", &self.tls).await?;
        ensure!(answer.status == 299, "{host}: {}", answer.status);
        Ok(())
    }

    /// The Gateways that are named, and whether Envoy's reason is.
    fn named(&self) -> Result<Vec<String>> {
        let findings = self.locked()?.view().findings();
        let refused = findings
            .iter()
            .filter(|finding| finding.code == Code::RefusedByProxy && finding.message.starts_with("with it"));
        Ok(refused
            .filter(|finding| finding.message.contains(self.reason))
            .map(|finding| finding.object.name.to_string())
            .collect())
    }

    async fn names(&self, gateways: &[&str]) -> Result<()> {
        let named = self.named()?;
        let findings = self.locked()?.view().findings();
        ensure!(named == gateways, "{named:?} are named: {findings:?}");
        Ok(())
    }
}

/// What the agent does while it runs.
async fn follow(engine: Arc<Mutex<Engine>>, proxies: Proxies) {
    let mut refusals = proxies.refusals().follow();
    loop {
        let is_changed = tokio::select! {
            changed = refusals.changed() => changed.is_ok(),
            () = tokio::time::sleep(Duration::from_millis(10)) => false,
        };
        let Ok(mut engine) = engine.lock() else { return };
        if is_changed {
            engine.refused(&proxies.refusals().list(), Instant::now());
        }
        engine.go_on(Instant::now());
    }
}

/// What Envoy alone refuses, and what our own checks of its messages do.
const BAD: [(&str, &str); 2] = [
    ("mode: SIMPLE, cipherSuites: [NONSENSE]", "cipher"),
    (
        "mode: MUTUAL, verifyCertificateSpki: [AAAA]",
        "verify_certificate_spki",
    ),
];
const GOOD: &str = "mode: SIMPLE";

/// A Gateway with one host, and its rule.
fn host(name: &str, tls: &str) -> Vec<String> {
    vec![
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: {name}}}, spec: {{selector: \
             {{istio: ingressgateway}}, servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: \
             [{name}.test], tls: {{{tls}, credentialName: edge}}}}]}}}}"
        ),
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: {name}}}, spec: {{hosts: \
             [{name}.test], gateways: [ns/{name}], http: [{{directResponse: {{status: 299}}}}]}}}}"
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_object_is_held_back_and_the_others_changes_arrive() -> Result<()> {
    for (bad, reason) in BAD {
        holds_nobody_up(bad, reason).await.with_context(|| reason)?;
    }
    Ok(())
}

async fn holds_nobody_up(bad: &str, reason: &'static str) -> Result<()> {
    let stand = Stand::start(reason).await?;
    stand.write(&host("first", GOOD))?;
    eventually("the first is served", SOON, || stand.answers("first.test")).await?;

    // In the middle of others' changes, which come at the same time and right after.
    let together = [
        host("b", GOOD),
        host("c", GOOD),
        host("bad", bad),
        host("d", GOOD),
        host("e", GOOD),
    ];
    stand.write(&together.concat())?;
    stand.write(&host("later", GOOD))?;
    for own in ["b", "c", "d", "e", "later", "first"] {
        let host = format!("{own}.test");
        eventually(&host, PROMPT, || stand.answers(&host)).await?;
    }
    eventually("it is named", PROMPT, || stand.names(&["bad"])).await?;
    ensure!(
        stand.answers("bad.test").await.is_err(),
        "what Envoy refuses is served"
    );

    // It stays out, and others' changes go on.
    stand.write(&host("bad", bad))?;
    stand.write(&host("afterwards", GOOD))?;
    eventually("afterwards", PROMPT, || stand.answers("afterwards.test")).await?;
    stand.names(&["bad"]).await?;

    stand.write(&host("bad", GOOD))?;
    eventually("it is mended", PROMPT, || stand.answers("bad.test")).await?;
    eventually("nobody is named", PROMPT, || stand.names(&[])).await?;

    // What was good before is served on.
    stand.write(&host("c", bad))?;
    eventually("it is named", PROMPT, || stand.names(&["c"])).await?;
    stand.answers("c.test").await
}

/// Nothing was ever served: one object does not keep a new gateway empty. (A cipher suite is no example: a new Envoy takes the
/// listener, and then refuses the Secret that it waits for.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_list_is_served_without_the_object_that_is_refused() -> Result<()> {
    let (bad, reason) = BAD[1];
    let stand = Stand::start(reason).await?;
    let first = [host("b", GOOD), host("bad", bad), host("c", GOOD)];
    stand.write(&first.concat())?;
    for host in ["b.test", "c.test"] {
        eventually(host, SOON, || stand.answers(host)).await?;
    }
    eventually("it is named", SOON, || stand.names(&["bad"])).await?;
    ensure!(
        stand.answers("bad.test").await.is_err(),
        "what Envoy refuses is served"
    );
    stand.write(&host("bad", GOOD))?;
    eventually("it is mended", SOON, || stand.answers("bad.test")).await?;
    eventually("nobody is named", SOON, || stand.names(&[])).await
}
