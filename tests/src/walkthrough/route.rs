//! Step 7: routes change.

use anyhow::Result;

use super::Walkthrough;
use crate::manifests::{HELLO, HTTPBIN, virtual_service};

/// Both destinations answer `/weighted`: the first with the echo of one upstream, the second with 404 by rewrite.
fn weighted(first: u32, second: u32) -> String {
    format!(
        "  - match: [{{uri: {{exact: /status/204}}}}]
    route:
    - {{destination: {{host: httpbin, port: {{number: 8000}}}}, weight: {first}}}
    - {{destination: {{host: nowhere.local, port: {{number: 80}}}}, weight: {second}}}
{HTTPBIN}"
    )
}

impl Walkthrough {
    pub(super) async fn routes(&mut self) -> Result<String> {
        let front = "  - match: [{uri: {prefix: /new}}]
    directResponse: {status: 203, body: {string: new}}
";
        let ruled = format!("{front}{HELLO}");
        self.write_route("a", "a.aliyun.com", &ruled).await?;
        self.answered("a.aliyun.com", "/new/rule", 203).await?;
        self.write_route("a", "a.aliyun.com, d.aliyun.com", &ruled)
            .await?;
        self.answered("d.aliyun.com", "/hello", 200).await?;
        for (rules, status) in [
            (weighted(100, 0), 204),
            (weighted(0, 100), 503),
            (HTTPBIN.to_owned(), 204),
        ] {
            self.write_route("b", "b.aliyun.com", &rules).await?;
            self.answered("b.aliyun.com", "/status/204", status).await?;
        }
        Ok("   a rule in front, a host more, a weight from 100/0 to 0/100".to_owned())
    }

    /// The VirtualService of this name, in the file of this name.
    pub(super) async fn write_route(&self, name: &str, hosts: &str, rules: &str) -> Result<()> {
        let text = virtual_service(name, hosts, rules);
        self.store.write(&format!("{name}.yaml"), &text).await
    }
}
