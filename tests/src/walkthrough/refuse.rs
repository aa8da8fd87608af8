//! Step 6: bad input while serving.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Walkthrough;
use crate::manifests::{HELLO, HTTPBIN, gateway};
use crate::pki::Leaf;

impl Walkthrough {
    pub(super) async fn bad_input(&mut self) -> Result<String> {
        self.bad_secrets().await?;
        self.bad_objects().await?;
        let trials = self.rotations.min(20);
        for _ in 0..trials {
            self.bad_then_good().await?;
        }
        // Now: the agent that wrote them will be killed.
        if let Some(cluster) = self.store.cluster() {
            self.told(cluster).await?;
        }
        Ok(format!(
            "   each refused by log, status and check, and good again when repaired; {trials} of {trials} good ones arrived 10 ms after a bad one"
        ))
    }

    async fn bad_secrets(&mut self) -> Result<()> {
        let secret = format!("Secret istio-system/{}", self.credential);
        let stranger = self.issue(&["*.aliyun.com"])?;
        let mismatched = Leaf {
            key: stranger.key.clone(),
            ..self.leaf.clone()
        };
        let cut = self.leaf.certificate.get(..200).unwrap_or_default().to_owned();
        let truncated = Leaf {
            certificate: cut,
            ..self.leaf.clone()
        };
        for (bad, code) in [(mismatched, "key-mismatch"), (truncated, "bad-pem")] {
            self.store.write_leaf(&self.credential, &bad).await?;
            self.seen_everywhere(&secret, code).await?;
            self.shown("a.aliyun.com", &self.leaf, Instant::now()).await?;
            self.store.write_leaf(&self.credential, &self.leaf).await?;
            self.refused(&secret, code, false).await?;
        }
        Ok(())
    }

    async fn bad_objects(&mut self) -> Result<()> {
        let object = "VirtualService default/b";
        let regex = HTTPBIN.replace("prefix: /delay", "regex: '('");
        self.write_route("b", "b.aliyun.com", &regex).await?;
        self.seen_everywhere(object, "bad-regex").await?;
        self.answered("b.aliyun.com", "/status/418", 418).await?;
        self.write_route("b", "b.aliyun.com", HTTPBIN).await?;
        self.refused(object, "bad-regex", false).await?;
        self.thief().await?;
        self.broken_yaml().await
    }

    /// Who rejects invalid YAML: the agent, or the API server before the agent sees it.
    async fn broken_yaml(&mut self) -> Result<()> {
        let (object, code) = ("File a.yaml", "invalid-yaml");
        self.store.write_broken("a.yaml", "apiVersion: [\n").await?;
        if self.store.cluster().is_some() {
            self.seen_by_check(object, code)?;
        } else {
            self.seen_everywhere(object, code).await?;
        }
        self.answered("a.aliyun.com", "/hello", 200).await?;
        self.write_route("a", "a.aliyun.com", HELLO).await?;
        self.refused(object, code, false).await
    }

    /// A Gateway that asks for a host of another one, and then for one of its own.
    async fn thief(&mut self) -> Result<()> {
        let object = "Gateway istio-system/z-thief";
        let thief = gateway("example-org", "").replace("name: gateway", "name: z-thief");
        self.store.write("z-thief.yaml", &thief).await?;
        self.seen_everywhere(object, "host-collision").await?;
        self.shown("a.aliyun.com", &self.leaf, Instant::now()).await?;
        let honest = self.authority.leaf(&["*.example.edu"])?;
        self.store.write_leaf("example-edu", &honest).await?;
        let repaired = thief
            .replace("*.aliyun.com", "*.example.edu")
            .replace("example-org", "example-edu");
        self.store.write("z-thief.yaml", &repaired).await?;
        self.refused(object, "host-collision", false).await?;
        self.shown("www.example.edu", &honest, Instant::now()).await?;
        // That it is good again is said after a moment, and not of what is gone by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.store.remove("z-thief.yaml").await
    }

    /// In the log, the status, and what `check` says of the folder.
    async fn seen_everywhere(&mut self, object: &str, code: &'static str) -> Result<()> {
        self.refusals.push((object.to_owned(), code));
        self.refused(object, code, true).await?;
        // News wait a moment for what comes with it.
        crate::eventually("the log says it", Duration::from_secs(2), || async {
            let log = fs::read_to_string(self.site.agent_log())?;
            let says = |line: &str| line.contains(object) && line.contains(code);
            ensure!(log.lines().any(says), "the log says nothing of {object}");
            Ok(())
        })
        .await?;
        self.seen_by_check(object, code)
    }

    fn seen_by_check(&self, object: &str, code: &str) -> Result<()> {
        let (status, report) = self.site.check()?;
        let findings = report["findings"].as_array().context("findings")?;
        let found = findings
            .iter()
            .any(|finding| finding["object"] == object && finding["code"] == code);
        ensure!(
            status == Some(1) && found,
            "check of {object}: {status:?} {report}"
        );
        Ok(())
    }

    async fn bad_then_good(&mut self) -> Result<()> {
        let next = self.issue(&["*.aliyun.com"])?;
        self.load()?.allow(&next);
        let bad = Leaf {
            certificate: "-----BEGIN CERTIFICATE-----\n!\n".to_owned(),
            ..self.leaf.clone()
        };
        self.store.write_leaf(&self.credential, &bad).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.store.write_leaf(&self.credential, &next).await?;
        self.shown("a.aliyun.com", &next, Instant::now()).await?;
        self.shown("b.aliyun.com", &next, Instant::now()).await?;
        self.load()?.only(&next);
        self.leaf = next;
        Ok(())
    }
}
