//! What a rule does, through the real Envoy with the real filter: `data/actions.yaml` has the rules,
//! `data/actions.json` the requests. If Envoy has its own filter for something, the expectations are what that filter
//! was observed to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealgate_core::names;
use sealgate_tests::client::Version;
use sealgate_tests::edge::service;
use sealgate_tests::eventually;
use sealgate_tests::raw::{RawAnswer, RawRequest, bytes};
use sealgate_tests::recorder::{Recorder, header};
use sealgate_tests::site::Site;
use serde::Deserialize;

const RULES: &str = include_str!("../data/actions.yaml");
const CASES: &str = include_str!("../data/actions.json");
const START: Duration = Duration::from_secs(30);
/// A copy is sent after the request that it is one of.
const COPY: Duration = Duration::from_secs(5);

/// A request and what becomes of it. Characters stand for the bytes of their number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    status: u16,
    /// Headers of the answer; null must not be there.
    #[serde(default)]
    answer: BTreeMap<String, Option<String>>,
    body: Option<String>,
    /// Whether the upstream was asked.
    #[serde(default = "yes")]
    upstream: bool,
    /// How often.
    tries: Option<usize>,
    /// Headers of the request as the upstream sees them; repeated ones with a comma.
    #[serde(default)]
    seen: BTreeMap<String, Option<String>>,
    /// How long it takes at the least.
    #[serde(default)]
    least_ms: u64,
}

fn get() -> String {
    "GET".to_owned()
}

fn yes() -> bool {
    true
}

/// The gateway and its upstreams.
struct Stand {
    site: Site,
    main: Recorder,
    mirrors: [Recorder; 3],
}

impl Stand {
    async fn start() -> Result<Self> {
        let site = Site::start().await?;
        let main = Recorder::start().await?;
        let mirrors = [
            Recorder::start().await?,
            Recorder::start().await?,
            Recorder::start().await?,
        ];
        let mut objects = RULES.to_owned();
        let names = ["main", "first", "second", "third"];
        for (name, recorder) in names.into_iter().zip([&main].into_iter().chain(&mirrors)) {
            objects += &service(name, recorder.port);
        }
        site.write("site.yaml", &objects)?;
        let stand = Self { site, main, mirrors };
        eventually("the gateway serves", START, || stand.warm()).await?;
        Ok(stand)
    }

    /// All upstreams are there, also those of which an answer says nothing.
    async fn warm(&self) -> Result<()> {
        let answer = self.send(&RawRequest::get("app.example", "/mirror/warm")).await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = self.main.take();
        let [first, second, _] = &self.mirrors;
        let warm = [first, second].map(|mirror| !mirror.take().is_empty());
        ensure!(warm == [true; 2], "copies: {warm:?}");
        Ok(())
    }

    async fn send(&self, request: &RawRequest) -> Result<RawAnswer> {
        request.send(self.site.http, None, Version::H1).await
    }
}

impl Case {
    fn request(&self) -> RawRequest {
        let headers = self.headers.iter();
        RawRequest {
            method: bytes(&self.method),
            headers: headers.map(|(name, value)| (bytes(name), bytes(value))).collect(),
            ..RawRequest::get("app.example", &self.path)
        }
    }

    fn check(&self, answer: &RawAnswer, took: Duration, heads: &[String]) -> Result<()> {
        ensure!(answer.status == Some(self.status), "{answer:?}");
        compare("the answer", &self.answer, &answer.head)?;
        if let Some(body) = &self.body {
            ensure!(answer.body == *body, "the body is {:?}", answer.body);
        }
        // Envoy's timers may be a few milliseconds early.
        ensure!(
            took + Duration::from_millis(10) >= Duration::from_millis(self.least_ms),
            "it took {took:?}"
        );
        let tries = self.tries.unwrap_or(usize::from(self.upstream));
        ensure!(
            heads.len() == tries,
            "the upstream was asked {} times",
            heads.len()
        );
        for head in heads {
            compare("the upstream", &self.seen, head)?;
            ensure!(
                own_headers(head).is_empty(),
                "the upstream sees {:?}",
                own_headers(head)
            );
        }
        Ok(())
    }
}

