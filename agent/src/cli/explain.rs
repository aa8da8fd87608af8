//! `sealgate explain`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::{Context as _, Result, bail};
use http::{HeaderName, Method, Uri};
use sealgate_core::explain::{Answer as Explained, Question, Trial, trials};
use sealgate_core::table::RouteTable;
use serde::de::Error as _;
use serde_json::json;

use super::{Answer, folder, print};
use crate::args::ExplainArgs;

type Tables = BTreeMap<u16, RouteTable>;

pub(super) fn main(args: &ExplainArgs) -> Result<Answer> {
    let engine = folder::load(&args.dir, &args.gateway)?;
    let mut tables = Tables::new();
    for port in &engine.bound().ports {
        tables.insert(port.number, RouteTable::compile(&port.table)?);
    }
    match &args.batch {
        Some(path) if path.as_os_str() == "-" => batch(io::stdin().lock(), &tables),
        Some(path) => {
            let place = || format!("--batch {}", path.display());
            let file = File::open(path).with_context(place)?;
            batch(BufReader::new(file), &tables).with_context(place)
        }
        None => single(args, &tables),
    }
}

fn batch(lines: impl BufRead, tables: &Tables) -> Result<Answer> {
    let mut answer = Answer::Good;
    for line in lines.split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = match read(&line) {
            Ok(question) if (0.0..1.0).contains(&question.draw) => {
                serde_json::to_string(&Explained::new(&question, tables.get(&question.listener_port())))?
            }
            Ok(_) => {
                answer = Answer::Bad;
                json!({"id": null, "error": "draw: from 0 up to, and without, 1"}).to_string()
            }
            Err(error) => {
                answer = Answer::Bad;
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
    serde_json::from_slice(line)
}

fn single(args: &ExplainArgs, tables: &Tables) -> Result<Answer> {
    let question = question(args)?;
    let table = tables.get(&question.listener_port());
    let explained = Explained::new(&question, table);
    if args.json {
        print(&(serde_json::to_string(&explained)? + "\n"))?;
    } else {
        for trial in table.map(|table| trials(&question, table)).unwrap_or_default() {
            print(&describe(&trial))?;
        }
        print(&(serde_json::to_string_pretty(&explained)? + "\n"))?;
    }
    Ok(if explained.is_found() {
        Answer::Good
    } else {
        Answer::No
    })
}

fn describe(trial: &Trial) -> String {
    let block = trial
        .block
        .map(|block| format!(".match[{block}]"))
        .unwrap_or_default();
    let place = format!(
        "VirtualService {} http[{}]{block}",
        trial.virtual_service, trial.rule
    );
    match &trial.failed {
        Some(condition) => format!("{place}: does not match: {condition}\n"),
        None => format!("{place}: matches\n"),
    }
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
        ..Question::default()
    })
}
