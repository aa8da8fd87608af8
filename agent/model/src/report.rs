//! What is said of one object by itself, as validation and lint find it.

use sealgate_core::convert::Problem;

use crate::{Code, Finding, ObjectRef, Severity};

/// The findings of one object.
pub(crate) struct ObjectReport {
    object: ObjectRef,
    findings: Vec<Finding>,
}

impl ObjectReport {
    /// Nothing yet.
    pub(crate) fn new(object: ObjectRef) -> Self {
        Self {
            object,
            findings: Vec::new(),
        }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    pub(crate) fn add(&mut self, severity: Severity, code: Code, field: String, message: impl Into<String>) {
        let (object, message) = (self.object.clone(), message.into());
        self.findings.push(Finding {
            severity,
            code,
            object,
            field: Some(field),
            message,
        });
    }

    /// Says so of a field that is there.
    pub(crate) fn not_carried_out(&mut self, field: impl Into<String>, present: bool) {
        if present {
            let message = "Sealgate does not support this field";
            self.add(Severity::Warning, Code::NotCarriedOut, field.into(), message);
        }
    }

    /// Refuses a field with more entries than a limit.
    pub(crate) fn at_most(&mut self, found: usize, limit: usize, field: impl Into<String>) {
        if found > limit {
            let message = format!("{found} entries; the limit is {limit}");
            self.add(Severity::Error, Code::OverLimit, field.into(), message);
        }
    }

    /// Says what the core says of a rule at `prefix`.
    pub(crate) fn problem(&mut self, prefix: &str, problem: Problem) {
        let severity = if problem.refused {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.add(
            severity,
            problem.code.into(),
            format!("{prefix}.{}", problem.field),
            problem.message,
        );
    }
}
