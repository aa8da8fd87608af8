//! The walkthrough: one machine, from nothing to mutual TLS, each step checked under load. The steps are the same
//! whether the objects are files or of an API server: what they write goes through the [`Store`].

mod begin;
mod killed;
mod refuse;
mod rotate;
mod route;
mod seen;
mod trust;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::client::{Tls, Version, fetch};
use crate::eventually;
use crate::load::{Load, Totals};
use crate::manifests::gateway;
use crate::pki::{Authority, Leaf};
use crate::site::Site;
use crate::store::{Kind, Store};

const SOON: Duration = Duration::from_secs(8);

/// The run's state.
#[derive(Debug)]
pub struct Walkthrough {
    /// The machine.
    pub site: Site,
    /// After the machine: what reads from it ends first.
    store: Store,
    authority: Authority,
    load: Option<Load>,
    h1: Tls,
    h2: Tls,
    /// The leaf of `aliyun-com`'s present server.
    leaf: Leaf,
    /// The Secret of the first server.
    credential: String,
    /// More servers of the Gateway.
    servers: String,
    keys: Vec<String>,
    /// What the agent refused, and by which code.
    refusals: Vec<(String, &'static str)>,
    rotations: usize,
}

/// Whether a line of Envoy's log is not of the access log.
fn is_noteworthy(line: &str) -> bool {
    !line.contains("] GET ")
}

impl Walkthrough {
    /// The agent and Envoy, with nothing to serve.
    async fn prepare(kind: Kind, flags: &[&str], rotations: usize) -> Result<Self> {
        let authority = Authority::new("Walkthrough CA")?;
        let leaf = authority.leaf(&["*.aliyun.com"])?;
        let mut site = Site::prepare().await?;
        let store = Store::start(kind, &site.dir()).await?;
        site.source = store.source();
        site.flags = flags.iter().map(ToString::to_string).collect();
        site.start_agent().await?;
        site.start_envoy(|bootstrap, _| bootstrap).await?;
        Ok(Self {
            site,
            store,
            authority,
            load: None,
            h1: Tls::new(Version::H1, None)?,
            h2: Tls::new(Version::H2, None)?,
            leaf,
            credential: "aliyun-com".to_owned(),
            servers: String::new(),
            keys: Vec::new(),
            refusals: Vec::new(),
            rotations,
        })
    }

    /// Plays all steps.
    ///
    /// # Errors
    /// The first thing that was not as it should be.
    pub async fn play(kind: Kind, rotations: usize, say: fn(&str)) -> Result<Totals> {
        Self::play_with(kind, &[], rotations, say).await
    }

    /// The same, with more flags of the agent.
    ///
    /// # Errors
    /// The first thing that was not as it should be.
    pub async fn play_with(kind: Kind, flags: &[&str], rotations: usize, say: fn(&str)) -> Result<Totals> {
        let mut walk = Self::prepare(kind, flags, rotations).await?;
        let result = walk.steps(say).await;
        let totals = match walk.load.take() {
            Some(load) => load.stop().await,
            None => return result.and_then(|()| Err(anyhow::anyhow!("there was no load"))),
        };
        let shown = format!(
            "load: {} requests, {} handshakes in {:.1} s, {} failed",
            totals.requests, totals.handshakes, totals.seconds, totals.failed
        );
        say(&shown);
        result.and_then(|()| totals.check()).with_context(|| {
            let log = std::fs::read_to_string(walk.site.envoy_log()).unwrap_or_default();
            let said: Vec<&str> = log.lines().filter(|line| is_noteworthy(line)).collect();
            let last = said
                .get(said.len().saturating_sub(30)..)
                .unwrap_or_default()
                .join("\n");
            let agent = std::fs::read_to_string(walk.site.agent_log()).unwrap_or_default();
            let agent: Vec<&str> = agent.lines().collect();
            let agent = agent
                .get(agent.len().saturating_sub(40)..)
                .unwrap_or_default()
                .join("\n");
            format!(
                "{shown}\nfailures: {:#?}\nEnvoy: {last}\nagent: {agent}",
                totals.failures
            )
        })?;
        Ok(totals)
    }

