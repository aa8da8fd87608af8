//! Step 1.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Walkthrough;
use crate::client::{fetch, fetch_plain};
use crate::eventually;
use crate::manifests::{HELLO, HTTPBIN};
use crate::upstream::{TEAPOT, WELCOME};

impl Walkthrough {
    pub(super) async fn begin(&mut self) -> Result<String> {
        let start = Instant::now();
        self.keys.push(self.leaf.key.clone());
        let services = self.store.services(self.site.welcome, self.site.httpbin);
        self.store.write("services.yaml", &services).await?;
        self.write_route("a", "a.aliyun.com", HELLO).await?;
        self.write_route("b", "b.aliyun.com", HTTPBIN).await?;
        self.write_gateway().await?;
        self.store.write_leaf("aliyun-com", &self.leaf).await?;
        let took = self.shown("a.aliyun.com", &self.leaf, start).await?;
        self.answered("a.aliyun.com", "/hello", 200).await?;
        for tls in [&self.h1, &self.h2] {
            let (hello, leaf) = fetch(self.site.https, "a.aliyun.com", "/hello", tls).await?;
            ensure!(hello.body == WELCOME && leaf == self.leaf.der, "{hello:?}");
            let (teapot, _) = fetch(self.site.https, "b.aliyun.com", "/status/418", tls).await?;
            ensure!(teapot.status == 418 && teapot.body == TEAPOT, "{teapot:?}");
            for (host, path) in [
                ("a.aliyun.com", "/other"),
                ("b.aliyun.com", "/hello"),
                ("c.aliyun.com", "/hello"),
            ] {
                let (missing, _) = fetch(self.site.https, host, path, tls).await?;
                ensure!(missing.status == 404, "{host}{path}: {missing:?}");
            }
        }
        let plain = || async {
            let answer = fetch_plain(self.site.http, "a.aliyun.com", "/hello").await?;
            ensure!(answer.status == 200 && answer.body == WELCOME, "{answer:?}");
            Ok(())
        };
        eventually("plain HTTP answers", super::SOON, plain).await?;
        Ok(format!(
            "   both hosts answer over HTTP/1.1 and HTTP/2, {took:.1?} after {}; all else is 404",
            self.store.words().first
        ))
    }
}
