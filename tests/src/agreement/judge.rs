//! Whether what was seen is what was said.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::rules::UPSTREAMS;
use crate::raw::RawAnswer;
use crate::scenario::{Seen, explained, have, mutated, seen};

/// # Errors
/// What differs.
pub(super) fn agree(question: &Value, answer: &Value, got: &RawAnswer) -> Result<()> {
    let says = explained(answer);
    if says.starts_with("refused ") {
        let does = Seen::refusal(got);
        ensure!(does == says, "Envoy: {does}, explain: {says}");
        return Ok(());
    }
    let found = seen(got, &UPSTREAMS)?;
    ensure!(found.outcome == says, "Envoy: {}, explain: {says}", found.outcome);
    let decision = &answer["decision"];
    let said = json!({ "set": decision["cors"] });
    for wanted in [mutated(&decision["responseHeaders"], &[]), mutated(&said, &[])] {
        have(&found.response, &wanted)?;
    }
    let is_marked = [&decision["cors"], &decision["responseHeaders"]["set"]]
        .iter()
        .any(|list| list.to_string().contains("access-control-allow-origin"));
    ensure!(
        is_marked == found.response.contains_key("access-control-allow-origin"),
        "the answer's headers: {:?}",
        found.response
    );
    if decision["type"] == "route" {
        have(
            &found.headers,
            &mutated(&decision["requestHeaders"], &own_headers(question)),
        )?;
    }
    Ok(())
}

/// Without what no client may say.
fn own_headers(question: &Value) -> Vec<(String, String)> {
    let pairs: Vec<(String, String)> =
        serde_json::from_value(question["headers"].clone()).unwrap_or_default();
    let is_own = |name: &str| {
        !["x-forwarded-", "x-envoy-", "x-sealgate-"]
            .iter()
            .any(|other| name.starts_with(other))
    };
    pairs.into_iter().filter(|(name, _)| is_own(name)).collect()
}
