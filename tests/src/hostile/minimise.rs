//! Leaves out the objects that a disturbance does not need, each try with an agent and an Envoy of its own.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::judge::{alive, arrives, rotated, unharmed};
use super::stage::{Edition, Stage};
use super::tally::PROMPT;
use crate::eventually;

/// So long is tried.
const LIMIT: Duration = Duration::from_secs(120);
const START: Duration = Duration::from_secs(20);
/// Changes of the platform's after the last object.
const CHANGES: usize = 4;

/// The fewest objects that were found to disturb, and how they do; none if all of them together do not, on machines that
/// have just started.
///
/// # Errors
/// Nothing starts.
pub(super) async fn minimise(objects: &[String]) -> Result<Option<(Vec<String>, String)>> {
    let (start, mut least) = (Instant::now(), objects.to_vec());
    let Some(mut why) = disturbance(&least).await? else {
        return Ok(None);
    };
    let mut at = 0;
    while at < least.len() && start.elapsed() < LIMIT {
        let mut fewer = least.clone();
        fewer.remove(at);
        match disturbance(&fewer).await? {
            Some(reason) => (least, why) = (fewer, reason),
            None => at += 1,
        }
    }
    Ok(Some((least, why)))
}

/// How these objects disturb, if they do, when they come one after the other.
async fn disturbance(objects: &[String]) -> Result<Option<String>> {
    let mut stage = Stage::start().await?;
    eventually("the platform serves", START, || unharmed(&stage, Edition(0))).await?;
    let written = objects.iter().map(Some).chain([None; CHANGES]);
    for (at, object) in (0..).zip(written) {
        if let Some(object) = object {
            stage.replace(&format!("hostile-{at:03}.yaml"), Some(object))?;
        }
        match change(&mut stage, at).await {
            Ok(took) if took > PROMPT => return Ok(Some(format!("a change takes {took:?}"))),
            Ok(_) => {}
            Err(error) => return Ok(Some(format!("{error:#}"))),
        }
    }
    stage.restart().await?;
    let last = Edition(2 * u64::try_from(objects.len() + CHANGES)?);
    let again = eventually("a new Envoy serves the platform", START, || {
        unharmed(&stage, last)
    })
    .await;
    Ok(again.err().map(|error| format!("{error:#}")))
}

/// A change of the platform's, then a rotation.
async fn change(stage: &mut Stage, at: u64) -> Result<Duration> {
    let [before, now, then] = [0, 1, 2].map(|more| Edition(2 * at + more));
    stage.publish(now)?;
    let took = arrives(stage, before, now).await?;
    stage.rotate()?;
    stage.publish(then)?;
    let rotated = rotated(stage, then).await?;
    arrives(stage, now, then).await?;
    unharmed(stage, then).await?;
    alive(stage).await?;
    Ok(took.max(rotated))
}
