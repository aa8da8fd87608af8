//! Damaged materials: nothing makes the agent panic, what it serves reads back the same, and Envoy accepts it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::Result;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sealgate_agent::credential::{Credential, CredentialOutcome};
use sealgate_model::SecretObject;
use sealgate_tests::corpus::{self, Taken};
use sealgate_tests::exhibition::Exhibition;
use sealgate_tests::mutation::{Mutation, mutation};

/// Mutants that are shown to Envoy.
const SHOWN: usize = 300;
/// How many mutants may be made for these: most are refused.
const MADE: usize = 20_000;

#[expect(clippy::unwrap_used, reason = "without its corpus the test must fail")]
static SECRETS: LazyLock<Vec<SecretObject>> = LazyLock::new(|| {
    let names = corpus::materials().unwrap();
    names
        .iter()
        .map(|name| corpus::material(name).unwrap().secret)
        // What is large costs time and finds nothing.
        .filter(|secret| secret.data.values().all(|value| value.len() < 20_000))
        .collect()
});

fn mutant(which: &Index, mutation: &Mutation) -> SecretObject {
    mutation.apply(which.get(&SECRETS))
}

fn served(secret: &SecretObject) -> Vec<Credential> {
    let reading = corpus::read(secret);
    [reading.key_pair, reading.trust_bundle]
        .into_iter()
        .flatten()
        .filter_map(|outcome| match outcome {
            CredentialOutcome::Ready(credential) => Some((*credential).clone()),
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_served_reads_back_as_the_same(which: Index, mutation in mutation()) {
        for credential in served(&mutant(&which, &mutation)) {
            let again = served(&corpus::secret("again", corpus::written(&credential)));
            prop_assert_eq!(&again, std::slice::from_ref(&credential));
            prop_assert_eq!(again[0].version(), credential.version());
        }
    }
}

#[test]
fn every_material_that_is_served_reads_back_as_the_same() {
    for secret in &*SECRETS {
        for credential in served(secret) {
            let again = served(&corpus::secret("again", corpus::written(&credential)));
            assert_eq!(again, [credential], "{}", secret.meta.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_takes_every_mutant_that_is_served() -> Result<()> {
    let mut runner = TestRunner::deterministic();
    let strategy = (any::<Index>(), mutation());
    let mut shown = BTreeMap::new();
    for _ in 0..MADE {
        let tree = strategy
            .new_tree(&mut runner)
            .map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let (which, mutation) = tree.current();
        let original = which.get(&SECRETS);
        let before = served(original);
        for credential in served(&mutation.apply(original)) {
            if shown.len() < SHOWN && !before.contains(&credential) {
                let name = format!("{}-{}", shown.len(), original.meta.name);
                shown.insert(name.clone(), corpus::secret(&name, corpus::written(&credential)));
            }
        }
    }
    assert_eq!(shown.len(), SHOWN, "too few mutants are served to say anything");
    let is_pair = |name: &str| shown[name].data.contains_key("tls.crt");
    // Of a damaged bundle's clients nothing can be said.
    let pairs = shown.keys().filter(|name| is_pair(name));
    let clients = pairs
        .map(|name| Ok((name.clone(), corpus::material("key-ec-prime256v1")?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let exhibition = Exhibition::open(shown.clone()).await?;
    let judged = exhibition.judge(&clients).await.into_iter();
    let bad: Vec<_> = judged
        .filter(|(name, (taken, _))| *taken == Taken::Not || *taken == Taken::ButFails && is_pair(name))
        .map(|(name, judged)| (judged, corpus::text(&shown[&name])))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    Ok(())
}
