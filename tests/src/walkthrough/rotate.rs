//! Steps 3 to 5: certificates change.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{SOON, Walkthrough};
use crate::eventually;
use crate::manifests::server;

impl Walkthrough {
    pub(super) async fn rotate(&mut self) -> Result<String> {
        let mut times = Vec::with_capacity(self.rotations);
        for _ in 0..self.rotations {
            times.push(self.renew(SOON).await?);
            let name = format!("istio-system/{}", self.credential);
            self.confirmed(&name, &self.leaf.serial).await?;
        }
        times.sort();
        let at = |share: f64| {
            times
                .get(((times.len() - 1) as f64 * share).round() as usize)
                .copied()
                .unwrap_or_default()
        };
        Ok(format!(
            "   {} rotations, {} to handshake seen: p50 {:.1?}, p99 {:.1?}, maximum {:.1?}; the proxy confirmed each",
            times.len(),
            self.store.words().written,
            at(0.5),
            at(0.99),
            at(1.0)
        ))
    }

    /// Waits until the status has this serial, and says that the proxy confirmed it.
    pub(super) async fn confirmed(&self, name: &str, serial: &str) -> Result<()> {
        let attempt = || async {
            let status = self.site.status().await?;
            let known = status["credentials"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|own| own["name"] == name);
            let Some(known) = known else {
                anyhow::bail!("{name} is not in the status")
            };
            ensure!(
                known["serial"] == serial && known["proxies"][0]["state"] == "current",
                "{known}"
            );
            Ok(())
        };
        eventually(&format!("{name}: serial {serial} confirmed"), SOON, attempt).await
    }

    pub(super) async fn another_credential(&mut self) -> Result<String> {
        let next = self.issue(&["*.aliyun.com"])?;
        self.load()?.allow(&next);
        self.store.write_leaf("aliyun-com-2", &next).await?;
        "aliyun-com-2".clone_into(&mut self.credential);
        let start = Instant::now();
        self.write_gateway().await?;
        let took = self.shown("a.aliyun.com", &next, start).await?;
        self.shown("b.aliyun.com", &next, start).await?;
        // The listener's old chain drains: what was begun on it may still end there.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.load()?.only(&next);
        self.leaf = next;
        Ok(format!("   the other certificate is shown after {took:.1?}"))
    }

    pub(super) async fn second_server(&mut self) -> Result<String> {
        let other = self.issue(&["*.example.org"])?;
        self.store.write_leaf("example-org", &other).await?;
        self.servers
            .push_str(&server("*.example.org", "SIMPLE", "example-org"));
        self.write_gateway().await?;
        self.shown("www.example.org", &other, Instant::now()).await?;
        self.shown("a.aliyun.com", &self.leaf, Instant::now()).await?;
        self.store.delete_secret("example-org").await?;
        self.refused("Secret istio-system/example-org", "deleted", true)
            .await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.shown("www.example.org", &other, Instant::now()).await?;
        self.store.write_leaf("example-org", &other).await?;
        self.refused("Secret istio-system/example-org", "deleted", false)
            .await?;
        Ok("   both certificates by SNI; after the deletion, the last good one stays in use, and that is reported".to_owned())
    }
}
