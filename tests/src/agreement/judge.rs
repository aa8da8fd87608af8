//! Compares what happened with what `explain` said.

use anyhow::{Context as _, Result, ensure};
use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::Question;
use serde_json::{Value, json};

use super::headers::{Way, exact};
use super::pools::{OF_UPSTREAMS, SNI, UPSTREAMS};
use super::requests::Asked;
use crate::raw::RawAnswer;
use crate::scenario::{Headers, Seen, explained, mutated, seen};

/// Compares every header, except those in [`super::headers`].
///
/// # Errors
/// What differs.
pub(super) fn agree(asked: &Asked, answer: &Value, got: &RawAnswer) -> Result<()> {
    let answer = &with_facts(answer, got)?;
    let is_head = asked.text("method") == "HEAD";
    let says = if is_head {
        without_body(answer)
    } else {
        explained(answer)
    };
    if says.starts_with("refused ") {
        let does = Seen::refusal(got);
        ensure!(does == says, "Envoy: {does}, explain: {says}");
        return Ok(());
    }
    let found = seen(got, &UPSTREAMS).with_context(|| format!("explain: {says}, got {got:?}"))?;
    ensure!(found.outcome == says, "Envoy: {}, explain: {says}", found.outcome);
    let decision = &answer["decision"];
    let cors = json!({ "set": decision["cors"] });
    let answered = pairs(mutated(&decision["responseHeaders"], &sent_by(answer)));
    exact(&found.response, &mutated(&cors, &answered), Way::ToClient).context("of the response")?;
    if decision["type"] == "route" {
        let wanted = mutated(&decision["requestHeaders"], &arrived(asked)?);
        exact(&found.headers, &wanted, Way::ToUpstream).context("of the request")?;
    }
    Ok(())
}

/// What `explain` cannot know, and this run does.
fn with_facts(answer: &Value, got: &RawAnswer) -> Result<Value> {
    let status = got.status.unwrap_or_default().to_string();
    let text = answer
        .to_string()
        .replace("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "127.0.0.1")
        .replace("%REQUESTED_SERVER_NAME%", SNI)
        .replace("%DOWNSTREAM_TLS_VERSION%", "TLSv1.3")
        .replace("%RESPONSE_CODE%", &status);
    Ok(serde_json::from_str(&text)?)
}

/// As [`seen`] says what has no body; an upstream's has one all the same, in [`crate::echo::UNSAID`].
fn without_body(answer: &Value) -> String {
    let decision = &answer["decision"];
    if answer.get("grpc").is_some() || decision["type"] != "directResponse" {
        return explained(answer);
    }
    match decision["status"].as_u64() {
        Some(404) => "not found".to_owned(),
        _ => format!("direct {} ", decision["status"]),
    }
}

/// The headers of an answer before rules change them.
fn sent_by(answer: &Value) -> Vec<(String, String)> {
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let decision = &answer["decision"];
    if answer.get("grpc").is_some() {
        let mut headers = one("content-type", "application/grpc");
        if let Some(location) = decision["location"].as_str() {
            headers.extend(one("location", location));
        }
        return headers;
    }
    match decision["type"].as_str() {
        Some("route") => OF_UPSTREAMS
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        Some("redirect") => one("location", decision["location"].as_str().unwrap_or_default()),
        Some("directResponse") if decision["body"] != "" => one("content-type", "text/plain"),
        _ => Vec::new(),
    }
}

/// The request's headers as rules see them.
fn arrived(asked: &Asked) -> Result<Vec<(String, String)>> {
    let mut question: Question = serde_json::from_value(asked.question.clone())?;
    // Its path is not compared here.
    question.path = "/".to_owned();
    let arrived = question.arrive(PathPolicy::default());
    let arrived = arrived.map_err(|early| anyhow::anyhow!("{early:?}, although a rule took it"))?;
    Ok(arrived.headers)
}

fn pairs(headers: Headers) -> Vec<(String, String)> {
    let each = headers.into_iter();
    each.flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
        .collect()
}
