//! Slow requests, and the expected outcome of each.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealgate_tests::client::{Tls, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::patient::{PARTS, body_of, halves, part};

const HOST: &str = "server.test";
/// A slow upload sends so many parts.
const STEPS: usize = 31;
/// What may be added to the silence until all is over.
const MORE: Duration = Duration::from_secs(20);

/// What is exchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exchange {
    /// The answer to this path comes late.
    LateAnswer(&'static str),
    /// An answer stops in the middle of its body.
    Halves,
    /// A part now and then.
    SlowUpload,
    /// It stops in the middle.
    StalledUpload,
    /// On which nobody says anything for a while.
    WebSocket,
    /// A stream whose second message comes late.
    Grpc,
}

/// How to connect.
pub(crate) struct Client {
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    pub(crate) version: Version,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl Client {
    /// A request on a connection of its own.
    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>> {
        let wire: Box<dyn Wire> = match &self.tls {
            Some(tls) => Box::new(tls.connect(self.port, HOST).await?),
            None => Box::new(TcpStream::connect(("127.0.0.1", self.port)).await?),
        };
        let io = TokioIo::new(wire);
        match self.version {
            Version::H1 => {
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection.with_upgrades());
                request.headers_mut().insert("host", HOST.parse()?);
                Ok(sender.send_request(request).await?)
            }
            Version::H2 => {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                let path = request.uri().path();
                *request.uri_mut() = format!("https://{HOST}{path}").parse()?;
                Ok(sender.send_request(request).await?)
            }
        }
    }

    /// Whether it is answered at all.
    pub(crate) async fn is_served(&self) -> Result<()> {
        let answer = self.send(Request::get("/").body(Body::empty())?).await?;
        says(answer, "at once").await
    }
}

/// It is good, and this is its body.
async fn says(answer: Response<Incoming>, expected: &str) -> Result<()> {
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body);
    ensure!(status == 200, "{status}: {body}");
    ensure!(body == expected, "{body:?}");
    Ok(())
}

impl Exchange {
    /// Whether there is such a thing in this protocol.
    pub(crate) fn has(self, version: Version) -> bool {
        match self {
            Self::WebSocket => version == Version::H1,
            Self::Grpc => version == Version::H2,
            _ => true,
        }
    }

    /// Runs it to its end; nothing is said for so long.
    pub(crate) async fn run(self, client: &Client, silence: Duration) -> Result<()> {
        let whole = PARTS.concat();
        let run = async {
            match self {
                Self::LateAnswer(path) => {
                    let answer = client.send(Request::get(path).body(Body::empty())?);
                    says(answer.await?, &whole).await
                }
                Self::Halves => {
                    let answer = client.send(Request::get("/halves").body(Body::empty())?);
                    says(answer.await?, &whole).await
                }
                Self::SlowUpload => {
                    let parts = vec![(); STEPS].into_iter();
                    let parts = parts.map(|()| part(silence.div_f64(STEPS as f64), "x")).collect();
                    let answer = client.send(Request::post("/upload").body(body_of(parts))?);
                    says(answer.await?, &"x".repeat(STEPS)).await
                }
                Self::StalledUpload => {
                    let body = body_of(halves(silence));
                    let answer = client.send(Request::post("/upload").body(body)?);
                    says(answer.await?, &whole).await
                }
                Self::WebSocket => web_socket(client, silence).await,
                Self::Grpc => grpc(client, &whole).await,
            }
        };
        tokio::time::timeout(silence + MORE, run)
            .await
            .context("it takes too long")?
    }
}

async fn web_socket(client: &Client, silence: Duration) -> Result<()> {
    let request = Request::get("/socket")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = client.send(request.body(Body::empty())?).await?;
    ensure!(answer.status() == 101, "{answer:?}");
    let mut socket = TokioIo::new(hyper::upgrade::on(answer).await?);
    for word in ["first", "later"] {
        if word == "later" {
            tokio::time::sleep(silence).await;
        }
        socket.write_all(word.as_bytes()).await?;
        socket.flush().await?;
        let mut bytes = [0; 5];
        socket.read_exact(&mut bytes).await.context("the socket ended")?;
        ensure!(bytes == word.as_bytes(), "{bytes:?}");
    }
    Ok(())
}

async fn grpc(client: &Client, whole: &str) -> Result<()> {
    let request = Request::post("/grpc.Test/Call")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let answer = client.send(request.body(Body::from("asked"))?).await?;
    ensure!(answer.status() == 200, "{answer:?}");
    let body = answer.into_body().collect().await?;
    let status = body.trailers().and_then(|all| all.get("grpc-status")).cloned();
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    ensure!(body == whole, "{body:?}");
    ensure!(
        status.as_ref().is_some_and(|status| status == "0"),
        "grpc-status {status:?}"
    );
    Ok(())
}
