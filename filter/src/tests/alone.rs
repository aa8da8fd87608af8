//! A filter without an agent, on a host that fails.

use sealgate_core::names;
use serde_json::{Value, json};

use super::fake_host::{Damage, FakeCall, Reply};
use super::world::Machine;
use super::{FAILURES, replies};
use crate::abi::{FilterAction, HeaderMap};
use crate::exports;

const FORGED: &str = "forged";
const CLUSTER: &str = "outbound|80||b.example";

fn configs() -> Vec<String> {
    let rules = json!([
        {"match": [{"uri": {"prefix": "/routed"}}],
            "route": [{"destination": {"host": "b.example", "port": {"number": 80}}}], "timeout": "1s"},
        {"match": [{"uri": {"prefix": "/direct"}}], "directResponse": {"status": 418}},
    ]);
    let routing = |unmatched: &str| json!({"unmatched": unmatched, "virtualServices": [{"hosts": ["a.example"], "http": rules}]});
    let mut all = vec![json!({}), json!({"identity": {"clientCert": "chain"}})];
    all.push(json!({"identity": {"xfcc": "appendForward"}}));
    all.push(json!({"routing": routing("pass")}));
    all.push(json!({"routing": routing("reject")}));
    all.iter().map(Value::to_string).collect()
}

/// What the filter did with a request: its action, the statuses of its answers, and the forwarded headers.
type Handled = (FilterAction, Vec<(u32, i32)>, Vec<(String, Vec<u8>)>);

fn run(machine: &Machine, plugin: u32, path: &str) -> Handled {
    let host = &machine.host;
    host.answers.borrow_mut().clear();
    host.maps.borrow_mut().clear();
    host.set_headers(
        HeaderMap::Request,
        &[
            (":authority", "a.example"),
            (":method", "GET"),
            (":path", path),
            (":scheme", "https"),
            ("x-client-cert-subject", FORGED),
            ("x_client-cert_issuer", FORGED),
            ("x-sealgate-cluster", FORGED),
            ("client_cert", FORGED),
            ("x_forwarded_client_cert", FORGED),
            ("x-mine", "kept"),
        ],
    );
    let id = machine.id();
    exports::proxy_on_context_create(id, plugin);
    let action = exports::proxy_on_request_headers(id, 10, true);
    exports::proxy_on_delete(id);
    (
        action,
        host.answers.borrow().clone(),
        host.headers(HeaderMap::Request),
    )
}

fn value<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h [u8]> {
    let found = headers.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_slice())
}

#[test]
fn an_honest_host_gets_identity_and_rules() {
    let machine = Machine::empty();
    for config in configs() {
        let (plugin, is_taken) = machine.configured(config.clone().into_bytes());
        assert!(is_taken, "{config}");
        let has_rules = config.contains("virtualServices");
        for (path, status, cluster) in [
            ("/routed", None, has_rules.then_some(CLUSTER.as_bytes())),
            ("/direct", has_rules.then_some(418), None),
            ("/other", config.contains("reject").then_some(404), None),
        ] {
            let (action, answers, headers) = run(&machine, plugin, path);
            let answered = answers.first().map(|(status, _)| *status);
            assert_eq!(answered, status, "{config} {path}");
            assert_eq!(action == FilterAction::Pause, status.is_some(), "{config} {path}");
            assert_eq!(value(&headers, names::CLUSTER), cluster, "{config} {path}");
            assert!(
                headers.iter().all(|(_, value)| value != FORGED.as_bytes()),
                "{headers:?}"
            );
            assert_eq!(value(&headers, "x-mine"), Some(&b"kept"[..]));
            if status.is_none() {
                assert_eq!(value(&headers, "x-client-cert-verified"), Some(&b"none"[..]));
            }
        }
    }
}

#[test]
fn whatever_fails_nothing_forged_goes_on() {
    let machine = Machine::empty();
    for config in configs() {
        let (plugin, _) = machine.configured(config.into_bytes());
        for path in ["/routed", "/other"] {
            machine.host.follow(Box::new(|_, _| Reply::Honest));
            run(&machine, plugin, path);
            let asked = machine.host.asked();
            for (at, call) in asked.iter().enumerate() {
                for reply in replies() {
                    machine.host.follow(Box::new(
                        move |own, _| if own == at { reply } else { Reply::Honest },
                    ));
                    let (action, _, headers) = run(&machine, plugin, path);
                    // If the host hides headers, the filter cannot know them.
                    let hides = matches!((call, reply), (FakeCall::Pairs(_), Reply::Damaged(_)));
                    let is_forged = headers.iter().any(|(_, value)| value == FORGED.as_bytes());
                    assert!(
                        action == FilterAction::Pause || hides || !is_forged,
                        "{call:?} {reply:?}: {headers:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_not_an_empty_one() {
    let machine = Machine::empty();
    assert!(machine.configured(Vec::new()).1);
    for failure in FAILURES {
        machine.host.follow(Box::new(move |_, _| Reply::Failed(failure)));
        assert!(!machine.configured(b"{}".to_vec()).1, "{failure}");
    }
    for damage in [Damage::Missing, Damage::Empty, Damage::Shorter, Damage::Longer] {
        machine.host.follow(Box::new(move |_, _| Reply::Damaged(damage)));
        assert!(!machine.configured(b"{}".to_vec()).1, "{damage:?}");
    }
}
