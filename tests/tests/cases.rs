//! Typical mistakes and correct objects, in `data/cases`: what the real Envoy answers, and everything that `check`
//! says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_model::cipher;
use sealgate_tests::client::{Tls, Version};
use sealgate_tests::edge::service;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::raw::{RawAnswer, RawRequest};
use sealgate_tests::site::{Site, program};
use sealgate_tests::{echo, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// What is asked, and what has to be answered.
struct Ask {
    secure: bool,
    method: &'static str,
    host: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// None: no handshake succeeds.
    status: Option<u16>,
    /// Of the answer's text or head.
    holds: &'static [&'static str],
}

const GET: Ask = Ask {
    secure: false,
    method: "GET",
    host: "www.shop.test",
    path: "/",
    headers: &[],
    status: Some(200),
    holds: &[],
};

/// A finding: severity, code, object, field.
type Said = (&'static str, &'static str, &'static str, &'static str);

const EDGE: &str = "Gateway istio-system/edge";
const SITE: &str = "VirtualService default/site";

/// The name of each case, what is asked, and everything that is said.
fn cases() -> Vec<(&'static str, Vec<Ask>, Vec<Said>)> {
    let secure = || Ask {
        secure: true,
        holds: &["app\n"],
        ..GET
    };
    let refused = || Ask {
        secure: true,
        status: None,
        ..GET
    };
    let of = |host| Ask { host, ..GET };
    vec![
        (
            "acme-beside-https-redirect",
            vec![
                Ask {
                    path: "/.well-known/acme-challenge/x",
                    status: Some(301),
                    ..GET
                },
                secure(),
            ],
            vec![(
                "warning",
                "dead-rule",
                "VirtualService default/solver",
                "spec.http[0]",
            )],
        ),
        ("cipher-groups", vec![secure()], vec![]),
        (
            "passthrough-beside-https",
            vec![
                Ask {
                    status: Some(301),
                    ..GET
                },
                secure(),
            ],
            vec![],
        ),
        ("tcp-server-beside-http", vec![GET], vec![]),
        (
            "simple-and-mutual-one-host",
            vec![Ask {
                host: "free.shop.test",
                ..secure()
            }],
            vec![
                ("error", "host-collision", EDGE, "spec.servers[1].hosts[0]"),
                // No bundle is there for it.
                (
                    "error",
                    "credential-not-ready",
                    EDGE,
                    "spec.servers[0].tls.credentialName",
                ),
                (
                    "warning",
                    "not-carried-out",
                    EDGE,
                    "spec.servers[1].tls.subjectAltNames",
                ),
            ],
        ),
        (
            "credential-other-namespace",
            vec![
                Ask {
                    host: "b.shop.test",
                    ..secure()
                },
                Ask {
                    host: "a.shop.test",
                    ..refused()
                },
            ],
            vec![(
                "error",
                "bad-credential-name",
                "Gateway dev/edge",
                "spec.servers[0].tls.credentialName",
            )],
        ),
        (
            "encoded-slash",
            vec![
                Ask {
                    host: "git.shop.test",
                    path: "/api/v1/repos/a/b/commits/fix%2Ftls/statuses",
                    holds: &["app\n", "/commits/fix%2Ftls/statuses"],
                    ..GET
                },
                Ask {
                    host: "git.shop.test",
                    path: "/@scope%2fname",
                    holds: &["other\n", "/@scope%2fname"],
                    ..GET
                },
            ],
            vec![],
        ),
        (
            "cipher-of-other-key-type",
            vec![refused()],
            vec![(
                "warning",
                "unusable-suites",
                EDGE,
                "spec.servers[0].tls.cipherSuites",
            )],
        ),
        (
            "cipher-tls13-name",
            vec![secure()],
            vec![(
                "warning",
                "no-effect",
                EDGE,
                "spec.servers[0].tls.cipherSuites[1]",
            )],
        ),
        (
            "cors-rule-by-header",
            vec![
                Ask {
                    method: "OPTIONS",
                    path: "/m",
                    headers: &[
                        ("origin", "https://a.test"),
                        ("access-control-request-method", "GET"),
                    ],
                    status: Some(404),
                    ..GET
                },
                Ask {
                    path: "/m",
                    holds: &["app\n"],
                    ..GET
                },
            ],
            vec![
                ("warning", "unreached-cors", SITE, "spec.http[0].corsPolicy"),
                ("warning", "unreached-cors", SITE, "spec.http[1].corsPolicy"),
            ],
        ),
        (
            "gateway-fqdn",
            vec![
                Ask {
                    path: "/server1",
                    holds: &["other\n"],
                    ..GET
                },
                Ask {
                    path: "/else",
                    holds: &["app\n"],
                    ..GET
                },
            ],
            vec![],
        ),
        (
            "header-value-percent",
            vec![
                Ask {
                    holds: &["x-full: 100%\r\n"],
                    ..of("ok.shop.test")
                },
                Ask {
                    path: "/x/1?q=1",
                    headers: &[("x-given", "g")],
                    holds: &[
                        "other\n",
                        "x-real-ip: 127.0.0.1\r\n",
                        "x-was: /x/1|g\r\n",
                        "x-protocol: <HTTP/1.1>\r\n",
                        "x-since: 20",
                        "x-status: 200 of GET",
                        "!x-empty",
                        "!x-server",
                    ],
                    ..of("command.shop.test")
                },
                Ask {
                    holds: &["app\n", "!x-real-ip"],
                    ..of("command.shop.test")
                },
                Ask {
                    status: Some(503),
                    ..of("single.shop.test")
                },
            ],
            vec![
                (
                    "error",
                    "not-carried-out",
                    "VirtualService default/cert",
                    "spec.http[0].headers.request.add[x-full]",
                ),
                (
                    "error",
                    "not-carried-out",
                    "VirtualService default/hostname",
                    "spec.http[0].headers.request.set[x-full]",
                ),
                (
                    "error",
                    "not-carried-out",
                    "VirtualService default/single",
                    "spec.http[0].headers.request.set[x-full]",
                ),
            ],
        ),
        (
            "ip-host-of-tls-server",
            vec![Ask {
                host: "127.0.0.1",
                ..refused()
            }],
            vec![(
                "warning",
                "address-as-server-name",
                EDGE,
                "spec.servers[0].hosts[0]",
            )],
        ),
        (
            "min-above-max",
            vec![refused()],
            vec![
                (
                    "error",
                    "bad-tls-version",
                    EDGE,
                    "spec.servers[0].tls.minProtocolVersion",
                ),
                (
                    "error",
                    "bad-tls-version",
                    EDGE,
                    "spec.servers[1].tls.maxProtocolVersion",
                ),
            ],
        ),
        (
            "min-tls-1-0",
            vec![secure()],
            vec![(
                "warning",
                "no-suite-for-version",
                EDGE,
                "spec.servers[0].tls.minProtocolVersion",
            )],
        ),
        (
            "protocol-lower-case",
            vec![
                Ask {
                    status: Some(301),
                    ..GET
                },
                secure(),
            ],
            vec![],
        ),
        (
            "second-credential-missing",
            vec![secure()],
            vec![(
                "warning",
                "credential-not-ready",
                EDGE,
                "spec.servers[0].tls.credentialNames[1]",
            )],
        ),
        (
            "tls-to-upstream",
            vec![Ask {
                status: Some(503),
                ..GET
            }],
            // The upstream has no TLS.
            vec![],
        ),
        (
            "websocket",
            vec![Ask {
                path: "/socket.io/",
                holds: &["app\n"],
                ..GET
            }],
            vec![
                (
                    "warning",
                    "unknown-field",
                    SITE,
                    "spec.http[0].match[0].uri.prefx",
                ),
                ("warning", "unknown-field", SITE, "spec.http[0].timeuot"),
                ("warning", "unknown-field", SITE, "spec.http[0].websocketUpgrade"),
            ],
        ),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases")
}

/// The machine with a case's objects: `app.local` and `other.local` answer, and Secrets of both kinds of keys are there.
async fn site(case: &str) -> Result<Site> {
    let mut site = Site::prepare().await?;
    let mut objects =
        fs::read_to_string(folder().join(case).with_extension("yaml")).context(case.to_owned())?;
    objects += "\n";
    objects += &service("app", echo::start("app").await?);
    objects += &service("other", echo::start("other").await?);
    site.write("site.yaml", &objects)?;
    let names = ["*.shop.test", "127.0.0.1"];
    Authority::new("CA")?
        .leaf(&names)?
        .write(&site.dir().join("ecdsa"))?;
    let rsa = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/credentials/cases/key-rsa-2048");
    fs::create_dir_all(site.dir().join("rsa"))?;
    for name in ["tls.crt", "tls.key"] {
        fs::copy(rsa.join(name), site.dir().join("rsa").join(name))?;
    }
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    Ok(site)
}

async fn answer(site: &Site, ask: &Ask) -> Result<RawAnswer> {
    let pair = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let request = RawRequest {
        method: ask.method.into(),
        headers: ask.headers.iter().map(pair).collect(),
        ..RawRequest::get(ask.host, ask.path)
    };
    let tls = Tls::new(Version::H1, None)?;
    let (port, tls) = if ask.secure {
        (site.https, Some(&tls))
    } else {
        (site.http, None)
    };
    request.send_as(port, tls, ask.host, Version::H1).await
}

async fn holds(site: &Site, case: &str, ask: &Ask) -> Result<()> {
    let answered = answer(site, ask).await;
    let Some(status) = ask.status else {
        ensure!(
            answered.as_ref().map_or(true, |own| own.status.is_none()),
            "{case}: {answered:?}"
        );
        return Ok(());
    };
    let answered = answered?;
    ensure!(
        answered.status == Some(status),
        "{case} {}: {answered:?}",
        ask.path
    );
    let text = format!("{}\r\n{}", answered.head, answered.body);
    for part in ask.holds {
        let (part, expected) = part.strip_prefix('!').map_or((*part, true), |part| (part, false));
        ensure!(text.contains(part) == expected, "{case}: {part:?} in {text}");
    }
    Ok(())
}

fn text<'v>(finding: &'v Value, field: &str) -> &'v str {
    finding[field].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_case_does_what_is_right() -> Result<()> {
    let mut tried = BTreeSet::new();
    for (case, asks, said) in cases() {
        let site = site(case).await?;
        // What is served first: what is refused is so from the beginning.
        let served = |ask: &&Ask| ask.status.is_some();
        for ask in asks.iter().filter(served) {
            eventually(case, SOON, || holds(&site, case, ask)).await?;
        }
        for ask in asks.iter().filter(|ask| !served(ask)) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            holds(&site, case, ask).await?;
        }
        let (code, report) = site.check()?;
        let findings = report["findings"].as_array().context("findings")?;
        let found: BTreeSet<_> = findings
            .iter()
            .map(|own| {
                (
                    text(own, "severity"),
                    text(own, "code"),
                    text(own, "object"),
                    text(own, "field"),
                )
            })
            .collect();
        assert_eq!(found, said.iter().copied().collect(), "{case}: {report}");
        let is_bad = said.iter().any(|(severity, ..)| *severity == "error");
        ensure!(code == Some(i32::from(is_bad)), "{case}: {code:?}");
        tried.insert(format!("{case}.yaml"));
    }
    let files = fs::read_dir(folder())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    assert_eq!(tried, files.collect::<Result<_>>()?, "every case is tried");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_known_field_is_named() -> Result<()> {
    let mut site = Site::prepare().await?;
    site.write("site.yaml", &fs::read_to_string(folder().join("websocket.yaml"))?)?;
    site.start_agent().await?;
    let (_, report) = site.check()?;
    for (field, near) in [("uri.prefx", "is prefix"), (".timeuot", "is timeout")] {
        let findings = report["findings"].as_array().context("findings")?;
        let found = findings.iter().find(|own| text(own, "field").ends_with(field));
        let message = text(found.context(field)?, "message");
        ensure!(message.ends_with(near), "{field}: {message}");
    }
    ensure!(
        !report.to_string().contains("nearest known one is websocket"),
        "{report}"
    );
    Ok(())
}

