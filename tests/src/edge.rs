//! A gateway to be attacked: hosts, rules and upstreams that say who they are, HTTP and HTTPS, and Envoy's own word
//! on whether the filter is well.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::{Tls, Version};
use crate::manifests::{entry, gateway, virtual_service};
use crate::pki::Authority;
use crate::raw::{RawAnswer, RawRequest};
use crate::site::Site;
use crate::{echo, eventually};

const START: Duration = Duration::from_secs(20);
const HOSTS: [&str; 2] = ["app.example", "*.wild.example"];
/// Every one is an upstream, and answers with its name.
pub const UPSTREAMS: [&str; 6] = ["app", "api", "exact", "picked", "wild", "stolen"];

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// HTTPS.
    pub secure: bool,
    /// The protocol.
    pub version: Version,
}

impl Way {
    /// `https` or `http`.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// As `explain` names it.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self.version {
            Version::H1 => "HTTP/1.1",
            Version::H2 => "HTTP/2",
        }
    }
}

/// Every way.
pub const WAYS: [Way; 4] = [
    Way {
        secure: false,
        version: Version::H1,
    },
    Way {
        secure: true,
        version: Version::H1,
    },
    Way {
        secure: false,
        version: Version::H2,
    },
    Way {
        secure: true,
        version: Version::H2,
    },
];

/// See the module.
#[derive(Debug)]
pub struct Edge {
    /// The machine.
    pub site: Site,
    h1: Tls,
    h2: Tls,
}

impl Edge {
    /// Starts it. `rules` (YAML list items) stand before `app.example`'s own; `flags` are the agent's.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(rules: &str, flags: Vec<String>) -> Result<Self> {
        let site = Site::start_with(flags).await?;
        Authority::new("CA")?
            .leaf(&HOSTS)?
            .write(&site.dir().join("edge"))?;
        let mut services = String::new();
        for name in UPSTREAMS {
            services += &service(name, echo::start(name).await?);
        }
        let own = [
            rule("headers: {x-pick: {exact: '1'}}", "picked"),
            rule("uri: {exact: /exact}", "exact"),
            rule("uri: {prefix: /api/}", "api"),
            rule("uri: {prefix: /}", "app"),
        ];
        let app = virtual_service("app", HOSTS[0], &(rules.to_owned() + &own.concat()));
        let wild = virtual_service("wild", "'*.wild.example'", &rule("uri: {prefix: /}", "wild"));
        let hosts = HOSTS.map(|host| format!("{host:?}")).join(", ");
        let gateway = gateway("edge", "").replace("\"*.aliyun.com\"", &hosts);
        site.write("site.yaml", &[gateway, app, wild, services].join("\n---\n"))?;
        Ok(Self {
            site,
            h1: Tls::new(Version::H1, None)?,
            h2: Tls::new(Version::H2, None)?,
        })
    }

    /// Waits until ordinary requests arrive on every way.
    ///
    /// # Errors
    /// They do not.
    pub async fn ready(&self) -> Result<()> {
        for way in WAYS {
            eventually("the gateway serves", START, || self.ordinary(way)).await?;
        }
        Ok(())
    }

    /// Sends a request.
    ///
    /// # Errors
    /// There is no connection, or the answer takes too long.
    pub async fn send(&self, request: &RawRequest, way: Way) -> Result<RawAnswer> {
        let tls = match way.version {
            Version::H1 => &self.h1,
            Version::H2 => &self.h2,
        };
        if way.secure {
            request.send(self.site.https, Some(tls), way.version).await
        } else {
            request.send(self.site.http, None, way.version).await
        }
    }

    /// An ordinary request is answered by `app`.
    ///
    /// # Errors
    /// It is not.
    pub async fn ordinary(&self, way: Way) -> Result<()> {
        let answer = self.send(&RawRequest::get("app.example", "/"), way).await?;
        ensure!(
            answer.status == Some(200) && answer.body.starts_with("app\n"),
            "an ordinary request: {answer:?}"
        );
        Ok(())
    }

    /// Envoy counts no failure of the filter, and its machine runs.
    ///
    /// # Errors
    /// What is counted.
    pub async fn filter_is_well(&self) -> Result<()> {
        let stats = self.site.envoy_page("/stats?filter=wasm").await?;
        let count = |line: &str| line.rsplit(": ").next()?.parse::<u64>().ok();
        let failed: Vec<&str> = stats
            .lines()
            .filter(|line| {
                ["fail", "error", "crash", "reload"]
                    .iter()
                    .any(|word| line.contains(word))
            })
            .filter(|line| count(line) != Some(0))
            .collect();
        ensure!(failed.is_empty(), "the filter has failed: {failed:?}");
        let active = stats
            .lines()
            .find_map(|line| line.strip_prefix("wasm.envoy.wasm.runtime.v8.active: "))
            .context("Envoy says nothing of its machines")?;
        ensure!(active != "0", "no machine runs: {stats}");
        // A path may hold any byte above ASCII.
        let log = std::fs::read(self.site.envoy_log())?;
        let log = String::from_utf8_lossy(&log);
        let trapped = log
            .lines()
            .find(|line| line.contains("wasm") && line.contains("failed"));
        ensure!(trapped.is_none(), "Envoy's log: {trapped:?}");
        Ok(())
    }
}

/// A rule (a YAML list item) from one condition to an upstream.
#[must_use]
pub fn rule(condition: &str, upstream: &str) -> String {
    format!(
        "  - match: [{{{condition}}}]\n    route: [{{destination: {{host: {upstream}.local, port: {{number: 80}}}}}}]\n"
    )
}

/// A ServiceEntry `NAME.local` with one endpoint on loopback, as one more document.
#[must_use]
pub fn service(name: &str, port: u16) -> String {
    format!("---\n{}", entry(name, &format!("{name}.local"), 80, port))
}
