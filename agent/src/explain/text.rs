//! An explanation for people: the host first, then what was tried, what decided, and what happens. Everything of the
//! decision is printed from its JSON form, so that nothing of it can be missing here.

use sealgate_core::explain::{HostMatch, Protocol, Question, Trace, Trial, VirtualHost};
use sealgate_model::explain::{ExplainAnswer, IdentityAnswer};
use serde_json::Value;

/// The width of the first column.
const LABEL: usize = 10;

/// The whole explanation.
///
/// # Errors
/// The answer is no JSON, which it always is.
pub fn text(question: &Question, explanation: &ExplainAnswer) -> serde_json::Result<String> {
    let mut page = Page::default();
    page.line("request", &request(question));
    match explanation {
        ExplainAnswer::Stream(told) => {
            page.line("decided", &told.decided());
            page.decision(&serde_json::to_value(told)?["decision"]);
        }
        ExplainAnswer::Request(told) => {
            let answer = serde_json::to_value(&told.routed.answer)?;
            match &told.arrived {
                Some(arrived) => way(question, arrived, &told.trace, &answer["matched"], &mut page),
                None => page.line("decided", "Envoy, before any rule"),
            }
            page.decision(&answer["decision"]);
            if let Some(by) = &told.hash {
                page.line("endpoint", &format!("by a hash of {by}"));
            }
            if let Some(own) = &told.identity {
                page.identity(own);
            }
        }
    }
    Ok(page.0)
}

/// How a rule came to decide.
fn way(question: &Question, arrived: &Question, trace: &Trace, matched: &Value, page: &mut Page) {
    if arrived.path != question.path {
        page.line("path", &format!("rules see {}", arrived.path));
    }
    match &trace.host {
        Some(own) => page.line("host", &host(own)),
        None => page.line("host", &nobody(question)),
    }
    page.table("tried", trace.earlier.iter().map(tried).collect());
    page.line("decided", &decided(trace, matched));
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        let line = format!("{label:LABEL$}{text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn decision(&mut self, decision: &Value) {
        self.line("decision", decision["type"].as_str().unwrap_or_default());
        let mut rows = Vec::new();
        flatten("", decision, &mut rows);
        rows.retain(|(path, _)| path != "type");
        self.table("", rows);
    }

    /// What the upstream is told of the client.
    fn identity(&mut self, own: &IdentityAnswer) {
        self.line("client", own.by);
        self.table("", own.set.clone());
        let left_out = own.left_out.iter();
        let left_out = left_out.map(|name| (name.clone(), "too large".to_owned()));
        self.table("left out", left_out.collect());
    }

    /// Two columns; the label stands before the first row.
    fn table(&mut self, label: &str, rows: Vec<(String, String)>) {
        let width = rows
            .iter()
            .map(|(left, _)| left.chars().count())
            .max()
            .unwrap_or_default();
        for (at, (left, right)) in rows.into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.line(label, &format!("{left:width$}  {right}"));
        }
    }
}

fn request(question: &Question) -> String {
    let Question {
        method,
        scheme,
        authority,
        path,
        ..
    } = question;
    let protocol = match question.protocol {
        Protocol::Http1 => "",
        Protocol::Http2 => " over HTTP/2",
    };
    format!(
        "{method} {scheme}://{authority}{path} on port {}{protocol}",
        question.listener_port()
    )
}

fn host(host: &VirtualHost) -> String {
    let VirtualHost { name, domain, .. } = host;
    let how = match host.by {
        HostMatch::Exact => format!("{name} is the exact name of a virtual host"),
        HostMatch::Wildcard => {
            format!("{name} matches {domain}, and no exact name or longer wildcard")
        }
        HostMatch::Any => format!("{name} matches *, and no exact name or wildcard"),
    };
    if host.https_redirect {
        format!("{how}; its server redirects to HTTPS before any rule")
    } else {
        how
    }
}

fn nobody(question: &Question) -> String {
    let port = question.listener_port();
    format!("no virtual host on port {port} matches {}", question.authority)
}

fn tried(trial: &Trial) -> (String, String) {
    let rule = place(
        &trial.virtual_service,
        trial.rule,
        trial.rule_name.as_deref(),
        Some(trial.r#match),
    );
    (rule, trial.failure.message.clone())
}

fn place(service: &str, rule: usize, name: Option<&str>, block: Option<usize>) -> String {
    let block = block.map(|block| format!(".match[{block}]")).unwrap_or_default();
    let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
    format!("VirtualService {service} http[{rule}]{block}{name}")
}

fn decided(trace: &Trace, matched: &Value) -> String {
    if let Some(service) = matched["virtualService"].as_str() {
        let index = |value: &Value| value.as_u64().and_then(|at| usize::try_from(at).ok());
        let block = index(&matched["match"]);
        let rule = index(&matched["rule"]).unwrap_or_default();
        let why = if block.is_some() {
            "all conditions match"
        } else {
            "it matches every request"
        };
        return format!(
            "{}: {why}",
            place(service, rule, matched["ruleName"].as_str(), block)
        );
    }
    match &trace.host {
        None => "by default: no virtual host matches",
        Some(host) if host.https_redirect => "httpsRedirect of the Gateway's server",
        Some(_) => "by default: no rule matches",
    }
    .to_owned()
}

/// Every value that says something, with its path: `retries.attempts`.
fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{name}"), value, rows);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                match item {
                    Value::Object(_) => flatten(&format!("{path}[{at}]"), item, rows),
                    // A header's name and value.
                    Value::Array(pair) => {
                        let pair: Vec<_> = pair.iter().map(plain).collect();
                        rows.push((path.to_owned(), pair.join(": ")));
                    }
                    item => flatten(path, item, rows),
                }
            }
        }
        value => rows.push((path.to_owned(), plain(value))),
    }
}
