use std::time::Duration;

use proptest::prelude::*;
use tokio::time::timeout;

use super::*;

fn names(names: &[&str]) -> Vec<CredentialName> {
    names
        .iter()
        .map(|name| CredentialName::new("ns", *name))
        .collect()
}

fn delta(added: &[&str], removed: &[&str]) -> Delta<CredentialName> {
    Delta {
        added: names(added),
        removed: names(removed),
    }
}

async fn told(follow: &mut DemandWatch) -> Option<Delta<CredentialName>> {
    timeout(Duration::from_millis(20), follow.changed()).await.ok()?
}

#[tokio::test(start_paused = true)]
async fn a_name_is_wanted_for_as_long_as_some_share_wants_it() {
    let demand = CredentialDemand::default();
    let mut follow = demand.follow();
    let (mut first, mut second) = (demand.share(), demand.share());
    first.change(delta(&["a", "b"], &[]));
    assert_eq!(told(&mut follow).await, None, "the Gateways were not heard of");
    demand.set_known();
    assert_eq!(told(&mut follow).await, Some(delta(&["a", "b"], &[])));
    second.change(delta(&["b"], &[]));
    assert_eq!(told(&mut follow).await, None);
    drop(first);
    assert_eq!(told(&mut follow).await, Some(delta(&[], &["a"])));
    // Twice wanted, under two spellings: given up once, it is still wanted.
    second.change(delta(&["b", "c"], &["b"]));
    assert_eq!(told(&mut follow).await, Some(delta(&["c"], &[])));
    second.change(delta(&[], &["c", "b", "never"]));
    assert_eq!(told(&mut follow).await, Some(delta(&[], &["b", "c"])));
    drop((second, demand));
    assert_eq!(follow.changed().await, None);
}

#[tokio::test(start_paused = true)]
async fn that_nothing_is_wanted_is_told_first() {
    let demand = CredentialDemand::default();
    let mut follow = demand.follow();
    demand.set_known();
    assert_eq!(told(&mut follow).await, Some(Delta::default()));
    assert_eq!(told(&mut follow).await, None);
    // Who begins later is told everything.
    let mut share = demand.share();
    share.change(delta(&["a"], &[]));
    assert_eq!(told(&mut demand.follow()).await, Some(delta(&["a"], &[])));
}

proptest! {
    /// Shares come, change and go; who follows and adds up what it is told knows what is wanted.
    #[test]
    fn what_is_told_adds_up(steps in prop::collection::vec((0..3_usize, any::<bool>(), 0..4_u8), 1..60)) {
        let demand = CredentialDemand::default();
        demand.set_known();
        let mut follow = demand.follow();
        let mut shares: Vec<DemandShare> = (0..3).map(|_| demand.share()).collect();
        let mut known = std::collections::BTreeSet::new();
        for (at, adds, name) in steps {
            let name = CredentialName::new("ns", name.to_string());
            match (adds, &*name.name == "3") {
                (_, true) => shares[at] = demand.share(),
                (true, _) => shares[at].change(Delta { added: vec![name], removed: vec![] }),
                (false, _) => shares[at].change(Delta { added: vec![], removed: vec![name] }),
            }
            if let Some(delta) = follow.look() {
                delta.removed.iter().for_each(|name| assert!(known.remove(name)));
                delta.added.into_iter().for_each(|name| assert!(known.insert(name)));
            }
            let wanted: std::collections::BTreeSet<_> = shares.iter().flat_map(|share| share.names.keys().cloned()).collect();
            prop_assert_eq!(&known, &wanted);
        }
    }
}
