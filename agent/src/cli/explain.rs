//! `sealgate explain`.

mod identity;
mod text;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use http::{HeaderName, Method, Uri};
use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::{BatchAnswer, Protocol, Question, Trace, trace};
use sealgate_core::host;
use sealgate_core::table::RouteTable;
use sealgate_model::resolve::Resolver;
use serde::Serialize;
use serde::de::Error as _;
use serde_json::json;

use super::{Conclusion, folder, print};
use crate::args::{ExplainArgs, HttpVersion};

pub(super) fn main(args: &ExplainArgs) -> Result<Conclusion> {
    let engine = folder::load(&args.dir, &args.gateway)?;
    let paths = |question: &Question| {
        let host = host::normalize(question.authority.as_bytes());
        engine.path_policy(question.listener_port(), &String::from_utf8_lossy(&host))
    };
    let resolver = engine.resolver();
    let configs: Vec<_> = resolver.ports().map(|port| resolver.table(port.number)).collect();
    let table = RouteTable::from_configs(&configs)?;
    match &args.batch {
        Some(path) if path.as_os_str() == "-" => batch(io::stdin().lock(), &table, &paths),
        Some(path) => {
            let place = || format!("--batch {}", path.display());
            let file = File::open(path).with_context(place)?;
            batch(BufReader::new(file), &table, &paths).with_context(place)
        }
        None => single(args, &table, resolver, &paths),
    }
}

/// What becomes of the path of a request.
type PathsOf<'e> = &'e dyn Fn(&Question) -> PathPolicy;

fn batch(lines: impl BufRead, table: &RouteTable, paths: PathsOf<'_>) -> Result<Conclusion> {
    let mut answer = Conclusion::Good;
    for line in lines.split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = match read(&line) {
            Ok(question) => serde_json::to_string(&BatchAnswer::new(&question, table, paths(&question)))?,
            Err(error) => {
                answer = Conclusion::Bad;
                json!({"id": null, "error": error.to_string()}).to_string()
            }
        };
        // Standard input may never end; without a reader there is nothing left to do.
        if !print(&(text + "\n"))? {
            break;
        }
    }
    Ok(answer)
}

/// A question is an object; serde alone would take a list of its fields too.
fn read(line: &[u8]) -> serde_json::Result<Question> {
    if line.trim_ascii_start().starts_with(b"[") {
        return Err(serde_json::Error::custom("expected an object, not a list"));
    }
    let question: Question = serde_json::from_slice(line)?;
    let odd = |name| serde_json::Error::custom(format!("{name}: from 0 up to, and without, 1"));
    question.check_draws().map_err(odd)?;
    Ok(question)
}

/// The single form's answer: the batch's, and how it came about.
#[derive(Serialize)]
struct SingleAnswer {
    #[serde(flatten)]
    answer: BatchAnswer,
    #[serde(flatten)]
    trace: Trace,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<identity::Headers>,
}

fn single(
    args: &ExplainArgs,
    table: &RouteTable,
    resolver: &Resolver,
    paths: PathsOf<'_>,
) -> Result<Conclusion> {
    let question = question(args)?;
    let paths = paths(&question);
    let arrived = question.arrive(paths).ok();
    let number = question.listener_port();
    let port = resolver.port(number).map(Arc::as_ref);
    let told = SingleAnswer {
        answer: BatchAnswer::new(&question, table, paths),
        trace: port
            .zip(arrived.as_ref())
            .map(|(_, arrived)| trace(arrived, &resolver.table(number)))
            .unwrap_or_default(),
        identity: args
            .peer_certificate
            .as_deref()
            .map(|path| identity::headers(path, &question, port))
            .transpose()?,
    };
    let text = if args.json {
        serde_json::to_string(&told)? + "\n"
    } else {
        text::render(
            &question,
            arrived.as_ref(),
            &told.trace,
            &serde_json::to_value(&told.answer)?,
        ) + &told.identity.as_ref().map(text::identity).unwrap_or_default()
    };
    print(&text)?;
    Ok(if told.answer.is_found() {
        Conclusion::Good
    } else {
        Conclusion::No
    })
}

fn question(args: &ExplainArgs) -> Result<Question> {
    Method::from_bytes(args.method.as_bytes())
        .with_context(|| format!("--method {}: not a method", args.method))?;
    let text = args.url.as_deref().unwrap_or_default();
    let url: Uri = text.parse().with_context(|| format!("URL {text}: not a URL"))?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!("URL {text}: a URL has a scheme and a host, such as https://a.example/path");
    };
    let mut headers = Vec::new();
    for header in &args.headers {
        let Some((name, value)) = header.split_once(':') else {
            bail!("--header {header}: expected name: value")
        };
        HeaderName::from_bytes(name.trim().as_bytes())
            .with_context(|| format!("--header {header}: {name:?} is not a header's name"))?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Question {
        port: url.port_u16(),
        scheme: scheme.to_owned(),
        method: args.method.clone(),
        authority: authority.to_string(),
        path: url.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers,
        protocol: match args.protocol {
            HttpVersion::Http1 => Protocol::Http1,
            HttpVersion::Http2 => Protocol::Http2,
        },
        ..Question::default()
    })
}
