//! `sealgate certs`.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::agent::AgentClient;
use super::{Conclusion, input, plural, print};
use crate::admin::status::{CredentialStatus, HeldBy, HeldState, ProxyRefusalStatus};
use crate::args::CertsArgs;
use crate::one_line::in_one_line;
use crate::report;

/// What there is to say, the worst first.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertsReport {
    proxy_refusals: Vec<ProxyRefusalStatus>,
    credentials: Vec<CredentialStatus>,
}

pub(super) fn main(args: &CertsArgs) -> Result<Conclusion> {
    let report = match &args.dir {
        Some(dir) => CertsReport {
            proxy_refusals: Vec::new(),
            credentials: report::credentials(&input::folder(dir, &args.gateway, "--dir ")?.view()),
        },
        None => {
            let status = AgentClient::new(&args.agent)?.status()?;
            CertsReport {
                proxy_refusals: status.proxy_refusals,
                credentials: status.credentials,
            }
        }
    };
    if args.json {
        print(&(serde_json::to_string(&report)? + "\n"))?;
    } else {
        print(&text(&report)?)?;
    }
    Ok(conclusion(&report))
}

/// Whether something is served, and nothing of it is refused, be it by us or by a proxy.
fn conclusion(report: &CertsReport) -> Conclusion {
    let serves = report.credentials.iter().any(|own| own.served);
    let refuses = report.credentials.iter().any(|own| own.state == "refused");
    if serves && !refuses && report.proxy_refusals.is_empty() {
        Conclusion::Good
    } else {
        Conclusion::No
    }
}

fn text(report: &CertsReport) -> Result<String> {
    let mut text = String::new();
    for own in &report.proxy_refusals {
        let (node, kind) = (in_one_line(&own.node), &own.r#type);
        let name = own.name.as_deref().map(in_one_line).unwrap_or_default();
        writeln!(text, "{node} rejects {kind} {name}: {}", in_one_line(&own.reason))?;
    }
    for own in &report.credentials {
        let reasons = own.reason.iter().chain(&own.warnings);
        let reasons = reasons.map(String::as_str).collect::<Vec<_>>().join(", ");
        let reasons = if reasons.is_empty() {
            reasons
        } else {
            format!(" ({reasons})")
        };
        writeln!(text, "{}  {}{reasons}", own.name, own.state)?;
        for (name, value) in facts(own) {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                writeln!(text, "    {name:<14}{}", in_one_line(&value))?;
            }
        }
        for proxy in &own.proxies {
            writeln!(text, "    {:<14}{}", "proxy", held_by(proxy))?;
        }
    }
    Ok(text)
}

fn facts(own: &CredentialStatus) -> [(&'static str, Option<String>); 9] {
    let end = own.not_after.clone().zip(own.days_left);
    [
        ("subject", Some(own.subjects.join("; "))),
        ("names", Some(own.dns_names.join(" "))),
        ("issuer", own.issuer.clone()),
        ("serial", own.serial.clone()),
        (
            "not after",
            end.map(|(end, days)| format!("{end} ({} left)", plural(days, "day"))),
        ),
        ("key", own.key_type.clone()),
        ("SHA-256", own.sha256.clone()),
        ("rotated", own.last_rotated.clone()),
        ("slowest proxy", own.rotation_ms.map(|ms| format!("{ms:.1} ms"))),
    ]
}

/// `edge-1 behind: it has version 0123`.
fn held_by(proxy: &HeldBy) -> String {
    let version = proxy.version.as_deref().unwrap_or("none");
    let reason = proxy.refused.as_deref().map(in_one_line).unwrap_or_default();
    let node = in_one_line(&proxy.node);
    let state = proxy.state.as_str();
    match proxy.state {
        HeldState::Current => format!("{node} {state}"),
        HeldState::Behind => format!("{node} {state}: it has version {version}"),
        HeldState::Refused => format!("{node} {state}: it has version {version}: {reason}"),
        HeldState::Gone => format!("{node} {state}: it had version {version}"),
    }
}
