//! Who answers: an engine that has read the objects here, or a running agent.

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sealgate_core::explain::{Protocol, Question};
use sealgate_model::explain::{ClientChain, Explainer};
use serde_json::json;

use super::super::agent::{AgentClient, AgentError};
use super::super::input;
use crate::admin::explain::FOUND;
use crate::args::ExplainArgs;
use crate::engine::Engine;
use crate::explain;

/// A longer target is none of HTTP's that our server takes.
const LONGEST: usize = 60_000;

/// See the module.
pub(super) enum Answerer {
    Here(Box<Engine>, Box<Explainer>),
    There(AgentClient),
}

impl Answerer {
    pub(super) fn new(args: &ExplainArgs) -> Result<Self> {
        if let Some(agent) = args.input.agent() {
            return Ok(Self::There(AgentClient::new(&agent)?));
        }
        let engine = input::load(&args.input, &args.gateway)?;
        let explainer = Explainer::new(engine.resolver(), engine.paths())?;
        Ok(Self::Here(Box::new(engine), Box::new(explainer)))
    }

    /// A line of a batch's answers.
    pub(super) fn line(&mut self, question: &Question) -> Result<String> {
        match self {
            Self::Here(engine, explainer) => Ok(serde_json::to_string(
                &explainer.line(engine.resolver(), question),
            )?),
            Self::There(agent) => Ok(ask(agent, question, "line", None)?.0.trim_end().to_owned()),
        }
    }

    /// The whole answer, for people or programs, and whether the request leads anywhere.
    pub(super) fn single(
        &mut self,
        question: Question,
        peer: Option<&[u8]>,
        is_json: bool,
    ) -> Result<(String, bool)> {
        match self {
            Self::Here(engine, explainer) => {
                let client = peer.map(ClientChain::read).transpose()?;
                let told = explainer.explain(engine.resolver(), &question, client.as_ref());
                let text = if is_json {
                    serde_json::to_string(&told)? + "\n"
                } else {
                    explain::text(&question, &told)?
                };
                Ok((text, told.is_found()))
            }
            Self::There(agent) => ask(agent, &question, if is_json { "json" } else { "text" }, peer),
        }
    }
}

/// What the agent answers, and whether the request leads anywhere.
fn ask(
    agent: &mut AgentClient,
    question: &Question,
    format: &str,
    peer: Option<&[u8]>,
) -> Result<(String, bool)> {
    let mut path = format!(
        "/api/explain?format={format}&question={}",
        encoded(&written(question))
    );
    if let Some(pem) = peer {
        path = format!(
            "{path}&peerCertificate={}",
            encoded(&String::from_utf8_lossy(pem))
        );
    }
    if path.len() > LONGEST {
        return Err(AgentError::TooLong.into());
    }
    let answer = agent.get(&path)?;
    let is_found = answer.headers().get(FOUND).is_some_and(|found| found == "true");
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    Ok((text, is_found))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The question as a line of a batch.
fn written(question: &Question) -> String {
    let protocol = match question.protocol {
        Protocol::Http1 => "HTTP/1.1",
        Protocol::Http2 => "HTTP/2",
    };
    json!({
        "id": question.id,
        "port": question.port,
        "scheme": question.scheme,
        "method": question.method,
        "authority": question.authority,
        "path": question.path,
        "headers": question.headers,
        "draw": question.draw,
        "delayDraw": question.delay_draw,
        "abortDraw": question.abort_draw,
        "protocol": protocol,
    })
    .to_string()
}
