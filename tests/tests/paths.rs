//! Spellings of one path: `explain` agrees with how the real Envoy normalizes each before any rule sees it, for every
//! `--path-normalization`. A deny rule for `/admin` comes before a rule for everything.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::stream::{self, StreamExt as _};
use sealgate_tests::client::{Tls, Version, fetch};
use sealgate_tests::edge::{Edge, UPSTREAMS, Way};
use sealgate_tests::manifests::{entry, gateway_of, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::raw::RawRequest;
use sealgate_tests::scenario::{explained, seen};
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually, explain};
use serde_json::{Value, json};

const DENY: &str =
    "  - match: [{uri: {prefix: /admin}}]\n    directResponse: {status: 403, body: {string: denied}}\n";
/// What no normalization makes `/admin` of. The first is `/x/admin`, for dots are resolved before slashes are merged; the
/// others are what a server behind the gateway may make of them, so a deny rule that is meant for those has to name them.
const LEFT: [&str; 4] = ["/x//../", "/;/", "/;x=y/", "/%252f"];
const AT_ONCE: usize = 16;

/// What may stand before `admin`, and what between its letters and behind it.
const BEFORE: [&str; 29] = [
    "/",
    "//",
    "///",
    "/./",
    "/.//",
    "//./",
    "/x/../",
    "/x//../",
    "/x/..//",
    "/../",
    "/../../",
    "/%2e/",
    "/%2E/",
    "/x/%2e%2e/",
    "/x/.%2e/",
    "/x/%2E./",
    "/%2f",
    "/%2F",
    "/%5c",
    "/%5C",
    "/\\",
    "/.\\",
    "/x\\..\\",
    "/;/",
    "/;x=y/",
    "/%252f",
    "/%2f%2e%2f",
    "/x%2f..%2f",
    "/x/..;/",
];
const NAMES: [&str; 4] = ["admin", "ADMIN", "%61dmin", "admi%6E"];
const BEHIND: [&str; 15] = [
    "",
    "/",
    "//",
    "/.",
    "/..",
    "/x/../..",
    "/../admin",
    ";x",
    "?",
    "?//x/../%2f",
    "#x",
    "%20",
    "%2f",
    "/%2e%2e",
    "%00",
];

/// More than three hundred: each start with each name, and each end with the first of both.
fn spellings() -> BTreeSet<String> {
    let starts = BEFORE
        .iter()
        .flat_map(|before| NAMES.map(|name| format!("{before}{name}")));
    let ends = BEFORE
        .iter()
        .flat_map(|before| BEHIND.map(|behind| format!("{before}admin{behind}")));
    starts.chain(ends).collect()
}

/// Every byte that a path of HTTP/1.1 can have as it is, and all of them escaped.
fn bytes() -> BTreeSet<String> {
    let plain = (0x21..0x7f_u8).map(|byte| format!("/x{}y", char::from(byte)));
    let escaped = (0..=0xff_u8).flat_map(|byte| [format!("/x%{byte:02x}y"), format!("/x%{byte:02X}y")]);
    let more = [
        "/a/.%2e;/b",
        "/a/%2e.;/b",
        "/a/%2e;/b",
        "/a/%2e%2e;",
        "/a/..;?x;/y",
        "/a/..;x%2fb",
        "/a/..;x//b",
        "/a/..%2f..;/b",
        "/a/..;%2fb",
        "/a\\..;/b",
        "/a/\\..;/b",
        "/a/..;x;y/b",
        "/a/...;x/b",
        "/a//..;x/b",
        "/a/..;%/b",
        "/a/.;/b;c/d",
        "/a/..;%5cb/c",
        "/a/%2f..;/b",
        "/a%2f..;/b",
        "/a%5c..;/b",
        "/a/.;%2e/b",
        "/.;/..;/.;",
        "/a/b/.;./c",
        "/a/..;/b",
        "/a/.;/b",
        "/a/..;x=y/b",
        "/a/.;x/b",
        "/a/;/b",
        "/a/..;",
        "/a/.;",
        "/a/%2e%2e;/b",
        "/a/..%3b/b",
        "/a/..;x",
        "/a/.;x",
        "/..;/a",
        "/a/..;;/b",
        "/a/..;\\b",
        "/a/b;../c",
        "/a/..;/..;/b",
        "/a/..;b/../c",
        "/a/..;b/c/../d",
        "/a/.;/../d",
        "/a/b/..;/..",
        "/a/b/..,/c",
        "/",
        "//",
        "///",
        "/?//",
        "/a/",
        "/a//",
        "/a//?b//c",
        "/%",
        "/%2",
        "/%zz",
        "/.",
        "/..",
        "/...",
        "/a/...",
        "/.a",
        "/a./b",
        "/a/.b/..c/",
    ];
    plain.chain(escaped).chain(more.map(str::to_owned)).collect()
}

