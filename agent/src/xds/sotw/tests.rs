use std::time::{Duration, Instant};

use super::*;
use crate::snapshot::{MayBeOf, Publisher, Unjudged};

fn snapshot(resources: &[(&str, &str)]) -> Arc<Snapshot> {
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    publisher.update(Instant::now(), |draft| {
        for (name, body) in resources {
            draft.set(TypeUrl::Secret, name, body.as_bytes().to_vec());
            draft.set(TypeUrl::Cluster, name, body.as_bytes().to_vec());
        }
    });
    Arc::clone(&receiver.borrow())
}

fn machine(kind: TypeUrl) -> SotwSubscription {
    SotwSubscription::new(kind, "ns".into())
}

fn request(names: &[&str], nonce: &str) -> SotwRequest {
    SotwRequest {
        names: names.iter().map(ToString::to_string).collect(),
        version: String::new(),
        nonce: nonce.to_owned(),
        error: None,
        inherits: false,
    }
}

fn names(response: Option<&SotwResponse>) -> Option<Vec<&str>> {
    response.map(|response| response.resources.iter().map(|(name, _)| &**name).collect())
}

#[test]
fn the_first_request_is_always_answered_and_an_ack_is_not() {
    let now = snapshot(&[("ns/a", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    // A nonce from an earlier stream, as after a reconnect.
    let (said, response) = machine.on_request(&request(&["a"], "7"), &now);
    assert_eq!((said, names(response.as_ref())), (None, Some(vec!["a"])));
    let (said, response) = machine.on_request(&request(&["a"], "1"), &now);
    assert!(said.is_some_and(|said| said.refused.is_none()) && response.is_none());
}

#[test]
fn absence_is_silence() {
    let mut machine = machine(TypeUrl::Secret);
    assert!(
        machine
            .on_request(&request(&["ns/a"], ""), &snapshot(&[]))
            .1
            .is_none()
    );
    let pushed = machine.on_change(&["ns/a".into()], &snapshot(&[("ns/a", "1")]));
    assert_eq!(names(pushed.as_ref()), Some(vec!["ns/a"]));
    assert!(machine.on_change(&["ns/a".into()], &snapshot(&[])).is_none());
}

#[test]
fn the_error_alone_makes_a_nack_and_nothing_is_sent_again() {
    let now = snapshot(&[("ns/a", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&request(&["ns/a"], ""), &now);
    let nack = SotwRequest {
        error: Some("bad".to_owned()),
        ..request(&["ns/a"], "1")
    };
    let (said, response) = machine.on_request(&nack, &now);
    assert_eq!(said.and_then(|said| said.refused).as_deref(), Some("bad"));
    assert!(response.is_none() && machine.on_change(&["ns/a".into()], &now).is_none());
}

#[test]
fn a_stale_nonce_is_ignored() {
    let now = snapshot(&[("ns/a", "1"), ("ns/b", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&request(&["ns/a"], ""), &now);
    let (said, response) = machine.on_request(&request(&["ns/a", "ns/b"], "0"), &now);
    assert!(said.is_none() && response.is_none() && machine.is_waiting());
}

#[test]
fn changed_names_on_an_ack_are_a_new_subscription() {
    let now = snapshot(&[("ns/a", "1"), ("ns/b", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&request(&["ns/a"], ""), &now);
    let (said, response) = machine.on_request(&request(&["ns/a", "ns/b"], "1"), &now);
    assert!(said.is_some());
    assert_eq!(names(response.as_ref()), Some(vec!["ns/b"]));
}

#[test]
fn clusters_are_the_state_of_the_world() {
    let mut machine = machine(TypeUrl::Cluster);
    let (_, response) = machine.on_request(&request(&[], ""), &snapshot(&[]));
    assert_eq!(names(response.as_ref()), Some(vec![]));
    let pushed = machine.on_change(&["b".into()], &snapshot(&[("a", "1"), ("b", "1")]));
    assert_eq!(names(pushed.as_ref()), Some(vec!["a", "b"]));
}

mod property;
mod table;

/// Any cluster may belong to an object that cannot be read.
#[derive(Debug)]
struct Unread;

impl MayBeOf for Unread {
    fn may_be_of(&self, _: TypeUrl, _: &str, is_served: bool) -> bool {
        !is_served
    }

    fn may_be_of_any(&self, kind: TypeUrl) -> bool {
        kind == TypeUrl::Cluster
    }
}

/// A proxy does not say here what it has: it is sent everything, or nothing.
#[test]
fn a_proxy_of_an_agent_before_keeps_what_it_has_until_something_changes_or_all_is_judged() {
    let judged = snapshot(&[("a", "1")]);
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    publisher.update(Instant::now(), |draft| {
        draft.set(TypeUrl::Cluster, "a", b"1".to_vec());
        draft.set_unjudged(Unjudged::new(Some(Arc::new(Unread))));
    });
    let unjudged = Arc::clone(&receiver.borrow());
    let first = |is_ours: bool| {
        let mut first = request(&[], "");
        first.version = "x".to_owned();
        SotwSubscription::inherit(&mut first, |_| is_ours);
        let mut machine = machine(TypeUrl::Cluster);
        let (_, response) = machine.on_request(&first, &unjudged);
        (machine, response)
    };
    let (_, response) = first(true);
    assert_eq!(names(response.as_ref()), Some(vec!["a"]));
    let (mut machine, response) = first(false);
    assert_eq!((response.is_none(), machine.unjudged().len()), (true, 1));
    assert!(machine.on_change(&[], &unjudged).is_none());
    let told = machine.on_change(&["a".into()], &unjudged);
    assert_eq!(names(told.as_ref()), Some(vec!["a"]));
    assert!(machine.unjudged().is_empty());

    let (mut machine, _) = first(false);
    let told = machine.on_change(&[], &judged);
    assert_eq!(names(told.as_ref()), Some(vec!["a"]));
    // Everything that it has is gone.
    let (mut machine, _) = first(false);
    let told = machine.on_change(&[], &snapshot(&[]));
    assert_eq!(names(told.as_ref()), Some(vec![]));
}
