//! Trailers, and headers that `Connection` names, cannot bypass the rules for headers.

use std::convert::Infallible;

use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealgate_tests::client::Version;
use sealgate_tests::edge::{Edge, Way};
use sealgate_tests::raw::RawRequest;
use sealgate_tests::site::Site;
use tokio::net::{TcpListener, TcpStream};

/// Names that no client may say, as it might spell them, and one that is its own.
const TRAILERS: [&str; 8] = [
    "x-client-cert-verified",
    "x_client_cert_subject",
    "x-forwarded-client-cert",
    "client-cert",
    "x-sealgate-cluster",
    "x-envoy-retry-on",
    "x-peer-tls-client-subject",
    "x-checksum",
];

/// A body of one byte, and trailers behind it.
fn body(names: &[&'static str]) -> Body {
    let trailers: HeaderMap = names
        .iter()
        .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("forged")))
        .collect();
    let frames = [Frame::data(Bytes::from_static(b"x")), Frame::trailers(trailers)];
    Body::new(StreamBody::new(futures::stream::iter(
        frames.map(Ok::<_, Infallible>),
    )))
}

/// The names of the trailers of a message.
async fn trailers(body: Incoming) -> Result<Vec<String>> {
    let collected = body.collect().await?;
    let names = collected.trailers().into_iter().flat_map(HeaderMap::keys);
    Ok(names.map(ToString::to_string).collect())
}

/// Says in a header which trailers it saw, and has some of its own.
async fn serve(request: Request<Incoming>) -> Result<Response<Body>> {
    let seen = trailers(request.into_body()).await?.join(" ");
    let answer = Response::builder().header("seen", seen);
    Ok(answer.body(body(&["x-internal", "x-written", "x-checksum"]))?)
}

/// An upstream of HTTP/2; gives its port.
async fn upstream() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(serve)));
        }
    });
    Ok(port)
}

/// What the upstream saw of the trailers of a request, and what the client saw of its answer's.
async fn exchange(site: &Site, path: &str) -> Result<(String, Vec<String>)> {
    let stream = TcpStream::connect(("127.0.0.1", site.http)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post(format!("http://app.example{path}")).body(body(&TRAILERS))?;
    let answer = sender.send_request(request).await?;
    ensure!(answer.status() == 200, "{answer:?}");
    let seen = answer
        .headers()
        .get("seen")
        .context("the upstream did not answer")?;
    let seen = seen.to_str()?.to_owned();
    Ok((seen, trailers(answer.into_body()).await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trailers_say_no_more_than_headers_may() -> Result<()> {
    let route = "route: [{destination: {host: h2.local, port: {number: 80}}}]";
    let operations = "headers: {response: {remove: [x-internal], set: {X-Written: ours}}}";
    let rules = format!(
        "  - match: [{{uri: {{exact: /plain}}}}]\n    {route}\n  - match: [{{uri: {{exact: /h2}}}}]\n    {operations}\n    {route}\n"
    );
    let edge = Edge::start(&rules, Vec::new()).await?;
    let port = upstream().await?;
    edge.site.write(
        "h2.yaml",
        &format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: h2}}\nspec:\n  hosts: [h2.local]\n  \
             resolution: STATIC\n  ports: [{{number: 80, name: h2, protocol: HTTP2}}]\n  endpoints: [{{address: 127.0.0.1, \
             ports: {{h2: {port}}}}}]\n"
        ),
    )?;
    edge.ready().await?;
    sealgate_tests::eventually(
        "the upstream is there",
        std::time::Duration::from_secs(10),
        || async { exchange(&edge.site, "/plain").await.map(drop) },
    )
    .await?;
    let (seen, _) = exchange(&edge.site, "/plain").await?;
    ensure!(seen == "x-checksum", "the upstream saw {seen}");
    let (seen, answered) = exchange(&edge.site, "/h2").await?;
    ensure!(seen == "x-checksum", "the upstream saw {seen}");
    ensure!(answered == ["x-checksum"], "the client saw {answered:?}");
    edge.filter_is_well().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_makes_no_header_the_connections_own() -> Result<()> {
    let edge = Edge::start("", Vec::new()).await?;
    edge.ready().await?;
    for secure in [false, true] {
        let mut request = RawRequest::get("app.example", "/");
        request.headers = [
            (
                "connection",
                "Upgrade, x-client-cert-verified, x-forwarded-client-cert",
            ),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        let version = Version::H1;
        let answer = edge.send(&request, Way { secure, version }).await?;
        ensure!(answer.status == Some(101), "{answer:?}");
        let lines: Vec<String> = answer.body.lines().map(str::to_ascii_lowercase).collect();
        let values: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("connection: "))
            .collect();
        ensure!(values == ["upgrade"], "the upstream saw {values:?}: {answer:?}");
    }
    edge.filter_is_well().await
}
