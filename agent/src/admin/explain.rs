//! `/api/explain`: where a request would go now, and why. Changes nothing, and never shows a key.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sealgate_core::explain::{Protocol, Question};
use sealgate_core::table::TableError;
use sealgate_model::explain::{CertificateError, ClientChain, RequestError, ServedHost, request};
use thiserror::Error;

use super::AdminSources;
use super::parameters::{BadParameters, parameters};
use crate::explain;

/// Whether the request leads anywhere: the exit status of `sealgate explain`.
pub(crate) const FOUND: HeaderName = HeaderName::from_static("x-sealgate-found");

/// The question, and the form of the answer.
#[derive(Debug)]
struct ExplainQuery {
    question: Question,
    form: AnswerForm,
    /// A client's certificate, as PEM.
    peer: Option<String>,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerForm {
    /// As `sealgate explain --json` prints it.
    #[default]
    Json,
    /// As `sealgate explain` prints it.
    Text,
    /// As `sealgate explain --batch` prints it.
    Line,
}

/// Why a query is not a question.
#[derive(Debug, Error)]
enum BadQuestion {
    #[error(transparent)]
    Parameters(#[from] BadParameters),
    #[error("question: {0}")]
    Question(serde_json::Error),
    #[error(transparent)]
    Url(#[from] RequestError),
    #[error("format={0}: expected json, text or line")]
    Form(String),
    #[error("protocol={0}: expected HTTP/1.1 or HTTP/2")]
    Protocol(String),
    #[error("expected either question, or url with method, protocol and header")]
    None,
}

/// Why there is no answer.
#[derive(Debug, Error)]
enum NoAnswer {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

pub(super) async fn explain(
    State(AdminSources { engine, .. }): State<AdminSources>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = match ExplainQuery::read(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(error) => return said(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if !engine.is_synced() {
        return said(StatusCode::SERVICE_UNAVAILABLE, "the first list is not complete");
    }
    let (form, peer) = (query.form, query.peer);
    let answer = move |question, served| answer(form, question, &served, peer.as_deref());
    match engine.asker().ask(query.question, answer).await {
        Some(Ok((text, is_found))) => {
            let found = if is_found { "true" } else { "false" };
            let headers = [(header::CONTENT_TYPE, form.content_type()), (FOUND, found)];
            (headers, text).into_response()
        }
        Some(Err(error @ NoAnswer::Certificate(_))) => {
            said(StatusCode::BAD_REQUEST, &format!("peerCertificate: {error}"))
        }
        Some(Err(error)) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        None => said(StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping"),
    }
}

fn answer(
    form: AnswerForm,
    question: Question,
    served: &ServedHost,
    peer: Option<&str>,
) -> Result<(String, bool), NoAnswer> {
    let client = peer.map(|pem| ClientChain::read(pem.as_bytes())).transpose()?;
    let told = served.explain(&question, client.as_ref())?;
    let text = match form {
        AnswerForm::Json => serde_json::to_string(&told)? + "\n",
        AnswerForm::Text => explain::text(&question, &told)?,
        AnswerForm::Line => serde_json::to_string(&served.line(&question)?)? + "\n",
    };
    Ok((text, told.is_found()))
}

fn said(status: StatusCode, message: &str) -> Response {
    (status, format!("{message}\n")).into_response()
}

impl AnswerForm {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::Line => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl ExplainQuery {
    fn read(query: &str) -> Result<Self, BadQuestion> {
        let known = [
            "question",
            "url",
            "method",
            "protocol",
            "header",
            "format",
            "peerCertificate",
        ];
        let found = parameters(query, &known)?;
        let one = |name| values(&found, name).next().map(String::as_str);
        let question = match (one("question"), one("url")) {
            (Some(text), None) => explain::read(text.as_bytes()).map_err(BadQuestion::Question)?,
            (None, Some(url)) => {
                let headers = values(&found, "header").map(String::as_str);
                let protocol = protocol(one("protocol").unwrap_or("HTTP/1.1"))?;
                request(url, one("method").unwrap_or("GET"), headers, protocol)?
            }
            _ => return Err(BadQuestion::None),
        };
        let form = match one("format").unwrap_or("json") {
            "json" => AnswerForm::Json,
            "text" => AnswerForm::Text,
            "line" => AnswerForm::Line,
            other => return Err(BadQuestion::Form(other.to_owned())),
        };
        Ok(Self {
            question,
            form,
            peer: one("peerCertificate").map(str::to_owned),
        })
    }
}

fn values<'p>(found: &'p [(String, String)], name: &'p str) -> impl Iterator<Item = &'p String> {
    let own = found.iter().filter(move |(own, _)| own == name);
    own.map(|(_, value)| value)
}

fn protocol(word: &str) -> Result<Protocol, BadQuestion> {
    match word.to_ascii_uppercase().as_str() {
        "HTTP/1.1" => Ok(Protocol::Http1),
        "HTTP/2" => Ok(Protocol::Http2),
        _ => Err(BadQuestion::Protocol(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_url_or_an_object() {
        let read = |query: &str| ExplainQuery::read(query).map_err(|error| error.to_string());
        let query =
            read("url=https%3A%2F%2Fa.example%3A8443%2Fx%3Fy%3D1&header=x-a%3A+1&header=x-b:2&format=text");
        let query = query.unwrap();
        assert_eq!(query.form, AnswerForm::Text);
        assert_eq!(
            (query.question.port, &*query.question.path),
            (Some(8443), "/x?y=1")
        );
        let headers = [
            ("x-a".to_owned(), "1".to_owned()),
            ("x-b".to_owned(), "2".to_owned()),
        ];
        assert_eq!(query.question.headers, headers);
        let query = read("question=%7B%22authority%22%3A%22a%22%2C%22id%22%3A7%7D").unwrap();
        assert_eq!((&*query.question.authority, query.question.id), ("a", 7.into()));
        for (bad, word) in [
            ("", "expected either"),
            ("url=https://a/&question={}", "expected either"),
            ("url=/a", "a URL has a scheme"),
            ("url=https://a/&method=G+T", "G T"),
            ("url=https://a/&protocol=HTTP/3", "HTTP/3"),
            ("url=https://a/&format=xml", "xml"),
            ("url=https://a/&header=x", "expected name: value"),
            ("url=https://a/&heder=x:1", "heder"),
            ("question=[]", "not a list"),
            ("question={\"authority\":\"a\",\"draw\":1}", "draw"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }
}
