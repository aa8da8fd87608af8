//! The real Chromium, driven over WebDriver: it can only resolve loopback names, so a page that requests anything else
//! fails.

mod driver;

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::driver::Driver;
use crate::eventually;

/// Where axe-core's script is; `cargo xtask setup-page` says so.
const AXE: &str = "SEALGATE_AXE";
const HOW: &str = "the page's tests check accessibility with axe-core: `cargo xtask setup-page` gets it with npm into .tools, and \
                   `scripts/test` does that by itself; or set SEALGATE_AXE to an axe.min.js";
/// Rendering takes time on a slow machine.
const SOON: Duration = Duration::from_secs(30);

/// One browser with one page; it ends with this value, and with the test program if that is killed.
pub struct Browser {
    driver: Driver,
    session: String,
    /// Its profile.
    _folder: TempDir,
}

/// How a page is displayed.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// Whether in dark mode.
    pub dark: bool,
}

impl Browser {
    /// Starts it.
    ///
    /// # Errors
    /// There is no Chromium or no driver for it: the message says how to get them.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealgate-browser").tempdir()?;
        let driver = Driver::start(folder.path()).await?;
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let mut options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars",
            "--lang=en-US", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", profile,
        ] });
        if let Some(chromium) = env::var_os("SEALGATE_CHROMIUM") {
            options["binary"] = json!(chromium.to_string_lossy());
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 120_000, "pageLoad": 60_000 },
        } } });
        let made = driver
            .ask("POST", "/session", Some(&wanted))
            .await
            .context(driver::HOW)?;
        let session = made["sessionId"].as_str().context("no session")?;
        Ok(Self {
            session: format!("/session/{session}"),
            driver,
            _folder: folder,
        })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let path = format!("{}{path}", self.session);
        self.driver.ask("POST", &path, Some(body)).await
    }

    async fn devtools(&self, command: &str, params: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": params });
        self.post("/goog/cdp/execute", &body).await
    }

    /// Opens a page.
    ///
    /// # Errors
    /// It does not load.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({ "url": url })).await.map(drop)
    }

    /// Runs the body of an async function in the page, with `arguments`; returns its result.
    ///
    /// # Errors
    /// It throws.
    pub async fn run(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        let script = format!("return (async function() {{ {body} }}).apply(null, arguments)");
        let body = json!({ "script": script, "args": arguments });
        self.post("/execute/sync", &body).await
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// It does not become true.
    pub async fn until(&self, what: &str, expression: &str) -> Result<()> {
        let look = || async {
            let text = "return [Boolean(await (EXPRESSION)), document.querySelector('main')?.innerText.slice(0, 600)]";
            let seen = self.run(&text.replace("EXPRESSION", expression), &[]).await?;
            ensure!(seen[0] == true, "{expression} is not so in: {}", seen[1]);
            Ok(())
        };
        eventually(what, SOON, look).await
    }

    /// The text of the first element that a selector finds.
    ///
    /// # Errors
    /// It finds nothing.
    pub async fn text(&self, selector: &str) -> Result<String> {
        let text = self
            .run(
                "return document.querySelector(arguments[0])?.innerText",
                &[json!(selector)],
            )
            .await?;
        Ok(text
            .as_str()
            .with_context(|| format!("no {selector}"))?
            .to_owned())
    }

    /// Writes into a field as a user does.
    ///
    /// # Errors
    /// There is no such field.
    pub async fn write(&self, selector: &str, text: &str) -> Result<()> {
        const BODY: &str = "const field = document.querySelector(arguments[0]); field.value = arguments[1]; \
                            field.dispatchEvent(new Event('input', {bubbles: true}))";
        self.run(BODY, &[json!(selector), json!(text)]).await.map(drop)
    }

    /// Clicks the first element that a selector finds.
    ///
    /// # Errors
    /// It finds nothing.
    pub async fn press(&self, selector: &str) -> Result<()> {
        let found = self
            .post("/element", &json!({ "using": "css selector", "value": selector }))
            .await?;
        let id = found
            .as_object()
            .and_then(|found| found.values().next()?.as_str());
        let id = id.with_context(|| format!("no {selector}"))?;
        self.post(&format!("/element/{id}/click"), &json!({}))
            .await
            .map(drop)
    }

    /// Presses a key of the keyboard, wherever the focus is (WebDriver's code points for keys without a letter).
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn key(&self, key: char) -> Result<()> {
        let press = |kind: &str| json!({ "type": kind, "value": key.to_string() });
        let keys = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": [press("keyDown"), press("keyUp")] }] });
        self.post("/actions", &keys).await.map(drop)
    }

    /// Displays the page in this way.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn look(&self, look: Look) -> Result<()> {
        let metrics =
            json!({ "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await.map(drop)
    }

    /// A screenshot, as PNG.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn picture(&self) -> Result<Vec<u8>> {
        let path = format!("{}/screenshot", self.session);
        let text = self.driver.ask("GET", &path, None).await?;
        Ok(STANDARD.decode(text.as_str().context("no picture")?)?)
    }

    /// Checks that axe-core finds no violation.
    ///
    /// # Errors
    /// There is one, or no axe-core.
    pub async fn is_accessible(&self) -> Result<()> {
        let script = fs::read_to_string(axe()?).context(HOW)?;
        let body = format!(
            "if (!window.axe) {{ {script} }} const found = await axe.run(document, {{ resultTypes: ['violations'] }}); \
             return found.violations.map(one => `${{one.id}}: ${{one.help}}: ${{one.nodes.slice(0, 3).map(node => node.html).join(' ')}}`)"
        );
        let found = self.run(&body, &[]).await?;
        ensure!(found == json!([]), "{found:#}");
        Ok(())
    }

    /// The page's complaints: errors of scripts, and violations of its policy.
    ///
    /// # Errors
    /// The browser is gone.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let path = "/se/log";
        let all = self.post(path, &json!({ "type": "browser" })).await?;
        let lines = all.as_array().into_iter().flatten();
        let severe = lines.filter(|line| line["level"] == "SEVERE");
        Ok(severe
            .filter_map(|line| line["message"].as_str().map(str::to_owned))
            .collect())
    }
}

fn axe() -> Result<PathBuf> {
    let Some(path) = env::var_os(AXE).map(PathBuf::from) else {
        bail!("{HOW}");
    };
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The processes with this folder in their command line: those of a browser, and its guard.
    fn processes(folder: &Path) -> Result<Vec<String>> {
        let folder = folder.display().to_string();
        let entries = fs::read_dir("/proc")?;
        // Skips entries that are not processes, and processes that have ended meanwhile.
        let lines = entries.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        Ok(lines.filter(|line| line.contains(&folder)).collect())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_of_a_browser_is_left() -> Result<()> {
        let browser = Browser::start().await?;
        let folder = browser._folder.path().to_owned();
        let all = processes(&folder)?;
        let is_renderer = |line: &String| line.contains("--type=renderer");
        ensure!(all.iter().any(is_renderer), "{all:#?}");
        drop(browser);
        eventually("all of it is gone", SOON, || async {
            let left = processes(&folder)?;
            ensure!(left.is_empty() && !folder.exists(), "{left:#?}");
            Ok(())
        })
        .await
    }
}
