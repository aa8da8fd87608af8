//! Slow upstreams.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealgate_tests::client::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What each answer's body says, in two parts.
pub(crate) const PARTS: [&str; 2] = ["first ", "last"];

/// Starts one of this protocol; gives its port. It ends with the runtime.
pub(crate) async fn start(version: Version, silence: Duration) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let io = TokioIo::new(stream);
            let service = service_fn(move |request| serve(request, silence));
            match version {
                Version::H1 => {
                    let server = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(async move { server.serve_connection(io, service).with_upgrades().await });
                }
                Version::H2 => {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(async move { server.serve_connection(io, service).await });
                }
            }
        }
    });
    Ok(port)
}

/// A part of a body, and how long it is silent before that.
pub(crate) type Part = (Duration, Frame<Bytes>);

/// Such a part with this text.
pub(crate) fn part(silence: Duration, text: &'static str) -> Part {
    (silence, Frame::data(Bytes::from_static(text.as_bytes())))
}

/// A body of these parts.
pub(crate) fn body_of(parts: Vec<Part>) -> Body {
    let parts = futures::stream::iter(parts).then(|(silence, part)| async move {
        tokio::time::sleep(silence).await;
        Ok::<_, Infallible>(part)
    });
    Body::new(StreamBody::new(Box::pin(parts)))
}

/// [`PARTS`], with silence between them.
pub(crate) fn halves(silence: Duration) -> Vec<Part> {
    let [first, last] = PARTS;
    vec![part(Duration::ZERO, first), part(silence, last)]
}

async fn serve(mut request: Request<Incoming>, silence: Duration) -> Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/report" | "/none" => {
            tokio::time::sleep(silence).await;
            Response::new(Body::from(PARTS.concat()))
        }
        "/halves" => Response::new(body_of(halves(silence))),
        "/upload" => {
            let body = request.into_body().collect().await?.to_bytes();
            Response::new(Body::from(body))
        }
        "/socket" => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(echo(upgrade));
            let answer = Response::builder().status(101);
            answer
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .body(Body::empty())?
        }
        "/grpc.Test/Call" => {
            let status = HeaderMap::from_iter([("grpc-status".try_into()?, HeaderValue::from_static("0"))]);
            let mut parts = halves(silence);
            parts.push((Duration::ZERO, Frame::trailers(status)));
            let answer = Response::builder().header("content-type", "application/grpc");
            answer.body(body_of(parts))?
        }
        _ => Response::new(Body::from("at once")),
    })
}

/// Says everything again, until the other side ends.
async fn echo(upgrade: hyper::upgrade::OnUpgrade) -> Result<()> {
    let mut stream = TokioIo::new(upgrade.await?);
    let mut bytes = [0; 64];
    loop {
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(bytes.get(..count).unwrap_or_default()).await?;
        stream.flush().await?;
    }
}
