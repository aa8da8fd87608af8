//! No copy of a private key outlives its use: the test searches the running agent's memory for every form that a key
//! has on its way from a folder, YAML or JSON to Envoy, after a rotation and after its Secret was deleted.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sealgate_tests::eventually;
use sealgate_tests::manifests::{gateway, server};
use sealgate_tests::memory::{found, traces};
use sealgate_tests::pki::{Authority, Leaf};
use sealgate_tests::site::Site;

const SOON: Duration = Duration::from_secs(15);
/// How each Secret comes: a folder, and manifests.
const FORMS: [&str; 4] = ["folder", "data", "list", "json"];

fn host(form: &str) -> String {
    format!("{form}.aliyun.com")
}

fn write(site: &Site, form: &str, leaf: &Leaf) -> Result<()> {
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let (certificate, key) = (encoded(&leaf.certificate), encoded(&leaf.key));
    match form {
        "folder" => leaf.write(&site.dir().join(form)),
        "data" => site.write(
            "data.yaml",
            &format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: data}}\ndata:\n  tls.crt: {certificate}\n  tls.key: {key}\n"
            ),
        ),
        "list" => {
            let secret = leaf.secret("list").replace('\n', "\n    ");
            site.write("list.yaml", &format!("apiVersion: v1\nkind: List\nitems:\n  - {secret}\n"))
        }
        _ => {
            let secret = serde_json::json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": form},
                "data": {"tls.crt": certificate, "tls.key": key},
            });
            site.write("json.json", &secret.to_string())
        }
    }
}

fn named(form: &str, leaf: &Leaf) -> Result<Vec<(String, Vec<u8>)>> {
    let traces = traces(leaf)?.into_iter();
    Ok(traces
        .map(|(word, trace)| (format!("{form}: {word}"), trace))
        .collect())
}

/// Waits until Envoy has these.
async fn are_held(site: &Site, leaves: &[(&str, Leaf)]) -> Result<()> {
    let status = site.status().await?;
    for (form, leaf) in leaves {
        let name = format!("istio-system/{form}");
        let credentials = status["credentials"].as_array().context("credentials")?;
        let own = credentials.iter().find(|own| own["name"] == name.as_str());
        let own = own.with_context(|| format!("no {name}: {status}"))?;
        ensure!(own["serial"] == leaf.serial, "{own}");
        ensure!(own["proxies"][0]["state"] == "current", "{own}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_key_is_left_when_it_is_rotated_or_gone() -> Result<()> {
    let mut site = Site::prepare().await?;
    let authority = Authority::new("CA")?;
    let issue = |site: &Site| -> Result<Vec<(&'static str, Leaf)>> {
        let leaves = FORMS.into_iter().map(|form| {
            let leaf = authority.leaf(&[&host(form)])?;
            write(site, form, &leaf)?;
            Ok((form, leaf))
        });
        leaves.collect()
    };
    let first = issue(&site)?;
    let more: String = FORMS[1..]
        .iter()
        .map(|form| server(&host(form), "SIMPLE", form))
        .collect();
    site.write("site.yaml", &gateway("folder", &more))?;
    site.start_agent().await?;
    site.start_envoy(|bootstrap, _| bootstrap).await?;
    eventually("Envoy has all", SOON, || are_held(&site, &first)).await?;
    let process = site.agent_id()?;
    for (form, leaf) in &first {
        let here = found(process, &named(form, leaf)?)?;
        ensure!(
            here.iter().any(|place| place.contains("PEM")),
            "{form}: what is served is not found, so nothing would be: {here:?}"
        );
    }

    let second = issue(&site)?;
    eventually("Envoy has the new ones", SOON, || are_held(&site, &second)).await?;
    is_clean(process, &first, "rotated").await?;

    for file in ["site.yaml", "data.yaml", "list.yaml", "json.json"] {
        fs::remove_file(site.dir().join(file))?;
    }
    fs::remove_dir_all(site.dir().join("folder"))?;
    eventually("nothing is served", SOON, || async {
        let status = site.status().await?;
        ensure!(
            status["credentials"].as_array().is_some_and(Vec::is_empty),
            "{status}"
        );
        Ok(())
    })
    .await?;
    is_clean(process, &second, "gone").await
}

async fn is_clean(process: u32, leaves: &[(&'static str, Leaf)], what: &str) -> Result<()> {
    let mut traces = Vec::new();
    for (form, leaf) in leaves {
        traces.extend(named(form, leaf)?);
    }
    eventually(what, SOON, || async {
        let left = found(process, &traces)?;
        ensure!(left.is_empty(), "{left:#?}");
        Ok(())
    })
    .await
}
