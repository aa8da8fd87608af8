//! From when until when something is good, and where in that time it is.

use time::{Duration, OffsetDateTime};

/// Whoever renews in time has done so before the last tenth of a life begins; of a long one, before its last month.
const LAST_PART: i32 = 10;
const LONGEST_NOTICE: Duration = Duration::days(30);
/// A date is past once it is not now any more.
const PAST: Duration = Duration::milliseconds(1);

/// From when until when something is good; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) from: OffsetDateTime,
    /// None is for ever.
    pub(super) until: Option<OffsetDateTime>,
}

/// Where in its life something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    NotYet,
    Good,
    /// It ends on this day.
    Last(OffsetDateTime),
    /// It ended on this day.
    Over(OffsetDateTime),
}

impl Lifetime {
    pub(super) fn age(&self, now: OffsetDateTime) -> Age {
        match self.until {
            Some(until) if until < now => Age::Over(until),
            _ if self.from > now => Age::NotYet,
            Some(until) if until - self.notice(until) < now => Age::Last(until),
            _ => Age::Good,
        }
    }

    fn notice(&self, until: OffsetDateTime) -> Duration {
        ((until - self.from) / LAST_PART).min(LONGEST_NOTICE)
    }

    /// When it is not quite young any more, and when it ends.
    fn ends(&self) -> impl Iterator<Item = OffsetDateTime> {
        let until = self.until.into_iter();
        until.flat_map(|until| [until - self.notice(until), until])
    }

    /// The next time at which its age is another.
    pub(super) fn next(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let dates = self.ends().chain([self.from]);
        let next = dates.filter(|date| *date >= now).min();
        next.map(|date| date + PAST)
    }

    /// The last time at which its age was another: should a clock go back there, it is younger again.
    pub(super) fn last(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let before = self.from.saturating_sub(Duration::NANOSECOND);
        let dates = self.ends().chain([before]);
        dates.filter(|date| *date < now).max()
    }
}

#[cfg(test)]
mod tests;
