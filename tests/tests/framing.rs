//! No rule can desynchronize a connection: a persistent HTTP/1.1 connection gets as many answers as it has sent
//! requests, each complete and in order, whatever framing headers a rule sets. Such rules are rejected by name.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, stream};
use sealgate_tests::edge::Edge;
use sealgate_tests::eventually;
use sealgate_tests::manifests::virtual_service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(5);

const ROUTE: &str = "route: [{destination: {host: picked.local, port: {number: 80}}}]";

/// A rule, and the code under which it is refused; none if it is carried out.
fn cases() -> Vec<(String, Option<&'static str>)> {
    let refused = |rule: &str, code| (rule.to_owned(), Some(code));
    let mut cases = vec![
        refused("directResponse: {status: 101, body: {string: abc}}", "bad-status"),
        refused("directResponse: {status: 103}", "bad-status"),
    ];
    for status in [204, 205, 304] {
        let direct = format!("directResponse: {{status: {status}");
        cases.push((format!("{direct}}}"), None));
        cases.push((format!("{direct}, body: {{string: abc}}}}"), Some("bad-body")));
        for more in ["", "delay: {fixedDelay: 1ms, percentage: {value: 100}}, "] {
            let abort = format!("abort: {{httpStatus: {status}, percentage: {{value: 100}}}}");
            cases.push((
                format!("fault: {{{more}{abort}}}\n    {ROUTE}"),
                Some("bad-status"),
            ));
        }
    }
    for (name, value) in [
        ("content-length", "'0'"),
        ("content-length", "'1'"),
        ("Content_Length", "'1'"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "websocket"),
    ] {
        for direction in ["request", "response"] {
            for operation in ["set", "add"] {
                let headers = format!("headers: {{{direction}: {{{operation}: {{{name}: {value}}}}}}}");
                cases.push((format!("{headers}\n    {ROUTE}"), Some("forbidden-header")));
            }
            let headers = format!("headers: {{{direction}: {{remove: [{name}]}}}}");
            cases.push((format!("{headers}\n    {ROUTE}"), Some("forbidden-header")));
        }
    }
    cases
}

fn host(at: usize) -> String {
    format!("case{at}.wild.example")
}

/// Statuses and bodies of all answers, read as a client does that believes what they say.
fn answers(methods: &[&str], mut bytes: &[u8]) -> Result<Vec<(u16, String)>> {
    let mut answers = Vec::new();
    for method in methods {
        // Envoy ends a connection after an answer of its own, and the client asks again on another one.
        if bytes.is_empty() {
            break;
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, rest) = bytes.split_at(end.context("an answer is missing")? + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let status: u16 = head
            .strip_prefix("http/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .with_context(|| format!("{head:?} is no answer"))?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = match (*method, status) {
            ("HEAD", _) | (_, 100..200 | 204 | 304) => 0,
            _ => length.context("no length")?.parse()?,
        };
        ensure!(rest.len() >= length, "{head:?} is cut off");
        let (body, rest) = rest.split_at(length);
        answers.push((status, String::from_utf8_lossy(body).into_owned()));
        bytes = rest;
    }
    if !bytes.is_empty() {
        bail!("{:?} is nobody's answer", String::from_utf8_lossy(bytes));
    }
    Ok(answers)
}

/// Three requests at once on one connection: the middle one is of the case's host.
async fn in_step(edge: &Edge, at: usize, method: &str) -> Result<()> {
    let middle = host(at);
    let mut stream = TcpStream::connect(("127.0.0.1", edge.site.http)).await?;
    let requests = format!(
        "GET /first HTTP/1.1\r\nhost: app.example\r\n\r\n{method} /middle HTTP/1.1\r\nhost: {middle}\r\n\r\n\
         GET /last HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(requests.as_bytes()).await?;
    let mut bytes = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes))
        .await
        .context("the connection does not end")??;
    let answers = answers(&["GET", method, "GET"], &bytes)?;
    let is_of = |at: usize, path: &str| {
        answers
            .get(at)
            .is_some_and(|(status, body)| *status == 200 && body.starts_with(&format!("app\nGET {path} ")))
    };
    let ends_early = answers.len() == 2;
    ensure!(
        is_of(0, "/first") && (ends_early || is_of(2, "/last")),
        "{answers:?}"
    );
    Ok(())
}

async fn says(edge: &Edge, at: usize, code: &str) -> Result<()> {
    let status = edge.site.status().await?;
    let object = format!("VirtualService default/case{at}");
    let findings = status["refusals"].as_array().context("no refusals")?;
    let found = findings
        .iter()
        .any(|finding| finding["code"] == code && finding["object"] == object.as_str());
    ensure!(found, "no {code} of {object}");
    Ok(())
}

/// What is not as it should be with a case.
async fn wrong(edge: &Edge, at: usize, rule: &str, code: Option<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(code) = code {
        let said = eventually("it is refused", SOON, || says(edge, at, code)).await;
        wrong.extend(said.err().map(|error| format!("{rule}: {error:#}")));
    }
    for method in ["GET", "HEAD"] {
        let step = in_step(edge, at, method).await;
        wrong.extend(step.err().map(|error| format!("{method} {rule}: {error:#}")));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rule_puts_a_connection_out_of_step() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    let cases = cases();
    let objects = cases
        .iter()
        .enumerate()
        .map(|(at, (rule, _))| virtual_service(&format!("case{at}"), &host(at), &format!("  - {rule}\n")));
    edge.site
        .write("cases.yaml", &objects.collect::<Vec<_>>().join("\n---\n"))?;
    edge.ready().await?;
    // Envoy leaves a connection that it ends open for a second: several wait at once.
    let wrong: Vec<String> = stream::iter(cases.iter().enumerate())
        .map(|(at, (rule, code))| wrong(&edge, at, rule, *code))
        .buffered(8)
        .concat()
        .await;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
