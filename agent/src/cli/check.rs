//! `sealgate check`.

mod plugin;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use sealgate_model::resolve::{Claim, Tenure};
use sealgate_model::tenancy::Tenancy;
use serde::Serialize;

use super::agent::AgentClient;
use super::{Conclusion, input, plural, print};
use crate::admin::status::{CredentialStatus, FindingStatus, SourceStatus};
use crate::args::{AgentArgs, CheckArgs};
use crate::engine::Engine;
use crate::one_line::in_one_line;
use crate::report;

#[derive(Serialize)]
struct CheckReport {
    findings: Vec<FindingStatus>,
    credentials: Vec<CredentialStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenancy: Option<TenancyReport>,
}

/// Who has what, as `--tenancy` and its policy decide it.
#[derive(Serialize)]
struct TenancyReport {
    mode: &'static str,
    /// The namespaces of whoever runs the gateway.
    operators: Vec<String>,
    claims: Vec<ClaimReport>,
}

/// Something that one has, and others do not get.
#[derive(Serialize)]
struct ClaimReport {
    /// `port`, `server`, `routes` or `service`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// `plain` or `tls` of a port, else `namespace` or `namespace/name`.
    holder: String,
}

pub(super) fn main(args: &CheckArgs) -> Result<Conclusion> {
    let report = match (&args.plugin_config, args.input.agent()) {
        (Some(file), _) => of_plugin(file)?,
        (None, Some(agent)) => of_agent(&agent)?,
        (None, None) => of_objects(args)?,
    };
    if args.json {
        print(&(serde_json::to_string(&report)? + "\n"))?;
    } else {
        print(&text(&report)?)?;
    }
    let is_bad = report.findings.iter().any(|finding| finding.severity == "error");
    Ok(if is_bad { Conclusion::No } else { Conclusion::Good })
}

fn of_objects(args: &CheckArgs) -> Result<CheckReport> {
    let engine = input::load(&args.input, &args.gateway)?;
    let view = engine.view();
    let report = CheckReport {
        findings: view.findings().iter().map(FindingStatus::from).collect(),
        credentials: report::credentials(&view),
        tenancy: Some(tenancy(&engine)),
    };
    let is_empty = view.objects.is_empty() && report.credentials.is_empty() && report.findings.is_empty();
    if let Some(dir) = args.input.dir.as_deref().filter(|_| is_empty) {
        warn_of_nothing(dir);
    }
    Ok(report)
}

/// It may be the wrong directory.
fn warn_of_nothing(dir: &Path) {
    let text = format!("--dir {}: no manifests and no certificates found", dir.display());
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "sealgate: {}", in_one_line(&text));
}

/// What a running agent says of what it has read.
fn of_agent(agent: &AgentArgs) -> Result<CheckReport> {
    let status = AgentClient::new(agent)?.synced()?;
    if !status.source.up {
        // If standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "sealgate: warning: {}", stale(&status.source));
    }
    Ok(CheckReport {
        findings: status.refusals,
        credentials: status.credentials,
        tenancy: None,
    })
}

/// What the findings may miss.
fn stale(source: &SourceStatus) -> String {
    let failed = source.watches.iter().filter(|watch| watch.state == "failed");
    let failed = failed.map(|watch| {
        let message = watch.message.as_deref().unwrap_or("failed");
        format!("; {}: {message}", watch.name)
    });
    let failed: String = failed.collect();
    let text = format!("the agent cannot see all changes now, so its findings may be out of date{failed}");
    in_one_line(&text).into_owned()
}

/// There is neither a Secret nor a tenant.
fn of_plugin(file: &Path) -> Result<CheckReport> {
    Ok(CheckReport {
        findings: plugin::findings(file)?.iter().map(FindingStatus::from).collect(),
        credentials: Vec::new(),
        tenancy: None,
    })
}

fn tenancy(engine: &Engine) -> TenancyReport {
    let tenants = engine.tenants();
    let mut operators = vec![tenants.gateway.clone(), tenants.root.clone()];
    operators.dedup();
    TenancyReport {
        mode: match tenants.tenancy {
            Tenancy::Namespaces => "namespaces",
            Tenancy::Single => "single",
        },
        operators,
        claims: engine.resolver().claims().iter().map(claim).collect(),
    }
}

fn claim((claim, tenure): (&Claim, &Tenure)) -> ClaimReport {
    ClaimReport {
        what: claim.word(),
        port: claim.port(),
        host: claim.host().map(ToString::to_string),
        holder: match tenure {
            Tenure::Plain => "plain".to_owned(),
            Tenure::Tls => "tls".to_owned(),
            Tenure::Tcp => "tcp".to_owned(),
            Tenure::Of(holder) => match &holder.name {
                Some(name) => format!("{}/{name}", holder.namespace),
                None => holder.namespace.to_string(),
            },
        },
    }
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
        let line = format!(
            "{} {}: {}{reason} {}",
            credential.kind,
            credential.name,
            credential.state,
            in_one_line(&names)
        );
        writeln!(text, "{}", line.trim_end())?;
    }
    if let Some(tenancy) = report.tenancy.as_ref().filter(|own| own.mode == "namespaces") {
        for claim in tenancy.claims.iter().filter(|claim| claim.host.is_some()) {
            let port = claim.port.map(|port| format!(" {port}")).unwrap_or_default();
            let host = claim.host.as_deref().unwrap_or_default();
            writeln!(text, "{}{port} {host}: {}", claim.what, claim.holder)?;
        }
    }
    let count = |severity: &str| {
        report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let [errors, warnings] = ["error", "warning"].map(|severity| plural(count(severity), severity));
    writeln!(text, "{errors}, {warnings}")?;
    Ok(text)
}
