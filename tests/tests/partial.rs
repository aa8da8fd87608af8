//! If a part of an object is invalid, the rest is applied, and what worked before still works. Real agent, real Envoy.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};

const SOON: Duration = Duration::from_secs(10);
const HOST: &str = "shop.test";

struct Stand {
    site: Site,
    tls: Tls,
    upstreams: String,
}

/// What a path is answered with: a status, and the upstream that answers, if one does.
type Answers<'a> = &'a [(&'a str, u16, &'a str)];

impl Stand {
    async fn start() -> Result<Self> {
        let site = Site::start().await?;
        Authority::new("CA")?
            .leaf(&[HOST])?
            .write(&site.dir().join("edge"))?;
        let (app, other) = (echo::start("app").await?, echo::start("other").await?);
        let upstreams = [
            entry("app", "app.test", 80, app),
            entry("other", "other.test", 80, other),
        ];
        let stand = Self {
            site,
            tls: Tls::new(Version::H1, None)?,
            upstreams: upstreams.join("---\n"),
        };
        stand.site.write("upstreams.yaml", &stand.upstreams)?;
        Ok(stand)
    }

    fn write(&self, servers: &str, rules: &str) -> Result<()> {
        let objects = gateway_of("istio-system", "edge", servers)
            + &routes_of("istio-system", "routes", ("edge", HOST), rules);
        self.site.write("edge.yaml", &objects)
    }

    async fn answers(&self, answers: Answers<'_>) -> Result<()> {
        for (path, status, upstream) in answers {
            let answer = fetch_plain(self.site.http, HOST, path).await?;
            let body = answer.body.lines().next().unwrap_or_default();
            ensure!(
                answer.status == *status && body == *upstream,
                "{path}: {} {body}",
                answer.status
            );
        }
        Ok(())
    }

    /// Exactly these errors: code, field, and what becomes of it.
    async fn says(&self, expected: &[(&str, &str, &str)]) -> Result<()> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().context("no refusals")?;
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .collect();
        ensure!(errors.len() == expected.len(), "{errors:?}");
        for (error, (code, field, fate)) in errors.iter().zip(expected) {
            let message = error["message"].as_str().unwrap_or_default();
            ensure!(
                error["code"] == *code && error["field"] == *field && message.ends_with(fate),
                "{error}"
            );
        }
        Ok(())
    }
}

fn https() -> String {
    tls_server(HOST, "mode: SIMPLE, credentialName: edge")
}

fn to(path: &str, upstream: &str, more: &str) -> String {
    format!(
        "  - match: [{{uri: {{prefix: {path}}}}}]\n    route: [{{destination: {{host: {upstream}.test, port: {{number: \
         80}}}}}}]\n{more}"
    )
}

const BAD_HEADER: &str = "    headers: {request: {set: {\"a b\": x}}}\n";
const ALL: &str = "  - route: [{destination: {host: app.test, port: {number: 80}}}]\n";

/// Servers that are not carried out, beside good ones: of a protocol, of a mode, and of no form at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_refused_alone() -> Result<()> {
    let stand = Stand::start().await?;
    let udp = "  - port: {number: 9000, name: udp, protocol: UDP}\n    hosts: [\"*\"]\n";
    let mode = tls_server("x.test", "mode: ISTIO_MUTUAL");
    let unread_server = "  - port: {number: 9001, name: http, protocol: HTTP}\n    hosts: x.test\n";
    let servers = plain_server(80, HOST) + udp + &https() + &mode + unread_server;
    stand.write(&servers, ALL)?;
    let serves = || async {
        stand.answers(&[("/", 200, "app")]).await?;
        let (secure, _) = fetch(stand.site.https, HOST, "/", &stand.tls).await?;
        ensure!(secure.status == 200, "{}", secure.status);
        Ok(())
    };
    eventually("the good servers serve", SOON, serves).await?;
    let left_out = "the server's hosts are not served: *";
    let other = "the server's hosts are not served: x.test";
    let unread = "the server is not served";
    stand
        .says(&[
            ("invalid-object", "spec.servers[4].hosts", unread),
            ("no-credential-name", "spec.servers[3].tls.credentialName", other),
            ("not-carried-out", "spec.servers[1].port.protocol", left_out),
            ("not-carried-out", "spec.servers[3].tls.mode", other),
        ])
        .await?;
    // What worked before works on, and the rest of the change is carried out.
    let changed = plain_server(80, HOST)
        + &tls_server(
            HOST,
            "mode: SIMPLE, credentialName: edge, minProtocolVersion: TLS_ONE",
        )
        + &plain_server(80, "late.test");
    stand.write(&changed, ALL)?;
    let late = || async {
        let answer = fetch_plain(stand.site.http, "late.test", "/").await?;
        ensure!(answer.status == 404, "{}", answer.status);
        stand
            .says(&[(
                "bad-tls-version",
                "spec.servers[1].tls.minProtocolVersion",
                "the previous version is still served",
            )])
            .await
    };
    eventually("the change is carried out", SOON, late).await?;
    serves().await?;
    // Also where nothing of it can be read but which one it is.
    let unread = plain_server(80, HOST)
        + &format!(
            "  - port: {{number: 443, name: https, protocol: HTTPS}}\n    hosts: [{HOST}]\n    tls: none\n"
        );
    stand.write(&unread, ALL)?;
    let stays = || {
        stand.says(&[(
            "invalid-object",
            "spec.servers[1].tls",
            "the previous version is still served",
        )])
    };
    eventually("it cannot be read", SOON, stays).await?;
    serves().await
}

