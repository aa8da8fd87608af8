//! Requests on a host that fails: whatever it answers to any call, nothing panics, and no request goes where the rules
//! do not send it.

#[cfg(feature = "alone")]
mod alone;
mod fake_host;
mod judge;
mod world;

use std::thread;

use self::fake_host::{Damage, FakeCall, Reply};
use self::judge::judge;
use self::world::{FakeRequest, Machine, Outcome, requests};
use crate::abi::FilterAction;
use crate::exports;

/// All statuses of the ABI except success, and some that it does not have.
const FAILURES: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99, 1 << 31, u32::MAX];
const DAMAGES: [Damage; 5] = [
    Damage::Missing,
    Damage::Empty,
    Damage::Shorter,
    Damage::Longer,
    Damage::Changed,
];

fn replies() -> impl Iterator<Item = Reply> {
    let failed = FAILURES.into_iter().map(Reply::Failed);
    let done = FAILURES.into_iter().map(Reply::DoneAndFailed);
    failed.chain(done).chain(DAMAGES.into_iter().map(Reply::Damaged))
}

/// The requests, each with its outcome if the host is honest.
fn honest(machine: &Machine) -> Vec<(FakeRequest, Outcome)> {
    let run = |request| (request, machine.run(request, Box::new(|_, _| Reply::Honest)));
    requests().into_iter().map(run).collect()
}

#[test]
fn an_honest_host_gets_every_kind_of_decision() {
    let honest = honest(&Machine::new());
    let seen: Vec<String> = honest
        .iter()
        .map(|(request, outcome)| {
            let cluster = outcome.cluster().map(String::from_utf8_lossy);
            let cluster = cluster.unwrap_or_default();
            format!(
                "{} {:?} {cluster} {:?}",
                request.path, outcome.headers, outcome.answers
            )
        })
        .collect();
    let expected = [
        "/guarded Continue open []",
        "/guarded Continue blocked []",
        "/full Continue full []",
        "/redirect Pause  [(301, -1)]",
        "/direct Pause  [(418, -1)]",
        "/abort Pause  [(555, -1)]",
        "/grpc-abort Pause  [(200, 14)]",
        "/late-abort Continue  []",
        "/nowhere Pause  [(404, -1)]",
        "/full Pause  [(200, -1)]",
        "/guarded Pause  [(404, -1)]",
        "/guarded Pause  [(421, -1)]",
        "/guarded Continue blocked []",
        "/guarded Continue open []",
        "/guarded Continue open []",
        "/guarded Continue open []",
    ];
    assert_eq!(seen, expected);
    let sent: Vec<_> = honest.iter().flat_map(|(_, outcome)| &outcome.sent).collect();
    let location = b"\x01\0\0\0\x08\0\0\0\x17\0\0\0location\0https://a.example/there\0".to_vec();
    let text = b"\x01\0\0\0\x0c\0\0\0\x0a\0\0\0content-type\0text/plain\0".to_vec();
    assert_eq!(*sent[0], (location, Vec::new()));
    assert_eq!(*sent[1], (text, b"no".to_vec()));
}

#[test]
fn every_call_may_fail_in_every_way() {
    let machine = Machine::new();
    for (request, honest) in honest(&machine) {
        for at in 0..honest.asked.len() {
            for reply in replies() {
                let script = move |own, _| if own == at { reply } else { Reply::Honest };
                let outcome = machine.run(request, Box::new(script));
                judge(request, &honest, &outcome, |own, _| (own == at).then_some(reply));
            }
        }
    }
}

#[test]
fn every_call_and_all_after_it_may_fail_in_every_way() {
    let machine = Machine::new();
    for (request, honest) in honest(&machine) {
        for from in 0..honest.asked.len() {
            for reply in replies() {
                let script = move |own, _| if own >= from { reply } else { Reply::Honest };
                let outcome = machine.run(request, Box::new(script));
                judge(request, &honest, &outcome, |own, _| {
                    (own >= from).then_some(reply)
                });
            }
        }
    }
}

