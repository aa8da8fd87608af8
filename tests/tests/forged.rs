//! A client's own identity and routing headers never reach a decision or an upstream (invariant 7). The requests are
//! made from the list with which the gateway removes such headers, so that new names are tested automatically.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_core::names;
use sealgate_tests::client::Version;
use sealgate_tests::edge::{Edge, WAYS, Way};
use sealgate_tests::eventually;
use sealgate_tests::module;
use sealgate_tests::raw::{RawAnswer, RawRequest};

/// Envoy takes 100 headers; each name comes in four spellings, twice.
const NAMES_AT_ONCE: usize = 10;
const FORGED: &str = "forged-by-the-client";
const START: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(5);

/// What Envoy's documentation names, beside our own list.
const ENVOY: [&str; 34] = [
    "x-envoy-attempt-count",
    "x-envoy-cluster",
    "x-envoy-decorator-operation",
    "x-envoy-degraded",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-local-overloaded",
    "x-envoy-max-retries",
    "x-envoy-original-dst-host",
    "x-envoy-original-host",
    "x-envoy-original-method",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-overloaded",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-envoy-ratelimited",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-canary",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
];

/// Every name that must not come through, spelled with `-`.
fn forbidden() -> Vec<String> {
    let mut all: Vec<String> = names::never_from_a_client()
        .chain(ENVOY.map(str::to_owned))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// A name as clients could spell it for an upstream that folds `-` and `_`.
fn spellings(name: &str) -> [String; 4] {
    let last = name.rfind('-').unwrap_or(0);
    let (start, end) = name.split_at(last);
    [
        name.to_owned(),
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        format!("{start}{}", end.replace('-', "_")),
    ]
}

/// Rules that look for the forged values: a request that gets one through goes to `stolen`.
fn traps(names: &[String]) -> String {
    let spelled = names.iter().flat_map(|name| spellings(name));
    let blocks: Vec<String> = spelled
        .map(|name| format!("{{headers: {{{name}: {{exact: {FORGED}}}}}}}"))
        .collect();
    format!(
        "  - match: [{}]\n    route: [{{destination: {{host: stolen.local, port: {{number: 80}}}}}}]\n",
        blocks.join(", ")
    )
}

/// `app.example/` with these headers, each twice; in capitals if asked for.
fn request(names: &[String], capitals: bool) -> RawRequest {
    let mut request = RawRequest::get("app.example", "/");
    for name in names.iter().flat_map(|name| spellings(name)) {
        let name = if capitals { name.to_ascii_uppercase() } else { name };
        let header = (name.into_bytes(), FORGED.as_bytes().to_vec());
        request.headers.extend([header.clone(), header]);
    }
    request
}

fn arrived_clean(answer: &RawAnswer) -> Result<()> {
    ensure!(answer.status == Some(200), "{answer:?}");
    ensure!(
        answer.body.starts_with("app\n"),
        "a forged header chose: {}",
        answer.body
    );
    // Nor is a client on a private network trusted: Envoy would say so in `x-envoy-internal`.
    let forged: Vec<&str> = answer
        .body
        .lines()
        .filter(|line| line.contains(FORGED) || line.starts_with("x-envoy-internal"))
        .collect();
    ensure!(forged.is_empty(), "the upstream has seen {forged:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_header_reaches_a_decision_or_an_upstream() -> Result<()> {
    let forbidden = forbidden();
    // Rules that look at a header would see it only if it came through: each name is a trap of its own.
    let edge = Edge::start(&traps(&forbidden), Vec::new()).await?;
    edge.ready().await?;
    let mut wrong = Vec::new();
    for names in forbidden.chunks(NAMES_AT_ONCE) {
        for way in WAYS {
            // HTTP/2 has no capitals.
            for capitals in [false, true]
                .into_iter()
                .filter(|capitals| !capitals || way.version == Version::H1)
            {
                let answer = edge.send(&request(names, capitals), way).await?;
                if let Err(error) = arrived_clean(&answer) {
                    wrong.push(format!("{way:?}, capitals {capitals}: {error:#}"));
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    edge.filter_is_well().await
}

/// `x-sealgate-cluster` in the hand of a client, for an upstream that exists.
fn with_a_cluster() -> RawRequest {
    let mut request = RawRequest::get("app.example", "/");
    let header = |name: &str| (name.as_bytes().to_vec(), b"outbound|80||stolen.local".to_vec());
    request.headers = [names::CLUSTER, "X-SEALGATE-CLUSTER", "x_sealgate_cluster"]
        .map(header)
        .into();
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cannot_choose_a_cluster() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    for way in WAYS {
        let mut request = with_a_cluster();
        if way.version == Version::H2 {
            request
                .headers
                .iter_mut()
                .for_each(|(name, _)| name.make_ascii_lowercase());
        }
        let answer = edge.send(&request, way).await?;
        ensure!(answer.body.starts_with("app\n"), "{way:?}: {answer:?}");
        // Nor where no rule takes the request.
        request.host = Some(b"nobody.example".to_vec());
        let answer = edge.send(&request, way).await?;
        ensure!(answer.status == Some(404), "{way:?}: {answer:?}");
    }
    Ok(())
}

/// A gateway whose filter is `module` answers nothing but errors, whatever a client asks for.
async fn fails_closed(module: &[u8]) -> Result<Edge> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("broken.wasm");
    fs::write(&path, module)?;
    let edge = Edge::start("", vec![format!("--filter={}", path.display())]).await?;
    let mut was_there = false;
    for way in WAYS {
        for request in [RawRequest::get("app.example", "/"), with_a_cluster()] {
            let patience = if was_there { SOON } else { START };
            let answer = refused(&edge, &request, way, patience).await;
            // The agent takes back what a proxy rejects: once it was there, the listener may be gone.
            if was_there && answer.is_err() {
                continue;
            }
            let answer = answer.with_context(|| format!("{way:?}"))?;
            ensure!(
                answer.status.is_none_or(|status| status >= 400),
                "{way:?}: {answer:?}"
            );
            was_there = true;
        }
    }
    let stats = edge.site.envoy_page("/stats?filter=upstream_rq_total").await?;
    let reached: Vec<&str> = stats
        .lines()
        .filter(|line| line.starts_with("cluster.outbound") && !line.ends_with(": 0"))
        .collect();
    ensure!(reached.is_empty(), "upstreams were reached: {reached:?}");
    // What other tests rely on to notice a filter that has failed does notice it.
    ensure!(edge.filter_is_well().await.is_err(), "Envoy finds nothing wrong");
    Ok(edge)
}

/// The answer, once the listener is there to give one.
async fn refused(edge: &Edge, request: &RawRequest, way: Way, patience: Duration) -> Result<RawAnswer> {
    let mut request = request.clone();
    if way.version == Version::H2 {
        request
            .headers
            .iter_mut()
            .for_each(|(name, _)| name.make_ascii_lowercase());
    }
    eventually("the listener answers", patience, || edge.send(&request, way)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_filter_nothing_is_routed() -> Result<()> {
    fails_closed(module::EMPTY).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_filter_that_traps_nothing_is_routed() -> Result<()> {
    let edge = fails_closed(&module::trapping()).await?;
    eventually("it has trapped", START, || async {
        let log = fs::read_to_string(edge.site.envoy_log())?;
        ensure!(log.contains("proxy_on_request_headers failed"), "{log}");
        Ok(())
    })
    .await
}
