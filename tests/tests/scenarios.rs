//! The scenario tables of `data/scenarios`: what `explain` says about a request, what the real Envoy with the real
//! filter does, and what the table expects are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::{Tls, Version};
use sealgate_tests::moody::{self, Moody};
use sealgate_tests::pki::Authority;
use sealgate_tests::raw::RawAnswer;
use sealgate_tests::scenario::{
    self, Case, GATEWAY, Scenario, Seen, UPSTREAMS, explained, have, mutated, seen, upstream_of,
};
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually, explain, manifests};
use serde_json::{Value, json};

const START: Duration = Duration::from_secs(60);
/// Requests for each share, and by how many of a hundred a share may differ: more than four standard deviations.
const MANY: u32 = 400;
const LEEWAY: f64 = 10.0;

struct Stage {
    site: Site,
    moody: Moody,
    h1: Tls,
    h2: Tls,
}

impl Stage {
    async fn start(scenarios: &BTreeMap<String, Scenario>) -> Result<Self> {
        let site = Site::start().await?;
        let moody = Moody::start().await?;
        Authority::new("CA")?
            .leaf(&["*.example"])?
            .write(&site.dir().join("edge"))?;
        let mut objects = vec![GATEWAY.to_owned()];
        for name in UPSTREAMS {
            let port = if name == "moody" {
                moody.port
            } else {
                echo::start(name).await?
            };
            objects.push(manifests::entry(name, &format!("{name}.local"), 80, port));
        }
        site.write("gateway.yaml", &objects.join("---\n"))?;
        for (name, scenario) in scenarios {
            site.write(name, &scenario.objects)?;
        }
        Ok(Self {
            site,
            moody,
            h1: Tls::new(Version::H1, None)?,
            h2: Tls::new(Version::H2, None)?,
        })
    }

    async fn send(&self, case: &Case, version: Version) -> Result<RawAnswer> {
        let mut request = case.request()?;
        if version == Version::H2 {
            // Capitals in a name are an error there.
            request
                .headers
                .iter_mut()
                .for_each(|(name, _)| name.make_ascii_lowercase());
        }
        let name = format!("{} {version:?}", case.case);
        request.headers.push((moody::CASE.into(), name.into()));
        if case.question()?.scheme == "http" {
            return request.send(self.site.http, None, version).await;
        }
        let tls = match version {
            Version::H1 => &self.h1,
            Version::H2 => &self.h2,
        };
        request.send(self.site.https, Some(tls), version).await
    }

    /// One request on each version of HTTP that it is meant for, and `explain`'s answers to it.
    async fn try_one(&self, case: &Case, answers: &[(Version, Value)]) -> Result<()> {
        for (version, answer) in answers {
            let version = *version;
            says(case, answer).with_context(|| format!("explain, {version:?}"))?;
            let place = || format!("Envoy, {version:?}");
            let got = self.send(case, version).await.with_context(place)?;
            self.does(case, answer, version, &got).with_context(place)?;
        }
        Ok(())
    }

    fn does(&self, case: &Case, answer: &Value, version: Version, got: &RawAnswer) -> Result<()> {
        if let Some(tries) = case.tries {
            let name = format!("{} {version:?}", case.case);
            let seen = self.moody.tries(&name);
            ensure!(seen == tries, "{seen} tries instead of {tries}");
        }
        if case.refused.is_some() {
            return ensure_eq(&Seen::refusal(got), &case.expected()?);
        }
        let status = got.status.context("no answer")?;
        if let Some(ends) = case.ends {
            ensure!(status == ends, "{status} instead of {ends}");
            return Ok(());
        }
        let found = seen(got, &UPSTREAMS)?;
        ensure_eq(&found.outcome, &case.expected()?)?;
        if case.to.is_some() {
            ensure!(status == 200, "{status} instead of 200");
            upstream_headers(case, answer, &found)?;
        }
        client_headers(case, answer, &found).context("of the response")
    }

