use std::time::{Duration, Instant};

use super::*;
use crate::snapshot::{MayBeOf, Publisher, Unjudged};

fn snapshot(resources: &[(&str, &str)]) -> Arc<Snapshot> {
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    publisher.update(Instant::now(), |draft| {
        for (name, body) in resources {
            draft.set(TypeUrl::Secret, name, body.as_bytes().to_vec());
            draft.set(TypeUrl::Listener, name, body.as_bytes().to_vec());
        }
    });
    Arc::clone(&receiver.borrow())
}

fn machine(kind: TypeUrl) -> DeltaSubscription {
    DeltaSubscription::new(kind, "ns".into())
}

fn subscribe(names: &[&str]) -> DeltaRequest {
    DeltaRequest {
        subscribe: names.iter().map(ToString::to_string).collect(),
        ..DeltaRequest::default()
    }
}

fn names(response: Option<&DeltaResponse>) -> (Vec<String>, Vec<String>) {
    let text = |name: &Arc<str>| name.to_string();
    response.map_or_else(Default::default, |response| {
        (
            response.resources.iter().map(|(name, _)| text(name)).collect(),
            response.removed.iter().map(text).collect(),
        )
    })
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_is_answered_under_the_name_that_was_asked_for() {
    let now = snapshot(&[("ns/a", "1")]);
    let (_, response) = machine(TypeUrl::Secret).on_request(&subscribe(&["kubernetes://a"]), &now);
    assert_eq!(names(response.as_ref()), (strings(&["kubernetes://a"]), vec![]));
}

#[test]
fn a_first_request_without_names_asks_for_no_secret_and_for_every_listener() {
    let now = snapshot(&[("ns/a", "1")]);
    assert!(
        machine(TypeUrl::Secret)
            .on_request(&DeltaRequest::default(), &now)
            .1
            .is_none()
    );
    let (_, response) = machine(TypeUrl::Listener).on_request(&DeltaRequest::default(), &now);
    assert_eq!(names(response.as_ref()).0, strings(&["ns/a"]));
}

#[test]
fn an_empty_collection_is_answered() {
    let (_, response) = machine(TypeUrl::Listener).on_request(&DeltaRequest::default(), &snapshot(&[]));
    assert_eq!(names(response.as_ref()), (vec![], vec![]));
    assert!(response.is_some());
}

#[test]
fn an_unknown_name_is_told_absent_and_pushed_when_it_comes() {
    let mut machine = machine(TypeUrl::Secret);
    let (_, response) = machine.on_request(&subscribe(&["ns/a"]), &snapshot(&[]));
    assert_eq!(names(response.as_ref()), (vec![], strings(&["ns/a"])));
    let pushed = machine.on_change(&["ns/a".into()], &snapshot(&[("ns/a", "1")]));
    assert_eq!(names(pushed.as_ref()).0, strings(&["ns/a"]));
}

#[test]
fn a_nack_is_told_and_the_same_bytes_are_not_sent_again() {
    let now = snapshot(&[("ns/a", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    let nonce = machine
        .on_request(&subscribe(&["ns/a"]), &now)
        .1
        .map(|response| response.nonce)
        .unwrap_or_default();
    assert!(machine.is_waiting());
    let nack = DeltaRequest {
        nonce,
        error: Some("bad".to_owned()),
        ..DeltaRequest::default()
    };
    let (said, response) = machine.on_request(&nack, &now);
    assert_eq!(said.and_then(|said| said.refused).as_deref(), Some("bad"));
    assert!(response.is_none() && !machine.is_waiting());
    assert!(machine.on_change(&["ns/a".into()], &now).is_none());
    assert!(
        machine
            .on_change(&["ns/a".into()], &snapshot(&[("ns/a", "2")]))
            .is_some()
    );
}

/// Envoy drops a whole response because of one resource that it cannot accept.
#[test]
fn what_was_refused_together_is_sent_apart_until_the_one_is_found() {
    let all = ["ns/a", "ns/b", "ns/c", "ns/d", "ns/e"];
    let now = snapshot(&all.map(|name| (name, "1")));
    let mut machine = machine(TypeUrl::Secret);
    let mut response = machine.on_request(&subscribe(&all), &now).1;
    let (mut taken, mut refused, mut sent) = (BTreeSet::new(), Vec::new(), 0);
    while let Some(open) = response {
        sent += 1;
        let names = names(Some(&open)).0;
        let is_bad = names.iter().any(|name| name == "ns/c");
        let word = DeltaRequest {
            nonce: open.nonce,
            error: is_bad.then(|| "bad".to_owned()),
            ..DeltaRequest::default()
        };
        let (said, next) = machine.on_request(&word, &now);
        let said = said.unwrap_or(Acknowledgement {
            resources: Vec::new(),
            refused: None,
        });
        let told = said.resources.into_iter().map(|(name, _)| name.to_string());
        match said.refused {
            None => taken.extend(told),
            Some(_) => refused.extend(told),
        }
        response = next;
    }
    assert_eq!(
        taken.into_iter().collect::<Vec<_>>(),
        ["ns/a", "ns/b", "ns/d", "ns/e"]
    );
    assert_eq!(refused, ["ns/c"]);
    assert!(sent <= 7 && !machine.is_waiting(), "{sent} responses");
}

#[test]
fn a_stale_nonce_says_nothing() {
    let now = snapshot(&[("ns/a", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&subscribe(&["ns/a"]), &now);
    let stale = DeltaRequest {
        nonce: "99".to_owned(),
        ..DeltaRequest::default()
    };
    assert_eq!(machine.on_request(&stale, &now).0, None);
    assert!(machine.is_waiting());
}

#[test]
fn what_is_subscribed_again_is_answered_again() {
    let now = snapshot(&[("ns/a", "1")]);
    let mut machine = machine(TypeUrl::Secret);
    for _ in 0..2 {
        assert_eq!(
            names(machine.on_request(&subscribe(&["ns/a"]), &now).1.as_ref()).0,
            strings(&["ns/a"])
        );
    }
}

#[test]
fn a_reconnect_is_answered_in_full_and_told_what_vanished() {
    let mut request = subscribe(&["ns/a"]);
    request.initial_versions = [("ns/a", "x"), ("ns/b", "y")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let (_, response) = machine(TypeUrl::Secret).on_request(&request, &snapshot(&[("ns/a", "1")]));
    assert_eq!(names(response.as_ref()), (strings(&["ns/a"]), strings(&["ns/b"])));
}

#[test]
fn an_unsubscribed_name_is_not_pushed() {
    let mut machine = machine(TypeUrl::Secret);
    machine.on_request(&subscribe(&["ns/a"]), &snapshot(&[("ns/a", "1")]));
    machine.on_request(
        &DeltaRequest {
            unsubscribe: strings(&["ns/a"]),
            ..DeltaRequest::default()
        },
        &snapshot(&[]),
    );
    assert!(
        machine
            .on_change(&["ns/a".into()], &snapshot(&[("ns/a", "2")]))
            .is_none()
    );
}

/// Says that the state of these names is unknown.
#[derive(Debug)]
struct Unread(&'static [&'static str]);

impl MayBeOf for Unread {
    fn may_be_of(&self, _: TypeUrl, name: &str, _: bool) -> bool {
        self.0.contains(&name)
    }

    fn may_be_of_any(&self, _: TypeUrl) -> bool {
        !self.0.is_empty()
    }
}

/// What a previous agent sent stays until its state is known, although it is requested by name and not served.
#[test]
fn what_cannot_be_judged_is_neither_removed_nor_replaced() {
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    let mut publish = |served: &[&str], unread: &'static [&'static str]| {
        publisher.update(Instant::now(), |draft| {
            for name in ["ns/gone", "ns/stand-in", "ns/unread"] {
                match served.contains(&name) {
                    true => draft.set(TypeUrl::Secret, name, b"now".to_vec()),
                    false => draft.remove(TypeUrl::Secret, name),
                }
            }
            draft.set_unjudged(Unjudged::new(Some(Arc::new(Unread(unread)))));
        });
        Arc::clone(&receiver.borrow())
    };
    let all = ["ns/gone", "ns/stand-in", "unread"];
    let mut request = subscribe(&all);
    request.initial_versions = all.map(|name| (name.to_owned(), "x".to_owned())).into();
    let unread = &["ns/stand-in", "ns/unread"];
    let now = publish(&["ns/stand-in"], unread);

    // This agent sent it, so its state is known.
    let mut ours = request.clone();
    DeltaSubscription::inherit(&mut ours, |_| true);
    let (_, response) = machine(TypeUrl::Secret).on_request(&ours, &now);
    assert_eq!(
        names(response.as_ref()),
        (strings(&["ns/stand-in"]), strings(&["ns/gone", "unread"]))
    );

    let mut machine = machine(TypeUrl::Secret);
    DeltaSubscription::inherit(&mut request, |_| false);
    let (_, response) = machine.on_request(&request, &now);
    assert_eq!(names(response.as_ref()), (vec![], strings(&["ns/gone"])));
    assert_eq!(machine.unjudged().len(), 2);
    assert!(machine.on_change(&["ns/unread".into()], &now).is_none());

    // The state of one is known because its object is known now, and of the other because that is gone.
    let now = publish(&["ns/stand-in"], &["ns/unread"]);
    let response = machine.on_change(&[], &now);
    assert_eq!(names(response.as_ref()), (strings(&["ns/stand-in"]), vec![]));
    let now = publish(&["ns/stand-in"], &[]);
    let response = machine.on_change(&[], &now);
    assert_eq!(names(response.as_ref()), (vec![], strings(&["unread"])));
    assert!(machine.unjudged().is_empty() && machine.on_change(&[], &now).is_none());
}

mod property;
mod table;
