//! Expensive rules, on the real Envoy with the real filter: requests to them soon get an error, all other requests are
//! served meanwhile, and all other changes arrive.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use sealgate_tests::client::Version;
use sealgate_tests::edge::{Edge, Way, rule};
use sealgate_tests::eventually;
use sealgate_tests::manifests::virtual_service;
use sealgate_tests::raw::RawRequest;

const WAY: Way = Way {
    secure: false,
    version: Version::H1,
};
/// To be taken by an agent that is not optimized.
const SOON: Duration = Duration::from_secs(60);
/// A request that asks for too much is refused in this time, and others wait no longer for it. A worker does nothing else
/// meanwhile, and the machine may have other work.
const REFUSED: Duration = Duration::from_secs(2);
/// In which a change of somebody else's arrives.
const PROMPT: Duration = Duration::from_secs(2);
const GROWTH: u64 = 150 << 20;
const HOST: &str = "dear.wild.example";

/// A rule by which it is known that the others are there.
const THERE: &str = "  - match: [{uri: {exact: /there}}]\n    directResponse: {status: 418}\n";

fn dear(rules: &str) -> String {
    virtual_service("dear", HOST, rules)
}

fn get(path: &str) -> RawRequest {
    RawRequest::get(HOST, path)
}

async fn status(edge: &Edge, path: &str) -> Result<u16> {
    edge.send(&get(path), WAY).await?.status.context("no answer")
}

/// Asks for `path` while others ask for what is ordinary: its status, and that all of theirs were served in time.
async fn beside_others(edge: &Edge, path: &str) -> Result<u16> {
    let others = join_all((0..20).map(|_| async {
        let began = Instant::now();
        edge.ordinary(WAY).await?;
        ensure!(
            began.elapsed() < REFUSED,
            "an ordinary request took {:?}",
            began.elapsed()
        );
        Ok(())
    }));
    let own = async {
        let began = Instant::now();
        let status = status(edge, path).await?;
        ensure!(began.elapsed() < REFUSED, "{status} took {:?}", began.elapsed());
        Ok(status)
    };
    let (own, others) = tokio::join!(own, others);
    others.into_iter().collect::<Result<Vec<()>>>()?;
    own
}

