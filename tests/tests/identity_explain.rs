//! `sealgate explain --peer-certificate` shows what the upstream then sees.

use anyhow::{Context as _, Result, ensure};
use rustls::version::TLS13;
use sealgate_tests::client::Version;
use sealgate_tests::clients::{Clients, client};
use sealgate_tests::handmade::{Content, Handmade};
use serde_json::Value;

fn explain(clients: &Clients, leaf: &Handmade, host: &str) -> Result<Value> {
    let path = clients.site.socket().with_file_name("client.pem");
    std::fs::write(&path, leaf.pem())?;
    let output = clients.site.sealgate(&[
        "explain",
        "--json",
        "--dir",
        &clients.site.dir().display().to_string(),
        "--peer-certificate",
        &path.display().to_string(),
        &format!("https://{host}/"),
    ])?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: Value = serde_json::from_slice(&output.stdout)?;
    told.get("identity").cloned().context("no identity")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_explained_is_what_is_told() -> Result<()> {
    let clients = Clients::start("").await?;
    let leaf = clients.root.signs(&Content {
        sans: vec![(6, b"spiffe://example/a;b".to_vec()), (2, b"a.example".to_vec())],
        ..Content::default()
    })?;
    let tls = client(&[&leaf], Version::H2, &[&TLS13], false)?;
    let seen = clients.ready("mutual.example", &tls).await?;
    let explained = explain(&clients, &leaf, "mutual.example")?;
    let headers = explained["set"].as_array().context("no headers")?;
    ensure!(headers.len() >= 10, "{explained}");
    for header in headers {
        let (name, value) = (header[0].as_str(), header[1].as_str());
        ensure!(
            seen.get(name.context("a name")?) == value,
            "{header}: {:?}",
            seen.headers
        );
    }
    let explained = explain(&clients, &leaf, "simple.example")?;
    ensure!(explained["set"] == Value::Array(Vec::new()), "{explained}");
    Ok(())
}
