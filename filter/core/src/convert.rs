//! Converts a rule of a VirtualService into one of the table, and validates it field by field. What Istio rejects is
//! rejected, what is not supported is reported, and nothing is dropped silently.

mod action;
mod answer;
mod catch_all;
mod code;
mod cors;
pub mod delegate;
mod fault;
mod headers;
pub mod limits;
mod matches;
mod mirror;
mod regexes;
mod retry;
mod rewrite;

pub use catch_all::{SplitRule, split_catch_all, takes_everything};
pub use code::ProblemCode;
pub use regexes::RegexMeter;

use crate::config::{Destination, HttpRoute};
use crate::rules::{RuleConfig, RuleOrigin};

/// A problem with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the rule is rejected; otherwise, it is applied, but maybe not as intended.
    pub refused: bool,
    /// Which problem it is.
    pub code: ProblemCode,
    /// Within the rule: `match[0].uri.regex`.
    pub field: String,
    /// The message.
    pub message: String,
}

/// Collects problems while a rule is converted.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn refuse(&mut self, code: ProblemCode, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            refused: true,
            code,
            field: field.into(),
            message: message.into(),
        });
    }

    pub(crate) fn warn(&mut self, code: ProblemCode, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            refused: false,
            code,
            field: field.into(),
            message: message.into(),
        });
    }

    fn not_carried_out(&mut self, field: impl Into<String>, present: bool) {
        if present {
            self.warn(
                ProblemCode::NotCarriedOut,
                field,
                "Sealgate does not support this field",
            );
        }
    }
}

/// Converts one rule. `kept` are the places of the `match` blocks that apply to this gateway and port; a rule of which
/// no block is left must not be converted. `cluster` names a destination's cluster.
///
/// # Errors
/// All problems of the rule, at least one of which rejects it.
pub fn rule(
    origin: RuleOrigin,
    route: &HttpRoute,
    kept: &[usize],
    cluster: &mut dyn FnMut(&Destination) -> String,
) -> Result<(RuleConfig, Vec<Problem>), Vec<Problem>> {
    let mut problems = Problems::default();
    if route.delegate.is_some() {
        let message = "the rules of a delegate cannot delegate further";
        problems.refuse(ProblemCode::BadDelegate, "delegate", message);
        return Err(problems.0);
    }
    let matches = matches::convert(route, kept, &mut problems);
    let action = action::convert(route, cluster, &mut problems);
    match action {
        Some(action) if !problems.0.iter().any(|problem| problem.refused) => Ok((
            RuleConfig {
                origin,
                matches,
                action,
            },
            problems.0,
        )),
        _ => Err(problems.0),
    }
}

/// A Go duration (`1h30m`, `1.5s`, `300ms`) in milliseconds, rounded down.
pub fn milliseconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            "us" | "µs" => 1e-3,
            "ns" => 1e-6,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
#[path = "convert/tests.rs"]
mod tests;
