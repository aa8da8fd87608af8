//! What there is to say goes into the log as it happens.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sealgate_model::ledger::News;
use sealgate_model::{CredentialName, ObjectRef, Severity};
use time::format_description::well_known::Rfc3339;

use crate::credential::Credential;

/// Says one thing.
pub(crate) fn log(news: &News) {
    match news {
        News::Found(finding) => match finding.severity {
            Severity::Error => tracing::error!(code = %finding.code, "{finding}"),
            Severity::Warning => tracing::warn!(code = %finding.code, "{finding}"),
            Severity::Info => tracing::info!(code = %finding.code, "{finding}"),
        },
        News::Good(object) => tracing::info!("{object}: valid again"),
    }
}

/// A credential is served in another version from now on, or no more.
pub(crate) fn log_rotation(name: &CredentialName, good: Option<&Credential>, was_served: bool) {
    let credential = name.to_string();
    let Some(good) = good else {
        tracing::info!(credential, "removed");
        return;
    };
    let version = good.version();
    let soonest = good.facts().iter().min_by_key(|facts| facts.not_after);
    let sha256 = soonest.map(|facts| &*facts.sha256);
    let not_after = soonest.and_then(|facts| facts.not_after.format(&Rfc3339).ok());
    let what = if was_served { "replaced" } else { "served" };
    tracing::info!(credential, version, sha256, not_after, "{what}");
}

/// After so long the news is told although a list is still under way: it may never end.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How complete the source's lists are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// The first ones have not ended: most of what seems to be missing is only not read yet.
    First,
    /// One of them has begun since.
    UnderWay,
    /// All have ended.
    Complete,
}

/// How long what there is to say waits for what follows.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    patience: Duration,
    /// When it is over; none if nothing waits.
    due: Option<Instant>,
    /// Since when it waits for a list; none if it does not.
    listing_since: Option<Instant>,
    /// Objects that went meanwhile.
    gone: BTreeSet<ObjectRef>,
    /// The next time everything is said.
    is_hurried: bool,
}

impl Patience {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            ..Self::default()
        }
    }

    /// What is known now is complete: it is said the next time.
    pub(crate) fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// These are there again.
    pub(crate) fn back<'o>(&mut self, objects: impl Iterator<Item = &'o ObjectRef>) {
        if !self.gone.is_empty() {
            objects.for_each(|object| {
                self.gone.remove(object);
            });
        }
    }

    /// The objects that went, if everything is to be said now.
    pub(crate) fn is_over(
        &mut self,
        gone: BTreeSet<ObjectRef>,
        (has_news, lists): (bool, Lists),
        now: Instant,
    ) -> Option<BTreeSet<ObjectRef>> {
        self.gone.extend(gone);
        let is_hurried = std::mem::take(&mut self.is_hurried);
        if lists == Lists::First && !is_hurried {
            return None;
        }
        if has_news {
            self.due.get_or_insert(now + self.patience);
        }
        if !is_hurried && (self.due.is_some_and(|due| now < due) || self.waits_for(lists, now)) {
            return None;
        }
        self.due = None;
        self.listing_since = None;
        Some(std::mem::take(&mut self.gone))
    }

    /// Whether what is due is put off once more: a list may say that it is not so.
    fn waits_for(&mut self, lists: Lists, now: Instant) -> bool {
        if self.due.is_none() {
            return false;
        }
        match lists {
            Lists::UnderWay => {
                let since = *self.listing_since.get_or_insert(now);
                if now >= since + LONGEST_WAIT {
                    return false;
                }
            }
            // What the list held may still be on its way.
            _ if self.listing_since.take().is_none() => return false,
            _ => {}
        }
        self.due = Some(now + self.patience);
        true
    }

    /// When it is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use sealgate_model::Kind;

    use super::*;

    #[test]
    fn what_waits_is_said_once_it_is_due() {
        let (start, wait) = (Instant::now(), Duration::from_millis(100));
        let object = ObjectRef::new(Kind::Gateway, "a", "b");
        let gone = || BTreeSet::from([object.clone()]);
        let mut patience = Patience::new(wait);
        assert_eq!(
            patience.is_over(BTreeSet::new(), (false, Lists::Complete), start),
            Some(BTreeSet::new())
        );
        assert_eq!(patience.is_over(gone(), (true, Lists::Complete), start), None);
        assert_eq!(
            patience.is_over(BTreeSet::new(), (true, Lists::Complete), start + wait / 2),
            None
        );
        assert_eq!(
            patience.deadline(),
            Some(start + wait),
            "what follows does not put it off"
        );
        assert_eq!(
            patience.is_over(BTreeSet::new(), (true, Lists::Complete), start + wait),
            Some(gone())
        );
        assert_eq!(patience.deadline(), None);
        // What came back is not gone.
        patience.is_over(gone(), (true, Lists::Complete), start);
        patience.back([&object].into_iter());
        assert_eq!(
            patience.is_over(BTreeSet::new(), (true, Lists::Complete), start + wait),
            Some(BTreeSet::new())
        );
        assert_eq!(
            Patience::default().is_over(gone(), (true, Lists::Complete), start),
            Some(gone()),
            "none"
        );
    }
    #[test]
    fn a_list_that_is_under_way_is_waited_for_and_not_for_ever() {
        let (start, wait) = (Instant::now(), Duration::from_millis(100));
        let none = BTreeSet::new;
        let mut patience = Patience::new(wait);
        assert_eq!(patience.is_over(none(), (true, Lists::UnderWay), start), None);
        let due = start + wait;
        assert_eq!(patience.is_over(none(), (true, Lists::UnderWay), due), None);
        assert_eq!(patience.deadline(), Some(due + wait));
        // It has ended; what it held may be on its way.
        let due = due + wait;
        assert_eq!(patience.is_over(none(), (true, Lists::Complete), due), None);
        let due = due + wait;
        assert_eq!(
            patience.is_over(none(), (true, Lists::Complete), due),
            Some(none())
        );
        // One that never ends.
        let mut now = due;
        assert_eq!(patience.is_over(none(), (true, Lists::UnderWay), now), None);
        while patience.is_over(none(), (true, Lists::UnderWay), now).is_none() {
            now += wait;
        }
        assert_eq!(now, due + wait + LONGEST_WAIT);
    }

    #[test]
    fn nothing_is_said_before_the_first_lists_are_complete_however_long_they_take() {
        let start = Instant::now();
        let mut patience = Patience::new(Duration::from_millis(100));
        for seconds in [0, 1, 1000] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(patience.is_over(BTreeSet::new(), (true, Lists::First), now), None);
            assert_eq!(patience.deadline(), None, "nobody is woken for it");
        }
        patience.hurry();
        assert_eq!(
            patience.is_over(BTreeSet::new(), (true, Lists::Complete), start),
            Some(BTreeSet::new())
        );
    }
}
