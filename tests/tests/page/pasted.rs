//! The static page: manifests are pasted, a question is answered, an edit is tried, and no requests are sent anywhere.

use anyhow::{Result, ensure};
use sealgate_tests::browser::Browser;
use serde_json::json;

use super::files::Files;

const MANIFESTS: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: ["*.example"]
      tls: { mode: SIMPLE, credentialName: edge }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [shop.example]
  gateways: [istio-system/edge]
  http:
    - match: [{ uri: { prefix: /cart }, headers: { x-beta: { exact: "yes" } } }]
      route: [{ destination: { host: cart.local } }]
      headers: { request: { set: { x-team: cart } } }
    - route: [{ destination: { host: shop.local } }]
    - match: [{ uri: { exact: /old } }]
      redirect: { uri: / }
"#;

/// The answer to a question, in one line.
async fn answer(browser: &Browser, url: &str) -> Result<String> {
    // What was asked before is not the answer.
    browser
        .run("document.querySelector('#verdict')?.remove()", &[])
        .await?;
    browser.write("#url", url).await?;
    browser.press("#ask").await?;
    browser
        .until("an answer", "document.querySelector('#verdict')")
        .await?;
    browser.text("#verdict h2").await
}

/// Opens the page, and has it read these manifests.
async fn paste(browser: &Browser, files: &Files, manifests: &str) -> Result<()> {
    browser.open(&files.url).await?;
    browser
        .until("it asks for manifests", "document.querySelector('#manifests')")
        .await?;
    browser.write("#manifests", manifests).await?;
    browser.press("#read").await?;
    browser
        .until("they are read", "document.querySelector('.facts')")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_manifests_are_explained_without_a_gateway() -> Result<()> {
    let files = Files::serve().await?;
    let browser = Browser::start().await?;
    paste(&browser, &files, MANIFESTS).await?;
    let facts = browser.text(".facts").await?;
    ensure!(facts.contains("Listeners"), "{facts}");

    browser.open(&format!("{}#/why", files.url)).await?;
    browser
        .until("the form", "document.querySelector('#url')")
        .await?;
    let end = answer(&browser, "https://shop.example/cart?item=1").await?;
    ensure!(end.contains("shop.local"), "{end}");
    let steps = browser.text(".steps").await?;
    for words in [
        "headers[x-beta]: exact \"yes\", the request has none",
        "default/shop http[1]",
    ] {
        ensure!(steps.contains(words), "no {words:?} in {steps}");
    }
    browser
        .write("textarea[placeholder^='x-beta']", "x-beta: yes")
        .await?;
    let end = answer(&browser, "https://shop.example/cart").await?;
    ensure!(end.contains("cart.local"), "{end}");
    let steps = browser.text(".steps").await?;
    ensure!(
        steps.contains("x-team") && steps.contains("set by the rule"),
        "{steps}"
    );

    // The link says all of it.
    let link = browser.run("return location.hash", &[]).await?;
    ensure!(
        link == "#/why?url=https%3A%2F%2Fshop.example%2Fcart&header=x-beta%3A+yes",
        "{link}"
    );

    // What if.
    let edited = MANIFESTS
        .split("---")
        .nth(1)
        .unwrap_or_default()
        .replace("/cart", "/basket");
    browser.press("details:has(#edited) > summary").await?;
    browser.write("#edited", &edited).await?;
    browser.press("#try").await?;
    browser
        .until("what changes", "document.querySelector('ins')")
        .await?;
    let after = browser.text("ins").await?;
    ensure!(after.contains("shop.local"), "{after}");
    let said = browser.text("main").await?;
    ensure!(said.contains("No certificates are read here"), "{said}");

    browser.open(&format!("{}#/findings", files.url)).await?;
    browser
        .until("findings", "document.querySelector('.finding')")
        .await?;
    let said = browser.text("main").await?;
    ensure!(
        said.contains("dead-rule") && said.contains("It means:") && said.contains("To do:"),
        "{said}"
    );
    browser.press(".finding summary").await?;
    browser
        .until("the place in the YAML", "document.querySelector('.place .hit')")
        .await?;

    // Nothing else was asked for, and nothing could have been: no other name resolves.
    let loaded = browser
        .run(
            "return performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin)",
            &[],
        )
        .await?;
    let own = files.url.trim_end_matches('/');
    ensure!(
        loaded
            .as_array()
            .is_some_and(|all| all.iter().all(|origin| origin == own)),
        "{loaded}"
    );
    ensure!(
        files.asked().iter().any(|name| name == "sealgate_web.wasm"),
        "{:?}",
        files.asked()
    );
    // That there is no agent is a question of its own, once.
    let complaints = browser.complaints().await?;
    ensure!(
        complaints.iter().all(|line| line.contains("/api/status")),
        "{complaints:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_objects_say_is_never_markup() -> Result<()> {
    let files = Files::serve().await?;
    let browser = Browser::start().await?;
    let hostile = MANIFESTS
        .replace("x-beta", "<img/src=x/onerror=document.title='owned'>")
        .replace("/old", "/<b>old</b>");
    paste(&browser, &files, &hostile).await?;
    for view in ["overview", "hosts", "why", "findings"] {
        browser.open(&format!("{}#/{view}", files.url)).await?;
        browser
            .until("the view", "document.querySelector('main h1')")
            .await?;
        let marks = browser
            .run(
                "return document.querySelectorAll('main img, main b > b, main script').length",
                &[],
            )
            .await?;
        ensure!(marks == json!(0), "{view}: {marks}");
    }
    let title = browser.run("return document.title", &[]).await?;
    ensure!(title != "owned", "{title}");
    Ok(())
}