/// What `explain` says, in the words of what is seen.
fn said(answer: &Value) -> String {
    if answer["decision"]["reason"] == "pathNormalization" {
        return "direct 400 ".to_owned();
    }
    explained(answer)
}

/// The starts that are an escaped slash at least, and pass where these stay.
const ESCAPED: [&str; 6] = ["/%2f", "/%2F", "/%5c", "/%5C", "/%2f%2e%2f", "/x%2f..%2f"];

/// Asks both of every path, with `--path-normalization` and perhaps `--escaped-slashes`; `passing` are the starts with which `admin` passes the deny rule.
async fn agree(how: &str, passing: &[&str]) -> Result<()> {
    let (form, escaped) = how.split_once(' ').unwrap_or((how, ""));
    let escaped = (!escaped.is_empty()).then(|| format!("--escaped-slashes={escaped}"));
    let flags = [format!("--path-normalization={form}")]
        .into_iter()
        .chain(escaped);
    let flags: Vec<String> = flags.collect();
    let edge = Edge::start(DENY, flags.clone()).await?;
    edge.ready().await?;
    let paths: Vec<String> = spellings().union(&bytes()).cloned().collect();
    let questions: Vec<_> = paths
        .iter()
        .map(|path| json!({"scheme": "http", "authority": "app.example", "path": path}))
        .collect();
    let answers = explain::ask_with(
        &edge.site,
        &flags.iter().map(String::as_str).collect::<Vec<_>>(),
        &questions,
    )?;
    for version in [Version::H1, Version::H2] {
        let found = outcomes(&edge, &paths, version).await?;
        let differ = paths
            .iter()
            .zip(&found)
            .zip(&answers)
            .filter_map(|((path, does), answer)| {
                let says = said(answer);
                (says != *does).then(|| format!("{path}: Envoy {does}, explain {says}"))
            });
        let differ: Vec<String> = differ.collect();
        ensure!(differ.is_empty(), "{how} {version:?}:\n{}", differ.join("\n"));
        let leads_away = found
            .iter()
            .find(|does| does.starts_with("redirect 307 //") && does.contains("admin"));
        ensure!(
            leads_away.is_none(),
            "{how}: {leads_away:?} leads to another host"
        );
        let passes = |start: &&str| {
            let at = paths.binary_search(&format!("{start}admin"));
            at.ok()
                .and_then(|at| found.get(at))
                .is_some_and(|does| does.starts_with("to app "))
        };
        let passed: Vec<&str> = BEFORE.into_iter().filter(passes).collect();
        ensure!(passed == passing, "{how} {version:?}: {passed:?} pass");
    }
    Ok(())
}

