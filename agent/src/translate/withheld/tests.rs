use std::time::{Duration, Instant};

use super::*;
use crate::snapshot::Publisher;
use crate::valid::Broken;

fn good(body: &[u8]) -> Result<Resource, Violation> {
    Ok(Resource::new(body.to_vec()))
}

fn bad() -> Result<Resource, Violation> {
    Err(Violation::from(Broken::Missing).within("name"))
}

fn refused(withheld: &Withheld) -> Vec<(String, String)> {
    let all = withheld.iter();
    all.map(|((_, name), violation)| (name.to_string(), violation.to_string()))
        .collect()
}

#[test]
fn the_version_before_stays_until_a_good_one_comes() {
    let (mut publisher, snapshots) = Publisher::new(Duration::ZERO);
    let mut withheld = Withheld::default();
    let mut offer = |made| {
        publisher.update(Instant::now(), |draft| {
            withheld.offer(draft, TypeUrl::Cluster, "a", made);
        });
        let served = snapshots
            .borrow()
            .get(TypeUrl::Cluster, "a")
            .map(|own| own.body());
        (served, refused(&withheld), withheld.take_mended().len())
    };
    let why = || vec![("a".to_owned(), "name: it is missing".to_owned())];
    assert_eq!(offer(bad()), (None, why(), 0));
    assert_eq!(offer(good(b"1")), (Some(b"1".to_vec()), vec![], 1));
    assert_eq!(offer(bad()), (Some(b"1".to_vec()), why(), 0));
    assert_eq!(offer(good(b"2")), (Some(b"2".to_vec()), vec![], 1));
}

#[test]
fn a_listener_waits_for_its_address() {
    let (mut publisher, _) = Publisher::new(Duration::ZERO);
    let mut withheld = Withheld::default();
    publisher.update(Instant::now(), |draft| {
        for name in ["gateway-80", "gateway-8080"] {
            withheld.offer_listener(draft, name, "0.0.0.0:8080".to_owned(), || good(b"1"));
        }
        let why = "address: 0.0.0.0:8080 is the address of the listener gateway-80";
        assert_eq!(refused(&withheld), [("gateway-8080".to_owned(), why.to_owned())]);
        assert_eq!(withheld.take_waiting(), [0; 0]);
        withheld.remove(draft, TypeUrl::Listener, "gateway-80");
        assert_eq!(withheld.take_waiting(), [8080]);
        assert_eq!(withheld.take_waiting(), [0; 0]);
    });
}

#[test]
fn what_is_removed_is_withheld_no_more() {
    let (mut publisher, _) = Publisher::new(Duration::ZERO);
    let mut withheld = Withheld::default();
    publisher.update(Instant::now(), |draft| {
        withheld.offer(draft, TypeUrl::Cluster, "a", bad());
        withheld.remove(draft, TypeUrl::Cluster, "a");
    });
    assert!(refused(&withheld).is_empty());
    assert_eq!(withheld.take_mended(), [(TypeUrl::Cluster, "a".into())]);
}
