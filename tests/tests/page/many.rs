//! Ten thousand hosts: they are read, searched and scrolled, and a question about one is answered. The times are only
//! printed, because machines differ.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use sealgate_tests::browser::Browser;
use sealgate_tests::front::say;
use serde_json::json;

use super::files::{Files, folder};

const HOSTS: usize = 10_000;

fn manifests() -> Result<String> {
    let mut text = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: istio-system}\nspec:\n  \
        selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 443, name: https, protocol: HTTPS}\n    \
        hosts: ['*.many.example']\n    tls: {mode: SIMPLE, credentialName: edge}\n"
        .to_owned();
    for at in 0..HOSTS {
        write!(
            text,
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v{at}}}\nspec:\n  \
             hosts: [h{at}.many.example]\n  gateways: [istio-system/edge]\n  http:\n  - match: [{{uri: {{prefix: /api}}}}]\n    \
             route: [{{destination: {{host: api.local}}}}]\n  - route: [{{destination: {{host: web.local}}}}]\n"
        )?;
    }
    Ok(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hosts_scroll_and_are_explained() -> Result<()> {
    let files = Files::serve().await?;
    let browser = Browser::start().await?;
    browser.open(&files.url).await?;
    let loaded = "const { ready } = await import('./explorer.js'); await ready; return performance.now()";
    let ready = browser.run(loaded, &[]).await?;
    let size = std::fs::metadata(folder()?.join("sealgate_web.wasm"))?.len();
    say(&format!(
        "the module: {} KB, ready {:.0} ms after the page was opened",
        size / 1000,
        ready.as_f64().unwrap_or_default()
    ));
    let read = "const data = await import('./data.js'); const began = performance.now(); await data.paste(arguments[0], {}); \
                return performance.now() - began";
    let took = browser.run(read, &[json!(manifests()?)]).await?;
    say(&format!(
        "{HOSTS} hosts read in {:.0} ms",
        took.as_f64().unwrap_or_default()
    ));
    let ask = "const { ask } = await import('./explorer.js'); const took = []; \
               for (let at = 0; at < 200; at++) { const answer = await ask('ask', { url: `https://h${at * 49}.many.example/api/${at}`, method: 'GET' }, false); \
               if (answer.explanation.matched.virtualService !== `default/v${at * 49}`) throw new Error(JSON.stringify(answer)); took.push(answer.took); } \
               took.sort((a, b) => a - b); return [took[100], took[198]]";
    let took = browser.run(ask, &[]).await?;
    say(&format!(
        "a question among {HOSTS} hosts: {} ms, the slowest of a hundred {} ms",
        took[0], took[1]
    ));

    browser.open(&format!("{}#/hosts", files.url)).await?;
    browser
        .until("the list", "document.querySelector('.list.hosts .row')")
        .await?;
    let scrolled = "const box = document.querySelector('.list.hosts'); box.scrollTop = box.scrollHeight; \
                    await new Promise(done => setTimeout(done, 300)); \
                    const rows = [...box.querySelectorAll('.row')]; return [rows.length, rows.at(-1).innerText, rows.at(-1).getAttribute('aria-setsize')]";
    let seen = browser.run(scrolled, &[]).await?;
    ensure!(seen[0].as_u64().is_some_and(|rows| rows < 60), "{seen}");
    ensure!(seen[2] == json!(HOSTS.to_string()), "{seen}");
    browser.write("input[type=search]", "h7777.many").await?;
    browser
        .until(
            "one is found",
            "document.querySelectorAll('.list.hosts .row').length === 1",
        )
        .await?;

    // The keyboard does what the mouse does.
    browser
        .run("document.querySelector('.list.hosts').focus()", &[])
        .await?;
    browser.key('\u{e015}').await?;
    browser
        .until(
            "its rules",
            "document.querySelectorAll('.rules > li').length === 2",
        )
        .await
}
