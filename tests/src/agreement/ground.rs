//! The setup of a run: an agent, an Envoy, upstreams, and the recipients of mirrored requests.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use futures::future::try_join_all;
use serde_json::Value;

use super::pools::{ESCAPED_SLASHES, MIRRORS, NORMALIZATIONS, OF_UPSTREAMS, SNI, UPSTREAMS, pick};
use super::requests::Asked;
use super::rules::mirrors;
use crate::client::{Tls, Version};
use crate::echo::{Echo, Heads, UNSAID, unescaped};
use crate::edge::WAYS;
use crate::pki::Authority;
use crate::raw::{Kept, RawAnswer, RawRequest};
use crate::site::Site;
use crate::{eventually, explain, manifests};

const START: Duration = Duration::from_secs(60);
/// The upstreams that rules mirror requests to.
const GLASS: &str = "glass";

/// A rule with a delay, and all mirrors, must exist from the start: adding the first one changes the listener.
const BASE: &str = r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*.example"]
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: ["*.example"]
    tls: {mode: SIMPLE, credentialName: edge}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: base}
spec:
  hosts: [base.example]
  gateways: [istio-system/edge]
  http:
  - fault: {delay: {fixedDelay: 1ms, percentage: {value: 100}}}
    route: [{destination: {host: one.local}}, {destination: {host: two.local}}]
"#;

/// See the module.
pub(super) struct Ground {
    pub(super) site: Site,
    /// Of the agent, and of `explain`.
    flags: Vec<String>,
    /// The mirrored requests that arrived.
    pub(super) copies: Heads,
    h1: Tls,
    h2: Tls,
}

impl Ground {
    /// Starts it, with any handling of paths.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn start(rng: &mut Rng) -> Result<Self> {
        let flags = vec![
            format!("--path-normalization={}", pick(rng, NORMALIZATIONS)),
            format!("--escaped-slashes={}", pick(rng, ESCAPED_SLASHES)),
        ];
        let site = Site::start_with(flags.clone()).await?;
        Authority::new("CA")?
            .leaf(&["*.example"])?
            .write(&site.dir().join("edge"))?;
        let copies = Heads::default();
        let lines: String = OF_UPSTREAMS
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .concat();
        let mut objects = vec![BASE.to_owned() + &routes_of_mirrors()];
        for name in [UPSTREAMS[0], UPSTREAMS[1], GLASS] {
            let echo = Echo {
                name,
                headers: lines.clone(),
                heads: (name == GLASS).then(|| copies.clone()),
            };
            let port = echo.start("127.0.0.1").await?;
            objects.push(manifests::entry(name, &format!("{name}.local"), 80, port));
        }
        site.write("base.yaml", &objects.join("---\n"))?;
        stands(&site).await?;
        Ok(Self {
            site,
            flags,
            copies,
            h1: Tls::new(Version::H1, None)?,
            h2: Tls::new(Version::H2, None)?,
        })
    }

    /// For each request, what may become of it.
    pub(super) fn said(&self, asked: &[Asked]) -> Result<Vec<Vec<Value>>> {
        let questions: Vec<Value> = asked.iter().flat_map(Asked::drawn).collect();
        let each = questions.len() / asked.len().max(1);
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let answers = explain::ask_with(&self.site, &flags, &questions)?;
        Ok(answers.chunks(each).map(<[Value]>::to_vec).collect())
    }

    /// What comes back. Each way has its connection;
    pub(super) async fn sent(&self, asked: &[Asked]) -> Result<Vec<RawAnswer>> {
        let lanes = WAYS.map(|way| async move {
            let (port, tls) = match (way.secure, way.version) {
                (false, _) => (self.site.http, None),
                (true, Version::H1) => (self.site.https, Some(self.h1.clone())),
                (true, Version::H2) => (self.site.https, Some(self.h2.clone())),
            };
            let mut kept = Kept::new(port, way.version, tls.map(|tls| (tls, SNI.to_owned())));
            let mut answers = Vec::new();
            for (at, one) in asked.iter().enumerate().filter(|(_, one)| one.way == way) {
                let answer = kept.send(&one.request()).await;
                answers.push((at, said_by(answer.with_context(|| one.question.to_string())?)));
            }
            anyhow::Ok(answers)
        });
        let mut answers: Vec<_> = try_join_all(lanes).await?.into_iter().flatten().collect();
        answers.sort_by_key(|(at, _)| *at);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// What its agent was told.
    pub(super) fn flags(&self) -> String {
        self.flags.join(" ")
    }
}

/// Waits until the listeners exist, and none is draining. If one changed meanwhile (a file was read before it was
/// complete), Envoy closes the remaining connections after `--drain-time-s`, without notice.
async fn stands(site: &Site) -> Result<()> {
    eventually("the listeners stand", START, || async {
        let answer = RawRequest::get("mirrors.example", "/mirror")
            .send(site.http, None, Version::H1)
            .await?;
        ensure!(answer.status == Some(200), "{answer:?}");
        let stats = site
            .envoy_page("/stats?filter=listener_manager.total_listeners_(draining|warming)")
            .await?;
        ensure!(
            stats.lines().all(|line| line.ends_with(": 0")) && stats.contains("draining"),
            "{stats}"
        );
        Ok(())
    })
    .await
}

fn routes_of_mirrors() -> String {
    let rule = |list: &&[(&str, u8)]| {
        let to = r#"[{"destination": {"host": "one.local"}}]"#;
        format!(
            "  - {{\"route\": {to}, \"match\": [{{\"uri\": {{\"prefix\": /mirror}}}}], \"mirrors\": {}}}\n",
            mirrors(list)
        )
    };
    // Above the one that takes everything.
    let base = MIRRORS.iter().map(rule).collect::<String>();
    format!(
        r"---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: mirrors}}
spec:
  hosts: [mirrors.example]
  gateways: [istio-system/edge]
  http:
{base}"
    )
}

/// The body that an upstream could not send.
fn said_by(answer: RawAnswer) -> RawAnswer {
    let begin = format!("{UNSAID}: ");
    let Some(line) = answer.head.lines().find(|line| line.starts_with(&begin)) else {
        return answer;
    };
    let body = unescaped(&line[begin.len()..]);
    let head = answer.head.replace(&format!("{line}\r\n"), "");
    RawAnswer { body, head, ..answer }
}
