//! A measured process: its memory and processor time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Pid;

/// The unit in which Linux counts processes' time.
const TICKS_PER_SECOND: u64 = 100;

/// In a process group of its own; it ends with the value.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
}

/// The processor time of a process.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    /// In nanoseconds, of each thread that lives.
    threads: BTreeMap<u32, u64>,
    /// `utime` and `stime`, of ended threads too.
    ticks: u64,
}

impl Usage {
    /// The time from `earlier` until now: to the nanosecond, if no thread has ended meanwhile.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        if earlier
            .threads
            .keys()
            .any(|thread| !self.threads.contains_key(thread))
        {
            let ticks = self.ticks.saturating_sub(earlier.ticks);
            return Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
        }
        let all = |usage: &Self| usage.threads.values().sum::<u64>();
        Duration::from_nanos(all(self).saturating_sub(all(earlier)))
    }
}

impl Process {
    pub(super) fn spawn(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command
            .process_group(0)
            .stdin(std::process::Stdio::null())
            .spawn()
            .with_context(|| format!("{name} cannot be run"))?;
        Ok(Self { name, child })
    }

    pub(super) fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// # Errors
    /// It has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} has ended: {status}", self.name),
            None => Ok(()),
        }
    }

    fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id()))
    }

    /// Resident, in MB.
    pub(super) fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(self.proc().join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.with_context(|| format!("{} has ended", self.name))?;
        let kilobytes: f64 = resident.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(self.proc().join("task"))? {
            let path = thread?.path();
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(path.join("schedstat")) else {
                continue;
            };
            let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            let running = text.split_whitespace().next().context("schedstat")?.parse()?;
            threads.insert(number.context("a thread without number")?, running);
        }
        let stat = fs::read_to_string(self.proc().join("stat"))?;
        // After the name, which may contain anything.
        let fields = stat.rsplit(") ").next().context("stat")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        Ok(Usage {
            threads,
            ticks: ticks.sum::<Result<u64, _>>()?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let process = Process::spawn("sh", Command::new("sh").args(["-c", "while :; do :; done"])).unwrap();
        let before = process.usage().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let taken = process.usage().unwrap().since(&before);
        assert!(taken > Duration::ZERO, "{taken:?}");
        assert!(process.memory().unwrap() > 0.1);
    }

    #[test]
    fn the_time_of_ended_threads_counts() {
        let usage = |threads: &[(u32, u64)], ticks| Usage {
            threads: threads.iter().copied().collect(),
            ticks,
        };
        let before = usage(&[(1, 500), (2, 700)], 10);
        let went_on = usage(&[(1, 900), (2, 700), (3, 50)], 10);
        assert_eq!(went_on.since(&before), Duration::from_nanos(450));
        let ended = usage(&[(1, 900)], 15);
        assert_eq!(ended.since(&before), Duration::from_millis(50));
    }
}