/// What comes of each path.
async fn outcomes(edge: &Edge, paths: &[String], version: Version) -> Result<Vec<String>> {
    let way = Way {
        secure: false,
        version,
    };
    let sent = stream::iter(paths).map(|path| async move {
        let answer = edge.send(&RawRequest::get("app.example", path), way).await?;
        seen(&answer, &UPSTREAMS).with_context(|| path.clone())
    });
    let found: Vec<_> = sent.buffered(AT_ONCE).collect().await;
    found.into_iter().map(|seen| Ok(seen?.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_normalization_rules_see_what_the_client_sent() -> Result<()> {
    let passing: Vec<&str> = BEFORE.into_iter().filter(|before| *before != "/").collect();
    agree("none", &passing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn base_leaves_doubled_and_escaped_slashes_too() -> Result<()> {
    let more = [
        "//",
        "///",
        "/.//",
        "//./",
        "/x//../",
        "/x/..//",
        "/%2f",
        "/%2F",
        "/%5c",
        "/%5C",
        "/\\",
        "/%2f%2e%2f",
        "/x%2f..%2f",
    ];
    let passing = BEFORE
        .into_iter()
        .filter(|start| more.contains(start) || LEFT.contains(start));
    agree("base", &passing.collect::<Vec<_>>()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_slashes_leave_nothing_but_matrix_parameters_and_double_escapes() -> Result<()> {
    for how in [
        "merge-slashes reject",
        "merge-slashes redirect",
        "merge-slashes unescape",
    ] {
        agree(how, &LEFT).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escaped_slashes_stay_unless_something_is_said_of_them() -> Result<()> {
    let left = |start: &&str| LEFT.contains(start) || ESCAPED.contains(start);
    agree(
        "merge-slashes",
        &BEFORE.into_iter().filter(left).collect::<Vec<_>>(),
    )
    .await
}

/// A Gateway's annotation says it of its own hosts, where all servers of the filter chain say the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_says_what_becomes_of_escaped_slashes() -> Result<()> {
    const GATEWAYS: [(&str, &str, u16); 4] = [
        ("keep", "/a%2Fb", 200),
        ("reject", "", 400),
        ("redirect", "", 307),
        ("unescape", "/a/b", 200),
    ];
    let site = Site::start().await?;
    let app = echo::start("app").await?;
    site.write("app.yaml", &entry("app", "app.test", 80, app))?;
    Authority::new("CA")?
        .leaf(&["*.test"])?
        .write(&site.dir().join("edge"))?;
    let mut objects = String::new();
    for (word, _, _) in GATEWAYS {
        let host = format!("{word}.test");
        let gateway = gateway_of(
            "istio-system",
            word,
            &tls_server(&host, "mode: SIMPLE, credentialName: edge"),
        );
        let annotation =
            format!("namespace: istio-system, annotations: {{sealgate.dev/escaped-slashes: {word}}}");
        objects += &gateway.replace("namespace: istio-system", &annotation);
        let rule = "  - route: [{destination: {host: app.test, port: {number: 80}}}]\n";
        objects += &routes_of("istio-system", word, (word, &host), rule);
    }
    site.write("objects.yaml", &objects)?;
    let tls = Tls::new(Version::H1, None)?;
    for (word, path, status) in GATEWAYS {
        let host = format!("{word}.test");
        eventually(word, Duration::from_secs(10), || async {
            let (answer, _) = fetch(site.https, &host, "/a%2Fb", &tls).await?;
            ensure!(answer.status == status, "{word}: {}", answer.status);
            let seen = answer.body.lines().nth(1).unwrap_or_default();
            ensure!(
                status != 200 || seen.starts_with(&format!("GET {path} ")),
                "{word}: {seen}"
            );
            Ok(())
        })
        .await?;
        let question = json!({"scheme": "https", "authority": host, "path": "/a%2Fb"});
        let answers = explain::ask_with(&site, &[], &[question])?;
        let says = said(&answers[0]);
        let expected = match status {
            200 => format!("to app.test with {path} of"),
            307 => "redirect 307".to_owned(),
            status => format!("direct {status}"),
        };
        ensure!(says.starts_with(&expected), "{word}: {says}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decoded_slashes_leave_the_same() -> Result<()> {
    agree("decode-and-merge-slashes", &LEFT).await
}