    /// Many such requests: `explain` draws evenly, and Envoy as it likes.
    async fn shares(&self, case: &Case, shares: &BTreeMap<String, u32>) -> Result<()> {
        let questions: Vec<Value> = (0..100_u32)
            .map(|percent| {
                let mut question = case.ask.clone();
                question["draw"] = json!(f64::from(percent) / 100.0);
                question
            })
            .collect();
        let answers = explain::ask(&self.site, &questions)?;
        let chosen = answers.iter().map(|answer| {
            let cluster = answer["decision"]["cluster"].as_str().unwrap_or_default();
            upstream_of(cluster).to_owned()
        });
        let exact = count(chosen);
        ensure!(exact == *shares, "explain: {exact:?} instead of {shares:?}");
        let mut reached = Vec::new();
        for _ in 0..MANY {
            let answer = self.send(case, Version::H1).await?;
            reached.push(answer.body.lines().next().unwrap_or_default().to_owned());
        }
        let reached = count(reached.into_iter());
        ensure!(
            reached.keys().eq(shares.keys()),
            "Envoy: {reached:?} instead of {shares:?}"
        );
        for (name, share) in shares {
            let own = f64::from(reached[name]) * 100.0 / f64::from(MANY);
            let off = (own - f64::from(*share)).abs();
            ensure!(off < LEEWAY, "Envoy: {name} gets {own} % instead of {share} %");
        }
        Ok(())
    }
}

/// A question for each version of HTTP, unless it names one.
fn by_version(case: &Case) -> Vec<(Version, Value)> {
    let both = [(Version::H1, "HTTP/1.1"), (Version::H2, "HTTP/2")];
    let own = case.ask.get("protocol").and_then(Value::as_str);
    let meant = both
        .into_iter()
        .filter(|(_, name)| own.is_none_or(|own| own == *name));
    meant
        .map(|(version, name)| {
            let mut question = case.ask.clone();
            question["protocol"] = json!(name);
            (version, question)
        })
        .collect()
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

fn ensure_eq(found: &str, expected: &str) -> Result<()> {
    ensure!(found == expected, "`{found}` instead of `{expected}`");
    Ok(())
}

/// What `explain` answers.
fn says(case: &Case, answer: &Value) -> Result<()> {
    ensure_eq(&explained(answer), &case.expected()?)?;
    let decision = &answer["decision"];
    if let Some(by) = &case.by {
        let matched = &answer["matched"];
        let own = format!(
            "{} {}.{}",
            matched["virtualService"].as_str().unwrap_or_default(),
            matched["rule"],
            matched["match"]
        );
        ensure_eq(&own, by)?;
    }
    if let Some(reason) = &case.not_found {
        ensure_eq(decision["reason"].as_str().unwrap_or_default(), reason)?;
    }
    if case.to.is_some() {
        let timeout = decision["timeoutMs"].as_u64();
        ensure!(timeout == case.timeout_ms, "timeout {timeout:?}");
    }
    Ok(())
}

/// What the table says, and what is left by the operations that `explain` names.
fn upstream_headers(case: &Case, answer: &Value, found: &Seen) -> Result<()> {
    have(&found.headers, &case.headers)?;
    // What only the gateway may say is taken off before any rule.
    let mut asked = case.question()?.headers;
    asked.retain(|(name, _)| !name.starts_with("x-envoy-") && name != "x-forwarded-proto");
    have(
        &found.headers,
        &mutated(&answer["decision"]["requestHeaders"], &asked),
    )
    .context("as explained")
}

fn client_headers(case: &Case, answer: &Value, found: &Seen) -> Result<()> {
    have(&found.response, &case.response)?;
    let decision = &answer["decision"];
    have(&found.response, &mutated(&decision["responseHeaders"], &[])).context("as explained")?;
    let cors = json!({ "set": decision["cors"] });
    have(&found.response, &mutated(&cors, &[])).context("as explained")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_and_envoy_say_what_the_tables_say() -> Result<()> {
    let scenarios = scenario::all()?;
    let stage = Stage::start(&scenarios).await?;
    let first = scenarios.values().flat_map(|scenario| &scenario.cases).next();
    let first = first.context("no case")?;
    eventually("the gateway serves", START, || async {
        let answer = stage.send(first, Version::H1).await?;
        ensure_eq(&seen(&answer, &UPSTREAMS)?.outcome, &first.expected()?)
    })
    .await?;
    let mut wrong = Vec::new();
    for (file, scenario) in &scenarios {
        let asked: Vec<_> = scenario.cases.iter().map(by_version).collect();
        let questions = asked.iter().flatten().map(|(_, question)| question.clone());
        let mut answers = explain::ask(&stage.site, &questions.collect::<Vec<_>>())?.into_iter();
        for (case, asked) in scenario.cases.iter().zip(&asked) {
            let answers: Vec<_> = asked
                .iter()
                .map(|(version, _)| *version)
                .zip(&mut answers)
                .collect();
            let tried = match &case.shares {
                Some(shares) => stage.shares(case, shares).await,
                None => stage.try_one(case, &answers).await,
            };
            wrong.extend(
                tried
                    .err()
                    .map(|error| format!("{file}: {}: {error:#}", case.case)),
            );
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
