//! The filter's VM crashes in the middle of a request, as it would when out of memory. The filter here is the real one,
//! with an additional function that crashes it, because nothing else does so reliably.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sealgate_tests::edge::{Edge, WAYS, rule};
use sealgate_tests::eventually;
use sealgate_tests::manifests::virtual_service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use walrus::{FunctionBuilder, Module, ValType};

/// Well below Envoy's default of waiting for a second.
const SOON: Duration = Duration::from_millis(900);
const PATIENCE: Duration = Duration::from_secs(10);

/// The filter, ended by whatever request has a body.
fn mortal() -> Result<Vec<u8>> {
    let path = std::env::var_os("SEALGATE_FILTER_WASM")
        .context("SEALGATE_FILTER_WASM is not set: run scripts/test")?;
    let mut module = Module::from_file(path)?;
    let parameters = [ValType::I32; 3];
    let mut function = FunctionBuilder::new(&mut module.types, &parameters, &[ValType::I32]);
    function.func_body().unreachable();
    let arguments = parameters.map(|kind| module.locals.add(kind));
    let function = function.finish(arguments.to_vec(), &mut module.funcs);
    module.exports.add("proxy_on_request_body", function);
    Ok(module.emit_wasm())
}

/// Ends the machine; gives what the client gets.
async fn end(port: u16) -> Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = b"POST / HTTP/1.1\r\nhost: app.example\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx";
    connection.write_all(request).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, connection.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_was_made_anew_has_the_table_at_once_and_is_told_of_changes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let filter = folder.path().join("mortal.wasm");
    std::fs::write(&filter, mortal()?)?;
    let flags = vec!["--filter".to_owned(), filter.display().to_string()];
    let edge = Edge::start("", flags).await?;
    edge.ready().await?;
    for round in 0..3 {
        let answer = end(edge.site.http).await?;
        ensure!(
            answer.starts_with("HTTP/1.1 503") || answer.is_empty(),
            "not closed: {answer}"
        );
        for way in WAYS {
            eventually("it serves again", SOON, || edge.ordinary(way)).await?;
        }
        let host = format!("later-{round}.wild.example");
        let later = virtual_service("later", &host, &rule("uri: {prefix: /}", "picked"));
        edge.site.write("later.yaml", &later)?;
        let arrives = || async {
            let answer = sealgate_tests::client::fetch_plain(edge.site.http, &host, "/").await?;
            ensure!(
                answer.body.starts_with("picked\n"),
                "{} {}",
                answer.status,
                answer.body
            );
            Ok(())
        };
        eventually("a change arrives", PATIENCE, arrives).await?;
    }
    Ok(())
}