/// Chooses a reply, only by the call's number and a seed.
fn random_reply(seed: u64, at: usize) -> Option<Reply> {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(1 << 16) + at as u64);
    let pick: Vec<Reply> = replies().collect();
    // Some seeds fail rarely, some nearly always.
    (random.u64(..8) < seed % 8).then(|| pick[random.usize(..pick.len())])
}

/// The seed of a failure is in its message.
#[test]
fn calls_may_fail_at_random() {
    let machine = Machine::new();
    let honest = honest(&machine);
    for seed in 0..20_000 {
        let (request, honest) = &honest[seed as usize % honest.len()];
        let script = move |at, _| random_reply(seed, at).unwrap_or(Reply::Honest);
        let outcome = machine.run(*request, Box::new(script));
        judge(*request, honest, &outcome, |at, _| random_reply(seed, at));
    }
}

/// While the table is missing, it is looked for in shared data, and each of these calls may fail too.
#[test]
fn a_table_that_cannot_be_recovered_answers_nothing_but_errors() {
    let shared = Machine::new().host.shared.borrow().clone();
    for reply in replies() {
        for at in [0, 1, 40, usize::MAX] {
            let shared = shared.clone();
            let fresh = thread::spawn(move || {
                let machine = Machine::empty();
                *machine.host.shared.borrow_mut() = shared;
                let mut requests = requests().into_iter();
                let request = requests.next().unwrap();
                let script = move |own, _| if own == at { reply } else { Reply::Honest };
                let outcome = machine.run(request, Box::new(script));
                let retried = machine.run(request, Box::new(|_, _| Reply::Honest));
                assert_eq!(retried.cluster(), Some(world::OPEN.as_bytes()));
                (outcome.headers, outcome.answers, outcome.asked)
            });
            let (headers, answers, asked) = fresh.join().unwrap();
            if at == usize::MAX {
                assert_eq!((headers, &answers[..]), (FilterAction::Continue, &[][..]));
                continue;
            }
            assert_eq!(asked[at], FakeCall::Shared);
            let [(500 | 503, -1)] = answers[..] else {
                assert_eq!(headers, FilterAction::Continue, "{reply:?} {at}: {answers:?}");
                assert!(
                    matches!(reply, Reply::Damaged(Damage::Longer)),
                    "{reply:?} {at}: it is served"
                );
                continue;
            };
            assert_eq!(headers, FilterAction::Pause, "{reply:?} {at}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    let machine = Machine::new();
    for failure in FAILURES {
        machine.host.follow(Box::new(move |_, _| Reply::Failed(failure)));
        assert!(!machine.configured(b"{\"port\": 443}".to_vec()).1, "{failure}");
    }
    for damage in [Damage::Missing, Damage::Empty, Damage::Shorter, Damage::Changed] {
        machine.host.follow(Box::new(move |_, _| Reply::Damaged(damage)));
        assert!(!machine.configured(b"{\"port\": 443}".to_vec()).1, "{damage:?}");
    }
}

#[test]
fn what_the_host_never_told_of_is_answered_and_goes_nowhere() {
    let machine = Machine::new();
    exports::proxy_on_context_create(7_001, 7_000);
    for id in [0, 7_000, 7_001, u32::MAX] {
        machine.host.answers.borrow_mut().clear();
        assert_eq!(
            exports::proxy_on_request_headers(id, 0, true),
            FilterAction::Pause
        );
        assert_eq!(exports::proxy_on_request_trailers(id, 0), FilterAction::Pause);
        assert_eq!(*machine.host.answers.borrow(), [(500, -1), (500, -1)]);
        assert_eq!(
            exports::proxy_on_response_headers(id, 0, true),
            FilterAction::Continue
        );
        assert_eq!(exports::proxy_on_response_trailers(id, 0), FilterAction::Continue);
        assert!(!exports::proxy_on_configure(id, 1));
        exports::proxy_on_delete(id);
    }
}
