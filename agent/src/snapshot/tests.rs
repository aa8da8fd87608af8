use std::time::{Duration, Instant};

use super::*;

fn set(publisher: &mut Publisher, now: Instant, kind: TypeUrl, name: &str, body: &[u8]) -> bool {
    publisher.update(now, |draft| draft.set(kind, name, body.to_vec()))
}

#[test]
fn an_update_that_changes_nothing_publishes_nothing() {
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    let now = Instant::now();
    assert!(set(&mut publisher, now, TypeUrl::Secret, "a", b"1"));
    assert!(!set(&mut publisher, now, TypeUrl::Secret, "a", b"1"));
    assert!(!publisher.update(now, |draft| draft.remove(TypeUrl::Secret, "b")));
    assert_eq!(receiver.borrow().generation(), 1);
}

#[test]
fn a_difference_names_what_changed_alone() {
    let (mut publisher, receiver) = Publisher::new(Duration::ZERO);
    let now = Instant::now();
    publisher.update(now, |draft| {
        (0..1000).for_each(|at| draft.set(TypeUrl::Secret, &format!("s{at}"), b"old".to_vec()));
    });
    let before = receiver.borrow().clone();
    publisher.update(now, |draft| {
        draft.set(TypeUrl::Secret, "s500", b"new".to_vec());
        draft.set(TypeUrl::Secret, "t", b"new".to_vec());
        draft.remove(TypeUrl::Secret, "s7");
    });
    let after = receiver.borrow().clone();
    let mut changed = after.changed_since(&before, TypeUrl::Secret);
    changed.sort();
    assert_eq!(
        changed.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["s500", "s7", "t"]
    );
}

#[test]
fn a_cluster_outlives_its_removal_by_the_grace_and_may_come_back() {
    let (mut publisher, receiver) = Publisher::new(Duration::from_secs(10));
    let start = Instant::now();
    set(&mut publisher, start, TypeUrl::Cluster, "a", b"1");
    set(&mut publisher, start, TypeUrl::Cluster, "b", b"1");
    assert!(!publisher.update(start, |draft| draft.replace(TypeUrl::Cluster, [])));
    set(&mut publisher, start, TypeUrl::Cluster, "b", b"1");
    let due = publisher.next_deadline();
    assert_eq!(due, Some(start + Duration::from_secs(10)));
    assert!(!publisher.update(start + Duration::from_secs(9), |_| ()));
    assert!(publisher.update(start + Duration::from_secs(10), |_| ()));
    let left: Vec<_> = receiver
        .borrow()
        .names(TypeUrl::Cluster)
        .map(ToString::to_string)
        .collect();
    assert_eq!(left, ["b"]);
    assert_eq!(publisher.next_deadline(), None);
}

#[test]
fn debug_shows_no_content() {
    assert!(!format!("{:?}", Resource::new(b"secret".to_vec())).contains("115"));
}