/// A listener with these suites, as Envoy is told of them.
fn listener(suites: &[String], leaf: &Leaf) -> Value {
    let tls = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"cipher_suites": suites},
            "tls_certificates": [{
                "certificate_chain": {"inline_string": leaf.certificate},
                "private_key": {"inline_string": leaf.key},
            }],
        },
    });
    let filter = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "none",
        "cluster": "none",
    });
    json!({"static_resources": {
        "clusters": [{"name": "none"}],
        "listeners": [{
            "name": "one",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{
                "transport_socket": {"name": "tls", "typed_config": tls},
                "filters": [{"name": "tcp", "typed_config": filter}],
            }],
        }],
    }})
}

/// Lists of suites, an entry between spaces.
const SUITES: &str = include_str!("data/suites.txt");

#[test]
fn suites_are_taken_and_refused_as_envoy_does() -> Result<()> {
    let leaf = Authority::new("CA")?.leaf(&["a.test"])?;
    let folder = tempfile::TempDir::new()?;
    let path = folder.path().join("envoy.json");
    let (mut taken, mut refused) = (0, 0);
    for line in SUITES.lines() {
        let suites: Vec<String> = line.split(' ').map(str::to_owned).collect();
        fs::write(&path, listener(&suites, &leaf).to_string())?;
        let output = Command::new(program("ENVOY_BIN")?)
            .args(["--mode", "validate", "--log-level", "error", "-c"])
            .arg(&path)
            .output()?;
        let ours = cipher::chosen(&suites);
        ensure!(
            output.status.success() == ours.is_ok(),
            "{line:?}: we say {ours:?}, Envoy: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        *if ours.is_ok() { &mut taken } else { &mut refused } += 1;
    }
    ensure!(taken > 60 && refused > 60, "{taken} taken, {refused} refused");
    Ok(())
}
