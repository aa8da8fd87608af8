//! The run: step after step, until the time is over or the platform is disturbed.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use super::judge::{alive, arrives, rotated, unharmed};
use super::slots::Slots;
use super::stage::{Edition, Stage};
use super::tally::{PROMPT, Tally};
use super::{client, minimise};
use crate::eventually;

const START: Duration = Duration::from_secs(30);
/// The number of steps between checks that are not about a single step.
const LOOK: u64 = 5;
/// The number of steps between rotations of the platform's certificates.
const ROTATION: u64 = 7;
/// The number of steps between restarts of Envoy.
const RESTART: u64 = 250;
/// The number of steps between restarts of the agent.
const AGENT_RESTART: u64 = 170;
/// How many steps are kept for the report.
const KEPT: usize = 20;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct FuzzArgs {
    /// How long.
    pub time: Duration,
    /// Which objects are made.
    pub seed: u64,
    /// None are made: those of this file are tried.
    pub replay: Option<PathBuf>,
}

impl FuzzArgs {
    /// `--seconds N --seed N --replay FILE`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            time: Duration::from_secs(60),
            seed: fastrand::u64(..1_000_000),
            replay: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} wants a value"))?;
            let number = || value.parse().with_context(|| format!("{name} {value}"));
            match name.as_str() {
                "--seconds" => args.time = Duration::from_secs(number()?),
                "--seed" => args.seed = number()?,
                "--replay" => args.replay = Some(value.into()),
                other => bail!("{other}: there are --seconds, --seed and --replay"),
            }
        }
        Ok(args)
    }
}

/// Runs it, and prints what was seen.
///
/// # Errors
/// The platform was disturbed; what did it lies in a folder below `failures`.
pub async fn fuzz(args: &FuzzArgs, failures: &Path) -> Result<()> {
    if let Some(file) = &args.replay {
        return replay(file).await;
    }
    let start = Instant::now();
    let mut run = Run::start(args, failures).await?;
    let mut disturbance = None;
    while start.elapsed() < args.time && disturbance.is_none() {
        disturbance = run.step().await.err();
    }
    run.tally.elapsed = start.elapsed();
    if let Some(error) = disturbance {
        run.tally.disturbances += 1;
        // What it says of itself comes last: the search for less takes its time.
        let folder = run.keep(&error)?;
        writeln_all(&shortened(run.history.back().map_or("", String::as_str)));
        writeln_all(&format!(
            "disturbance at step {}: {error:#}\nkept in {}\n{}",
            run.tally.steps,
            folder.display(),
            run.tally
        ));
        run.minimise(&folder).await?;
        bail!("the platform was disturbed: {error:#}");
    }
    run.look().await?;
    writeln_all(&run.tally.to_string());
    for reason in &run.tally.refused {
        writeln_all(&format!("refused by Envoy: {reason}"));
    }
    Ok(())
}

/// Tries the objects of a file, which `---` parts.
async fn replay(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let objects: Vec<_> = text.split("\n---\n").map(str::to_owned).collect();
    let Some((least, why)) = minimise::minimise(&objects).await? else {
        writeln_all(&format!("{} objects disturb nobody", objects.len()));
        return Ok(());
    };
    writeln_all(&shortened(&least.join("\n---\n")));
    bail!("the platform was disturbed: {why}")
}

/// Long lines are cut: the files have all of them.
fn shortened(text: &str) -> String {
    text.lines().map(|line| format!("{line:.1500}\n")).collect()
}

#[expect(clippy::print_stdout, reason = "a program's output")]
fn writeln_all(text: &str) {
    println!("{text}");
}

struct Run {
    stage: Stage,
    rng: Rng,
    slots: Slots,
    edition: Edition,
    tally: Tally,
    /// The latest steps: each file that was written, or taken away.
    history: VecDeque<String>,
    failures: PathBuf,
}

impl Run {
    async fn start(args: &FuzzArgs, failures: &Path) -> Result<Self> {
        let stage = Stage::start().await?;
        eventually("the platform serves", START, || unharmed(&stage, Edition(0))).await?;
        Ok(Self {
            stage,
            rng: Rng::with_seed(args.seed),
            slots: Slots::default(),
            edition: Edition(0),
            tally: Tally::new(args.seed),
            history: VecDeque::new(),
            failures: failures.to_owned(),
        })
    }

