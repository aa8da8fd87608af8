//! The page of a running agent with a real Envoy: changes appear without reloading, the worst is at the top, and what
//! it says about a request is what a client gets.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::browser::Browser;
use sealgate_tests::client::{Tls, Version, fetch, fetch_plain};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};

const SOON: Duration = Duration::from_secs(30);
const HOST: &str = "a.test";
const RULES: &str = "  - match: [{uri: {prefix: /app}, headers: {x-who: {exact: me}}}]
    route: [{destination: {host: app.test, port: {number: 80}}}]
    headers: {request: {set: {x-said: by-the-rule}}}
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410, body: {string: gone}}
";

struct Stage {
    site: Site,
    authority: Authority,
    browser: Browser,
    url: String,
}

impl Stage {
    async fn start() -> Result<Self> {
        let mut site = Site::prepare().await?;
        let authority = Authority::new("CA")?;
        authority.leaf(&[HOST])?.write(&site.dir().join("edge"))?;
        let app = echo::start("app").await?;
        let servers = plain_server(80, HOST) + &tls_server(HOST, "mode: SIMPLE, credentialName: edge");
        let objects = entry("app", "app.test", 80, app)
            + "---\n"
            + &gateway_of("istio-system", "edge", &servers)
            + &routes_of("istio-system", "a", ("edge", HOST), RULES);
        site.write("objects.yaml", &objects)?;
        site.start_agent().await?;
        let url = format!("http://127.0.0.1:{}/", site.admin);
        Ok(Self {
            site,
            authority,
            browser: Browser::start().await?,
            url,
        })
    }

    async fn serve(&mut self) -> Result<()> {
        self.site.start_envoy(|bootstrap, _| bootstrap).await?;
        let tls = Tls::new(Version::H1, None)?;
        let served = || async {
            let (answer, _) = fetch(self.site.https, HOST, "/gone", &tls).await?;
            ensure!(answer.status == 410, "{}", answer.status);
            Ok(())
        };
        eventually("it serves", SOON, served).await
    }

    async fn open(&self, view: &str) -> Result<()> {
        self.browser.open(&format!("{}#/{view}", self.url)).await?;
        self.browser
            .until("the view", "document.querySelector('main h1')")
            .await
    }

