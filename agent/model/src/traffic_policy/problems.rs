//! What is wrong with a policy, and where.

use std::time::Duration;

use sealgate_core::convert::milliseconds;

/// Envoy counts seconds in 32 bits in some places; a year is enough for anybody.
const YEAR_MS: f64 = 365.0 * 86_400.0 * 1000.0;

/// Something to say of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyProblem {
    /// Within the policy: `loadBalancer.simple`.
    pub(crate) field: String,
    pub(crate) message: String,
    /// The policy cannot be meant like this; else it is served, without what the field asks for.
    pub(crate) is_refused: bool,
}

/// Collects them.
#[derive(Debug, Default)]
pub(crate) struct PolicyProblems(Vec<PolicyProblem>);

impl PolicyProblems {
    pub(crate) fn into_found(self) -> Vec<PolicyProblem> {
        self.0
    }

    pub(super) fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(PolicyProblem {
            field: field.into(),
            message: message.into(),
            is_refused: true,
        });
    }

    /// Says so of a field that is there.
    pub(super) fn no_effect(&mut self, field: &str, is_there: bool, reason: &str) {
        if is_there {
            self.0.push(PolicyProblem {
                field: field.to_owned(),
                message: reason.to_owned(),
                is_refused: false,
            });
        }
    }

    /// At least `least_ms`.
    pub(super) fn duration(&mut self, field: &str, text: Option<&String>, least_ms: f64) -> Option<Duration> {
        let text = text?;
        let message = match milliseconds(text) {
            Some(ms) if (least_ms..=YEAR_MS).contains(&ms) => {
                return Some(Duration::from_secs_f64(ms / 1000.0));
            }
            Some(_) => format!("{text} is not from {least_ms}ms to a year"),
            None => format!("{text:?} is not a duration such as 1.5s or 300ms"),
        };
        self.refuse(field, message);
        None
    }

    /// A number from `least` that fits into 32 bits. Istio's are signed, and 0 is none where it is less than the least.
    pub(super) fn count(&mut self, field: &str, value: Option<i64>, least: u32) -> Option<u32> {
        let value = value.filter(|value| *value != 0 || least == 0)?;
        let count = i32::try_from(value)
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value >= least);
        if count.is_none() {
            self.refuse(field, format!("{value} is not from {least} to {}", i32::MAX));
        }
        count
    }

    /// Of a hundred.
    pub(super) fn percent(&mut self, field: &str, value: Option<i64>) -> Option<u32> {
        let value = value?;
        let percent = u32::try_from(value).ok().filter(|value| *value <= 100);
        if percent.is_none() {
            self.refuse(field, format!("{value} is not from 0 to 100"));
        }
        percent
    }
}
