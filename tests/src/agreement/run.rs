//! The run: an edition of the rules, its requests, and the next one.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use futures::future::try_join_all;
use serde_json::Value;

use super::judge;
use super::requests::Asked;
use super::rules::{MARK, UPSTREAMS, virtual_service};
use crate::client::Version;
use crate::raw::{Kept, RawAnswer, RawRequest};
use crate::site::Site;
use crate::{echo, eventually, explain, manifests};

/// Hosts of an edition, and requests to them.
const HOSTS: usize = 12;
const REQUESTS: u64 = 1_000;
/// Connections of each version of HTTP.
const LANES: usize = 2;
const START: Duration = Duration::from_secs(30);
/// So many differences are shown; more say the same.
const SHOWN: usize = 20;

/// A rule that waits has to be there all the time: with the first one the listener changes.
const BASE: &str = r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*.example"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: base}
spec:
  hosts: [base.example]
  gateways: [istio-system/edge]
  http:
  - fault: {delay: {fixedDelay: 1ms, percentage: {value: 100}}}
    route: [{destination: {host: one.local}}, {destination: {host: two.local}}]
"#;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreementArgs {
    /// How many requests are sent.
    pub requests: u64,
    /// Which rules and requests are made.
    pub seed: u64,
}

impl AgreementArgs {
    /// `--runs N --seed N`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            requests: 100_000,
            seed: fastrand::u64(..1_000_000),
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} wants a value"))?;
            let number = || value.parse().with_context(|| format!("{name} {value}"));
            match name.as_str() {
                "--runs" => args.requests = number()?,
                "--seed" => args.seed = number()?,
                other => bail!("{other}: there are --runs and --seed"),
            }
        }
        Ok(args)
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// As it was asked for.
    pub seed: u64,
    /// Requests over HTTP/1.1.
    pub http1: u64,
    /// Requests over HTTP/2.
    pub http2: u64,
    /// Editions of the rules.
    pub editions: u64,
    /// By the decision's type, how many requests.
    pub decisions: std::collections::BTreeMap<String, u64>,
    /// Requests of which `explain` says something else than what Envoy does.
    pub differences: Vec<String>,
    elapsed: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} requests over HTTP/1.1 and {} over HTTP/2, {} editions, {:.0?}: {} differences",
            self.seed,
            self.http1,
            self.http2,
            self.editions,
            self.elapsed,
            self.differences.len()
        )?;
        let kinds = self
            .decisions
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"));
        writeln!(f, "{}", kinds.collect::<Vec<_>>().join(", "))?;
        for difference in self.differences.iter().take(SHOWN) {
            writeln!(f, "{difference}")?;
        }
        Ok(())
    }
}

/// Runs it; the first edition with a difference is kept in `failures`, and the run goes on.
///
/// # Errors
/// The machinery's. A difference is none.
pub async fn agreement(args: AgreementArgs, failures: &Path) -> Result<Report> {
    let start = Instant::now();
    let site = Site::start().await?;
    let [one, two] = UPSTREAMS;
    let services = [
        manifests::entry(one, "one.local", 80, echo::start(one).await?),
        manifests::entry(two, "two.local", 80, echo::start(two).await?),
    ];
    site.write("base.yaml", &format!("{BASE}---\n{}", services.join("---\n")))?;
    let mut rng = Rng::with_seed(args.seed);
    let mut report = Report {
        seed: args.seed,
        ..Report::default()
    };
    let mut left = args.requests;
    while left > 0 {
        let count = left.min(REQUESTS);
        left -= count;
        edition(&site, &mut rng, count, &mut report, failures).await?;
    }
    report.elapsed = start.elapsed();
    Ok(report)
}

async fn edition(site: &Site, rng: &mut Rng, count: u64, report: &mut Report, failures: &Path) -> Result<()> {
    report.editions += 1;
    let hosts: Vec<String> = (0..HOSTS)
        .map(|at| format!("h{at}-{}.example", report.editions))
        .collect();
    let objects = hosts.iter().enumerate();
    let objects = objects.map(|(at, host)| virtual_service(rng, &format!("v{at}"), host).to_string());
    let objects = objects.collect::<Vec<_>>().join("\n---\n");
    site.write("rules.yaml", &objects)?;
    arrived(site, &hosts).await?;
    let asked: Vec<Asked> = (0..count).map(|_| Asked::any(rng, &hosts)).collect();
    let said = said(site, &asked)?;
    let got = sent(site, &asked).await?;
    for ((asked, said), got) in asked.iter().zip(&said).zip(&got) {
        match asked.version {
            Version::H1 => report.http1 += 1,
            Version::H2 => report.http2 += 1,
        }
        let kind = said[0]["decision"]["type"].as_str().unwrap_or("none");
        *report.decisions.entry(kind.to_owned()).or_default() += 1;
        let judged = said
            .iter()
            .map(|answer| judge::agree(&asked.question, answer, got));
        let wrong: Vec<_> = judged.map_while(Result::err).collect();
        if wrong.len() < said.len() {
            continue;
        }
        if report.differences.is_empty() {
            fs::create_dir_all(failures)?;
            fs::write(failures.join(format!("seed-{}.yaml", report.seed)), &objects)?;
        }
        let reasons: std::collections::BTreeSet<String> = wrong.iter().map(ToString::to_string).collect();
        let reasons: Vec<String> = reasons.into_iter().collect();
        report
            .differences
            .push(format!("{}: {}", asked.question, reasons.join("; or ")));
    }
    Ok(())
}

/// Every host has its rules.
async fn arrived(site: &Site, hosts: &[String]) -> Result<()> {
    for host in hosts {
        let request = RawRequest::get(host, MARK);
        let there = eventually("the rules arrive", START, || async {
            let answer = request.send(site.http, None, Version::H1).await?;
            ensure!(answer.body == "here", "{host}: {answer:?}");
            Ok(())
        });
        if let Err(error) = there.await {
            bail!("{error:#}: {}", site.check()?.1["findings"]);
        }
    }
    Ok(())
}

/// For each request, what may become of it.
fn said(site: &Site, asked: &[Asked]) -> Result<Vec<Vec<Value>>> {
    let questions: Vec<Value> = asked.iter().flat_map(Asked::drawn).collect();
    let each = questions.len() / asked.len().max(1);
    let answers = explain::ask(site, &questions)?;
    Ok(answers.chunks(each).map(<[Value]>::to_vec).collect())
}

/// Each version has its connections, which share its requests.
async fn sent(site: &Site, asked: &[Asked]) -> Result<Vec<RawAnswer>> {
    let lanes = [Version::H1, Version::H2].into_iter().flat_map(|version| {
        (0..LANES).map(move |lane| async move {
            let mut kept = Kept::new(site.http, version);
            let mut answers = Vec::new();
            for (at, one) in asked.iter().enumerate() {
                if one.version == version && at % LANES == lane {
                    let answer = kept.send(&one.request()).await;
                    answers.push((at, answer.with_context(|| one.question.to_string())?));
                }
            }
            anyhow::Ok(answers)
        })
    });
    let mut answers: Vec<_> = try_join_all(lanes).await?.into_iter().flatten().collect();
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbers() {
        let parse = |line: &str| AgreementArgs::parse(line.split_whitespace().map(str::to_owned));
        let args = parse("--runs 5 --seed 7").unwrap();
        assert_eq!((args.requests, args.seed), (5, 7));
        for wrong in ["--runs", "--runs x", "--steps 4"] {
            parse(wrong).unwrap_err();
        }
    }
}
