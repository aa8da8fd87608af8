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
        News::Good(object) => tracing::info!("{object}: good again"),
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

/// How long what there is to say waits for what follows.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    patience: Duration,
    /// When it is over; none if nothing waits.
    due: Option<Instant>,
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
        has_news: bool,
        now: Instant,
    ) -> Option<BTreeSet<ObjectRef>> {
        self.gone.extend(gone);
        if has_news {
            self.due.get_or_insert(now + self.patience);
        }
        let is_hurried = std::mem::take(&mut self.is_hurried);
        if !is_hurried && self.due.is_some_and(|due| now < due) {
            return None;
        }
        self.due = None;
        Some(std::mem::take(&mut self.gone))
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
            patience.is_over(BTreeSet::new(), false, start),
            Some(BTreeSet::new())
        );
        assert_eq!(patience.is_over(gone(), true, start), None);
        assert_eq!(patience.is_over(BTreeSet::new(), true, start + wait / 2), None);
        assert_eq!(
            patience.deadline(),
            Some(start + wait),
            "what follows does not put it off"
        );
        assert_eq!(
            patience.is_over(BTreeSet::new(), true, start + wait),
            Some(gone())
        );
        assert_eq!(patience.deadline(), None);
        // What came back is not gone.
        patience.is_over(gone(), true, start);
        patience.back([&object].into_iter());
        assert_eq!(
            patience.is_over(BTreeSet::new(), true, start + wait),
            Some(BTreeSet::new())
        );
        assert_eq!(
            Patience::default().is_over(gone(), true, start),
            Some(gone()),
            "none"
        );
    }
}
