//! The rows with times: from when something is written until it is served.

use std::time::Duration;

use anyhow::Result;

use super::changes::{Change, What};
use super::stand::Stand;
use crate::bench::Times;

/// The pause between two rounds, plus a random one of up to the same length, so that rounds do not align with timers of
/// the agent.
const PAUSE: Duration = Duration::from_millis(60);
/// How many wrong answers are described.
const TOLD: usize = 3;

/// All rounds of one kind.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// To the first right answer.
    pub(super) took: Times,
    /// To the first right handshake, of new hosts.
    pub(super) handshake: Times,
    /// Wrong answers.
    pub(super) wrong: usize,
    /// The first of them.
    pub(super) told: Vec<String>,
}

/// Makes changes of one kind, one after the other. What they add stays until the last has been served.
pub(super) async fn rounds(stand: &Stand, what: What, count: usize) -> Result<Rounds> {
    let mut rounds = Rounds::default();
    let mut made = Vec::new();
    for _ in 0..count {
        let mut change = Change::next(stand, what)?;
        let seen = change.timed(stand).await?;
        rounds.took.push(seen.took);
        if !seen.handshake.is_zero() {
            rounds.handshake.push(seen.handshake);
        }
        rounds.wrong += seen.wrong;
        let room = TOLD.saturating_sub(rounds.told.len());
        rounds.told.extend(seen.told.into_iter().take(room));
        made.push(change);
        tokio::time::sleep(PAUSE + PAUSE.mul_f64(fastrand::f64())).await;
    }
    for change in made {
        change.undo(stand).await?;
    }
    stand.calm().await?;
    Ok(rounds)
}
