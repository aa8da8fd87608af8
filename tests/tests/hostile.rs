//! Requests that no client should send, through the real Envoy with the real filter: each is answered as
//! `data/hostile.json` says, the filter never fails, the next ordinary request is served, and what reaches an upstream
//! reaches the one that `explain` names for it.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use sealgate_tests::client::Version;
use sealgate_tests::edge::{Edge, WAYS, Way};
use sealgate_tests::explain::{self, Arrived};
use sealgate_tests::raw::{RawAnswer, RawRequest, bytes};
use serde::Deserialize;

const CASES: &str = include_str!("../data/hostile.json");

/// A request and what becomes of it. Characters stand for the bytes of their number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default = "app")]
    host: Option<String>,
    /// So many more bytes of host.
    #[serde(default, rename = "hostPad")]
    host_pad: usize,
    path: String,
    /// So many more bytes of path.
    #[serde(default)]
    pad: usize,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// How often the headers come.
    #[serde(default = "once")]
    repeat: usize,
    /// `STATUS`, `STATUS UPSTREAM` or `STATUS UPSTREAM PATH`; for a redirect `STATUS LOCATION`; `end` is no answer.
    h1: String,
    /// Where HTTP/2 differs.
    h2: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn app() -> Option<String> {
    Some("app.example".to_owned())
}

fn once() -> usize {
    1
}

impl Case {
    fn request(&self) -> RawRequest {
        let one = self
            .headers
            .iter()
            .map(|(name, value)| (bytes(name), bytes(value)));
        RawRequest {
            method: bytes(&self.method),
            target: [bytes(&self.path), vec![b'x'; self.pad]].concat(),
            host: self
                .host
                .as_ref()
                .map(|host| [bytes(host), vec![b'x'; self.host_pad]].concat()),
            headers: std::iter::repeat_n(one, self.repeat).flatten().collect(),
        }
    }

    fn expected(&self, version: Version) -> &str {
        match (version, &self.h2) {
            (Version::H2, Some(h2)) => h2,
            _ => &self.h1,
        }
    }

    fn check(&self, way: Way, answer: &RawAnswer) -> Result<()> {
        let expected = self.expected(way.version);
        let seen = seen(answer);
        ensure!(
            seen == expected || seen.starts_with(&format!("{expected} ")),
            "expected {expected}, and it was {seen:.200}"
        );
        Ok(())
    }
}

/// An answer in the form of the table.
fn seen(answer: &RawAnswer) -> String {
    let Some(status) = answer.status else {
        return "end".to_owned();
    };
    let location = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    let mut lines = answer.body.lines();
    let upstream = lines.next().filter(|_| matches!(status, 101 | 200));
    let path = lines.next().and_then(|line| line.split(' ').nth(1));
    [Some(status.to_string().as_str()), location, upstream, path]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Sends it, then an ordinary one; gives what is not as expected, and what arrived at an upstream.
async fn try_one(edge: &Edge, case: &Case, way: Way) -> Result<(Option<String>, Option<Arrived>)> {
    let place = || format!("{} ({way:?})", case.case);
    let answer = edge.send(&case.request(), way).await.with_context(place)?;
    edge.ordinary(way).await.with_context(place)?;
    let wrong = case.check(way, &answer).err();
    let wrong = wrong.map(|error| format!("{}: {error}", place()));
    Ok((wrong, Arrived::read(place(), way, &answer)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_harms_the_filter() -> Result<()> {
    let cases: Vec<Case> = serde_json::from_str(CASES)?;
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    let (mut wrong, mut arrived) = (Vec::new(), Vec::new());
    for case in &cases {
        let tried = WAYS.map(|way| try_one(&edge, case, way));
        for (error, own) in try_join_all(tried).await? {
            wrong.extend(error);
            arrived.extend(own);
        }
        edge.filter_is_well().await.with_context(|| case.case.clone())?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    explain::agrees(&edge.site, &arrived)
}
