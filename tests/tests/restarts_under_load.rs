//! No request fails while the agent, Envoy, or both restart, even if objects that were served are now rejected, deleted
//! or unreadable. Real agent, real Envoy and its hot restart, constant requests.

mod kinds;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::Version;
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;
use sealgate_tests::steady::{Expected, Secure, Steady, Target};
use sealgate_tests::{echo, eventually};
use tempfile::TempDir;

use self::kinds::{KINDS, Kind, Reach, base};

const SOON: Duration = Duration::from_secs(20);
/// Longer than Envoy waits for clusters, and then for listeners, unless it is told to wait for ever (15 s each).
const AWAY: Duration = Duration::from_secs(35);

struct Stand {
    _state: TempDir,
    site: Site,
    kinds: Vec<Kind>,
    targets: Vec<Target>,
}

/// Who signs, whom bundles named before, and the clients of both.
struct Trust {
    new: Authority,
    old: Authority,
    client: Leaf,
    stranger: Leaf,
}

impl Trust {
    fn new() -> Result<Self> {
        let [new, old] = [Authority::new("new")?, Authority::new("old")?];
        Ok(Self {
            client: new.leaf(&["client.test"])?,
            stranger: old.leaf(&["client.test"])?,
            new,
            old,
        })
    }
}

impl Stand {
    /// Good objects of these kinds are served, and then each of them goes bad.
    async fn start(keeps_state: bool, kinds: &[Kind]) -> Result<Self> {
        Self::start_with(keeps_state, kinds, &[]).await
    }

    /// The same with more flags of the agent.
    async fn start_with(keeps_state: bool, kinds: &[Kind], flags: &[&str]) -> Result<Self> {
        let state = TempDir::new()?;
        let folder = state.path().join("state").display().to_string();
        let folder = if keeps_state { folder } else { String::new() };
        let mut all = vec![format!("--state-dir={folder}")];
        all.extend(flags.iter().map(ToString::to_string));
        let site = Site::start_with(all).await?;
        let mut stand = Self {
            _state: state,
            site,
            kinds: kinds.to_vec(),
            targets: Vec::new(),
        };
        stand.write().await?;
        for target in &stand.targets {
            for version in [Version::H1, Version::H2] {
                eventually(target.host, SOON, || target.ask(version)).await?;
            }
        }
        for kind in kinds {
            kind.spoil(&stand.site.dir()).context(kind.name)?;
        }
        eventually("each fault is found", SOON, || stand.is_said()).await?;
        Ok(stand)
    }

    async fn write(&mut self) -> Result<()> {
        let dir = self.site.dir();
        let trust = Trust::new()?;
        let (app, other) = (echo::start("app").await?, echo::start("other").await?);
        self.site
            .write("base.yaml", &base(app, other, self.site.httpbin))?;
        // It is under way while an Envoy is drained.
        self.targets.push(Target {
            port: self.site.http,
            secure: None,
            host: "slow.test",
            path: "/delay/2",
            expected: Expected::From("done"),
        });
        for kind in self.kinds.clone() {
            let mut secure = None;
            if kind.reach != Reach::Plain {
                let leaf = trust.new.leaf(&[kind.host])?;
                leaf.write(&dir.join(kind.name))?;
                let own = (kind.reach == Reach::Mutual).then_some(&trust.client);
                secure = Some(Secure::new(&leaf, own)?);
                if kind.reach == Reach::Mutual {
                    // Once there is the other bundle, this one is not used.
                    trust.old.write(&dir.join(kind.name))?;
                    trust.new.write(&dir.join(format!("{}-cacert", kind.name)))?;
                    let stranger = Secure::new(&leaf, Some(&trust.stranger))?;
                    self.expect(kind, Some(stranger), "/", Expected::Nothing);
                }
            }
            kind.write(&dir, app)?;
            if kind.name == "rule" {
                self.expect(kind, None, "/rule", Expected::From("app"));
                self.expect(kind, None, "/", Expected::From("other"));
            } else {
                self.expect(kind, secure, "/", Expected::From("app"));
            }
        }
        Ok(())
    }

    fn expect(&mut self, kind: Kind, secure: Option<Secure>, path: &'static str, expected: Expected) {
        let port = if secure.is_some() {
            self.site.https
        } else {
            self.site.http
        };
        self.targets.push(Target {
            port,
            secure,
            host: kind.host,
            path,
            expected,
        });
    }

