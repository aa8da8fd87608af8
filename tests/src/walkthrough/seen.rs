//! Step 10: what can be observed, and what must not appear anywhere.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealgate_model::Code;
use serde_json::Value;

use super::{SOON, Walkthrough};
use crate::client::fetch_plain;
use crate::eventually;
use crate::store::ClusterStore;

impl Walkthrough {
    pub(super) async fn seen(&mut self) -> Result<String> {
        self.nothing_was_bad()?;
        let name = format!("istio-system/{}", self.credential);
        self.confirmed(&name, &self.leaf.serial).await?;
        // Names that were asked for on demand come back one by one after an outage.
        let mut places = eventually("Envoy's pages", SOON, || self.envoy_shows(&name)).await?;
        places.extend(self.agent_shows().await?);
        let mut told = format!("   serial {} everywhere", self.leaf.serial);
        if let Some(cluster) = self.store.cluster() {
            self.told(cluster).await?;
            let events = cluster.events().await?;
            told.push_str(&format!(
                ", {} Events on what was refused and is good again",
                events.len()
            ));
            places.push(("the Events", serde_json::to_string(&events)?));
        }
        for key in &self.keys {
            has_no_key(&places, key)?;
        }
        Ok(format!("{told}, {} private keys nowhere", self.keys.len()))
    }

    /// Neither our checks nor Envoy rejected any resource, at any step.
    fn nothing_was_bad(&self) -> Result<()> {
        let log = fs::read_to_string(self.site.agent_log())?;
        for code in [Code::InvalidForProxy, Code::RefusedByProxy] {
            ensure!(!log.contains(code.as_str()), "{code}: {log}");
        }
        // The log does show codes.
        ensure!(log.contains(Code::BadRegex.as_str()), "no finding in {log}");
        Ok(())
    }

    /// Envoy's own pages have the present certificate.
    async fn envoy_shows(&self, name: &str) -> Result<Vec<(&'static str, String)>> {
        let dump = self.site.envoy_page("/config_dump").await?;
        let certificates = self.site.envoy_page("/certs").await?;
        // It lists none that it asked for by name.
        ensure!(
            certificates.contains(&self.leaf.serial) || dump.contains("on-demand/"),
            "Envoy's /certs has no serial {}",
            self.leaf.serial
        );
        let dumped = dumped_leaves(&dump, name).context("the certificate in config_dump")?;
        let present = self.leaf.certificate.replace("\r\n", "\n");
        ensure!(
            !dumped.is_empty() && dumped.iter().all(|leaf| leaf.trim() == present.trim()),
            "config_dump has another certificate, or none: {} of {name}",
            dumped.len()
        );
        let log = fs::read_to_string(self.site.envoy_log())?;
        Ok(vec![
            ("config_dump", dump),
            ("/certs", certificates),
            ("Envoy's log", log),
        ])
    }

    /// So does the agent.
    async fn agent_shows(&self) -> Result<Vec<(&'static str, String)>> {
        let admin = format!("127.0.0.1:{}", self.site.admin);
        let certs = self.site.sealgate(&["certs", "--json", "--admin", &admin])?;
        let certs = String::from_utf8(certs.stdout)?;
        ensure!(
            certs.contains(&self.leaf.serial),
            "sealgate certs has no serial {}",
            self.leaf.serial
        );
        let metrics = fetch_plain(self.site.admin, "localhost", "/metrics").await?;
        Ok(vec![
            ("sealgate certs", certs),
            ("/api/status", self.site.status().await?.to_string()),
            ("/metrics", metrics.body),
            ("the agent's log", fs::read_to_string(self.site.agent_log())?),
        ])
    }

    /// Waits until each refused object has an Event that says why, and one that says that it is good again.
    pub(super) async fn told(&self, cluster: &ClusterStore) -> Result<()> {
        let attempt = || async {
            let events = cluster.events().await?;
            for (object, code) in &self.refusals {
                for reason in [reason(code), "Accepted".to_owned()] {
                    ensure!(
                        events.iter().any(|event| is_about(event, object, &reason)),
                        "no Event {reason} on {object}"
                    );
                }
            }
            Ok(())
        };
        eventually("Events on what was refused", SOON, attempt).await
    }
}

/// As Events spell codes: `key-mismatch` is `KeyMismatch`.
fn reason(code: &str) -> String {
    let words = code.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect()
}

fn is_about(event: &Value, object: &str, reason: &str) -> bool {
    let [kind, namespace, name] =
        ["kind", "namespace", "name"].map(|part| event["regarding"][part].as_str().unwrap_or_default());
    format!("{kind} {namespace}/{name}") == object && event["reason"] == reason
}

/// Neither as PEM, nor as the `data` of a Secret.
fn has_no_key(places: &[(&str, String)], key: &str) -> Result<()> {
    let encoded = STANDARD.encode(key);
    let forms = [
        key.lines().nth(1).context("a key has lines")?,
        encoded.get(40..120).context("a key is longer")?,
    ];
    for (place, text) in places {
        let leak = forms.iter().any(|form| text.contains(form));
        ensure!(!leak, "a private key is in {place}");
    }
    Ok(())
}

/// The chains of a dynamic secret in Envoy's dump: by its name, or on demand by those of hosts.
fn dumped_leaves(dump: &str, name: &str) -> Option<Vec<String>> {
    let dump: Value = serde_json::from_str(dump).ok()?;
    let secrets = dump["configs"]
        .as_array()?
        .iter()
        .filter_map(|config| config["dynamic_active_secrets"].as_array());
    let is_own = |own: &str| own == name || own.ends_with(".aliyun.com");
    let own = secrets
        .flatten()
        .filter(|secret| secret["name"].as_str().is_some_and(is_own));
    own.map(|secret| {
        let chain = secret["secret"]["tls_certificate"]["certificate_chain"]["inline_bytes"].as_str()?;
        String::from_utf8(STANDARD.decode(chain).ok()?).ok()
    })
    .collect()
}
