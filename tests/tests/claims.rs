//! The first to claim a host, a port, a service's host or the rules of a host stays first: while the agent runs, and
//! with `--state-dir` after a restart. A hostile namespace's objects all count as older here: their names sort first.

use std::time::Duration;

use anyhow::{Result, ensure};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);

fn objects(namespace: &str, name: &str, port: u16) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: [shop.test]
    tls: {{mode: SIMPLE, credentialName: {namespace}}}
  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: [shop.test]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: [api.test]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}-own, namespace: {namespace}}}
spec:
  hosts: [{namespace}.test]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: [shop.test]
  gateways: [team-a/shop, team-b/aaa]
  http:
  - match: [{{uri: {{prefix: /api}}}}]
    route: [{{destination: {{host: api.test}}}}]
  - route: [{{destination: {{host: {namespace}.test}}}}]
---
"
    )
}

/// One port of the wrong kind, in a Gateway that counts as the oldest.
const PLAIN: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: aaa-plain, namespace: team-b}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: http, protocol: HTTP}
    hosts: ['*']
";

struct Stand {
    folder: TempDir,
    site: Site,
    tls: Tls,
    /// The certificate of whoever was first.
    first: Leaf,
}

impl Stand {
    async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let policy = folder.path().join("policy.yaml");
        std::fs::write(&policy, "secrets: [{names: ['*'], namespaces: ['*']}]")?;
        let state = folder.path().join("state");
        let site = Site::start_with(vec![
            format!("--tenancy-policy={}", policy.display()),
            format!("--state-dir={}", state.display()),
            "--allow-local-upstreams=true".to_owned(),
        ])
        .await?;
        let authority = Authority::new("CA")?;
        let first = authority.leaf(&["shop.test"])?;
        first.write(&site.dir().join("team-a"))?;
        authority
            .leaf(&["shop.test"])?
            .write(&site.dir().join("team-b"))?;
        let stand = Self {
            folder,
            site,
            tls: Tls::new(Version::H1, None)?,
            first,
        };
        stand.site.write(
            "first.yaml",
            &objects("team-a", "shop", echo::start("first").await?),
        )?;
        eventually("the first serves", SOON, || stand.is_served_by("first")).await?;
        let later = objects("team-b", "aaa", echo::start("later").await?) + PLAIN;
        stand.site.write("later.yaml", &later)?;
        eventually("who comes later is refused", SOON, || stand.refuses("team-b/aaa")).await?;
        Ok(stand)
    }

    async fn is_served_by(&self, upstream: &str) -> Result<()> {
        for path in ["/", "/api", "/login"] {
            let plain = fetch_plain(self.site.http, "shop.test", path).await?;
            let (secure, leaf) = fetch(self.site.https, "shop.test", path, &self.tls).await?;
            for answer in [plain, secure] {
                let body = &answer.body;
                ensure!(
                    body.starts_with(&format!("{upstream}\n")),
                    "{path}: {} {body}",
                    answer.status
                );
            }
            let is_first = leaf == self.first.der;
            ensure!(is_first == (upstream == "first"), "{path}: another's certificate");
        }
        Ok(())
    }

    /// Another's Gateway has neither host, and what is on a port of the wrong kind nothing.
    async fn refuses(&self, gateway: &str) -> Result<()> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().cloned().unwrap_or_default();
        let fields: Vec<_> = findings
            .iter()
            .filter(|finding| {
                finding["object"] == format!("Gateway {gateway}") && finding["code"] == "host-collision"
            })
            .filter_map(|finding| finding["field"].as_str())
            .collect();
        ensure!(
            fields == ["spec.servers[0].hosts[0]", "spec.servers[1].hosts[0]"],
            "{findings:?}"
        );
        let is_plain_refused = findings.iter().any(|finding| {
            finding["object"] == "Gateway team-b/aaa-plain" && finding["code"] == "port-collision"
        });
        ensure!(is_plain_refused, "{findings:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_first_stays_first_when_the_agent_starts_anew() -> Result<()> {
    let mut stand = Stand::start().await?;
    stand.is_served_by("first").await?;
    for _ in 0..2 {
        stand.site.kill_agent();
        stand.site.start_agent().await?;
        stand.refuses("team-b/aaa").await?;
        // A new Envoy has nothing but what this agent says.
        stand.site.start_envoy(|bootstrap, _| bootstrap).await?;
        eventually("the first serves on", SOON, || stand.is_served_by("first")).await?;
    }
    // Who gives a host up loses it, and whoever waits for it has it from then on.
    std::fs::remove_file(stand.site.dir().join("first.yaml"))?;
    eventually("the later one serves", SOON, || stand.is_served_by("later")).await?;
    stand.site.kill_agent();
    stand.site.start_agent().await?;
    stand.is_served_by("later").await
}

/// What the test above would not see otherwise: without what is kept the oldest is the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_what_is_kept_the_oldest_has_everything() -> Result<()> {
    let mut stand = Stand::start().await?;
    stand.site.kill_agent();
    std::fs::remove_dir_all(stand.folder.path().join("state"))?;
    stand.site.start_agent().await?;
    let is_other = || async {
        let plain = fetch_plain(stand.site.http, "shop.test", "/").await;
        ensure!(
            !plain.is_ok_and(|answer| answer.body.starts_with("first\n")),
            "still the first one's"
        );
        Ok(())
    };
    eventually("another has it", SOON, is_other).await
}
