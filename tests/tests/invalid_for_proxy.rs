//! What Envoy rejects, our checks reject too: a resource for each kind of rule, given to both.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sealgate_agent::snapshot::TypeUrl;
use sealgate_agent::valid::{Broken, Violation};
use sealgate_tests::eventually;
use sealgate_tests::refusable::{CLUSTERS, LISTENERS, Refusable, chain, cluster, listener, path, regex};
use sealgate_tests::unchecked::Unchecked;

const SOON: Duration = Duration::from_secs(20);

/// Every bad resource with what has to be said of it, and the good ones that they were made of.
fn resources() -> (Vec<(Refusable, String)>, Vec<Refusable>) {
    let clusters = CLUSTERS.iter().map(|(name, spoil, said)| {
        let bad = cluster(&format!("bad-{name}"), spoil);
        (bad, (*said).to_owned())
    });
    let listeners = LISTENERS
        .iter()
        .zip(1..)
        .map(|((prefix, (name, spoil, said)), own)| {
            let bad = listener(&format!("bad-{name}"), own, spoil);
            (bad, format!("{prefix}{said}"))
        });
    let good = [
        cluster("good", |_| ()),
        listener("good", 1001, |_| ()),
        listener("good-regex", 1002, |parts| {
            path(parts).headers = vec![regex("x".repeat(96))]
        }),
        listener("good-chains", 1003, |parts| {
            parts.listener.filter_chains = vec![chain(&["*.test"]), chain(&["b.test"]), chain(&[])];
        }),
    ];
    (clusters.chain(listeners).collect(), good.into())
}

/// What Envoy's words for this have in them.
fn words(violation: &Violation) -> Vec<String> {
    let own = match violation.broken() {
        Broken::SameMatch(_) => "overlapping matching rules",
        Broken::PartialWildcard(_) => "partial wildcards are not supported",
        Broken::DomainTwice(domain) if domain == "*" => "Only a single wildcard domain is permitted",
        Broken::DomainTwice(_) => "Only unique values for domains are permitted",
        Broken::ProgramSize(..) => "RE2 program size of 101",
        _ => "Proto constraint validation failed",
    };
    let last = violation.field().rsplit('.').next().unwrap_or_default();
    let last = last.split('[').next().unwrap_or_default();
    let mut words = vec![own.to_owned()];
    if own.starts_with("Proto") {
        // `field: "specifier"` of several fields, else `Error.VerifyCertificateSpki`.
        words.push(if *violation.broken() == Broken::Missing {
            "required".to_owned()
        } else {
            format!("ValidationError.{}", camel(last))
        });
    }
    words
}

fn camel(name: &str) -> String {
    let words = name.split('_').filter_map(|word| {
        let (first, rest) = word.split_at_checked(1)?;
        Some(first.to_uppercase() + rest)
    });
    words.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_envoy_refuses_we_refuse_and_nothing_else() -> Result<()> {
    let (bad, good) = resources();
    let mut wrong = Vec::new();
    for (resource, said) in &bad {
        let own = resource.said.as_ref().map_err(Violation::to_string);
        if !own.is_err_and(|own| own.starts_with(said)) {
            wrong.push(format!("{}: {:?} and not {said}", resource.name, resource.said));
        }
    }
    wrong.extend(
        good.iter()
            .filter(|resource| resource.said.is_err())
            .map(|resource| format!("{}: {:?}", resource.name, resource.said)),
    );
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let mut stand = Unchecked::start(|bootstrap, _| bootstrap).await?;
    stand.publisher.update(Instant::now(), |draft| {
        for resource in bad.iter().map(|(resource, _)| resource).chain(&good) {
            draft.set(resource.kind, &resource.name, resource.body.clone());
        }
    });
    let expected: BTreeSet<_> = bad.iter().map(|(own, _)| (own.kind, own.name.clone())).collect();
    let verdict = || async {
        let refused = stand.proxies.refusals().list().into_keys();
        let refused: BTreeSet<_> = refused.map(|(kind, name)| (kind, name.to_string())).collect();
        let taken: Vec<_> = expected.difference(&refused).collect();
        let lost: Vec<_> = refused.difference(&expected).collect();
        ensure!(
            taken.is_empty() && lost.is_empty(),
            "taken: {taken:?}, refused: {lost:?}"
        );
        let clusters = stand.site.envoy_page("/clusters").await?;
        ensure!(clusters.contains("good::"), "no cluster");
        let listeners = stand
            .site
            .envoy_page("/config_dump?resource=dynamic_listeners")
            .await?;
        for resource in good.iter().filter(|own| own.kind == TypeUrl::Listener) {
            ensure!(
                listeners.contains(&format!("\"{}\"", resource.name)),
                "no {}",
                resource.name
            );
        }
        Ok(())
    };
    eventually("Envoy refuses the bad ones", SOON, verdict).await?;
    let refusals = stand.proxies.refusals().list();
    for (resource, _) in &bad {
        let why = &refusals[&(resource.kind, resource.name.as_str().into())];
        let Err(own) = &resource.said else { continue };
        // The reason comes last, after the whole message, and not all of that is kept.
        let is_cut = why.len() >= 2000;
        ensure!(
            is_cut || words(own).iter().all(|word| why.contains(word)),
            "{}: {:?} is not why: {why}",
            resource.name,
            words(own)
        );
    }
    Ok(())
}