/// The hosts of a server that is left out are no wider one's: that may ask less of clients.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wider_server_takes_the_hosts_of_one_that_is_refused() -> Result<()> {
    let stand = Stand::start().await?;
    let strict = "mode: MUTUAL, credentialName: edge, minProtocolVersion: TLS_ONE";
    let wide = tls_server("*.test", "mode: SIMPLE, credentialName: edge");
    stand.write(&(wide.clone() + &tls_server(HOST, strict)), ALL)?;
    let whole = || {
        stand.says(&[(
            "bad-tls-version",
            "spec.servers[1].tls.minProtocolVersion",
            "TLSV1_3",
        )])
    };
    eventually("the Gateway is refused", SOON, whole).await?;
    ensure!(
        fetch(stand.site.https, HOST, "/", &stand.tls).await.is_err(),
        "{HOST} is served"
    );
    // On another port nobody would have them.
    let elsewhere = tls_server(HOST, strict).replace("443", "8443");
    stand.write(&(wide + &elsewhere), ALL)?;
    eventually("the wide one is served", SOON, || async {
        fetch(stand.site.https, HOST, "/", &stand.tls).await.map(drop)
    })
    .await
}

/// The place of a rule that is not carried out stays: no later rule answers what it was for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_refused_alone_and_its_place_stays() -> Result<()> {
    let stand = Stand::start().await?;
    let deny = "  - match: [{uri: {prefix: /admin}}]\n    directResponse: {status: 4030}\n";
    let unread =
        "  - match: [{uri: {prefix: /slow}}]\n    timeout: 5\n    route: [{destination: {host: app.test}}]\n";
    let rules = deny.to_owned() + unread + &to("/bad", "app", BAD_HEADER) + &to("/other", "other", "") + ALL;
    let answers: Answers<'_> = &[
        ("/admin/x", 503, ""),
        ("/slow", 503, ""),
        ("/bad", 503, ""),
        ("/other", 200, "other"),
        ("/", 200, "app"),
    ];
    stand.write(&plain_server(80, HOST), &rules)?;
    eventually("the good rules serve", SOON, || stand.answers(answers)).await?;
    let unavailable = "its requests are answered with 503";
    stand
        .says(&[
            ("bad-status", "spec.http[0].directResponse.status", unavailable),
            (
                "invalid-header-name",
                "spec.http[2].headers.request.set[a b]",
                unavailable,
            ),
            ("invalid-object", "spec.http[1].timeout", unavailable),
        ])
        .await?;

    // A rule that was good serves as it did, among others that change.
    stand.write(
        &plain_server(80, HOST),
        &(to("/bad", "app", "") + &to("/other", "app", "")),
    )?;
    eventually("all are good", SOON, || {
        stand.answers(&[("/bad", 200, "app"), ("/other", 200, "app")])
    })
    .await?;
    stand.write(
        &plain_server(80, HOST),
        &(to("/other", "other", "") + &to("/bad", "other", BAD_HEADER)),
    )?;
    eventually("one of them changes", SOON, || {
        stand.answers(&[("/other", 200, "other")])
    })
    .await?;
    stand.answers(&[("/bad", 200, "app")]).await?;
    stand
        .says(&[(
            "invalid-header-name",
            "spec.http[1].headers.request.set[a b]",
            "the previous version is still served",
        )])
        .await?;

    // Without its conditions nobody knows what a rule is for: the object stays as it was.
    let unknown = "  - match: [{uri: {regex: \"(\"}}]\n    directResponse: {status: 403}\n";
    stand.write(
        &plain_server(80, HOST),
        &(unknown.to_owned() + &to("/other", "app", "")),
    )?;
    let whole = || stand.says(&[("bad-regex", "spec.http[0].match[0].uri.regex", "")]);
    eventually("it is refused", SOON, whole).await?;
    stand
        .answers(&[("/other", 200, "other"), ("/bad", 200, "app")])
        .await
}