/// What Envoy tells upstreams, and mirrors, as facts.
const FACTS: [&str; 2] = ["x-envoy-external-address", "x-envoy-internal"];

/// What the gateway says to itself.
fn own_headers(head: &str) -> Vec<&str> {
    let is_own = |line: &&str| {
        let mut names = names::never_from_a_client().filter(|name| !FACTS.contains(&&**name));
        names.any(|name| header(line, &name).is_some())
    };
    head.lines().filter(is_own).collect()
}

fn compare(who: &str, expected: &BTreeMap<String, Option<String>>, head: &str) -> Result<()> {
    for (name, value) in expected {
        let all = head.lines().filter_map(|line| header(line, name));
        let all = all.collect::<Vec<_>>().join(",");
        let found = Some(all).filter(|all| !all.is_empty());
        let value = value
            .as_ref()
            .map(|value| String::from_utf8_lossy(&bytes(value)).into_owned());
        ensure!(found == value, "{who}: {name} is {found:?}, not {value:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_do_what_they_say() -> Result<()> {
    let cases: Vec<Case> = serde_json::from_str(CASES)?;
    let stand = Stand::start().await?;
    let mut wrong = Vec::new();
    for case in &cases {
        let start = Instant::now();
        let answer = stand
            .send(&case.request())
            .await
            .with_context(|| case.case.clone())?;
        let heads = stand.main.take();
        if let Err(error) = case.check(&answer, start.elapsed(), &heads) {
            wrong.push(format!("{}: {error:#}", case.case));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (code, report) = stand.site.check()?;
    ensure!(code == Some(0), "{report}");
    let silent = report["findings"].as_array().context("findings")?.iter();
    let silent = silent
        .filter(|finding| finding["code"] == "not-carried-out")
        .count();
    ensure!(silent == 0, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_get_copies_and_nobody_sees_how() -> Result<()> {
    let stand = Stand::start().await?;
    let [first, second, third] = &stand.mirrors;
    let mut request = RawRequest::get("app.example", "/mirror/x?q=1");
    request
        .headers
        .push((names::MIRRORS.into(), b"outbound|80||third.local@100".to_vec()));
    ensure!(stand.send(&request).await?.status == Some(200));
    let seen = copies(&[first, second]).await?;
    for head in stand.main.take().iter().chain(&seen) {
        ensure!(head.starts_with("GET /seen/x?q=1 "), "{head}");
        ensure!(
            header(head, "host") == Some("rewritten") && header(head, "x-rule") == Some("1"),
            "{head}"
        );
        let own = own_headers(head);
        ensure!(own.is_empty(), "an upstream sees {own:?}");
    }
    ensure!(
        third.take().is_empty(),
        "a share of 0 got a copy, or a client chose its mirror"
    );
    Ok(())
}

/// What each of them got: one copy, and no second one.
async fn copies(recorders: &[&Recorder]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for recorder in recorders {
        all.extend(
            eventually("a copy arrives", COPY, || async {
                let heads = recorder.take();
                ensure!(heads.len() == 1, "{heads:?}");
                Ok(heads)
            })
            .await?,
        );
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_goes_with_retries_of_its_own_and_by_share() -> Result<()> {
    let stand = Stand::start().await?;
    let second = &stand.mirrors[1];
    let mut request = RawRequest::get("app.example", "/single");
    request.headers.push((b"x-answer".to_vec(), b"503".to_vec()));
    ensure!(stand.send(&request).await?.status == Some(503));
    copies(&[second]).await?;
    ensure!(stand.main.take().len() == 2, "retries are the rule's own");
    for _ in 0..200 {
        ensure!(stand.send(&RawRequest::get("app.example", "/part")).await?.status == Some(200));
    }
    // Below 20 or above 85 of 200 at a quarter: once in a million runs.
    let count = second.take().len();
    ensure!((20..=85).contains(&count), "a quarter of 200 are {count}");
    Ok(())
}
