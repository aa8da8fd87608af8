use std::time::Duration;

use super::*;
use crate::snapshot::Publisher;
use crate::xds::{delta, sotw};

fn published(publisher: &mut Publisher, cluster: &str) {
    publisher.update(Instant::now(), |draft| {
        draft.set(TypeUrl::Cluster, "a", cluster.as_bytes().to_vec());
        draft.set(TypeUrl::Endpoint, "a", b"endpoints".to_vec());
        draft.set(TypeUrl::Endpoint, "b", b"endpoints".to_vec());
    });
}

fn kinds<R>(responses: &[(TypeUrl, R)]) -> Vec<TypeUrl> {
    responses.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn a_cluster_that_changes_is_followed_by_its_endpoints_in_delta() {
    let (mut publisher, snapshots) = Publisher::new(Duration::ZERO);
    published(&mut publisher, "1");
    let now = Instant::now();
    let mut connection =
        StreamState::<delta::DeltaSubscription>::new("ns".into(), snapshots.borrow().clone());
    connection.on_request(TypeUrl::Cluster, delta::DeltaRequest::default(), now);
    let endpoints = delta::DeltaRequest {
        subscribe: vec!["a".to_owned(), "b".to_owned()],
        ..delta::DeltaRequest::default()
    };
    connection.on_request(TypeUrl::Endpoint, endpoints, now);
    published(&mut publisher, "2");
    let responses = connection.on_snapshot(snapshots.borrow().clone(), now);
    assert_eq!(kinds(&responses), [TypeUrl::Cluster, TypeUrl::Endpoint]);
    let names: Vec<_> = responses[1].1.resources.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a"]);
    assert!(connection.flush(now).is_empty());
}

#[test]
fn a_cluster_that_changes_is_followed_by_its_endpoints_in_sotw() {
    let (mut publisher, snapshots) = Publisher::new(Duration::ZERO);
    published(&mut publisher, "1");
    let now = Instant::now();
    let mut connection = StreamState::<sotw::SotwSubscription>::new("ns".into(), snapshots.borrow().clone());
    connection.on_request(TypeUrl::Cluster, sotw::SotwRequest::default(), now);
    let endpoints = sotw::SotwRequest {
        names: vec!["a".to_owned(), "b".to_owned()],
        ..sotw::SotwRequest::default()
    };
    connection.on_request(TypeUrl::Endpoint, endpoints, now);
    published(&mut publisher, "2");
    let responses = connection.on_snapshot(snapshots.borrow().clone(), now);
    assert_eq!(kinds(&responses), [TypeUrl::Cluster, TypeUrl::Endpoint]);
    let names: Vec<_> = responses[1].1.resources.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a"]);
    assert!(connection.flush(now).is_empty());
}

/// After a restart of the agent: the proxy continues with what it has, and asks for everything at once.
#[test]
fn a_proxy_that_comes_back_gets_its_routes_after_the_clusters_that_they_name() {
    let (mut publisher, snapshots) = Publisher::new(Duration::ZERO);
    published(&mut publisher, "1");
    publisher.update(Instant::now(), |draft| {
        draft.set(TypeUrl::ExtensionConfig, "routes", b"to a".to_vec());
    });
    let now = Instant::now();
    let brought = |names: &[&str]| delta::DeltaRequest {
        subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        initial_versions: [("routes".to_owned(), "0".to_owned())].into(),
        ..delta::DeltaRequest::default()
    };
    let start = || {
        let snapshot = snapshots.borrow().clone();
        let mut connection = StreamState::<delta::DeltaSubscription>::new("ns".into(), snapshot);
        connection.on_request(TypeUrl::Cluster, delta::DeltaRequest::default(), now);
        let (_, early) = connection.on_request(TypeUrl::ExtensionConfig, brought(&["routes"]), now);
        assert!(early.is_empty(), "{early:?}");
        connection
    };
    let taken = |nonce: &str| delta::DeltaRequest {
        nonce: nonce.to_owned(),
        ..delta::DeltaRequest::default()
    };
    let mut connection = start();
    let (_, endpoints) = connection.on_request(
        TypeUrl::Endpoint,
        {
            let mut request = brought(&["a", "b"]);
            request.initial_versions.clear();
            request
        },
        now,
    );
    assert_eq!(kinds(&endpoints), [TypeUrl::Endpoint]);
    assert!(
        connection
            .on_request(TypeUrl::Cluster, taken("1"), now)
            .1
            .is_empty()
    );
    let (_, last) = connection.on_request(TypeUrl::Endpoint, taken("1"), now);
    assert_eq!(kinds(&last), [TypeUrl::ExtensionConfig]);

    // But not forever.
    let mut connection = start();
    let late = connection.deadline().unwrap();
    assert_eq!(kinds(&connection.flush(late)), [TypeUrl::ExtensionConfig]);

    // A new proxy uses nothing before it has everything.
    let mut connection =
        StreamState::<delta::DeltaSubscription>::new("ns".into(), snapshots.borrow().clone());
    connection.on_request(TypeUrl::Cluster, delta::DeltaRequest::default(), now);
    let mut request = brought(&["routes"]);
    request.initial_versions.clear();
    let (_, at_once) = connection.on_request(TypeUrl::ExtensionConfig, request, now);
    assert_eq!(kinds(&at_once), [TypeUrl::ExtensionConfig]);
}
