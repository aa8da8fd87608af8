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
    connection.on_request(TypeUrl::Cluster, &delta::DeltaRequest::default(), now);
    let endpoints = delta::DeltaRequest {
        subscribe: vec!["a".to_owned(), "b".to_owned()],
        ..delta::DeltaRequest::default()
    };
    connection.on_request(TypeUrl::Endpoint, &endpoints, now);
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
    connection.on_request(TypeUrl::Cluster, &sotw::SotwRequest::default(), now);
    let endpoints = sotw::SotwRequest {
        names: vec!["a".to_owned(), "b".to_owned()],
        ..sotw::SotwRequest::default()
    };
    connection.on_request(TypeUrl::Endpoint, &endpoints, now);
    published(&mut publisher, "2");
    let responses = connection.on_snapshot(snapshots.borrow().clone(), now);
    assert_eq!(kinds(&responses), [TypeUrl::Cluster, TypeUrl::Endpoint]);
    let names: Vec<_> = responses[1].1.resources.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a"]);
    assert!(connection.flush(now).is_empty());
}
