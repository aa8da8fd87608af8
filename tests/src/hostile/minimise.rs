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
/// Changes of the platform's beside the objects.
const CHANGES: u64 = 4;

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

/// How these objects disturb, if they do.
async fn disturbance(objects: &[String]) -> Result<Option<String>> {
    let mut stage = Stage::start().await?;
    eventually("the platform serves", START, || unharmed(&stage, Edition(0))).await?;
    for (at, object) in objects.iter().enumerate() {
        stage.replace(&format!("hostile-{at:03}.yaml"), Some(object))?;
    }
    for step in 1..=CHANGES {
        stage.publish(Edition(step))?;
        let seen = match arrives(&stage, Edition(step - 1), Edition(step)).await {
            Ok(took) if took > PROMPT => return Ok(Some(format!("a change takes {took:?}"))),
            Ok(_) => after(&mut stage, Edition(step)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = seen {
            return Ok(Some(format!("{error:#}")));
        }
    }
    Ok(None)
}

async fn after(stage: &mut Stage, edition: Edition) -> Result<()> {
    stage.rotate()?;
    rotated(stage).await?;
    unharmed(stage, edition).await?;
    alive(stage).await
}