/// No wider VirtualService answers for the hosts of one that is refused as a whole: this one may be there to deny.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosts_of_a_new_object_that_is_refused_answer_503() -> Result<()> {
    let stand = Stand::start().await?;
    let wide = gateway_of("istio-system", "edge", &plain_server(80, "*.test"))
        + &routes_of("istio-system", "wide", ("edge", "*.test"), ALL);
    stand.site.write("wide.yaml", &wide)?;
    let wide_answers: Answers<'_> = &[("/good", 200, "app"), ("/", 200, "app")];
    eventually("the wide one serves", SOON, || stand.answers(wide_answers)).await?;

    let narrow = |rules: &str| routes_of("istio-system", "narrow", ("edge", HOST), rules);
    let bad_match = |condition: &str| {
        to("/good", "other", "") + &format!("  - match: {condition}\n    directResponse: {{status: 403}}\n")
    };
    let gateways = (0..70).map(|at| format!("other{at}"));
    let gateways: Vec<_> = std::iter::once("edge".to_owned()).chain(gateways).collect();
    let all_closed = "; its hosts answer 503";
    let the_rest = "; requests that no rule before http[1] matches get 503";
    let good: Answers<'_> = &[("/good", 200, "other"), ("/", 503, "")];
    let nothing: Answers<'_> = &[("/good", 503, ""), ("/", 503, "")];
    let cases = [
        (
            narrow(&bad_match("[{uri: {regex: \"(\"}}]")),
            good,
            ("bad-regex", "spec.http[1].match[0].uri.regex", the_rest),
        ),
        (
            narrow(&bad_match("5")),
            good,
            ("invalid-object", "spec.http[1].match", the_rest),
        ),
        (
            narrow("    - 5\n"),
            nothing,
            ("invalid-object", "spec.http", all_closed),
        ),
        (
            narrow(&to("/good", "other", "")).replace("[edge]", &format!("[{}]", gateways.join(", "))),
            nothing,
            ("over-limit", "spec.gateways", all_closed),
        ),
    ];
    for (objects, answers, (code, field, words)) in cases {
        stand.site.write("narrow.yaml", &objects)?;
        eventually(field, SOON, || stand.answers(answers)).await?;
        stand.says(&[(code, field, words)]).await?;
        stand.site.write("narrow.yaml", &narrow(&to("/", "other", "")))?;
        eventually("it is good", SOON, || {
            stand.answers(&[("/good", 200, "other"), ("/", 200, "other")])
        })
        .await?;
        stand.site.write("narrow.yaml", "# nothing\n")?;
        eventually("it is gone", SOON, || stand.answers(wide_answers)).await?;
    }
    Ok(())
}

/// Ports, endpoints and subsets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_service_is_refused_alone() -> Result<()> {
    let stand = Stand::start().await?;
    let port = echo::start("labelled").await?;
    let service = format!(
        "apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: parts}}
spec:
  hosts: [parts.test, \"not a host\"]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 80000, name: http2, protocol: HTTP}}]
  endpoints:
  - {{address: \"\"}}
  - {{address: 127.0.0.1, ports: {{http: {port}}}, labels: {{version: v1}}}}
  - {{address: 127.0.0.1, weight: heavy}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: parts}}
spec:
  host: parts.test
  subsets: [{{name: \"a|b\"}}, {{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: 7}}]
---
"
    );
    stand.site.write("parts.yaml", &service)?;
    let rule = "  - route: [{destination: {host: parts.test, subset: v1, port: {number: 80}}}]\n";
    stand.write(&plain_server(80, HOST), rule)?;
    eventually("what is good serves", SOON, || {
        stand.answers(&[("/", 200, "labelled")])
    })
    .await?;
    let left_out = "it is left out";
    stand
        .says(&[
            ("bad-service", "spec.subsets[0].name", left_out),
            ("bad-service", "spec.endpoints[0].address", left_out),
            ("bad-service", "spec.hosts[1]", left_out),
            ("bad-service", "spec.ports[1].number", left_out),
            ("invalid-object", "spec.subsets[2].labels", left_out),
            ("invalid-object", "spec.endpoints[2].weight", left_out),
        ])
        .await
}
