//! What the page shows, as JSON.

use std::collections::BTreeMap;

use sealgate_model::preview::Preview;
use sealgate_model::{Code, Finding, FindingStatus};
use serde::Serialize;

use crate::error::DeskError;

/// Findings as an agent's status says them.
pub(crate) struct FindingJson;

impl FindingJson {
    pub(crate) fn all(findings: &[Finding]) -> Vec<FindingStatus> {
        findings.iter().map(FindingStatus::from).collect()
    }
}

/// How much there is.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    objects: BTreeMap<&'static str, usize>,
    hosts: usize,
    rules: usize,
}

impl Summary {
    pub(crate) fn new(preview: &Preview) -> Self {
        let mut objects = BTreeMap::new();
        for name in preview.names() {
            *objects.entry(name.kind.as_str()).or_default() += 1;
        }
        let tables = preview
            .explainer()
            .into_iter()
            .flat_map(|own| own.tables().values());
        let hosts: Vec<_> = tables.flat_map(|table| &table.virtual_hosts).collect();
        Self {
            objects,
            hosts: hosts.len(),
            rules: hosts.iter().map(|host| host.rules.len()).sum(),
        }
    }
}

/// What an edit changes of what is said.
#[derive(Debug, Serialize)]
pub(crate) struct EditSummary {
    /// Findings that come.
    new: Vec<FindingStatus>,
    /// Findings that go.
    gone: Vec<FindingStatus>,
}

impl EditSummary {
    pub(crate) fn new(base: &Preview, edited: &Preview) -> Self {
        Self {
            new: FindingJson::all(&edited.findings_beyond(base)),
            gone: FindingJson::all(&base.findings_beyond(edited)),
        }
    }
}

/// What is to be said of a code.
#[derive(Debug, Serialize)]
struct CodeJson {
    code: Code,
    section: &'static str,
    means: &'static str,
    remedy: &'static str,
}

/// What each code of a finding means, and what to do.
///
/// # Errors
/// None that can happen.
pub fn codes() -> Result<String, DeskError> {
    let all = Code::ALL.iter().map(|code| {
        let own = code.explanation();
        CodeJson {
            code: *code,
            section: own.section.title(),
            means: own.means,
            remedy: own.remedy,
        }
    });
    Ok(serde_json::to_string(&all.collect::<Vec<_>>())?)
}
