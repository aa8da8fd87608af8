//! When credentials are to be judged anew: once a date passes, and if a clock goes back to before the last one that did.

use std::cmp::Reverse;

use sealgate_model::CredentialName;
use time::OffsetDateTime;

use crate::deadlines::Deadlines;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Looks {
    until: Deadlines<CredentialName, OffsetDateTime>,
    since: Deadlines<CredentialName, Reverse<OffsetDateTime>>,
}

impl Looks {
    /// A credential was judged: that holds between these dates.
    pub(super) fn set(
        &mut self,
        name: &CredentialName,
        since: Option<OffsetDateTime>,
        until: Option<OffsetDateTime>,
    ) {
        self.until.remove(name);
        self.since.remove(name);
        if let Some(until) = until {
            self.until.add(name.clone(), until);
        }
        if let Some(since) = since {
            self.since.add(name.clone(), Reverse(since));
        }
    }

    /// The next date, if the clock goes on as it does.
    pub(super) fn next(&self) -> Option<OffsetDateTime> {
        self.until.next()
    }

    /// Whether nothing has a date.
    pub(super) fn is_empty(&self) -> bool {
        self.until.next().is_none() && self.since.next().is_none()
    }

    /// Takes off one that is to be judged anew.
    pub(super) fn take_due(&mut self, now: OffsetDateTime) -> Option<CredentialName> {
        let passed = self.until.take_due(now);
        passed.or_else(|| self.since.take_due(Reverse(now)))
    }
}