    /// The page's answer, in one line.
    async fn asks(&self, url: &str) -> Result<String> {
        self.browser
            .until("the form", "document.querySelector('#url')")
            .await?;
        // What was asked before is not the answer.
        self.browser
            .run("document.querySelector('#verdict')?.remove()", &[])
            .await?;
        self.browser.write("#url", url).await?;
        self.browser.press("#ask").await?;
        self.browser
            .until("an answer", "document.querySelector('#verdict')")
            .await?;
        self.browser.text("#verdict h2").await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_appears_without_reloading() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.serve().await?;
    stage.open("certificates?name=istio-system/edge").await?;
    let browser = &stage.browser;
    browser.run("window.before = true", &[]).await?;
    browser
        .until(
            "who holds it",
            "document.querySelector('.panel')?.innerText.includes('current')",
        )
        .await?;
    let first = browser.text(".panel .pairs").await?;
    stage
        .authority
        .leaf(&[HOST, "b.test"])?
        .write(&stage.site.dir().join("edge"))?;
    browser
        .until(
            "the rotation",
            "document.querySelector('.panel .pairs').innerText.includes('b.test')",
        )
        .await?;
    browser
        .until(
            "its time",
            "document.querySelector('.panel .pairs').innerText.includes('Slowest proxy')",
        )
        .await?;
    ensure!(browser.text(".panel .pairs").await? != first, "{first}");
    browser
        .until("the plot", "document.querySelector('.plot .dot')")
        .await?;

    // A route, too.
    stage.open("why").await?;
    ensure!(stage.asks(&format!("https://{HOST}/gone")).await?.contains("410"));
    let text = std::fs::read_to_string(stage.site.dir().join("objects.yaml"))?;
    stage.site.write("objects.yaml", &text.replace("410", "451"))?;
    browser
        .until(
            "the new answer",
            "document.querySelector('#verdict h2').innerText.includes('451')",
        )
        .await?;
    let same = browser.run("return window.before === true", &[]).await?;
    ensure!(same == true, "it was reloaded");
    let complaints = browser.complaints().await?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_change_is_not_drawn_again() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.serve().await?;
    stage.open("overview").await?;
    let browser = &stage.browser;
    let link = "document.querySelector('main a[href*=edge]')";
    browser.until("the certificate", link).await?;
    let version =
        "const { known } = await import('./data.js'); window.version = known.status.credentials[0].version";
    browser
        .run(
            &format!("{link}.focus(); window.focused = {link}; {version}"),
            &[],
        )
        .await?;
    let again = "const { ask } = await import('./explorer.js'); return await ask('load')";
    let told = browser.run(again, &[]).await?;
    ensure!(told.is_null(), "nothing changed: {told}");

    // Another version of the certificate, and nothing else of what is shown.
    stage
        .authority
        .leaf(&[HOST])?
        .write(&stage.site.dir().join("edge"))?;
    let is_new =
        "import('./data.js').then(({ known }) => known.status.credentials[0].version !== window.version)";
    browser.until("the rotation", is_new).await?;
    let kept = "return document.activeElement === window.focused && document.contains(window.focused)";
    let kept = browser.run(kept, &[]).await?;
    ensure!(kept == true, "the focus is lost");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_page_says_of_a_request_is_what_a_client_gets() -> Result<()> {
    let mut stage = Stage::start().await?;
    stage.serve().await?;
    stage.open("why").await?;
    let tls = Tls::new(Version::H1, None)?;
    for (path, expected) in [("/gone", "410"), ("/app", "404"), ("/other", "404")] {
        let end = stage.asks(&format!("https://{HOST}{path}")).await?;
        ensure!(end.contains(expected), "{path}: {end}");
        let (answer, _) = fetch(stage.site.https, HOST, path, &tls).await?;
        ensure!(answer.status.to_string() == expected, "{path}: {}", answer.status);
    }
    stage
        .browser
        .write("textarea[placeholder^='x-beta']", "x-who: me")
        .await?;
    let end = stage.asks(&format!("http://{HOST}/app/1")).await?;
    ensure!(end.contains("app.test:80"), "{end}");
    let steps = stage.browser.text(".steps").await?;
    ensure!(
        steps.contains("by-the-rule") && steps.contains("istio-system/a http[0].match[0]"),
        "{steps}"
    );
    let mut connection = sealgate_tests::client::Connection::open_plain(stage.site.http).await?;
    let answer = connection
        .get_with(HOST, "/app/1", &[("x-who", "me")])
        .await?
        .context("no answer")?;
    ensure!(
        answer.status == 200 && answer.body.contains("by-the-rule"),
        "{}",
        answer.body
    );

    // No key, and nothing of one, is told.
    let told = fetch_plain(stage.site.admin, "localhost", "/api/objects")
        .await?
        .body;
    ensure!(
        told.contains("\"VirtualService\"") && told.contains("\"credential\""),
        "{told}"
    );
    let key = std::fs::read_to_string(stage.site.dir().join("edge/tls.key"))?;
    let secret = key.lines().nth(1).context("a key")?;
    ensure!(
        !told.contains(secret) && !told.contains("PRIVATE") && !told.contains("\"Secret\""),
        "{told}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_if_warns_of_handshakes() -> Result<()> {
    let stage = Stage::start().await?;
    stage.open("why").await?;
    let browser = &stage.browser;
    browser
        .until("the form", "document.querySelector('#edited')")
        .await?;
    let tls = "mode: SIMPLE, credentialName: edge, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]";
    let servers = plain_server(80, HOST) + &tls_server(HOST, tls);
    let edited = gateway_of("istio-system", "edge", &servers);
    browser.press("details:has(#edited) > summary").await?;
    browser.write("#edited", &edited).await?;
    browser.press("#try").await?;
    browser
        .until(
            "the warning",
            "[...document.querySelectorAll('.finding')].some(one => one.innerText.includes('unusable-suites'))",
        )
        .await?;
    let said = browser.text("main").await?;
    ensure!(
        said.contains("New findings") && said.contains("the ECDSA keys of its certificates"),
        "{said}"
    );
    ensure!(!said.contains("No certificates are read here"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_listener_is_at_the_top() -> Result<()> {
    let mut stage = Stage::start().await?;
    let other = TcpListener::bind(("127.0.0.1", stage.site.https))?;
    stage.open("overview").await?;
    stage.site.start_envoy(|bootstrap, _| bootstrap).await?;
    let browser = &stage.browser;
    browser
        .until(
            "it is at the top",
            "document.querySelector('.worst > li')?.innerText.includes('Listener gateway-443')",
        )
        .await?;
    let first = browser.text(".worst > li").await?;
    ensure!(first.contains("cannot bind"), "{first}");
    stage.open("proxies").await?;
    browser.until("since when", "document.querySelector('main').innerText.includes('Refused ') && document.querySelector('main').innerText.includes('cannot bind')").await?;
    stage.open("overview").await?;
    drop(other);
    browser
        .until(
            "it is well again",
            "!document.querySelector('main').innerText.includes('Listener gateway-443')",
        )
        .await
}
