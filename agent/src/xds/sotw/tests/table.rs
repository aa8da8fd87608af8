//! Exchanges as data: messages and expected answers.

use super::*;

enum Step {
    /// Names and nonce.
    Ask(&'static [&'static str], &'static str),
    /// The same with an error.
    Refuse(&'static [&'static str], &'static str),
    Set(&'static str, &'static str),
    Remove(&'static str),
}

use Step::{Ask, Refuse, Remove, Set};

type Exchange = (&'static str, TypeUrl, &'static [(Step, &'static str)]);

/// No response at all.
const SILENCE: &str = "silence";
/// A response without resources.
const EMPTY: &str = "";

const EXCHANGES: &[Exchange] = &[
    (
        "names in another order, or twice, are the same names",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a", "b"], ""), "a=1 b=1"),
            (Ask(&["b", "a", "b"], "1"), SILENCE),
        ],
    ),
    (
        "a name that was dropped and is asked for again is answered again",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&["a"], ""), "a=1"),
            (Ask(&[], "1"), SILENCE),
            (Set("ns/a", "2"), SILENCE),
            (Ask(&["a"], "1"), "a=2"),
        ],
    ),
    (
        "new names on a stale nonce wait for the word about the newer response",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a"], ""), "a=1"),
            (Set("ns/a", "2"), "a=2"),
            (Ask(&["a", "b"], "1"), SILENCE),
            (Ask(&["a", "b"], "2"), "b=1"),
        ],
    ),
    (
        "a name that was dropped while a response was on its way is answered when it is back",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a", "b"], ""), "a=1 b=1"),
            (Set("ns/b", "2"), "b=2"),
            (Ask(&["b"], "1"), SILENCE),
            (Ask(&["a", "b"], "1"), SILENCE),
            (Ask(&["a", "b"], "2"), "a=1"),
        ],
    ),
    (
        "more names before the first response has come: only the new ones are answered",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a"], ""), "a=1"),
            (Ask(&["a", "b"], ""), "b=1"),
        ],
    ),
    (
        "after a refusal: not the same again, but the next",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&["a"], ""), "a=1"),
            (Refuse(&["a"], "1"), SILENCE),
            (Ask(&["a"], "1"), SILENCE),
            (Set("ns/a", "2"), "a=2"),
        ],
    ),
    (
        "names may change on a refusal too",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), SILENCE),
            (Ask(&["a"], ""), "a=1"),
            (Refuse(&["a", "b"], "1"), "b=1"),
        ],
    ),
    (
        "absence is silence, and so is a removal",
        TypeUrl::Secret,
        &[
            (Ask(&["a"], ""), SILENCE),
            (Set("ns/a", "1"), "a=1"),
            (Remove("ns/a"), SILENCE),
            (Ask(&["a", "b"], "1"), SILENCE),
            (Set("ns/a", "1"), SILENCE),
            (Set("ns/b", "1"), "b=1"),
        ],
    ),
    (
        "nobody is told which Secrets there are",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&[], ""), SILENCE),
            (Ask(&["*"], ""), SILENCE),
            (Set("ns/a", "2"), SILENCE),
        ],
    ),
    (
        "one credential under two names is answered under both",
        TypeUrl::Secret,
        &[
            (Set("ns/a", "1"), SILENCE),
            (Ask(&["kubernetes://a", "ns/a"], ""), "kubernetes://a=1 ns/a=1"),
            (Set("ns/a", "2"), "kubernetes://a=2 ns/a=2"),
        ],
    ),
    (
        "no name at all means all listeners, also when there are none",
        TypeUrl::Listener,
        &[
            (Ask(&[], ""), EMPTY),
            (Set("l", "1"), "l=1"),
            (Ask(&[], "1"), SILENCE),
            (Ask(&[], "2"), SILENCE),
            (Remove("l"), EMPTY),
        ],
    ),
    (
        "an empty list after a name was given means nothing",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Set("b", "1"), SILENCE),
            (Ask(&[], ""), "a=1 b=1"),
            (Ask(&["a"], "1"), "a=1"),
            (Set("b", "2"), SILENCE),
            (Ask(&[], "2"), SILENCE),
            (Set("a", "2"), SILENCE),
        ],
    ),
    (
        "a star means all clusters, beside names and without",
        TypeUrl::Cluster,
        &[
            (Set("a", "1"), SILENCE),
            (Ask(&["*", "b"], ""), "a=1"),
            (Set("b", "1"), "a=1 b=1"),
            (Ask(&["b"], "2"), SILENCE),
            (Set("a", "2"), SILENCE),
            (Ask(&["*"], "2"), "a=2 b=1"),
        ],
    ),
    (
        "endpoints are answered one by one",
        TypeUrl::Endpoint,
        &[
            (Set("a", "1"), SILENCE),
            (Set("b", "1"), SILENCE),
            (Ask(&["a", "b"], ""), "a=1 b=1"),
            (Set("b", "2"), "b=2"),
        ],
    ),
];

fn shown(response: Option<&SotwResponse>) -> String {
    response.map_or(SILENCE.to_owned(), |response| {
        let one = |(name, resource): &(Arc<str>, Arc<Resource>)| {
            format!("{name}={}", String::from_utf8_lossy(&resource.body()))
        };
        response.resources.iter().map(one).collect::<Vec<_>>().join(" ")
    })
}

#[test]
fn every_exchange_goes_as_it_should() {
    for (what, kind, steps) in EXCHANGES {
        let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
        let mut machine = machine(*kind);
        for (at, (step, expected)) in steps.iter().enumerate() {
            let before = receiver.borrow().clone();
            let response = match step {
                Ask(names, nonce) => machine.on_request(&request(names, nonce), &before).1,
                Refuse(names, nonce) => {
                    let refusal = SotwRequest {
                        error: Some("no".to_owned()),
                        ..request(names, nonce)
                    };
                    machine.on_request(&refusal, &before).1
                }
                Set(..) | Remove(_) => {
                    publisher.update(Instant::now(), |draft| match step {
                        Set(name, body) => draft.set(*kind, name, body.as_bytes().to_vec()),
                        Remove(name) => draft.remove(*kind, name),
                        _ => {}
                    });
                    let after = receiver.borrow().clone();
                    machine.on_change(&after.changed_since(&before, *kind), &after)
                }
            };
            assert_eq!(shown(response.as_ref()), *expected, "{what}: step {at}");
        }
    }
}

#[test]
fn a_late_word_about_an_older_response_still_counts() {
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&request(&["ns/a"], ""), &snapshot(&[("ns/a", "1")]));
    machine.on_change(&["ns/a".into()], &snapshot(&[("ns/a", "2")]));
    for nonce in ["1", "2"] {
        let (said, _) = machine.on_request(&request(&["ns/a"], nonce), &snapshot(&[("ns/a", "2")]));
        assert!(said.is_some_and(|said| said.refused.is_none()), "{nonce}");
    }
    assert!(!machine.is_waiting());
}
