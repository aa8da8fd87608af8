//! A bad Secret never reaches Envoy: hundreds of materials, each read by the agent and shown to the real Envoy, raw and
//! as the agent would serve it. `data/credentials/table.txt` has the expected results.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use sealgate_agent::credential::CredentialOutcome;
use sealgate_tests::corpus::{self, CorpusCase, Material, Taken};
use sealgate_tests::exhibition::Exhibition;

/// Why we refuse what Envoy takes: all reasons there are.
const ON_PURPOSE: [&str; 5] = [
    "bad-block",
    "chain-limit",
    "compressed-point",
    "foreign-list",
    "unchecked-list",
];
/// Why a client is not let in by a bundle that is as its owner wants it.
const ANOTHER_CLIENT: [&str; 3] = ["another-authority", "revoked", "unusable-authority"];

#[test]
fn the_agent_reads_each_as_the_table_says() -> Result<()> {
    let cases = corpus::cases()?;
    assert!(cases.len() >= 500, "the corpus has shrunk to {}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let reading = corpus::read(&corpus::material(&case.name)?.secret);
        let word = corpus::word(corpus::outcome(&reading)?);
        let warnings: Vec<_> = reading
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect();
        if word != case.ours || warnings != case.warnings {
            wrong.push(format!(
                "{}: {word} {warnings:?}, not {} {:?}",
                case.name, case.ours, case.warnings
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Whether a line of the table keeps the promise that the agent makes.
fn is_sound(case: &CorpusCase) -> bool {
    let reason = case.on_purpose.as_deref();
    match (case.ours.as_str(), case.served) {
        ("ready", Some(Taken::Well)) => reason.is_none(),
        // Envoy refuses clients: a warning says so, or it is what the bundle is for.
        ("ready", Some(Taken::ButFails)) => match reason {
            None => !case.warnings.is_empty(),
            Some(reason) => ANOTHER_CLIENT.contains(&reason),
        },
        ("ready", _) | (_, Some(_)) => false,
        (_, None) => match reason {
            None => case.raw != Taken::Well,
            Some(reason) => case.raw == Taken::Well && ON_PURPOSE.contains(&reason),
        },
    }
}

#[test]
fn what_is_refused_beyond_envoy_is_refused_on_purpose() -> Result<()> {
    let cases = corpus::cases()?;
    let unsound: Vec<_> = cases.iter().filter(|case| !is_sound(case)).collect();
    assert!(unsound.is_empty(), "{unsound:#?}");
    let used: BTreeSet<_> = cases
        .iter()
        .filter_map(|case| case.on_purpose.as_deref())
        .collect();
    assert_eq!(used, ON_PURPOSE.into_iter().chain(ANOTHER_CLIENT).collect());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_does_with_each_as_the_table_says() -> Result<()> {
    let cases = corpus::cases()?;
    let (raw, served) = (
        |name: &str| format!("{name}.raw"),
        |name: &str| format!("{name}.served"),
    );
    let mut materials: BTreeMap<String, Material> = BTreeMap::new();
    for case in &cases {
        let material = corpus::material(&case.name)?;
        if let CredentialOutcome::Ready(credential) = corpus::outcome(&corpus::read(&material.secret))? {
            let secret = corpus::secret(&case.name, corpus::written(credential));
            let ours = Material {
                secret,
                ..material.clone()
            };
            materials.insert(served(&case.name), ours);
        }
        materials.insert(raw(&case.name), material);
    }
    let secrets = materials
        .iter()
        .map(|(name, material)| (name.clone(), material.secret.clone()));
    let judged = Exhibition::open(secrets.collect()).await?.judge(&materials).await;
    let mut wrong = Vec::new();
    for case in &cases {
        let (taken, said) = judged.get(&raw(&case.name)).context("not judged")?;
        if *taken != case.raw {
            wrong.push(format!("{}, raw: {taken:?} {said}", case.name));
        }
        let ours = judged.get(&served(&case.name));
        if ours.map(|(taken, _)| *taken) != case.served {
            wrong.push(format!("{}, as we serve it: {ours:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
