//! When a change goes out: at once, unless many come one after the other. A folder that is applied to a cluster arrives object
//! by object; each of them by itself would be work for every proxy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sealgate_model::{Kind, SourceEvent, Step};

/// With more changes than this within [`WINDOW`], they are collected.
const MANY: usize = 10;
/// What counts as one after the other.
const WINDOW: Duration = Duration::from_millis(100);
/// How long what is collected waits for more.
const COLLECTED: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// When the last changes came, the oldest first; never more than are needed to tell.
    recent: VecDeque<Instant>,
    /// When what is collected goes out; none if nothing is.
    due: Option<Instant>,
}

impl Bulk {
    /// Notes a change that came; says whether it goes out now, with all that was collected before it.
    pub(super) fn take(&mut self, step: &Step, now: Instant) -> bool {
        if !step.iter().any(may_wait) {
            return true;
        }
        self.recent.push_back(now);
        if self.recent.len() > MANY + 1 {
            self.recent.pop_front();
        }
        let first = self.recent.front().copied().unwrap_or(now);
        let is_many = self.recent.len() > MANY && now.duration_since(first) < WINDOW;
        if is_many || self.due.is_some() {
            self.due.get_or_insert(now + COLLECTED);
        }
        self.due.is_none()
    }

    /// What was collected went out.
    pub(super) fn sent(&mut self) {
        self.due = None;
    }

    /// When what is collected goes out.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

/// Secrets never wait.
fn may_wait(event: &SourceEvent) -> bool {
    match event {
        SourceEvent::Apply(entry) => entry.object_ref.kind != Kind::Secret,
        SourceEvent::Delete(name) => name.kind != Kind::Secret,
        SourceEvent::Reset(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use sealgate_model::ObjectRef;

    use super::*;

    fn step(kind: Kind) -> Step {
        vec![SourceEvent::Delete(ObjectRef::new(kind, "a", "b"))]
    }

    /// How many of so many changes, one each `every`, go out at once, and how many times what is collected does.
    fn played(count: u32, every: Duration) -> (usize, usize) {
        let (mut bulk, start) = (Bulk::default(), Instant::now());
        let (mut at_once, mut collected) = (0, 0);
        for at in 0..count {
            let now = start + every * at;
            if bulk.due().is_some_and(|due| due <= now) {
                bulk.sent();
                collected += 1;
            }
            if bulk.take(&step(Kind::VirtualService), now) {
                bulk.sent();
                at_once += 1;
            }
        }
        (at_once, collected + usize::from(bulk.due().is_some()))
    }

    #[test]
    fn a_change_goes_out_at_once_and_a_thousand_are_a_few() {
        assert_eq!(played(1, WINDOW), (1, 0));
        assert_eq!(played(100, WINDOW), (100, 0), "one after the other, slowly");
        let (at_once, collected) = played(1000, Duration::from_millis(1));
        assert!(at_once <= MANY + 1, "{at_once}");
        assert!(collected <= 21, "{collected}");
    }

    #[test]
    fn secrets_never_wait_and_take_along_what_does() {
        let (mut bulk, now) = (Bulk::default(), Instant::now());
        while bulk.take(&step(Kind::Gateway), now) {}
        assert!(bulk.due().is_some());
        assert!(bulk.take(&step(Kind::Secret), now));
    }
}
