//! The status for people: what is wrong first, and then how everything is doing.

use std::collections::BTreeMap;

use super::report::{BehindReport, ProxyReport, Shown, StatusReport};
use crate::admin::status::{FindingStatus, HeldState, WatchStatus};
use crate::cli::plural;
use crate::one_line::in_one_line;

/// The width of the first column.
const LABEL: usize = 11;

pub(super) fn render(report: &StatusReport) -> String {
    let mut page = StatusPage::default();
    if report.well {
        page.line("well", "nothing needs attention");
    }
    let concerns = report.concerns.iter().map(|own| &own.message);
    page.list(
        "attention",
        concerns.map(|message| in_one_line(message).into_owned()),
    );
    page.list("source", source(report));
    let served = counts(&report.credentials);
    page.line(
        "serves",
        &format!("{}; certificates: {served}", plural(report.gateways, "gateway")),
    );
    page.line("proxies", &counts(&report.proxy_states));
    page.list("", shown(&report.proxies, proxy).flatten());
    page.line("findings", &severities(&report.severities));
    page.list("", shown(&report.refusals, |own| vec![finding(own)]).flatten());
    let expiring = shown(&report.expiring, |own| {
        let days = own.days_left.unwrap_or_default();
        let warnings = own.warnings.join(", ");
        let warnings = if warnings.is_empty() {
            warnings
        } else {
            format!(": {warnings}")
        };
        vec![format!(
            "{} {} ({} left){warnings}",
            own.not_after,
            own.name,
            plural(days, "day")
        )]
    });
    page.list("expires", expiring.flatten());
    let budgets = shown(&report.budgets, |own| {
        let budget = &own.budget;
        vec![format!(
            "{} {}: {} of {} ({}%)",
            budget.namespace, budget.resource, budget.used, budget.limit, own.percent
        )]
    });
    page.list("budgets", budgets.flatten());
    page.0
}

#[derive(Default)]
struct StatusPage(String);

impl StatusPage {
    fn line(&mut self, label: &str, text: &str) {
        let line = format!("{label:LABEL$}{text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// The label stands before the first.
    fn list(&mut self, label: &str, lines: impl Iterator<Item = String>) {
        for (at, line) in lines.enumerate() {
            self.line(if at == 0 { label } else { "" }, &line);
        }
    }
}

/// The lines of each, and how many are left out.
fn shown<'r, T>(
    list: &'r Shown<T>,
    lines: impl Fn(&'r T) -> Vec<String> + 'r,
) -> impl Iterator<Item = Vec<String>> + 'r {
    let more = list.total.saturating_sub(list.first.len());
    let more = (more > 0).then(|| vec![format!("and {more} more (--all)")]);
    list.first.iter().map(lines).chain(more)
}

/// `2 current, 1 gone`.
fn counts<K: AsRef<str>>(counts: &BTreeMap<K, usize>) -> String {
    let all = counts
        .iter()
        .map(|(word, count)| format!("{count} {}", word.as_ref()));
    listed(all.collect())
}

/// `2 errors, 1 warning`.
fn severities(counts: &BTreeMap<String, usize>) -> String {
    let all = counts.iter().map(|(word, count)| plural(*count, word));
    listed(all.collect())
}

fn listed(all: Vec<String>) -> String {
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

fn source(report: &StatusReport) -> impl Iterator<Item = String> {
    let source = &report.source;
    let state = match (source.synced, source.up) {
        (false, _) => "reading the first list",
        (true, true) => "up",
        (true, false) => "not all watches are up",
    };
    let watches = source.watches.iter().map(watch);
    std::iter::once(state.to_owned()).chain(watches)
}

fn watch(own: &WatchStatus) -> String {
    let since = since(own.since.as_deref());
    let message = in_one_line(own.message.as_deref().unwrap_or_default());
    format!("{} {}{since}: {message}", in_one_line(&own.name), own.state)
}

fn proxy(own: &ProxyReport) -> Vec<String> {
    let node = in_one_line(&own.node);
    let connected = match own.state {
        HeldState::Gone => "",
        _ => ", connected",
    };
    let state = own.state.as_str();
    let first = format!("{node} {state}{connected}{}", since(own.since.as_deref()));
    let refuses = own.refuses.iter().map(|refused| {
        let (kind, name) = (&refused.r#type, refused.name.as_deref().unwrap_or_default());
        let since = since(refused.since.as_deref());
        let reason = in_one_line(&refused.reason);
        format!("  rejects {kind} {}{since}: {reason}", in_one_line(name))
    });
    let behind = shown(&own.behind, |behind| vec![lag(behind)]).flatten();
    let behind = behind.map(|line| format!("  {line}"));
    std::iter::once(first).chain(refuses).chain(behind).collect()
}

fn lag(own: &BehindReport) -> String {
    format!(
        "has not confirmed {}{}",
        own.credential,
        since(own.since.as_deref())
    )
}

fn finding(own: &FindingStatus) -> String {
    let field = own
        .field
        .as_deref()
        .map(|field| format!("{}: ", in_one_line(field)));
    format!(
        "{}: {}: {}{} [{}]",
        own.severity,
        in_one_line(&own.object),
        field.unwrap_or_default(),
        in_one_line(&own.message),
        own.code
    )
}

/// ` since 2026-05-01T11:59:00Z`: fractions of a second tell people nothing.
fn since(time: Option<&str>) -> String {
    let time = time.map(|time| match time.split_once('.') {
        Some((seconds, _)) => format!(" since {seconds}Z"),
        None => format!(" since {time}"),
    });
    time.unwrap_or_default()
}
