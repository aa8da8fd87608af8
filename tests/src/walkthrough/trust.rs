//! Step 8: mutual TLS.

use anyhow::{Result, ensure};

use super::{SOON, Walkthrough};
use crate::client::{Tls, Version, fetch};
use crate::eventually;
use crate::manifests::{HELLO, server};
use crate::pki::{Authority, Leaf};

const HOST: &str = "secure.example.net";
const BUNDLE: &str = "aliyun-com-cacert";

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
        self.store.write_leaf("aliyun-com", &own).await?;
        self.store.write_bundle(BUNDLE, &authorities[0]).await?;
        self.write_route("secure", HOST, HELLO).await?;
        self.servers
            .push_str(&server("*.example.net", "MUTUAL", "aliyun-com"));
        self.write_gateway().await?;
        self.admits(Some(&clients[0]), true).await?;
        self.admits(Some(&clients[1]), false).await?;
        self.admits(None, false).await?;
        self.store.write_bundle(BUNDLE, &authorities[1]).await?;
        self.admits(Some(&clients[1]), true).await?;
        self.admits(Some(&clients[0]), false).await?;
        self.admits(None, false).await?;
        Ok(
            "   a client of the CA gets in, another and none do not; the CA is replaced and the answers swap"
                .to_owned(),
        )
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
}
