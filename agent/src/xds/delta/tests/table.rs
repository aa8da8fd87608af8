//! Exchanges as data: messages and expected answers.

use super::*;

enum Step {
    /// Names subscribed and unsubscribed.
    Ask(&'static [&'static str], &'static [&'static str]),
    /// Accepts a nonce, with names subscribed and unsubscribed in the same message.
    Take(&'static str, &'static [&'static str], &'static [&'static str]),
    /// Rejects a nonce, with names subscribed.
    Refuse(&'static str, &'static [&'static str]),
    /// A new stream: names subscribed, and what the proxy already has.
    Reconnect(&'static [&'static str], &'static [&'static str]),
    Set(&'static str, &'static str),
    Remove(&'static str),
}

use Step::{Ask, Reconnect, Refuse, Remove, Set, Take};

type Exchange = (&'static str, TypeUrl, &'static [(Step, &'static str)]);

/// No response at all.
const SILENCE: &str = "silence";
/// A response without resources and removals.
const EMPTY: &str = "";

const EXCHANGES: &[Exchange] = &[
    (
        "subscribing, unsubscribing and taking ride on one message",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a"], &[]), "a=1"),
            (Take("1", &["b"], &["a"]), "b=1"),
            (Set("ns/a", "2"), SILENCE),
            (Set("ns/b", "2"), "b=2"),
        ],
    ),
    (
        "unsubscribed and subscribed in one message is subscribed again",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&["a"], &[]), "a=1"),
            (Ask(&["a"], &["a"]), "a=1"),
            (Set("ns/a", "2"), "a=2"),
        ],
    ),
    (
        "a subscription on a refusal is answered, what was refused is not sent again",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a"], &[]), "a=1"),
            (Refuse("1", &["b"]), "b=1"),
            (Set("ns/a", "2"), "a=2"),
        ],
    ),
    (
        "a subscription on a stale nonce is a subscription",
        TypeUrl::Secret,
        &[(Set("ns/a", "1"), SILENCE), (Take("99", &["a"], &[]), "a=1")],
    ),
    (
        "what is unknown is told absent, pushed when it comes, and told absent when it goes",
        TypeUrl::Secret,
        &[
            (Ask(&["kubernetes://a"], &[]), "-kubernetes://a"),
            (Set("ns/a", "1"), "kubernetes://a=1"),
            (Remove("ns/a"), "-kubernetes://a"),
            (Ask(&[], &["kubernetes://a"]), SILENCE),
            (Set("ns/a", "2"), SILENCE),
        ],
    ),
    (
        "nobody is told which Secrets there are",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&[], &[]), SILENCE),
            (Ask(&["*"], &[]), SILENCE),
            (Set("ns/a", "2"), SILENCE),
            (Ask(&[], &["*"]), SILENCE),
        ],
    ),
    (
        "a reconnect is answered in full, and told what vanished",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a", "b"], &[]), "a=1 b=1"),
            (Reconnect(&["a", "b"], &["a", "b", "c"]), "a=1 b=1 -c"),
        ],
    ),
    (
        "names beside everything: giving one up is answered, for it is still part of everything",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Ask(&[], &[]), "a=1"),
            (Ask(&["a", "b"], &[]), "a=1 -b"),
            (Ask(&[], &["a", "b"]), "a=1 -b"),
            (Set("a", "2"), "a=2"),
            (Remove("a"), "-a"),
        ],
    ),
    (
        "giving up a name that was never asked for changes nothing",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Ask(&[], &[]), "a=1"),
            (Ask(&[], &["a"]), SILENCE),
            (Remove("a"), "-a"),
        ],
    ),
    (
        "giving up everything leaves the names",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Set("b", "1"), SILENCE),
            (Ask(&["*", "a"], &[]), "a=1 b=1"),
            (Ask(&[], &["*"]), SILENCE),
            (Set("b", "2"), SILENCE),
            (Set("a", "2"), "a=2"),
        ],
    ),
    (
        "giving up everything and a name in one message is answered with nothing",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Ask(&["*", "a"], &[]), "a=1"),
            (Ask(&[], &["a", "*"]), SILENCE),
            (Set("a", "2"), SILENCE),
        ],
    ),
    (
        "everything is answered also if it is nothing",
        TypeUrl::Cluster,
        &[
            (Ask(&[], &[]), EMPTY),
            (Take("1", &[], &[]), SILENCE),
            (Ask(&["*"], &[]), EMPTY),
            (Reconnect(&[], &["a"]), "-a"),
        ],
    ),
];

fn shown(response: Option<&DeltaResponse>) -> String {
    response.map_or(SILENCE.to_owned(), |response| {
        let resources = response
            .resources
            .iter()
            .map(|(name, resource)| format!("{name}={}", String::from_utf8_lossy(&resource.body())));
        let removed = response.removed.iter().map(|name| format!("-{name}"));
        resources.chain(removed).collect::<Vec<_>>().join(" ")
    })
}

fn said(step: &Step) -> Option<DeltaRequest> {
    let (nonce, subscribe, unsubscribe, brought): (&str, &[&str], &[&str], &[&str]) = match step {
        Ask(subscribe, unsubscribe) => ("", subscribe, unsubscribe, &[]),
        Take(nonce, subscribe, unsubscribe) => (nonce, subscribe, unsubscribe, &[]),
        Refuse(nonce, subscribe) => (nonce, subscribe, &[], &[]),
        Reconnect(subscribe, brought) => ("", subscribe, &[], brought),
        Set(..) | Remove(_) => return None,
    };
    Some(DeltaRequest {
        subscribe: strings(subscribe),
        unsubscribe: strings(unsubscribe),
        initial_versions: brought
            .iter()
            .map(|name| (name.to_string(), "x".to_owned()))
            .collect(),
        inherited: BTreeSet::new(),
        nonce: nonce.to_owned(),
        error: matches!(step, Refuse(..)).then(|| "no".to_owned()),
    })
}

#[test]
fn every_exchange_goes_as_it_should() {
    for (what, kind, steps) in EXCHANGES {
        let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
        let mut subscription = machine(*kind);
        for (at, (step, expected)) in steps.iter().enumerate() {
            let before = receiver.borrow().clone();
            if matches!(step, Reconnect(..)) {
                subscription = machine(*kind);
            }
            let response = if let Some(request) = said(step) {
                subscription.on_request(&request, &before).1
            } else {
                publisher.update(Instant::now(), |draft| match step {
                    Set(name, body) => draft.set(*kind, name, body.as_bytes().to_vec()),
                    Remove(name) => draft.remove(*kind, name),
                    _ => {}
                });
                let after = receiver.borrow().clone();
                subscription.on_change(&after.changed_since(&before, *kind), &after)
            };
            assert_eq!(shown(response.as_ref()), *expected, "{what}: step {at}");
        }
    }
}