/// The rules are there once a request for `path` is answered so.
async fn serves(edge: &Edge, path: &str, expected: u16) -> Result<()> {
    eventually("the rules are there", SOON, || async {
        let status = status(edge, path).await?;
        ensure!(status == expected, "{status}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_that_would_fill_the_memory_fails_alone() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    // As long as one may be: a request would ask for 80 MB. One of 100 KB is refused by name.
    for (length, is_taken) in [(4_000, true), (100_000, false)] {
        let template = r"\0".repeat(length / 2);
        let rewrite = format!("rewrite: {{uriRegexRewrite: {{match: '.+', rewrite: '{template}'}}}}");
        let rules = format!(
            "  - match: [{{uri: {{exact: /{length}}}}}]\n    directResponse: {{status: 418}}\n  - {rewrite}\n    route: [{{destination: {{host: api.local, port: {{number: 80}}}}}}]\n"
        );
        edge.site.write("dear.yaml", &dear(&rules))?;
        if is_taken {
            serves(&edge, &format!("/{length}"), 418).await?;
        } else {
            eventually("it is refused", SOON, || says(&edge, "over-limit")).await?;
        }
        let long = "/".to_owned() + &"x".repeat(20_000);
        ensure!(beside_others(&edge, &long).await? == 500, "a path of 20 KB");
        edge.filter_is_well().await?;
    }
    Ok(())
}

async fn says(edge: &Edge, code: &str) -> Result<()> {
    let status = edge.site.status().await?;
    let findings = status["refusals"].as_array().context("no refusals")?;
    let found = findings
        .iter()
        .any(|finding| finding["code"] == code && finding["object"] == "VirtualService default/dear");
    ensure!(found, "no {code} among {findings:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_of_thousands_of_groups_is_refused() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    let pattern = "(a?)".repeat(6_000);
    let rewrite = format!("rewrite: {{uriRegexRewrite: {{match: '{pattern}', rewrite: '/'}}}}");
    let rules =
        format!("  - {rewrite}\n    route: [{{destination: {{host: api.local, port: {{number: 80}}}}}}]\n");
    edge.site.write("dear.yaml", &dear(&rules))?;
    eventually("it is refused", SOON, || says(&edge, "bad-regex")).await?;
    // The rule's place stays, so that the wildcard's rules do not answer for it.
    serves(&edge, "/a", 503).await?;
    edge.ordinary(WAY).await?;
    edge.filter_is_well().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_regex_that_asks_for_too_much_work_is_given_up() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    let rules = (0..20).map(|at| rule(&format!("uri: {{regex: '.*a.{{4000}}b{at}'}}"), "api"));
    edge.site.write(
        "dear.yaml",
        &dear(&(rules.collect::<String>() + &rule("uri: {exact: /cheap}", "picked"))),
    )?;
    // Each attempt has a budget of its own.
    serves(&edge, "/b", 404).await?;
    let long = "/".to_owned() + &"a".repeat(50_000);
    for _ in 0..3 {
        ensure!(beside_others(&edge, &long).await? == 503, "a path of 50 KB");
    }
    ensure!(
        status(&edge, "/cheap").await? == 200,
        "a cheap path of the same host"
    );
    edge.filter_is_well().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_large_regexes_takes_bounded_memory_and_holds_no_change_up() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    let before = edge.site.envoy_memory()?;
    let rules: Vec<String> = (0..1200)
        .map(|at| {
            let regex = format!("uri: {{regex: '/t{at}/(?:[a-z]{{1000}}){{14}}'}}");
            rule(&regex, "api")
        })
        .collect();
    // One object may not have all of them.
    edge.site.write("dear.yaml", &dear(&rules.concat()))?;
    eventually("it is refused", SOON, || says(&edge, "over-limit")).await?;
    // Many may.
    let objects = rules.chunks(15).enumerate().map(|(at, some)| {
        let there = if at == 0 { THERE } else { "" };
        let name = format!("name: dear{at:03}");
        dear(&(there.to_owned() + &some.concat())).replacen("name: dear", &name, 1)
    });
    edge.site
        .write("dear.yaml", &objects.collect::<Vec<_>>().join("\n---\n"))?;
    serves(&edge, "/there", 418).await?;
    // Each asks for one of them to be made.
    let paths: Vec<String> = (0..300)
        .map(|at| format!("/t{}/{}", at * 4, "a".repeat(14_000)))
        .collect();
    for some in paths.chunks(10) {
        let began = Instant::now();
        let asked = some.iter().map(|path| status(&edge, path));
        let ordinary = edge.ordinary(WAY);
        let (statuses, ordinary) = tokio::join!(try_join_all(asked), ordinary);
        ordinary?;
        let statuses = statuses?;
        let is_fine = |status: &u16| matches!(status, 200 | 503);
        ensure!(statuses.iter().all(is_fine), "{statuses:?}");
        ensure!(
            began.elapsed() < REFUSED * 5,
            "ten of them took {:?}",
            began.elapsed()
        );
    }
    let growth = edge.site.envoy_memory()?.saturating_sub(before);
    ensure!(growth < GROWTH, "Envoy has grown by {} MB", growth >> 20);
    for round in 0..3 {
        let host = format!("other{round}.wild.example");
        let other = virtual_service(
            &format!("other{round}"),
            &host,
            &rule("uri: {prefix: /}", "exact"),
        );
        edge.site.write(&format!("other{round}.yaml"), &other)?;
        eventually("a change of others arrives", PROMPT, || async {
            let answer = edge.send(&RawRequest::get(&host, "/"), WAY).await?;
            ensure!(answer.body.starts_with("exact\n"), "{answer:?}");
            Ok(())
        })
        .await?;
    }
    std::fs::remove_file(edge.site.dir().join("dear.yaml"))?;
    eventually("it is gone", PROMPT, || async {
        let answer = edge.send(&get("/t1/x"), WAY).await?;
        ensure!(answer.body.starts_with("wild\n"), "{answer:?}");
        Ok(())
    })
    .await?;
    let refused = edge.site.envoy_page("/stats?filter=update_rejected").await?;
    ensure!(refused.lines().all(|line| line.ends_with(": 0")), "{refused}");
    edge.filter_is_well().await
}
