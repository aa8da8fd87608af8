//! `sealgate explain`.

mod answerer;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use sealgate_core::explain::{Protocol, Question};
use sealgate_model::explain::{CertificateError, RequestError, request};
use serde_json::json;

use self::answerer::Answerer;
use super::agent::AgentError;
use super::{Conclusion, input, print};
use crate::args::{ExplainArgs, HttpVersion};
use crate::explain;

pub(super) fn main(args: &ExplainArgs) -> Result<Conclusion> {
    let is_batch_read = args.batch.as_deref().is_some_and(input::is_standard_input);
    let is_dir_read = args.input.dir.as_deref().is_some_and(input::is_standard_input);
    ensure!(
        !(is_batch_read && is_dir_read),
        "--dir - and --batch -: standard input is either the objects or the requests"
    );
    let mut answerer = Answerer::new(args)?;
    match &args.batch {
        Some(_) if is_batch_read => batch(io::stdin().lock(), &mut answerer),
        Some(path) => {
            let place = || format!("--batch {}", path.display());
            let file = File::open(path).with_context(place)?;
            batch(BufReader::new(file), &mut answerer).with_context(place)
        }
        None => single(args, &mut answerer),
    }
}

fn batch(lines: impl BufRead, answerer: &mut Answerer) -> Result<Conclusion> {
    let mut answer = Conclusion::Good;
    for line in lines.split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let text = match answered(&line, answerer)? {
            Ok(text) => text,
            Err(reason) => {
                answer = Conclusion::Bad;
                json!({"id": null, "error": reason}).to_string()
            }
        };
        // Standard input may never end; without a reader there is nothing left to do.
        if !print(&(text + "\n"))? {
            break;
        }
    }
    Ok(answer)
}

/// The answer to a line, or what is wrong with the line.
fn answered(line: &[u8], answerer: &mut Answerer) -> Result<Result<String, String>> {
    let question = match explain::read(line) {
        Ok(question) => question,
        Err(error) => return Ok(Err(error.to_string())),
    };
    match answerer.line(&question) {
        Ok(text) => Ok(Ok(text)),
        Err(error) => match error.downcast_ref::<AgentError>() {
            Some(AgentError::TooLong) => Ok(Err(error.to_string())),
            _ => Err(error),
        },
    }
}

fn single(args: &ExplainArgs, answerer: &mut Answerer) -> Result<Conclusion> {
    let question = question(args)?;
    let path = args.peer_certificate.as_deref().unwrap_or(Path::new(""));
    let place = || format!("--peer-certificate {}", path.display());
    let peer = args.peer_certificate.as_deref().map(fs::read).transpose();
    let peer = peer.with_context(place)?;
    let told = answerer.single(question, peer.as_deref(), args.json);
    let (text, is_found) = match told {
        Err(error) if error.is::<CertificateError>() => Err(error).with_context(place),
        told => told,
    }?;
    print(&text)?;
    Ok(if is_found {
        Conclusion::Good
    } else {
        Conclusion::No
    })
}

fn question(args: &ExplainArgs) -> Result<Question> {
    let protocol = match args.protocol {
        HttpVersion::Http1 => Protocol::Http1,
        HttpVersion::Http2 => Protocol::Http2,
    };
    let url = args.url.as_deref().unwrap_or_default();
    let headers = args.headers.iter().map(String::as_str);
    let question = request(url, &args.method, headers, protocol).map_err(|error| match error {
        // What is left is of a flag.
        RequestError::Url(..) | RequestError::Relative(_) => anyhow!("{error}"),
        RequestError::Method(_) | RequestError::Header(_) | RequestError::HeaderName(..) => {
            anyhow!("--{error}")
        }
    })?;
    ensure!(
        ["http", "https"].contains(&question.scheme.as_str()),
        "URL {url}: the scheme must be http or https"
    );
    Ok(question)
}
