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
        self.site.write(
            "a.yaml",
            &virtual_service("a", "a.aliyun.com", &format!("{front}{HELLO}")),
        )?;
        self.answered("a.aliyun.com", "/new/rule", 203).await?;
        self.site.write(
            "a.yaml",
            &virtual_service("a", "a.aliyun.com, d.aliyun.com", &format!("{front}{HELLO}")),
        )?;
        self.answered("d.aliyun.com", "/hello", 200).await?;
        self.site
            .write("b.yaml", &virtual_service("b", "b.aliyun.com", &weighted(100, 0)))?;
        self.answered("b.aliyun.com", "/status/204", 204).await?;
        self.site
            .write("b.yaml", &virtual_service("b", "b.aliyun.com", &weighted(0, 100)))?;
        self.answered("b.aliyun.com", "/status/204", 503).await?;
        self.site
            .write("b.yaml", &virtual_service("b", "b.aliyun.com", HTTPBIN))?;
        self.answered("b.aliyun.com", "/status/204", 204).await?;
        Ok("   a rule in front, a host more, a weight from 100/0 to 0/100".to_owned())
    }
}
