use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::demand::Delta;
use crate::snapshot::{Snapshot, Version};
use crate::xds::Acknowledgement;
use crate::xds::proxies::Proxies;

const NAME: &str = "ns/a";

fn said(version: &str, refused: Option<&str>) -> Acknowledgement {
    Acknowledgement {
        // As some proxies spell it.
        resources: vec![("kubernetes://a".into(), Some(Version::from(version)))],
        refused: refused.map(str::to_owned),
    }
}

fn want() -> Delta<Arc<str>> {
    Delta {
        added: vec![NAME.into()],
        removed: Vec::new(),
    }
}

/// What is told of the credential, of which this is the version since then.
fn told(proxies: &Proxies, version: &str, published: Instant) -> CredentialStatus {
    let (nodes, refused) = (proxies.list(), proxies.refusals().by_node());
    let mut status = CredentialStatus {
        version: Some(version.to_owned()),
        ..CredentialStatus::default()
    };
    Holders::new(&nodes, &refused).tell(&CredentialName::new("ns", "a"), published, &mut status);
    status
}

fn states(status: &CredentialStatus) -> Vec<(&str, HeldState, Option<&str>)> {
    let all = status.proxies.iter();
    all.map(|held| (held.node.as_str(), held.state, held.version.as_deref()))
        .collect()
}

#[test]
fn each_proxy_has_the_state_that_it_is_in() {
    let (proxies, namespace) = (Proxies::default(), "ns".into());
    let mut streams: Vec<_> = ["behind", "current", "gone", "new", "refused"]
        .into_iter()
        .map(|node| proxies.connect(node, &namespace))
        .collect();
    for (at, stream) in streams.iter_mut().enumerate() {
        stream.want(&want());
        if at != 3 {
            stream.acknowledge(TypeUrl::Secret, &said("1", None), &Snapshot::default());
        }
    }
    let published = Instant::now();
    streams[1].acknowledge(TypeUrl::Secret, &said("2", None), &Snapshot::default());
    streams[4].acknowledge(
        TypeUrl::Secret,
        &said("2", Some("no memory")),
        &Snapshot::default(),
    );
    drop(streams.remove(2));
    let status = told(&proxies, "2", published);
    assert_eq!(
        states(&status),
        [
            ("behind", HeldState::Behind, Some("1")),
            ("current", HeldState::Current, Some("2")),
            ("gone", HeldState::Gone, Some("1")),
            ("new", HeldState::Behind, None),
            ("refused", HeldState::Refused, Some("1")),
        ]
    );
    assert_eq!(status.proxies[4].refused.as_deref(), Some("no memory"));
    // What was refused is taken back: the proxy has what is served.
    let back = told(&proxies, "1", published);
    assert_eq!(states(&back)[4], ("refused", HeldState::Current, Some("1")));
    assert_eq!(back.proxies[4].refused, None);
}

#[test]
fn a_rotation_takes_as_long_as_the_slowest_who_waited_for_it() {
    let (proxies, namespace) = (Proxies::default(), "ns".into());
    let mut first = proxies.connect("first", &namespace);
    first.want(&want());
    first.acknowledge(TypeUrl::Secret, &said("1", None), &Snapshot::default());
    let published = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    first.acknowledge(TypeUrl::Secret, &said("2", None), &Snapshot::default());
    let took = told(&proxies, "2", published).rotation_ms.unwrap();
    assert!(took >= 20.0, "{took}");

    std::thread::sleep(Duration::from_millis(20));
    let mut later = proxies.connect("later", &namespace);
    later.want(&want());
    later.acknowledge(TypeUrl::Secret, &said("2", None), &Snapshot::default());
    assert_eq!(
        told(&proxies, "2", published).rotation_ms,
        Some(took),
        "one joins"
    );

    drop(first);
    assert_eq!(told(&proxies, "2", published).rotation_ms, Some(took), "one goes");
    let mut again = proxies.connect("first", &namespace);
    again.starts_anew(TypeUrl::Secret);
    again.want(&want());
    again.acknowledge(TypeUrl::Secret, &said("2", None), &Snapshot::default());
    assert_eq!(
        told(&proxies, "2", published).rotation_ms,
        Some(took),
        "one starts anew"
    );
}
