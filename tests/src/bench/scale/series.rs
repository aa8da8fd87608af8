//! The cost of changes under load: processor time, and the latency of the load. First, there is a quiet period with the
//! same requests and without changes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::changes::{Change, What};
use super::load::{Load, Window};
use super::poll::LIMIT;
use super::process::Usage;
use super::stand::Stand;

/// From one change to the next, unless it takes longer to be served.
const EVERY: Duration = Duration::from_millis(200);
/// How often the result is checked: rarely, because checks cost time, too.
const LOOK: Duration = Duration::from_millis(20);
/// Time for acknowledgements and counters, which are part of a change but come after it.
const AFTER: Duration = Duration::from_millis(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Series {
    /// The agent's processor time of one change, in ms, without the load's share.
    pub(super) agent: f64,
    /// The same for Envoy.
    pub(super) envoy: f64,
    /// The load without changes.
    pub(super) quiet: Window,
    /// The load with changes.
    pub(super) changing: Window,
}

/// Processor time of both, from a given time on.
struct Meter<'s> {
    stand: &'s Stand,
    start: Instant,
    before: (Usage, Usage),
}

impl<'s> Meter<'s> {
    fn start(stand: &'s Stand) -> Result<Self> {
        Ok(Self {
            stand,
            start: Instant::now(),
            before: (stand.machine.agent()?.usage()?, stand.machine.envoy()?.usage()?),
        })
    }

    /// In ms, of the agent and of Envoy.
    fn read(&self) -> Result<(f64, f64)> {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let machine = &self.stand.machine;
        let agent = millis(machine.agent()?.usage()?.since(&self.before.0));
        let envoy = millis(machine.envoy()?.usage()?.since(&self.before.1));
        Ok((agent, envoy))
    }
}

/// Makes this many changes of one kind.
pub(super) async fn series(stand: &Stand, load: &Load, what: What, count: usize) -> Result<Series> {
    let quiet = Meter::start(stand)?;
    let mut made = vec![];
    // Looks at something that does not exist or has not changed yet: the cost of an answer hardly depends on that.
    let mut idle = Change::next(
        stand,
        if what == What::Host {
            What::Route
        } else {
            What::Rule
        },
    )?;
    while quiet.start.elapsed() < EVERY * u32::try_from(count)? {
        idle.is_served().await;
        tokio::time::sleep(LOOK).await;
    }
    let (agent_quiet, envoy_quiet) = quiet.read()?;
    let (quiet_window, quiet_time) = (load.since(quiet.start), quiet.start.elapsed());
    let changing = Meter::start(stand)?;
    for at in 1..=u32::try_from(count)? {
        let mut change = Change::next(stand, what)?;
        change.carry_out(stand).await?;
        let written = Instant::now();
        while !change.is_served().await {
            ensure!(written.elapsed() < LIMIT, "{what:?}: not served within {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
        made.push(change);
        tokio::time::sleep(AFTER).await;
        tokio::time::sleep_until((changing.start + EVERY * at).into()).await;
    }
    let (agent, envoy) = changing.read()?;
    let (changing_window, changing_time) = (load.since(changing.start), changing.start.elapsed());
    for change in made {
        change.undo(stand).await?;
    }
    stand.calm().await?;
    // On a busy machine, the probe sends fewer requests: Envoy's share of the load is proportional to answers, the
    // agent's to time.
    let answers = changing_window.answers() / quiet_window.answers().max(1.0);
    let time = changing_time.as_secs_f64() / quiet_time.as_secs_f64();
    Ok(Series {
        agent: (agent - agent_quiet * time) / count as f64,
        envoy: (envoy - envoy_quiet * answers) / count as f64,
        quiet: quiet_window,
        changing: changing_window,
    })
}
