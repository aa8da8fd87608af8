//! Steps 8 to 10: mutual TLS, the agent's death, what can be seen.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{SOON, Walkthrough};
use crate::client::{Tls, Version, fetch};
use crate::eventually;
use crate::manifests::{HELLO, server, virtual_service};
use crate::pki::{Authority, Leaf};

const HOST: &str = "secure.example.net";

impl Walkthrough {
    pub(super) async fn mutual(&mut self) -> Result<String> {
        let authorities = [
            Authority::new("First clients")?,
            Authority::new("Second clients")?,
        ];
        let clients = [
            authorities[0].leaf(&["client-1"])?,
            authorities[1].leaf(&["client-2"])?,
        ];
        let own = self.issue(&["*.example.net"])?;
        self.write_leaf("aliyun-com", &own)?;
        self.write_bundle(&authorities[0])?;
        self.site
            .write("secure.yaml", &virtual_service("secure", HOST, HELLO))?;
        self.servers
            .push_str(&server("*.example.net", "MUTUAL", "aliyun-com"));
        self.write_gateway()?;
        self.admits(Some(&clients[0]), true).await?;
        self.admits(Some(&clients[1]), false).await?;
        self.admits(None, false).await?;
        self.write_bundle(&authorities[1])?;
        self.admits(Some(&clients[1]), true).await?;
        self.admits(Some(&clients[0]), false).await?;
        self.admits(None, false).await?;
        Ok(
            "   a client of the CA gets in, another and none do not; the CA is replaced and the answers swap"
                .to_owned(),
        )
    }

    fn write_bundle(&self, authority: &Authority) -> Result<()> {
        let folder = self.site.dir().join("aliyun-com-cacert");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("ca.crt"), &authority.certificate)?)
    }

    async fn admits(&self, identity: Option<&Leaf>, expected: bool) -> Result<()> {
        let attempt = || async {
            let tls = Tls::new(Version::H1, identity)?;
            let admitted = fetch(self.site.https, HOST, "/hello", &tls).await;
            let admitted = admitted.map(|(answer, _)| answer.status == 200);
            ensure!(
                admitted.as_ref().is_ok_and(|admitted| *admitted) == expected,
                "{admitted:?}"
            );
            Ok(())
        };
        eventually(&format!("a client is admitted: {expected}"), SOON, attempt).await
    }

    pub(super) async fn killed(&mut self) -> Result<String> {
        self.site.kill_agent();
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.answered("a.aliyun.com", "/hello", 200).await?;
        self.site.start_agent().await?;
        let next = self.issue(&["*.aliyun.com"])?;
        self.load()?.allow(&next);
        let start = Instant::now();
        self.write_leaf(&self.credential, &next)?;
        let took = self.shown("a.aliyun.com", &next, start).await?;
        self.load()?.only(&next);
        self.leaf = next;
        Ok(format!(
            "   Envoy served on for 2 s without it; the next rotation arrived after {took:.1?}"
        ))
    }

    pub(super) async fn seen(&mut self) -> Result<String> {
        let name = format!("istio-system/{}", self.credential);
        self.confirmed(&name, &self.leaf.serial).await?;
        let dump = self.site.envoy_page("/config_dump").await?;
        let certificates = self.site.envoy_page("/certs").await?;
        ensure!(
            certificates.contains(&self.leaf.serial),
            "Envoy's /certs has no serial {}",
            self.leaf.serial
        );
        let dumped = dumped_leaf(&dump, &name).context("the certificate in config_dump")?;
        ensure!(
            dumped.trim() == self.leaf.certificate.replace("\r\n", "\n").trim(),
            "config_dump has another certificate"
        );
        let certs = self.site.sealgate(&[
            "certs",
            "--json",
            "--admin",
            &format!("127.0.0.1:{}", self.site.admin),
        ])?;
        let certs = String::from_utf8(certs.stdout)?;
        ensure!(
            certs.contains(&self.leaf.serial),
            "sealgate certs has no serial {}",
            self.leaf.serial
        );
        let mut places = vec![
            ("config_dump", dump),
            ("/certs", certificates),
            ("sealgate certs", certs),
        ];
        places.push(("/api/status", self.site.status().await?.to_string()));
        places.push((
            "/metrics",
            crate::client::fetch_plain(self.site.admin, "localhost", "/metrics")
                .await?
                .body,
        ));
        places.push(("the agent's log", fs::read_to_string(self.site.agent_log())?));
        places.push(("Envoy's log", fs::read_to_string(self.site.envoy_log())?));
        for key in &self.keys {
            let secret = key.lines().nth(1).context("a key has lines")?;
            let leak = places.iter().find(|(_, text)| text.contains(secret));
            ensure!(
                leak.is_none(),
                "a private key is in {}",
                leak.map_or("", |(place, _)| place)
            );
        }
        Ok(format!(
            "   serial {} everywhere, {} private keys nowhere",
            self.leaf.serial,
            self.keys.len()
        ))
    }
}

/// The chain of a dynamic secret in Envoy's dump.
fn dumped_leaf(dump: &str, name: &str) -> Option<String> {
    use base64::Engine as _;
    let dump: Value = serde_json::from_str(dump).ok()?;
    let secrets = dump["configs"]
        .as_array()?
        .iter()
        .filter_map(|config| config["dynamic_active_secrets"].as_array());
    let secret = secrets.flatten().find(|secret| secret["name"] == name)?;
    let chain = secret["secret"]["tls_certificate"]["certificate_chain"]["inline_bytes"].as_str()?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(chain).ok()?).ok()
}