    async fn steps(&mut self, say: fn(&str)) -> Result<()> {
        say(&format!(" 1 {}, then the objects", self.store.words().empty));
        say(&self.begin().await.context("step 1")?);
        say(" 2 load begins");
        self.load = Some(Load::start(self.site.https, &self.leaf)?);
        tokio::time::sleep(Duration::from_secs(1)).await;
        say(" 3 rotations in place");
        say(&self.rotate().await.context("step 3")?);
        say(" 4 another credentialName");
        say(&self.another_credential().await.context("step 4")?);
        say(" 5 a second server, and its Secret deleted");
        say(&self.second_server().await.context("step 5")?);
        say(" 6 bad input");
        say(&self.bad_input().await.context("step 6")?);
        say(" 7 routes change");
        say(&self.routes().await.context("step 7")?);
        say(" 8 mutual TLS");
        say(&self.mutual().await.context("step 8")?);
        say(" 9 what feeds Envoy is killed");
        say(&self.killed().await.context("step 9")?);
        say("10 what can be seen");
        say(&self.seen().await.context("step 10")?);
        Ok(())
    }

    fn load(&self) -> Result<&Load> {
        self.load.as_ref().context("the load has not begun")
    }

    async fn write_gateway(&self) -> Result<()> {
        let text = gateway(&self.credential, &self.servers);
        self.store.write("gateway.yaml", &text).await
    }

    /// A new leaf, whose key will be looked for everywhere at the end.
    fn issue(&mut self, names: &[&str]) -> Result<Leaf> {
        let leaf = self.authority.leaf(names)?;
        self.keys.push(leaf.key.clone());
        Ok(leaf)
    }

    /// Replaces the Secret of the first server in place; gives the time until a new handshake shows it.
    async fn renew(&mut self, limit: Duration) -> Result<Duration> {
        let next = self.issue(&["*.aliyun.com"])?;
        self.load()?.allow(&next);
        let start = Instant::now();
        self.store.write_leaf(&self.credential, &next).await?;
        let took = self.shown_within("a.aliyun.com", &next, start, limit).await?;
        // On demand, each name gets it by itself.
        self.shown_within("b.aliyun.com", &next, start, limit).await?;
        self.load()?.only(&next);
        self.leaf = next;
        Ok(took)
    }

    /// Waits until a new handshake for `host` shows this leaf; gives the time since `start`.
    async fn shown(&self, host: &str, leaf: &Leaf, start: Instant) -> Result<Duration> {
        self.shown_within(host, leaf, start, SOON).await
    }

    async fn shown_within(
        &self,
        host: &str,
        leaf: &Leaf,
        start: Instant,
        limit: Duration,
    ) -> Result<Duration> {
        let attempt = || async {
            let open = crate::client::Connection::open(self.site.https, host, &self.h1).await?;
            ensure!(open.leaf == leaf.der, "an older certificate is shown");
            Ok(start.elapsed())
        };
        eventually(&format!("{host} shows serial {}", leaf.serial), limit, attempt).await
    }

    /// Waits until `path` of `host` is answered with this status, over both protocol versions.
    async fn answered(&self, host: &str, path: &str, status: u16) -> Result<()> {
        for tls in [&self.h1, &self.h2] {
            let attempt = || async {
                let (answer, _) = fetch(self.site.https, host, path, tls).await?;
                ensure!(answer.status == status, "{} {:?}", answer.status, answer.body);
                Ok(())
            };
            eventually(&format!("{host}{path} is answered with {status}"), SOON, attempt).await?;
        }
        Ok(())
    }

    /// Waits until `/api/status` has, or has no more, a finding of `object` with `code`.
    async fn refused(&self, object: &str, code: &str, expected: bool) -> Result<()> {
        let attempt = || async {
            let status = self.site.status().await?;
            let found = status["refusals"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|refusal| {
                    refusal["object"] == object && refusal["code"] == code && refusal["message"].is_string()
                });
            ensure!(found == expected, "refusals: {}", status["refusals"]);
            Ok(())
        };
        eventually(
            &format!("{object} refused with {code}: {expected}"),
            SOON,
            attempt,
        )
        .await
    }
}
