//! Requests over one persistent HTTP/2 connection.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::config::HOST;

/// Enough to keep Envoy's worker busy, few enough for its default limits.
const CONCURRENT: usize = 32;

/// A connection.
#[derive(Debug)]
pub(super) struct Load(SendRequest<Empty<Bytes>>);

impl Load {
    pub(super) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Sends this many requests for a path, and checks every answer.
    pub(super) async fn run(&self, path: &str, requests: u32) -> Result<()> {
        let uri = format!("http://{HOST}{path}");
        stream::iter(0..requests)
            .map(|_| one(self.0.clone(), &uri))
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await
    }
}

async fn one(mut sender: SendRequest<Empty<Bytes>>, uri: &str) -> Result<()> {
    // What a browser or client library sends besides the pseudo headers.
    let request = Request::get(uri)
        .header("user-agent", "bench/1.0 (x86_64; linux)")
        .header("accept", "text/html,application/json;q=0.9,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br")
        .header("accept-language", "en-GB,en;q=0.5")
        .body(Empty::new())?;
    let answer = sender.send_request(request).await?;
    ensure!(answer.status() == 200, "{uri}: {}", answer.status());
    answer.into_body().collect().await.context("the body")?;
    Ok(())
}
