//! A hostile namespace next to a platform: what it writes is rejected by name, and the platform's hosts answer as
//! before, with and without TLS. Real agent, real Envoy.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::manifests::{gateway_of as gateway, plain_server as http, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(10);
/// In which a change of the platform's arrives, whatever the hostile namespace has written.
const PROMPT: Duration = Duration::from_secs(2);

const HOST: &str = "shop.test";

fn service_entry(namespace: &str, host: &str, port: u16, labels: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: entry, namespace: {namespace}}}
spec:
  hosts: [{host}]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}{labels}}}]
---
"
    )
}

fn https(host: &str, tls: &str) -> String {
    tls_server(host, &format!("mode: SIMPLE, {tls}"))
}

fn routes(namespace: &str, gateway: &str, host: &str, rules: &str) -> String {
    routes_of(namespace, "routes", (gateway, host), rules)
}

fn to(path: &str, host: &str) -> String {
    format!(
        "  - match: [{{uri: {{prefix: {path}}}}}]
    route: [{{destination: {{host: {host}, port: {{number: 80}}}}}}]
"
    )
}

/// The platform, and who attacks it.
struct Stand {
    /// What the operator says of Secrets is in it.
    _folder: TempDir,
    site: Site,
    tls: Tls,
    web: u16,
    stolen: u16,
}

impl Stand {
    async fn start() -> Result<Self> {
        Self::start_with("").await
    }

    /// A platform whose tenants have these budgets.
    async fn start_with(budgets: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let policy = folder.path().join("policy.yaml");
        std::fs::write(
            &policy,
            "secrets: [{names: [edge], namespaces: [team-a, team-b]}]",
        )?;
        let site = Site::start_with(vec![
            format!("--tenancy-policy={}", policy.display()),
            "--allow-local-upstreams=true".to_owned(),
            format!("--budgets={budgets}"),
        ])
        .await?;
        Authority::new("CA")?
            .leaf(&[HOST, "*.test"])?
            .write(&site.dir().join("edge"))?;
        Authority::new("CA")?
            .leaf(&["private.test"])?
            .write(&site.dir().join("private"))?;
        let stand = Self {
            _folder: folder,
            site,
            tls: Tls::new(Version::H1, None)?,
            web: echo::start("web").await?,
            stolen: echo::start("stolen").await?,
        };
        stand.platform("web")?;
        eventually("the platform serves", SOON, || stand.is_unharmed("web")).await?;
        Ok(stand)
    }

    /// The platform's objects; everything goes to this subset of its service.
    fn platform(&self, subset: &str) -> Result<()> {
        let servers = https("team-a/shop.test", "credentialName: edge") + &http(80, "team-a/shop.test");
        let service = "web.team-a.svc.cluster.local";
        let rules =
            format!("  - route: [{{destination: {{host: web, subset: {subset}, port: {{number: 80}}}}}}]\n");
        let subsets = format!(
            "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web, namespace: team-a}}
spec: {{host: web, subsets: [{{name: {subset}, labels: {{version: good}}}}]}}
---
"
        );
        let objects = [
            gateway("team-a", "shop", &servers),
            service_entry("team-a", service, self.web, ", labels: {version: good}"),
            subsets,
            routes("team-a", "shop", HOST, &rules),
            gateway("istio-system", "wild", &http(80, "team-a/*.a.test")),
        ];
        self.site.write("platform.yaml", &objects.concat())
    }

    async fn is_unharmed(&self, upstream: &str) -> Result<()> {
        for path in ["/", "/login"] {
            let plain = fetch_plain(self.site.http, HOST, path).await?;
            let (secure, _) = fetch(self.site.https, HOST, path, &self.tls).await?;
            for answer in [plain, secure] {
                let expected = format!("{upstream}\n");
                ensure!(
                    answer.body.starts_with(&expected),
                    "{path}: {} {}",
                    answer.status,
                    answer.body
                );
            }
        }
        Ok(())
    }

    async fn says(&self, code: &str, object: &str) -> Result<()> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().context("no refusals")?;
        let found = findings
            .iter()
            .any(|finding| finding["code"] == code && finding["object"] == object);
        ensure!(found, "no {code} of {object} among {findings:?}");
        Ok(())
    }
}