    async fn step(&mut self) -> Result<()> {
        self.tally.steps += 1;
        let mut written = format!("# step {}\n", self.tally.steps);
        for name in self.slots.step(&mut self.rng, &self.stage.ground) {
            let text = self.slots.file(&name);
            self.tally.objects += self.slots.count(&name);
            self.stage.replace(&name, text.as_deref())?;
            written += &format!("# {name}\n{}\n---\n", text.as_deref().unwrap_or("# taken away"));
        }
        self.history.push_back(written);
        if self.history.len() > KEPT {
            self.history.pop_front();
        }
        if self.tally.steps.is_multiple_of(RESTART) {
            self.restart().await.context("a new Envoy")?;
        }
        if self.tally.steps.is_multiple_of(AGENT_RESTART) {
            self.stage.restart_agent().await.context("a new agent")?;
        }
        if self.change().await? > PROMPT {
            // Whatever else the machine does may be slow once.
            let again = self.change().await?;
            ensure!(
                again <= PROMPT,
                "a change of the platform's takes {again:?}, after one that was slow too"
            );
        }
        if self.tally.steps.is_multiple_of(ROTATION) && self.rotate().await? > PROMPT {
            let again = self.rotate().await?;
            ensure!(
                again <= PROMPT,
                "a rotation takes {again:?}, after one that was slow too"
            );
        }
        unharmed(&self.stage, self.edition).await?;
        client::ask(&mut self.rng, &self.stage)
            .await
            .context("a hostile client")?;
        if self.tally.steps.is_multiple_of(LOOK) {
            self.look().await?;
        }
        Ok(())
    }

    /// A new Envoy gets everything at once.
    async fn restart(&mut self) -> Result<()> {
        // Its counters are gone with it.
        self.look().await?;
        self.tally.restarted();
        self.stage.restart().await?;
        eventually("the platform serves", START, || {
            unharmed(&self.stage, self.edition)
        })
        .await
    }

    async fn rotate(&mut self) -> Result<Duration> {
        self.stage.rotate()?;
        self.edition = Edition(self.edition.0 + 1);
        self.stage.publish(self.edition)?;
        let before = Edition(self.edition.0 - 1);
        let rotated = rotated(&self.stage, self.edition).await?;
        let took = rotated + arrives(&self.stage, before, self.edition).await?;
        self.tally.rotation(took);
        Ok(took)
    }

    async fn change(&mut self) -> Result<Duration> {
        let (before, now) = (self.edition, Edition(self.edition.0 + 1));
        self.stage.publish(now)?;
        self.edition = now;
        let took = arrives(&self.stage, before, now).await?;
        self.tally.arrival(took);
        if took > PROMPT {
            let folder = self.keep(&anyhow::anyhow!("a change takes {took:?}"))?;
            writeln_all(&format!(
                "step {}: a change takes {took:?}, {}",
                self.tally.steps,
                folder.display()
            ));
        }
        Ok(took)
    }

    /// What both processes say of themselves.
    async fn look(&mut self) -> Result<()> {
        let site = &self.stage.site;
        alive(&self.stage).await?;
        let counters = site
            .envoy_page("/stats?filter=update_rejected")
            .await
            .context("Envoy")?;
        let numbers = counters
            .lines()
            .filter_map(|line| line.rsplit(": ").next()?.parse::<u64>().ok());
        self.tally.rejected(numbers.sum());
        self.tally.memory = self.tally.memory.max(site.agent_memory()?);
        self.tally.findings(&site.status().await?);
        Ok(())
    }

    /// Everything that helps to see it again.
    fn keep(&self, error: &anyhow::Error) -> Result<PathBuf> {
        let folder = self
            .failures
            .join(format!("seed-{}-step-{}", self.tally.seed, self.tally.steps));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("why.txt"), format!("{error:#}\n"))?;
        fs::write(folder.join("platform.yaml"), self.stage.platform(self.edition))?;
        fs::write(folder.join("hostile.yaml"), self.slots.objects().join("\n---\n"))?;
        let history: String = self.history.iter().map(String::as_str).collect();
        fs::write(folder.join("last-steps.yaml"), &history)?;
        fs::copy(self.stage.site.agent_log(), folder.join("agent.log"))?;
        fs::copy(self.stage.site.envoy_log(), folder.join("envoy.log"))?;
        Ok(folder)
    }

    async fn minimise(self, folder: &Path) -> Result<()> {
        let objects = self.slots.objects();
        // Its ports are free then, and the machine is not busy with it.
        drop(self);
        match minimise::minimise(&objects).await? {
            Some((least, why)) => {
                let text = least.join("\n---\n");
                fs::write(folder.join("minimal.yaml"), format!("{text}\n"))?;
                writeln_all(&format!("so few do it too ({why}):\n{}", shortened(&text)));
            }
            None => writeln_all(
                "the same objects alone do not disturb: it takes the steps before, see last-steps.yaml",
            ),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbers() {
        let parse = |line: &str| FuzzArgs::parse(line.split_whitespace().map(str::to_owned));
        let args = parse("--seconds 5 --seed 7").unwrap();
        assert_eq!((args.time.as_secs(), args.seed), (5, 7));
        for wrong in ["--seconds", "--seconds x", "--steps 4"] {
            parse(wrong).unwrap_err();
        }
    }
}
