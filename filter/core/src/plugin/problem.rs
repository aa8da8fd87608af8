//! Problems of a configuration.

use std::fmt;

use crate::convert::{Problem, ProblemCode};
use crate::reading::Misread;

/// A problem of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginProblem {
    /// Whether the configuration is rejected; otherwise, it is applied, but maybe not as intended.
    pub refused: bool,
    /// Which problem it is.
    pub code: PluginCode,
    /// `routing.virtualServices[0].spec.http[1].mirrors`; empty for the whole.
    pub place: String,
    /// The message.
    pub message: String,
}

/// Which problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginCode {
    /// It is not JSON, or has an unknown key or a value of the wrong type.
    Misread,
    /// The settings of `identity` are invalid together.
    BadIdentity,
    /// A VirtualService without hosts.
    NoHosts,
    /// Not a host name or wildcard.
    BadHost,
    /// A VirtualService without rules.
    NoRules,
    /// A destination that the filter cannot name a cluster for.
    BadDestination,
    /// Something that needs an agent.
    NotCarriedOut,
    /// Something that only works if Envoy is configured for it.
    NeedsEnvoy,
    /// A problem of a rule.
    Rule(ProblemCode),
}

impl fmt::Display for PluginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Collects the problems of a configuration.
#[derive(Debug, Default)]
pub struct PluginReport(Vec<PluginProblem>);

impl PluginReport {
    pub(super) fn refuse(&mut self, code: PluginCode, place: impl Into<String>, message: impl Into<String>) {
        self.add(true, code, place.into(), message.into());
    }

    pub(super) fn warn(&mut self, code: PluginCode, place: impl Into<String>, message: impl Into<String>) {
        self.add(false, code, place.into(), message.into());
    }

    pub(super) fn misread(&mut self, Misread { place, reason }: Misread) {
        self.add(true, PluginCode::Misread, place, reason);
    }

    /// Adds a problem from the conversion of the rule at `place`.
    pub(super) fn rule(&mut self, place: &str, problem: Problem) {
        let Problem {
            refused,
            code,
            field,
            message,
        } = problem;
        self.add(
            refused,
            PluginCode::Rule(code),
            format!("{place}.{field}"),
            message,
        );
    }

    /// Whether the configuration is rejected.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.iter().any(|problem| problem.refused)
    }

    /// All problems, in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[PluginProblem] {
        &self.0
    }

    fn add(&mut self, refused: bool, code: PluginCode, place: String, message: String) {
        self.0.push(PluginProblem {
            refused,
            code,
            place,
            message,
        });
    }
}
