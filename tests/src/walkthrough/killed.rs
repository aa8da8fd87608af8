//! Step 9: what feeds Envoy dies.

use std::time::Duration;

use anyhow::Result;

use super::{SOON, Walkthrough};

/// How long nobody feeds Envoy.
const OUTAGE: Duration = Duration::from_secs(2);
/// The agent asks an API server that did not answer again after up to 10 s.
const AFTER_OUTAGE: Duration = Duration::from_secs(20);

impl Walkthrough {
    pub(super) async fn killed(&mut self) -> Result<String> {
        self.site.kill_agent();
        tokio::time::sleep(OUTAGE).await;
        self.answered("a.aliyun.com", "/hello", 200).await?;
        self.site.start_agent().await?;
        let took = self.renew(SOON).await?;
        let told = format!(
            "   Envoy kept serving for {OUTAGE:?} without the agent; the next rotation arrived after {took:.1?}"
        );
        let more = self.api_server_killed().await?;
        Ok(format!("{told}{more}"))
    }

    /// The same with the API server, if there is one.
    async fn api_server_killed(&mut self) -> Result<String> {
        let Some(cluster) = self.store.cluster_mut() else {
            return Ok(String::new());
        };
        cluster.kill()?;
        tokio::time::sleep(OUTAGE).await;
        let back = cluster.start_again().await?;
        self.answered("a.aliyun.com", "/hello", 200).await?;
        let took = self.renew(AFTER_OUTAGE).await?;
        let name = format!("istio-system/{}", self.credential);
        self.confirmed(&name, &self.leaf.serial).await?;
        Ok(format!(
            "\n   and without the API server, which was killed, for {:.1?}; the next rotation arrived after {took:.1?}",
            OUTAGE + back
        ))
    }
}