/// What is written in `team-b`, and what is said of it.
fn attacks(stand: &Stand) -> Vec<(&'static str, String, &'static str, &'static str)> {
    let web = "web.team-a.svc.cluster.local";
    let own = |servers: &str| gateway("team-b", "aaa", servers);
    let foreign_subset = format!(
        "apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: aaa, namespace: team-b}}
spec: {{host: {web}, subsets: [{{name: web, labels: {{version: stolen}}}}]}}
"
    );
    let wide = own(&(https("*.test", "credentialName: edge") + &http(80, "*.test")))
        + &service_entry("team-b", "stolen.test", stand.stolen, "")
        + &routes("team-b", "aaa", HOST, &to("/login", "stolen.test"));
    let admin = own(&http(80, "b.test"))
        + &service_entry("team-b", "admin.test", stand.site.admin, "")
        + &routes("team-b", "aaa", "b.test", &to("/", "admin.test"));
    let redirect_all =
        http(80, "*") + "    tls: {httpsRedirect: true}\n" + &https("*", "credentialName: edge");
    let redirect = http(80, HOST) + "    tls: {httpsRedirect: true}\n";
    let same = gateway("team-b", "zzz", &redirect)
        + &service_entry("team-b", "stolen.test", stand.stolen, "")
        + &routes("team-b", "zzz", HOST, &to("/login", "stolen.test"));
    let gateway = "Gateway team-b/aaa";
    vec![
        (
            "a ServiceEntry for another's Service",
            service_entry("team-b", web, stand.stolen, ", labels: {version: good}"),
            "foreign-service",
            "ServiceEntry team-b/entry",
        ),
        (
            "a DestinationRule for another's Service",
            foreign_subset,
            "foreign-service",
            "DestinationRule team-b/aaa",
        ),
        ("rules for another's host by a wider server", wide, "", ""),
        (
            "a plain server on a port for TLS, in a Gateway that comes first",
            own(&http(443, "*")),
            "port-collision",
            gateway,
        ),
        (
            "a server for TLS on a plain port, in a Gateway that comes first",
            own(&https("b.test", "credentialName: missing").replace("443", "80")),
            "port-collision",
            gateway,
        ),
        (
            "a plain server for another's host, which redirects and has rules",
            same,
            "host-collision",
            "Gateway team-b/zzz",
        ),
        (
            "a name within a wildcard that is kept for another",
            own(&http(80, "pay.a.test")) + &routes("team-b", "aaa", "pay.a.test", &to("/", "stolen.test")),
            "host-reserved",
            gateway,
        ),
        (
            "another's Secret",
            own(&https("b.test", "credentialName: private")),
            "secret-not-granted",
            gateway,
        ),
        (
            "a plain server for all hosts, which redirects",
            own(&redirect_all),
            "",
            "",
        ),
        (
            "a server on the port that another's is mapped to",
            own(&http(stand.site.http, "*")),
            "port-collision",
            gateway,
        ),
        (
            "a server on the port of an admin interface",
            own(&http(stand.site.admin, "*")),
            "port-collision",
            gateway,
        ),
        (
            "a name that is a selector",
            own(&https("b.test", "credentialName: \"a=b,c\\\\\"")),
            "bad-credential-name",
            gateway,
        ),
        (
            "a pin that Envoy refuses a listener for",
            own(
                &https("b.test", "credentialName: edge, verifyCertificateSpki: [AAAA]")
                    .replace("SIMPLE", "MUTUAL"),
            ),
            "bad-certificate-pin",
            gateway,
        ),
        (
            "another pin of that kind",
            own(
                &https("b.test", "credentialName: edge, verifyCertificateHash: [xyz]")
                    .replace("SIMPLE", "MUTUAL"),
            ),
            "bad-certificate-pin",
            gateway,
        ),
        (
            "a line of the log in a destination",
            own(&http(80, "b.test"))
                + &routes("team-b", "aaa", "b.test", &to("/", "\"x\\n2026 ERROR forged\"")),
            "bad-destination",
            "VirtualService team-b/routes",
        ),
        (
            "an endpoint without an address",
            service_entry("team-b", "b.test", stand.stolen, "").replace("address: 127.0.0.1", "address: ''"),
            "bad-service",
            "ServiceEntry team-b/entry",
        ),
        (
            "an admin interface as upstream",
            admin,
            "barred-address",
            "VirtualService team-b/routes",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hostile_namespace_writes_harms_nobody_and_is_named() -> Result<()> {
    let stand = Stand::start().await?;
    for (round, (what, objects, code, object)) in attacks(&stand).into_iter().enumerate() {
        stand.site.write("hostile.yaml", &objects)?;
        if !code.is_empty() {
            eventually(what, SOON, || stand.says(code, object)).await?;
        }
        // A change of the platform's comes after it: then what is hostile has been taken, or refused.
        let subset = format!("v{round}");
        stand.platform(&subset)?;
        let version = format!("subset: {subset}");
        let arrives = || async {
            let config = stand
                .site
                .envoy_page("/config_dump?resource=dynamic_active_clusters")
                .await?;
            ensure!(config.contains(&format!("outbound|80|{subset}|")), "no {version}");
            Ok(())
        };
        eventually(
            &format!("{what}: a change of the platform's arrives"),
            PROMPT,
            arrives,
        )
        .await?;
        eventually(what, PROMPT, || stand.is_unharmed("web")).await?;
        // Nor later: a file that looks half written is taken after a moment.
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stand.is_unharmed("web").await.context(what)?;
        }
    }
    let refused = stand.site.envoy_page("/stats?filter=update_rejected").await?;
    let count = |line: &str| {
        line.rsplit(": ")
            .next()
            .and_then(|count| count.parse::<u64>().ok())
    };
    ensure!(refused.lines().all(|line| count(line) == Some(0)), "{refused}");
    let log = std::fs::read_to_string(stand.site.agent_log())?;
    ensure!(
        !log.contains("\n2026 ERROR forged"),
        "a line of the log is forged"
    );
    Ok(())
}

/// Clusters of one service, each with all of its endpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_beyond_a_budget_answer_503_and_the_others_serve() -> Result<()> {
    const HOST: &str = "b.test";
    let stand = Stand::start_with("clusters=2").await?;
    let subset = |name: &str| {
        let route = format!("[{{destination: {{host: own.test, subset: {name}, port: {{number: 80}}}}}}]");
        format!("  - match: [{{uri: {{prefix: /{name}}}}}]\n    route: {route}\n")
    };
    let objects = |subsets: &[&str]| {
        let rules: String = subsets.iter().map(|name| subset(name)).collect();
        gateway("team-b", "aaa", &http(80, HOST))
            + &service_entry("team-b", "own.test", stand.stolen, "")
            + &routes("team-b", "aaa", HOST, &rules)
    };
    let statuses = async |expected: [u16; 3]| {
        let mut all = Vec::new();
        for path in ["/s1", "/s2", "/s3"] {
            all.push(fetch_plain(stand.site.http, HOST, path).await?.status);
        }
        ensure!(all == expected, "{all:?}");
        stand.is_unharmed("web").await
    };
    stand.site.write("hostile.yaml", &objects(&["s1", "s2", "s3"]))?;
    eventually("two of three serve", SOON, || statuses([200, 200, 503])).await?;
    stand.says("over-budget", "VirtualService team-b/routes").await?;
    // There is room for the third one once Envoy has the first no more.
    stand.site.write("hostile.yaml", &objects(&["s2", "s3"]))?;
    eventually("the third serves", 3 * SOON, || statuses([404, 200, 200])).await
}

/// What a route names is an admin interface's: its requests are answered with 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_reaches_an_admin_interface() -> Result<()> {
    let stand = Stand::start().await?;
    let attacks = attacks(&stand);
    let (what, objects, code, object) = attacks.last().context("there is none")?;
    stand.site.write("hostile.yaml", objects)?;
    eventually(what, SOON, || stand.says(code, object)).await?;
    let unavailable = || async {
        let answer = fetch_plain(stand.site.http, "b.test", "/readyz").await?;
        ensure!(answer.status == 503, "{} {}", answer.status, answer.body);
        Ok(())
    };
    eventually("503", SOON, unavailable).await
}
