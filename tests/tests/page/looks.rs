//! Every view, wide and narrow, light and dark: it fits, axe-core finds no violations, and it looks as in the
//! documentation (`SEALGATE_WRITE_DOCS=1` writes the pictures).

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Result, ensure};
use sealgate_tests::browser::{Browser, Look};
use sealgate_tests::manifests::{entry, gateway_of, plain_server, routes_of, tls_server};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use sealgate_tests::{echo, eventually};
use serde_json::json;
use time::OffsetDateTime;

const SOON: Duration = Duration::from_secs(30);
const VIEWS: [(&str, &str, &str); 6] = [
    ("overview", "overview", "document.querySelector('.facts')"),
    (
        "certificates",
        "certificates?name=istio-system/shop",
        "document.querySelector('.panel')",
    ),
    (
        "hosts",
        "hosts?host=443+www.shop.example",
        "document.querySelector('.rules > li')",
    ),
    (
        "why",
        "why?url=https://www.shop.example/cart/7&header=x-beta:+no",
        "document.querySelector('#verdict')",
    ),
    ("findings", "findings", "document.querySelector('.finding')"),
    ("proxies", "proxies", "document.querySelector('table')"),
];
const LOOKS: [(&str, Look); 4] = [
    (
        "wide-light",
        Look {
            width: 1280,
            height: 860,
            dark: false,
        },
    ),
    (
        "wide-dark",
        Look {
            width: 1280,
            height: 860,
            dark: true,
        },
    ),
    (
        "narrow-light",
        Look {
            width: 360,
            height: 740,
            dark: false,
        },
    ),
    (
        "narrow-dark",
        Look {
            width: 360,
            height: 740,
            dark: true,
        },
    ),
];
/// Those that the documentation has.
const SHOWN: [(&str, &str); 8] = [
    ("overview", "wide-light"),
    ("certificates", "wide-light"),
    ("hosts", "wide-light"),
    ("why", "wide-light"),
    ("findings", "wide-light"),
    ("proxies", "wide-light"),
    ("why", "narrow-dark"),
    ("certificates", "narrow-dark"),
];
const PICTURES: &str = "../docs/images";

const RULES: &str = "  - name: beta testers
    match: [{uri: {prefix: /cart}, headers: {x-beta: {exact: 'yes'}}}]
    route: [{destination: {host: app.example, port: {number: 80}}}]
  - name: cart
    match: [{uri: {prefix: /cart}, method: {exact: POST}}, {uri: {prefix: /cart}}]
    route: [{destination: {host: app.example, port: {number: 80}}}]
    timeout: 5s
    headers: {request: {set: {x-team: cart}, remove: [x-beta]}}
  - name: old pages
    match: [{uri: {prefix: /cart/old}}]
    redirect: {uri: /}
  - route: [{destination: {host: app.example, port: {number: 80}}}]
";

