//! A request from the page's form, and its explanation.

use sealgate_core::explain::{Protocol, Question};
use sealgate_model::explain::{ClientChain, ExplainAnswer, UpstreamHeader, request, upstream_headers};
use sealgate_model::preview::Preview;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::DeskError;

/// See the module.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequestForm {
    url: String,
    method: String,
    /// Lines, each `name: value`.
    #[serde(default)]
    headers: String,
    #[serde(default)]
    http2: bool,
    /// PEM; empty if the client has none.
    #[serde(default)]
    certificate: String,
}

/// The explanation, and what goes with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhyAnswer {
    /// The Gateway's port.
    port: u16,
    is_found: bool,
    explanation: Value,
    /// The path as rules see it; none if Envoy answers before any rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The headers that the upstream sees; none if there is no upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<UpstreamHeader>>,
}

pub(crate) fn answer(preview: &Preview, form: &RequestForm) -> Result<WhyAnswer, DeskError> {
    let question = form.question()?;
    let client = match form.certificate.trim() {
        "" => None,
        pem => Some(ClientChain::read(pem.as_bytes())?),
    };
    let explained = preview
        .served_host(&question)
        .explain(&question, client.as_ref())?;
    let explanation = serde_json::to_value(&explained)?;
    let (path, headers) = match &explained {
        ExplainAnswer::Stream(_) => (None, None),
        ExplainAnswer::Request(told) => {
            let arrived = told.arrived.as_ref();
            let operations = &explanation["decision"]["requestHeaders"];
            let to_upstream = arrived.filter(|_| explanation["decision"]["type"] == "route");
            let headers = to_upstream
                .map(|arrived| upstream_headers(&question, arrived, operations, told.identity.as_ref()));
            (arrived.map(|arrived| arrived.path.clone()), headers)
        }
    };
    Ok(WhyAnswer {
        port: question.listener_port(),
        is_found: explained.is_found(),
        explanation,
        path,
        headers,
    })
}

impl RequestForm {
    fn question(&self) -> Result<Question, DeskError> {
        let protocol = if self.http2 {
            Protocol::Http2
        } else {
            Protocol::Http1
        };
        let lines = self.headers.lines().map(str::trim);
        let headers = lines.filter(|line| !line.is_empty());
        Ok(request(self.url.trim(), &self.method, headers, protocol)?)
    }
}
