//! `sealgate check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use sealgate_model::Severity;
use serde::Serialize;

use super::{Conclusion, folder, print};
use crate::admin::status::{CredentialStatus, FindingStatus};
use crate::args::CheckArgs;
use crate::one_line::in_one_line;
use crate::report;

#[derive(Serialize)]
struct CheckReport {
    findings: Vec<FindingStatus>,
    credentials: Vec<CredentialStatus>,
}

pub(super) fn main(args: &CheckArgs) -> Result<Conclusion> {
    let engine = folder::load(&args.dir, &args.gateway)?;
    let view = engine.view();
    let findings = view.findings();
    let bad = findings.iter().any(|finding| finding.severity == Severity::Error);
    let report = CheckReport {
        findings: findings.iter().map(report::finding).collect(),
        credentials: report::credentials(&view, &BTreeMap::new()),
    };
    if args.json {
        print(&(serde_json::to_string(&report)? + "\n"))?;
    } else {
        print(&text(&report)?)?;
    }
    Ok(if bad { Conclusion::No } else { Conclusion::Good })
}

fn text(report: &CheckReport) -> Result<String> {
    let mut text = String::new();
    for finding in &report.findings {
        write!(text, "{}: {}: ", finding.severity, in_one_line(&finding.object))?;
        if let Some(field) = &finding.field {
            write!(text, "{}: ", in_one_line(field))?;
        }
        writeln!(text, "{} [{}]", in_one_line(&finding.message), finding.code)?;
    }
    for credential in &report.credentials {
        let reason = credential
            .reason
            .as_ref()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        let names = credential.dns_names.join(" ");
        let names = in_one_line(&names);
        writeln!(
            text,
            "{} {}: {}{reason} {names}",
            credential.kind, credential.name, credential.state
        )?;
    }
    let count = |severity: &str| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    writeln!(text, "{} errors, {} warnings", count("error"), count("warning"))?;
    Ok(text)
}
