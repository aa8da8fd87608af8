//! `sealgate certs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use super::{Conclusion, folder, print};
use crate::admin::status::{CredentialStatus, Status};
use crate::args::CertsArgs;
use crate::report;

pub(super) fn main(args: &CertsArgs) -> Result<Conclusion> {
    let credentials = match &args.dir {
        Some(dir) => report::credentials(&folder::load(dir, &args.gateway)?.view(), &BTreeMap::new()),
        None => {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(ask(&args.admin))?
                .credentials
        }
    };
    if args.json {
        print(&(json!({ "credentials": credentials }).to_string() + "\n"))?;
    } else {
        print(&text(&credentials)?)?;
    }
    Ok(if credentials.is_empty() {
        Conclusion::No
    } else {
        Conclusion::Good
    })
}

async fn ask(admin: &str) -> Result<Status> {
    let doing = || format!("--admin {admin}: the agent cannot be asked");
    let stream = TcpStream::connect(admin).await.with_context(doing)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .with_context(doing)?;
    tokio::spawn(connection);
    let request = http::Request::get("/api/status")
        .header("host", admin)
        .body(Empty::<bytes::Bytes>::new())?;
    let response = sender.send_request(request).await.with_context(doing)?;
    ensure!(
        response.status().is_success(),
        "{}: {}",
        doing(),
        response.status()
    );
    let body = response.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).with_context(doing)
}

fn text(credentials: &[CredentialStatus]) -> Result<String> {
    let mut text = String::new();
    for own in credentials {
        let reason = own
            .reason
            .as_ref()
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        writeln!(text, "{}  {}{reason}", own.name, own.state)?;
        let mut line = |name: &str, value: Option<String>| match value {
            Some(value) if !value.is_empty() => writeln!(text, "    {name:<14}{value}"),
            _ => Ok(()),
        };
        line("subject", Some(own.subjects.join("; ")))?;
        line("names", Some(own.dns_names.join(" ")))?;
        line("issuer", own.issuer.clone())?;
        line("serial", own.serial.clone())?;
        line(
            "not after",
            own.not_after
                .clone()
                .zip(own.days_left)
                .map(|(end, days)| format!("{end} ({days} days left)")),
        )?;
        line("key", own.key_type.clone())?;
        line("SHA-256", own.sha256.clone())?;
        line("rotated", own.last_rotated.clone())?;
        line("slowest proxy", own.rotation_ms.map(|ms| format!("{ms:.1} ms")))?;
        line(
            "held by",
            Some(
                own.proxies
                    .iter()
                    .map(|proxy| proxy.node.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
        )?;
    }
    Ok(text)
}
