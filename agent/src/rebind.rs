//! Listeners whose address a proxy could not bind. Envoy does not try again by itself, so they are sent again, under another
//! version, until it can.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::snapshot::{ResourceKey, TypeUrl};

/// After so long for the first time, then after twice as long, and so on.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What the system says of an address that another program has, that is not there, or that needs more rights.
const REASONS: [&str; 3] = [
    "Address already in use",
    "Cannot assign requested address",
    "Permission denied",
];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Rebinds(BTreeMap<ResourceKey, Rebind>);

#[derive(Debug)]
struct Rebind {
    due: Instant,
    wait: Duration,
    count: u64,
}

impl Rebinds {
    /// Proxies refuse these resources now, and no others.
    pub(crate) fn follow(&mut self, refusals: &BTreeMap<ResourceKey, String>, now: Instant) {
        let is_unbound =
            |(key, reason): &(&ResourceKey, &String)| key.0 == TypeUrl::Listener && is_bind_failure(reason);
        let unbound: BTreeMap<_, _> = refusals.iter().filter(is_unbound).collect();
        self.0.retain(|key, _| unbound.contains_key(key));
        for key in unbound.into_keys() {
            self.0.entry(key.clone()).or_insert(Rebind {
                due: now + FIRST,
                wait: FIRST,
                count: 0,
            });
        }
    }

    /// Those that are to be sent again now, each with how many times that was.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(ResourceKey, u64)> {
        let mut due = Vec::new();
        for (key, rebind) in self.0.iter_mut().filter(|(_, rebind)| rebind.due <= now) {
            rebind.wait = (rebind.wait * 2).min(LONGEST);
            rebind.due = now + rebind.wait;
            rebind.count += 1;
            due.push((key.clone(), rebind.count));
        }
        due
    }

    /// When to call [`Self::take_due`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().map(|rebind| rebind.due).min()
    }
}

/// Whether Envoy says that it cannot bind an address. No object is to blame for that.
pub(crate) fn is_bind_failure(reason: &str) -> bool {
    // The last words are the system's: what objects say is quoted before them.
    let last = reason
        .trim_end()
        .rsplit_once(": cannot bind '")
        .map(|(_, last)| last);
    let said = last.and_then(|last| last.split_once("': "));
    said.is_some_and(|(address, said)| !address.contains('\'') && REASONS.contains(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "Error adding/updating listener(s) gateway-443: cannot bind '127.0.0.1:443': Address already in use\n";

    #[test]
    fn only_what_the_system_says_of_an_address_is_a_failure_to_bind() {
        assert!(is_bind_failure(BOUND));
        assert!(is_bind_failure(
            "Error adding/updating listener(s) gateway-443: cannot bind '[::]:443': Permission denied"
        ));
        for other in [
            "",
            "Address already in use",
            "gateway-443: no ciphers: cannot bind '1.2.3.4:443': because",
            "gateway-443: cannot bind '127.0.0.1:443': Address already in use: no such cipher",
        ] {
            assert!(!is_bind_failure(other), "{other}");
        }
    }

    #[test]
    fn it_is_tried_ever_more_rarely_until_it_is_taken() {
        let key = (TypeUrl::Listener, "gateway-443".into());
        let refusals = BTreeMap::from([
            (key.clone(), BOUND.to_owned()),
            ((TypeUrl::Listener, "gateway-80".into()), "no".to_owned()),
        ]);
        let (mut rebinds, mut now) = (Rebinds::default(), Instant::now());
        rebinds.follow(&refusals, now);
        let mut waits = Vec::new();
        for count in 1..=8 {
            let due = rebinds.next_deadline().unwrap();
            assert!(rebinds.take_due(due - Duration::from_millis(1)).is_empty());
            assert_eq!(rebinds.take_due(due), [(key.clone(), count)]);
            waits.push((due - now).as_secs());
            now = due;
            rebinds.follow(&refusals, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        rebinds.follow(&BTreeMap::new(), now);
        assert_eq!(rebinds.next_deadline(), None);
    }
}
