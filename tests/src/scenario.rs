//! Scenario tables: objects, requests, and the expected result of each. The same table is compared with `explain` and
//! with the real Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sealgate_core::explain::Question;
use serde::Deserialize;
use serde_json::Value;

use crate::raw::{RawAnswer, RawRequest};

const FOLDER: &str = "tests/data/scenarios";

/// The Gateway of all of them.
pub const GATEWAY: &str = r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: ["*"]
      tls: { mode: SIMPLE, credentialName: edge }
    - port: { number: 80, name: http, protocol: HTTP }
      hosts: ["*.example"]
"#;
/// The upstreams of all of them: `NAME.local`.
pub const UPSTREAMS: [&str; 4] = ["one", "two", "three", "moody"];

/// Header values by name; none is a header that is not there.
pub type Headers = BTreeMap<String, Vec<String>>;

/// A file: documents with objects, and at last the one with the requests.
#[derive(Debug)]
pub struct Scenario {
    /// As they are applied.
    pub objects: String,
    /// In order.
    pub cases: Vec<Case>,
}

/// A request and what becomes of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// What it shows.
    pub case: String,
    /// A line of `explain --batch`.
    pub ask: Value,
    /// `VIRTUAL-SERVICE RULE.BLOCK`.
    pub by: Option<String>,
    /// The upstream that gets it.
    pub to: Option<String>,
    /// The path that it sees, if not the request's.
    pub path: Option<String>,
    /// The host that it sees, if not the request's.
    pub authority: Option<String>,
    /// Headers that it sees.
    #[serde(default)]
    pub headers: Headers,
    /// Headers that the client gets.
    #[serde(default)]
    pub response: Headers,
    /// Of the upstreams, how much each gets of many such requests.
    pub shares: Option<BTreeMap<String, u32>>,
    /// How many times the upstream is tried.
    pub tries: Option<usize>,
    /// The status that the client gets from or for the upstream, if not 200.
    pub ends: Option<u16>,
    /// The time that it has.
    pub timeout_ms: Option<u64>,
    /// `STATUS LOCATION`.
    pub redirect: Option<String>,
    /// `STATUS BODY`.
    pub direct: Option<String>,
    /// `host` or `rule`.
    pub not_found: Option<String>,
    /// The status that Envoy's codec refuses it with, or `end`: the stream ends without one.
    pub refused: Option<String>,
    /// `STATUS MESSAGE` of gRPC, for an answer that is no upstream's.
    pub grpc: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    requests: Vec<Case>,
}

/// All of them, by the names of their files.
///
/// # Errors
/// One cannot be read, or there is none.
pub fn all() -> Result<BTreeMap<String, Scenario>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut scenarios = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let scenario = Scenario::read(&fs::read_to_string(&path)?).with_context(|| name.clone())?;
        scenarios.insert(name, scenario);
    }
    ensure!(!scenarios.is_empty(), "{FOLDER} is empty");
    Ok(scenarios)
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// It is not one.
    pub fn read(text: &str) -> Result<Self> {
        let (objects, requests) = text
            .rsplit_once("\n---\n")
            .context("the requests are the last document")?;
        let Requests { requests } = serde_saphyr::from_str(requests)?;
        Ok(Self {
            objects: objects.to_owned() + "\n",
            cases: requests,
        })
    }
}

impl Case {
    /// The request.
    ///
    /// # Errors
    /// It is none.
    pub fn question(&self) -> Result<Question> {
        serde_json::from_value(self.ask.clone()).context(self.case.clone())
    }

    /// The request as it is sent.
    ///
    /// # Errors
    /// It is none.
    pub fn request(&self) -> Result<RawRequest> {
        let question = self.question()?;
        let bytes = |(name, value): (String, String)| (name.into_bytes(), value.into_bytes());
        Ok(RawRequest {
            method: question.method.into(),
            target: question.path.into(),
            host: Some(question.authority.into()),
            headers: question.headers.into_iter().map(bytes).collect(),
        })
    }

