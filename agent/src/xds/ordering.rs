//! Make before break on an aggregated stream: what makes workers use new clusters waits until the proxy has accepted
//! the clusters and their endpoints. Secrets never wait.

use std::time::{Duration, Instant};

use crate::snapshot::TypeUrl;

/// A proxy that does not answer must not keep its routes forever.
const LONGEST_HOLD: Duration = Duration::from_secs(2);

/// Since when something has been held.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    since: Option<Instant>,
}

impl Hold {
    /// Whether changes of `kind` wait for clusters and endpoints.
    pub(crate) fn concerns(kind: TypeUrl) -> bool {
        matches!(kind, TypeUrl::ExtensionConfig | TypeUrl::Listener)
    }

    /// Whether such a change waits; `settling` says whether clusters or endpoints have not arrived yet.
    pub(crate) fn holds(&mut self, settling: bool, now: Instant) -> bool {
        if !settling {
            self.since = None;
            return false;
        }
        now < *self.since.get_or_insert(now) + LONGEST_HOLD
    }

    /// When a hold ends at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + LONGEST_HOLD)
    }

    /// Notes that nothing is held.
    pub(crate) fn release(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_wait_for_clusters_but_not_for_ever_and_secrets_never() {
        let start = Instant::now();
        let mut hold = Hold::default();
        let concerned: Vec<_> = TypeUrl::ALL
            .into_iter()
            .filter(|kind| Hold::concerns(*kind))
            .collect();
        assert_eq!(concerned, [TypeUrl::ExtensionConfig, TypeUrl::Listener]);
        assert!(hold.deadline().is_none());
        assert!(hold.holds(true, start));
        assert!(hold.holds(true, start + Duration::from_secs(1)));
        assert!(!hold.holds(true, start + LONGEST_HOLD));
        assert!(!hold.holds(false, start) && hold.deadline().is_none());
    }
}
