//! Step 1.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::Walkthrough;
use crate::client::{fetch, fetch_plain};
use crate::eventually;
use crate::manifests::{HELLO, HTTPBIN, services, virtual_service};
use crate::upstream::{TEAPOT, WELCOME};

impl Walkthrough {
    pub(super) async fn begin(&mut self) -> Result<String> {
        let start = Instant::now();
        self.keys.push(self.leaf.key.clone());
        self.site
            .write("services.yaml", &services(self.site.welcome, self.site.httpbin))?;
        self.site
            .write("a.yaml", &virtual_service("a", "a.aliyun.com", HELLO))?;
        self.site
            .write("b.yaml", &virtual_service("b", "b.aliyun.com", HTTPBIN))?;
        self.write_gateway()?;
        self.write_leaf("aliyun-com", &self.leaf)?;
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
            "   both hosts answer over HTTP/1.1 and HTTP/2, {took:.1?} after the first file; all else is 404"
        ))
    }
}