    /// Of each kind the agent says that it is bad.
    async fn is_said(&self) -> Result<()> {
        let status = self.site.status().await?;
        let findings = status["refusals"].as_array().context("no refusals")?;
        let mut objects: Vec<_> = findings
            .iter()
            .filter_map(|finding| finding["object"].as_str()?.split(' ').nth(1))
            .collect();
        objects.dedup();
        for kind in self.kinds.iter().filter(|kind| !kind.said.is_empty()) {
            ensure!(objects.contains(&kind.said), "not {}: {objects:?}", kind.said);
        }
        Ok(())
    }

    #[expect(clippy::print_stderr, reason = "how much of a load it was")]
    /// Runs something under load: nothing fails in the meantime, nor for a while after it, and the agent says what it did.
    async fn under_load(&mut self, what: &str, run: impl AsyncFnOnce(&mut Site) -> Result<()>) -> Result<()> {
        let load = Steady::start(&self.targets);
        load.round().await;
        run(&mut self.site).await.context(what.to_owned())?;
        load.round().await;
        let seen = load.stop().await;
        eprintln!(
            "{what}: {} answers on {} connections in {:.1} s, {} failed",
            seen.answered, seen.connections, seen.seconds, seen.failed
        );
        seen.check().with_context(|| format!("{what}; {}", self.said()))?;
        eventually("the faults are known", SOON, || self.is_said()).await
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.site.envoy_log()).unwrap_or_default()
    }
}

async fn restart_agent(site: &mut Site) -> Result<()> {
    site.kill_agent();
    site.start_agent().await
}

async fn restart_envoy(site: &mut Site) -> Result<()> {
    site.spawn_successor()?;
    site.successor_takes_over().await
}

/// The agent first: Envoy does not wait until it is ready.
async fn restart_both(site: &mut Site) -> Result<()> {
    site.kill_agent();
    site.spawn_agent()?;
    site.spawn_successor()?;
    site.agent_ready().await?;
    site.successor_takes_over().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_while_one_of_them_starts_anew() -> Result<()> {
    let mut stand = Stand::start(true, &KINDS).await?;
    stand.under_load("agent", restart_agent).await?;
    stand.under_load("Envoy", restart_envoy).await?;
    // Each of them knows what the one before it knew only because that one had kept it.
    stand.under_load("agent again", restart_agent).await?;
    stand.under_load("Envoy again", restart_envoy).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_while_both_start_anew() -> Result<()> {
    let mut stand = Stand::start(true, &KINDS).await?;
    stand.under_load("agent first", restart_both).await?;
    let envoy_first = async |site: &mut Site| {
        site.spawn_successor()?;
        restart_agent(site).await?;
        site.successor_takes_over().await
    };
    stand.under_load("Envoy first", envoy_first).await
}

/// An Envoy that has taken over has no certificate until a handshake asks for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_where_certificates_come_on_demand() -> Result<()> {
    let mut stand = Stand::start_with(true, &KINDS, &["--on-demand-from=1"]).await?;
    stand.under_load("on demand, agent", restart_agent).await?;
    stand.under_load("on demand, Envoy", restart_envoy).await?;
    stand.under_load("on demand, both", restart_both).await
}

/// An Envoy without an agent takes nothing over, however long that lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_while_an_envoy_starts_whose_agent_is_away() -> Result<()> {
    let mut stand = Stand::start(true, &KINDS).await?;
    let away = async |site: &mut Site| {
        site.kill_agent();
        site.spawn_successor()?;
        tokio::time::sleep(AWAY).await;
        ensure!(!site.successor_serves().await?, "it serves without an agent");
        site.start_agent().await?;
        site.successor_takes_over().await
    };
    stand.under_load("the agent away", away).await
}

/// The agent's memory has what a new Envoy needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_nothing_fails_while_envoy_starts_anew() -> Result<()> {
    let mut stand = Stand::start(false, &KINDS).await?;
    stand.under_load("Envoy", restart_envoy).await
}

/// Envoy has what a new agent cannot know, as far as that is a resource of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_nothing_fails_of_what_envoy_keeps() -> Result<()> {
    let kept: Vec<_> = KINDS.into_iter().filter(|kind| kind.envoy_keeps).collect();
    ensure!(kept.len() == 6, "{kept:?}");
    let mut stand = Stand::start(false, &kept).await?;
    stand.under_load("agent", restart_agent).await?;
    stand.under_load("agent again", restart_agent).await
}

/// Of good objects nobody has to remember anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_folder_nothing_fails_of_what_is_good() -> Result<()> {
    let good: Vec<_> = KINDS.into_iter().filter(|kind| kind.said.is_empty()).collect();
    let mut stand = Stand::start(false, &good).await?;
    let both = async |site: &mut Site| {
        restart_agent(site).await?;
        restart_envoy(site).await
    };
    stand.under_load("both", both).await
}
