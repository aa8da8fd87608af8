//! The run: an edition of the rules, its requests, and the next one.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use super::ground::Ground;
use super::judge;
use super::mirrored::Copies;
use super::requests::Asked;
use super::rules::{MARK, virtual_services};
use crate::client::Version;
use crate::eventually;
use crate::raw::RawRequest;
use crate::site::Site;

/// Hosts of an edition, and requests to them.
const HOSTS: usize = 12;
const REQUESTS: u64 = 1_000;
/// Editions with one handling of paths.
const EDITIONS: u64 = 6;
const START: Duration = Duration::from_secs(30);
/// How many differences are shown.
const SHOWN: usize = 20;

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
    /// How many of them over TLS.
    pub secure: u64,
    /// Requests that were copied for others.
    pub copied: u64,
    /// Editions of the rules.
    pub editions: u64,
    /// By the decision's type, how many requests.
    pub decisions: std::collections::BTreeMap<String, u64>,
    /// Requests for which `explain` and Envoy differ.
    pub differences: Vec<String>,
    elapsed: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} requests over HTTP/1.1 and {} over HTTP/2, {} of them over TLS, {} copied, {} editions, {:.0?}: {} differences",
            self.seed,
            self.http1,
            self.http2,
            self.secure,
            self.copied,
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
/// The setup fails. A difference is not an error.
pub async fn agreement(args: AgreementArgs, failures: &Path) -> Result<Report> {
    let start = Instant::now();
    let mut rng = Rng::with_seed(args.seed);
    let mut report = Report {
        seed: args.seed,
        ..Report::default()
    };
    let mut left = args.requests;
    while left > 0 {
        let ground = Ground::start(&mut rng).await?;
        for _ in 0..EDITIONS {
            let count = left.min(REQUESTS);
            left -= count;
            if count > 0 {
                edition(&ground, &mut rng, count, &mut report, failures).await?;
            }
        }
    }
    report.elapsed = start.elapsed();
    Ok(report)
}

async fn edition(
    ground: &Ground,
    rng: &mut Rng,
    count: u64,
    report: &mut Report,
    failures: &Path,
) -> Result<()> {
    report.editions += 1;
    let hosts: Vec<String> = (0..HOSTS)
        .map(|at| format!("h{at}-{}.example", report.editions))
        .collect();
    let objects = hosts.iter().enumerate();
    let objects = objects.flat_map(|(at, host)| virtual_services(rng, &format!("v{at}"), host));
    let objects: Vec<String> = objects.map(|object| object.to_string()).collect();
    let objects = objects.join("\n---\n");
    ground.site.write("rules.yaml", &objects)?;
    arrived(&ground.site, &hosts).await?;
    let editions = report.editions;
    let number = |at| format!("{editions}-{at}");
    let asked: Vec<Asked> = (0..count)
        .map(|at| Asked::any(rng, &hosts, &number(at)))
        .collect();
    let said = ground.said(&asked)?;
    let got = ground.sent(&asked).await?;
    let mut copies = Copies::new(format!("{}-", report.editions));
    for ((asked, said), got) in asked.iter().zip(&said).zip(&got) {
        match asked.way.version {
            Version::H1 => report.http1 += 1,
            Version::H2 => report.http2 += 1,
        }
        let kind = said[0]["decision"]["type"].as_str().unwrap_or("none");
        *report.decisions.entry(kind.to_owned()).or_default() += 1;
        if asked.way.secure {
            report.secure += 1;
        }
        let (right, wrong): (Vec<_>, Vec<_>) = said
            .iter()
            .map(|answer| judge::agree(asked, answer, got).map(|()| answer))
            .partition(Result::is_ok);
        if !right.is_empty() {
            copies.expect(asked, right.into_iter().flatten(), got);
            continue;
        }
        if report.differences.is_empty() {
            fs::create_dir_all(failures)?;
            fs::write(failures.join(format!("seed-{}.yaml", report.seed)), &objects)?;
        }
        let reasons: std::collections::BTreeSet<String> = wrong
            .into_iter()
            .filter_map(Result::err)
            .map(|error| format!("{error:#}"))
            .collect();
        let reasons: Vec<String> = reasons.into_iter().collect();
        report.differences.push(format!(
            "{} with {}: {}",
            asked.question,
            ground.flags(),
            reasons.join("; or ")
        ));
    }
    report.copied += copies.len();
    report
        .differences
        .extend(copies.differences(&ground.copies).await);
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