    /// The outcome in one line, as [`explained`] and [`seen`] say it.
    ///
    /// # Errors
    /// The table says nothing, or the request is none.
    pub fn expected(&self) -> Result<String> {
        let question = self.question()?;
        if let Some(status) = &self.refused {
            return Ok(format!("refused {status}"));
        }
        if let Some(grpc) = &self.grpc {
            return Ok(format!("grpc {grpc}"));
        }
        Ok(match (&self.to, &self.redirect, &self.direct, &self.not_found) {
            (Some(to), None, None, None) => {
                let path = self.path.as_ref().unwrap_or(&question.path);
                let authority = self.authority.as_ref().unwrap_or(&question.authority);
                format!("to {to} with {path} of {authority}")
            }
            (None, Some(redirect), None, None) => format!("redirect {redirect}"),
            (None, None, Some(direct), None) => format!("direct {direct}"),
            (None, None, None, Some(_)) => "not found".to_owned(),
            other => anyhow::bail!("{}: one outcome: {other:?}", self.case),
        })
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What an answer of `explain` says.
#[must_use]
pub fn explained(answer: &Value) -> String {
    let decision = &answer["decision"];
    let at = |pointer| text(decision, pointer);
    if let Some(grpc) = answer.get("grpc") {
        return format!("grpc {} {}", grpc["status"], text(grpc, "/message"));
    }
    match at("/type") {
        "route" => format!(
            "to {} with {} of {}",
            upstream_of(at("/cluster")),
            at("/path"),
            at("/authority")
        ),
        "redirect" => format!("redirect {} {}", decision["status"], at("/location")),
        "directResponse" => format!("direct {} {}", decision["status"], at("/body")),
        "notFound" => "not found".to_owned(),
        "failure" => match decision["status"].as_u64() {
            Some(status) => format!("refused {status}"),
            None => "refused end".to_owned(),
        },
        _ => answer.to_string(),
    }
}

/// `outbound|80||one.local` is `one`.
#[must_use]
pub fn upstream_of(cluster: &str) -> &str {
    let host = cluster.rsplit('|').next().unwrap_or_default();
    host.strip_suffix(".local").unwrap_or(host)
}

/// Headers after the operations that an answer of `explain` names: remove, then set, then add.
#[must_use]
pub fn mutated(mutations: &Value, before: &[(String, String)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in before {
        let values = headers.entry(name.to_ascii_lowercase()).or_default();
        values.push(value.clone());
    }
    let list = |name: &str| mutations[name].as_array().cloned().unwrap_or_default();
    for name in list("remove") {
        headers.insert(text(&name, "").to_owned(), Vec::new());
    }
    for pair in list("set") {
        headers.insert(text(&pair, "/0").to_owned(), vec![text(&pair, "/1").to_owned()]);
    }
    for pair in list("add") {
        let values = headers.entry(text(&pair, "/0").to_owned()).or_default();
        values.push(text(&pair, "/1").to_owned());
    }
    headers
}

/// What came of a request that was sent.
#[derive(Debug)]
pub struct Seen {
    /// In one line.
    pub outcome: String,
    /// What the upstream saw.
    pub headers: Headers,
    /// What the client got.
    pub response: Headers,
}

impl Seen {
    /// In one line, where `explain` says that Envoy refuses the request: it does not tell the body.
    #[must_use]
    pub fn refusal(answer: &RawAnswer) -> String {
        match answer.status {
            Some(status) => format!("refused {status}"),
            None => "refused end".to_owned(),
        }
    }
}

/// Reads an answer: one of an upstream begins with its name and the head that it saw.
///
/// # Errors
/// There is none.
pub fn seen(answer: &RawAnswer, upstreams: &[&str]) -> Result<Seen> {
    let status = answer.status.context("no answer")?;
    let response = headers(&answer.head);
    let first = answer.body.lines().next().unwrap_or_default();
    let from_upstream = upstreams.contains(&first) && answer.body.contains('\n');
    let (outcome, headers) = if from_upstream {
        let head = answer.body.split_once('\n').unwrap_or_default().1;
        let headers = headers(head);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let authority = headers.get("host").cloned().unwrap_or_default().concat();
        (format!("to {first} with {path} of {authority}"), headers)
    } else if let Some(grpc) = response.get("grpc-status") {
        let message = response.get("grpc-message").cloned().unwrap_or_default();
        (
            format!("grpc {} {}", grpc.concat(), message.concat()),
            Headers::new(),
        )
    } else if let Some(location) = response.get("location") {
        (format!("redirect {status} {}", location.concat()), Headers::new())
    } else if status == 404 && answer.body.is_empty() {
        ("not found".to_owned(), Headers::new())
    } else {
        (format!("direct {status} {}", answer.body), Headers::new())
    };
    Ok(Seen {
        outcome,
        headers,
        response,
    })
}

/// The headers below a first line.
pub(crate) fn headers(head: &str) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
        let values = headers.entry(name.to_ascii_lowercase()).or_default();
        // One space belongs to the form; more of them came with the value.
        values.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
    }
    headers
}

/// Whether the headers that are `wanted` are there, and no other values of them. Several values of one name say what one
/// does that holds them all.
///
/// # Errors
/// The first that differs.
pub fn have(found: &Headers, wanted: &Headers) -> Result<()> {
    for (name, values) in wanted {
        let own = found.get(name).cloned().unwrap_or_default();
        ensure!(
            together(name, &own) == together(name, values),
            "{name}: {own:?} instead of {values:?}"
        );
    }
    Ok(())
}

/// Several values of one name as one.
pub(crate) fn together(name: &str, values: &[String]) -> String {
    let is_cookie = name == "cookie";
    let mut all = String::new();
    for value in values {
        // What is empty adds nothing, but for a cookie's sign.
        if !all.is_empty() && (is_cookie || !value.is_empty()) {
            all.push_str(if is_cookie { "; " } else { "," });
        }
        all.push_str(value);
    }
    all
}