async fn site() -> Result<Site> {
    let mut site = Site::prepare().await?;
    let authority = Authority::new("Example CA")?;
    let days = |days| OffsetDateTime::now_utc() + time::Duration::days(days);
    for (name, host, from, to) in [
        ("shop", "*.shop.example", -40, 50),
        ("pay", "pay.example", -83, 7),
        ("docs", "docs.example", -10, 355),
        ("api", "api.example", -60, 30),
        ("old", "old.example", -100, -3),
    ] {
        let leaf = authority.leaf_with(&[host], |params| {
            (params.not_before, params.not_after) = (days(from), days(to));
        })?;
        leaf.write(&site.dir().join(name))?;
    }
    let app = echo::start("app").await?;
    let mut servers = plain_server(80, "*.shop.example");
    for (name, host) in [
        ("shop", "*.shop.example"),
        ("pay", "pay.example"),
        ("docs", "docs.example"),
        ("api", "api.example"),
        ("old", "old.example"),
        ("new", "new.example"),
    ] {
        servers += &tls_server(host, &format!("mode: SIMPLE, credentialName: {name}"));
    }
    let mut objects =
        entry("app", "app.example", 80, app) + "---\n" + &gateway_of("istio-system", "edge", &servers);
    objects += &routes_of("istio-system", "shop", ("edge", "www.shop.example"), RULES);
    let plain = "  - route: [{destination: {host: app.example, port: {number: 80}}}]\n";
    for (name, host) in [
        ("pay", "pay.example"),
        ("docs", "docs.example"),
        ("api", "api.example"),
    ] {
        objects += &routes_of("istio-system", name, ("edge", host), plain);
    }
    objects += &routes_of(
        "istio-system",
        "lost",
        ("edge", "news.shop.example"),
        "  - route: [{destination: {host: nowhere.example, port: {number: 80}}}]\n",
    );
    site.write("objects.yaml", &objects)?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    let held = || async {
        let status = site.status().await?;
        let all = status["credentials"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let shop = all.iter().find(|own| own["name"] == "istio-system/shop");
        ensure!(
            shop.is_some_and(|own| own["proxies"][0]["state"] == "current"),
            "{status}"
        );
        Ok(())
    };
    eventually("Envoy has its certificates", SOON, held).await?;
    // Rotations to look at.
    for name in ["shop", "docs", "api"] {
        let leaf = authority.leaf_with(
            &[&format!("*.{name}.example"), &format!("{name}.example")],
            |params| {
                (params.not_before, params.not_after) =
                    (days(-1), days(if name == "docs" { 364 } else { 89 }));
            },
        )?;
        leaf.write(&site.dir().join(name))?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    Ok(site)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_fits_and_is_accessible() -> Result<()> {
    let site = site().await?;
    let browser = Browser::start().await?;
    let mut wrong = Vec::new();
    let folder = env::var_os("SEALGATE_PICTURES").map(std::path::PathBuf::from);
    for (look_name, look) in LOOKS {
        browser.look(look).await?;
        for (view, place, sight) in VIEWS {
            browser.open("about:blank").await?;
            browser
                .open(&format!("http://127.0.0.1:{}/#/{place}", site.admin))
                .await?;
            browser.until(view, sight).await?;
            tokio::time::sleep(Duration::from_millis(400)).await;
            let place = format!("{view}, {look_name}");
            let picture = browser.picture().await?;
            if let Some(folder) = &folder {
                fs::write(folder.join(format!("{view}-{look_name}.png")), &picture)?;
            }
            if env::var_os("SEALGATE_WRITE_DOCS").is_some() && SHOWN.contains(&(view, look_name)) {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(PICTURES);
                fs::create_dir_all(&folder)?;
                fs::write(folder.join(format!("page-{view}-{look_name}.png")), &picture)?;
            }
            let beyond = "return document.scrollingElement.scrollWidth - innerWidth";
            let beyond = browser.run(beyond, &[]).await?;
            if beyond.as_i64().is_none_or(|beyond| beyond > 0) {
                wrong.push(format!("{place}: {beyond} pixels too wide"));
            }
            if let Err(error) = browser.is_accessible().await {
                wrong.push(format!("{place}: {error:#}"));
            }
        }
    }
    let complaints = browser.complaints().await?;
    ensure!(complaints.is_empty(), "{complaints:?}");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Everything can be reached and used without a mouse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_reaches_everything() -> Result<()> {
    let site = site().await?;
    let browser = Browser::start().await?;
    browser.open(&format!("http://127.0.0.1:{}/", site.admin)).await?;
    browser
        .until("the page", "document.querySelector('.facts')")
        .await?;
    let mut reached = Vec::new();
    for _ in 0..9 {
        browser.key('\u{e004}').await?;
        let here = browser
            .run(
                "return document.activeElement.innerText || document.activeElement.tagName",
                &[],
            )
            .await?;
        reached.push(here.as_str().unwrap_or_default().to_owned());
    }
    for name in [
        "Skip to the content",
        "Certificates",
        "Hosts and routes",
        "Why",
        "Findings",
        "Proxies",
    ] {
        ensure!(
            reached.iter().any(|own| own.contains(name)),
            "{name}: {reached:?}"
        );
    }
    browser
        .run("document.querySelector('[data-name=certificates]').focus()", &[])
        .await?;
    browser.key('\u{e007}').await?;
    browser
        .until("the list", "document.querySelector('.list.certs .row')")
        .await?;
    browser
        .run("document.querySelector('.list.certs').focus()", &[])
        .await?;
    browser.key('\u{e015}').await?;
    browser
        .until(
            "one is chosen",
            "document.querySelector('.row[aria-selected=true]') && document.querySelector('.panel')",
        )
        .await?;
    let told = browser.run("const box = document.querySelector('.list.certs'); return document.getElementById(box.getAttribute('aria-activedescendant')) !== null", &[]).await?;
    ensure!(told == json!(true), "a screen reader is not told where one is");
    Ok(())
}
