//! What `sealgate status`, `explain --admin` and `check --admin` say about a running agent is what the real Envoy
//! serves and rejects.

use std::fs;
use std::net::TcpListener;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::client::fetch_plain;
use sealgate_tests::eventually;
use sealgate_tests::json_schema::fits;
use sealgate_tests::manifests::{gateway, virtual_service};
use sealgate_tests::pki::Authority;
use sealgate_tests::site::Site;
use serde_json::Value;

const HOST: &str = "www.aliyun.com";
const SOON: Duration = Duration::from_secs(15);

/// A site with a Gateway whose certificate there is, and the agent.
async fn site() -> Result<Site> {
    let mut site = Site::prepare().await?;
    Authority::new("CA")?
        .leaf(&[HOST])?
        .write(&site.dir().join("edge"))?;
    site.write("site.yaml", &gateway("edge", ""))?;
    site.start_agent().await?;
    Ok(site)
}

/// The rules: what begins with `/x` is answered so, and the rest with 404.
fn answer(site: &Site, status: u16) -> Result<()> {
    let rules = format!("  - match: [{{uri: {{prefix: /x}}}}]\n    directResponse: {{status: {status}}}\n");
    site.write("a.yaml", &virtual_service("a", HOST, &rules))
}

/// A command that asks the agent.
fn ask(site: &Site, words: &[&str]) -> Result<Output> {
    let admin = format!("--admin=127.0.0.1:{}", site.admin);
    let (command, rest) = words.split_first().context("a command")?;
    site.sealgate(&[&[*command, &admin], rest].concat())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the agent says of itself is what the schema promises.
async fn is_as_promised(site: &Site) -> Result<()> {
    let schema = site.sealgate(&["status", "--schema"])?;
    fits(&site.status().await?, &serde_json::from_slice(&schema.stdout)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_is_of_what_is_served_now() -> Result<()> {
    let mut site = site().await?;
    answer(&site, 218)?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    for status in [218, 219] {
        answer(&site, status)?;
        eventually("Envoy answers so", SOON, || async {
            let answer = fetch_plain(site.http, HOST, "/x/y").await?;
            ensure!(answer.status == status, "{}", answer.status);
            Ok(())
        })
        .await?;
        let told = ask(&site, &["explain", "--json", "http://www.aliyun.com/x/y"])?;
        let told: Value = serde_json::from_slice(&told.stdout).with_context(|| format!("{told:?}"))?;
        ensure!(told["decision"]["status"] == status, "{told}");
    }
    let dir = format!("--dir={}", site.dir().display());
    for words in [
        &["http://www.aliyun.com/x/y"][..],
        &["http://www.aliyun.com/none"],
        &["http://elsewhere.example/"],
        &["--json", "https://WWW.aliyun.com/x?a=1"],
        &["--json", "--method=BREW", "http://www.aliyun.com/x"],
        &[
            "--protocol=HTTP/2",
            "--header=x-a: 1",
            "--method=BREW",
            "http://www.aliyun.com/x",
        ],
    ] {
        let there = ask(&site, &[&["explain"], words].concat())?;
        let here = site.sealgate(&[&["explain", &dir], words].concat())?;
        ensure!(
            there.status == here.status && there.stdout == here.stdout && !here.stdout.is_empty(),
            "{words:?}: {there:?}, not {here:?}"
        );
    }
    let lines = "{\"id\":\"a b\",\"scheme\":\"http\",\"authority\":\"www.aliyun.com\",\"path\":\"/x?y=%20&z\"}\nnonsense\n\
        {\"id\":2,\"authority\":\"www.aliyun.com\",\"headers\":[[\"x-a\",\" & \"]],\"draw\":0.25,\"protocol\":\"HTTP/2\"}\n\
        {\"id\":3,\"scheme\":\"http\",\"authority\":\"elsewhere.example\",\"path\":\"http://www.aliyun.com/x\"}\n\
        {\"id\":4,\"scheme\":\"http\",\"authority\":\"elsewhere.example\",\"method\":\"CONNECT\",\"path\":\"www.aliyun.com:80\"}\n";
    let batch = site.dir().with_file_name("batch");
    fs::write(&batch, lines)?;
    let batch = format!("--batch={}", batch.display());
    let there = ask(&site, &["explain", &batch])?;
    let here = site.sealgate(&["explain", &dir, &batch])?;
    ensure!(
        here.status.code() == Some(2) && text(&here).lines().count() == 5,
        "{here:?}"
    );
    ensure!(
        there.status == here.status && there.stdout == here.stdout,
        "{there:?}, not {here:?}"
    );
    // A whole URL as the target says which host is meant, whatever the connection is for.
    let by_target = text(&there).lines().nth(3).map(serde_json::from_str::<Value>);
    let by_target = by_target.context("an answer is missing")??;
    ensure!(by_target["decision"]["status"] == 219, "{by_target}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_and_check_say_whether_all_is_well() -> Result<()> {
    let mut site = site().await?;
    let output = ask(&site, &["status"])?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(text(&output).contains("no proxy is connected"), "{output:?}");
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("all is well", SOON, || async {
        let output = ask(&site, &["status"])?;
        ensure!(output.status.code() == Some(0), "{output:?}");
        let said = text(&output);
        ensure!(said.starts_with("well "), "{said}");
        ensure!(said.contains("edge-1 current, connected since 20"), "{said}");
        ensure!(said.contains("istio-system/edge ("), "{said}");
        Ok(())
    })
    .await?;
    let output = ask(&site, &["check"])?;
    ensure!(output.status.code() == Some(0), "{output:?}");

    answer(&site, 1000)?;
    let wrong = "error: VirtualService default/a: spec.http[0]";
    eventually("the wrong rule is known", SOON, || async {
        for command in ["status", "check"] {
            let output = ask(&site, &[command])?;
            let said = text(&output);
            ensure!(
                output.status.code() == Some(1) && said.contains(wrong),
                "{command}: {said}"
            );
        }
        Ok(())
    })
    .await?;
    let report: Value = serde_json::from_slice(&ask(&site, &["status", "--json"])?.stdout)?;
    ensure!(report["well"] == false, "{report}");
    ensure!(report["concerns"][0]["about"] == "refusals", "{report}");
    ensure!(report["severities"]["error"] == 1, "{report}");
    ensure!(report["proxyStates"]["current"] == 1, "{report}");
    is_as_promised(&site).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_has_envoys_own_words() -> Result<()> {
    let mut site = Site::prepare().await?;
    let _taken = TcpListener::bind(("127.0.0.1", site.http))?;
    Authority::new("CA")?
        .leaf(&[HOST])?
        .write(&site.dir().join("edge"))?;
    site.write("site.yaml", &gateway("edge", ""))?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("the rejection is said", SOON, || async {
        let output = ask(&site, &["status"])?;
        let said = text(&output);
        ensure!(output.status.code() == Some(1), "{output:?}");
        ensure!(
            said.starts_with("attention  edge-1 rejects what it was sent\n"),
            "{said}"
        );
        let line = said
            .lines()
            .find(|line| line.contains("rejects Listener gateway-80 since 20"));
        let line = line.with_context(|| said.clone())?;
        ensure!(line.contains("cannot bind"), "{line}");
        is_as_promised(&site).await
    })
    .await
}
