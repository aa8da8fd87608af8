//! xDS over a real Unix socket: what the state machines cannot show.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod server;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse,
};
use prost::Message;
use sealgate_agent::snapshot::TypeUrl;
use sealgate_agent::xds::socket::{SocketConfig, bind};
use tempfile::TempDir;
use tonic::Code;

use server::{AGGREGATED, SOON, Server, Stream, ask, config, node, paths, subscribe};

/// Waits until the proxy is known to hold a name of a kind.
async fn confirmed(server: &Server, kind: TypeUrl, name: &str) {
    let deadline = Instant::now() + SOON;
    let holds = || {
        let proxies = server.proxies.list();
        let held = proxies.get("edge-1").and_then(|proxy| proxy.held.get(&kind));
        held.is_some_and(|held| held.contains_key(name))
    };
    while !holds() {
        assert!(Instant::now() < deadline, "{kind:?} {name} is not confirmed");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn every_service_answers_in_sotw_with_the_node_in_the_first_message_alone() {
    for (kind, path) in paths("Stream") {
        let mut server = Server::start();
        let mut stream = server.sotw(&path).await;
        stream.say(DiscoveryRequest {
            node: node(),
            version_info: "of an earlier stream".to_owned(),
            ..ask(kind, &["ns/a"], "")
        });
        let first = stream.next().await;
        assert_eq!(
            (first.resources.len(), &*first.type_url),
            (1, kind.as_str()),
            "{path}"
        );
        stream.say(ask(kind, &["ns/a"], &first.nonce));
        confirmed(&server, kind, "ns/a").await;
        assert!(stream.is_silent().await, "{path}: a confirmation is answered");
        server.set(kind, "ns/a");
        let second = stream.next().await;
        assert_ne!(second.version_info, first.version_info, "{path}");
    }
}

#[tokio::test]
async fn every_service_answers_in_delta_with_the_node_in_the_first_message_alone() {
    for (kind, path) in paths("Delta") {
        let mut server = Server::start();
        let mut stream = server.delta(&path).await;
        stream.say(DeltaDiscoveryRequest {
            node: node(),
            ..subscribe(kind, &["ns/a", "ns/none"])
        });
        let first = stream.next().await;
        assert_eq!(
            (&*first.resources[0].name, &*first.type_url),
            ("ns/a", kind.as_str()),
            "{path}"
        );
        assert_eq!(first.removed_resources, ["ns/none"], "{path}");
        stream.say(DeltaDiscoveryRequest {
            response_nonce: first.nonce,
            ..subscribe(kind, &[])
        });
        confirmed(&server, kind, "ns/a").await;
        assert!(stream.is_silent().await, "{path}: a confirmation is answered");
        server.set(kind, "ns/none");
        let second = stream.next().await;
        let resource = &second.resources[0];
        assert!(
            resource.resource.is_some() && resource.name == "ns/none",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_secret_carries_the_name_that_was_asked_for() {
    let mut server = Server::start();
    server.set(TypeUrl::Secret, "ns/a-cacert");
    let mut sotw = server.sotw(&paths("Stream")[2].1).await;
    let mut delta = server.delta(&paths("Delta")[2].1).await;
    let mut nonce = String::new();
    for spelling in [
        "a",
        "ns/a",
        "kubernetes://a",
        "kubernetes://ns/a",
        "kubernetes-gateway://ns/a",
        "sds://a",
    ] {
        for name in [spelling.to_owned(), format!("{spelling}-cacert")] {
            sotw.say(ask(TypeUrl::Secret, &[&name], &nonce));
            let response = sotw.next().await;
            let secret = Secret::decode(&*response.resources[0].value).unwrap();
            assert_eq!((secret.name, response.resources.len()), (name.clone(), 1));
            nonce = response.nonce;
            delta.say(subscribe(TypeUrl::Secret, &[&name]));
            let resource = delta.next().await.resources.remove(0);
            let secret = Secret::decode(&*resource.resource.unwrap().value).unwrap();
            assert_eq!((secret.name, resource.name), (name.clone(), name));
        }
    }
}

#[tokio::test]
async fn types_of_an_aggregated_stream_have_nonces_of_their_own() {
    let mut server = Server::start();
    let mut stream = server
        .sotw(&format!("{AGGREGATED}StreamAggregatedResources"))
        .await;
    stream.say(ask(TypeUrl::Cluster, &[], ""));
    let clusters = stream.next().await;
    stream.say(ask(TypeUrl::Secret, &["ns/a"], ""));
    let secrets = stream.next().await;
    server.set(TypeUrl::Secret, "ns/a");
    stream.next().await;
    // The word about the clusters is no older for the secrets that came since.
    stream.say(ask(TypeUrl::Cluster, &["ns/a"], &clusters.nonce));
    assert_eq!(stream.next().await.type_url, TypeUrl::Cluster.as_str());
    stream.say(ask(TypeUrl::Secret, &["ns/a", "a"], &secrets.nonce));
    assert!(stream.is_silent().await, "a stale request is answered");
    stream.say(DiscoveryRequest {
        type_url: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration".to_owned(),
        ..ask(TypeUrl::Secret, &["r"], "")
    });
    assert!(stream.is_silent().await, "a type that is not served is answered");
    server.set(TypeUrl::Secret, "ns/a");
    assert_eq!(stream.next().await.type_url, TypeUrl::Secret.as_str());
}

#[tokio::test]
async fn what_is_no_request_ends_its_stream_with_the_reason() {
    let server = Server::start();
    let many: Vec<String> = (0..100_001).map(|at| format!("s{at}")).collect();
    let many: Vec<&str> = many.iter().map(|name| &**name).collect();
    let secrets = &paths("Stream")[2].1;
    let shared = &format!("{AGGREGATED}StreamAggregatedResources");
    let without_type = DiscoveryRequest {
        type_url: String::new(),
        ..ask(TypeUrl::Secret, &["a"], "")
    };
    let long_node = DiscoveryRequest {
        node: Some(Node {
            id: "n".repeat(2000),
            ..Node::default()
        }),
        ..ask(TypeUrl::Secret, &["a"], "")
    };
    let cases = [
        (secrets, ask(TypeUrl::Cluster, &["a"], ""), Code::InvalidArgument),
        (shared, without_type.clone(), Code::InvalidArgument),
        (
            secrets,
            ask(TypeUrl::Secret, &[&"x".repeat(5000)], ""),
            Code::InvalidArgument,
        ),
        (secrets, long_node, Code::InvalidArgument),
        (secrets, ask(TypeUrl::Secret, &many, ""), Code::ResourceExhausted),
        (
            shared,
            ask(TypeUrl::Secret, &[&"x".repeat(65 << 20)], ""),
            Code::OutOfRange,
        ),
    ];
    for (path, request, code) in cases {
        let mut stream = server.sotw(path).await;
        stream.say(request);
        assert_eq!(stream.end().await.code(), code, "{path}");
    }
    let mut stream = server.sotw(secrets).await;
    stream.say(without_type);
    assert_eq!(stream.next().await.type_url, TypeUrl::Secret.as_str());
}

/// Field 1 of every request is a message or a text; this is neither.
#[derive(Clone, PartialEq, Message)]
struct Garbage {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

#[tokio::test]
async fn garbage_disturbs_nobody() {
    let mut server = Server::start();
    let mut stream = server.delta(&paths("Delta")[2].1).await;
    stream.say(subscribe(TypeUrl::Secret, &["a"]));
    stream.next().await;
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut held = Vec::new();
    for bytes in [
        &noise[..],
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"",
    ] {
        let mut connection = UnixStream::connect(server.socket()).unwrap();
        // The server may hang up before it has read everything.
        let _ = connection.write_all(bytes);
        held.push(connection);
    }
    for (_, path) in paths("Stream").into_iter().chain(paths("Delta")) {
        let mut garbage: Stream<Garbage, DiscoveryResponse> =
            Stream::open(server.connect().await, &path).await;
        garbage.say(Garbage {
            bytes: vec![0xff; 100],
        });
        assert_eq!(garbage.end().await.code(), Code::Internal, "{path}");
        server.set(TypeUrl::Secret, "ns/a");
        assert_eq!(stream.next().await.resources.len(), 1);
    }
}

#[tokio::test]
async fn a_stop_ends_every_stream_within_a_second() {
    let mut server = Server::start();
    server.set_body(TypeUrl::Secret, "ns/big", vec![0; 4 << 20]);
    // More than fits into all buffers, for a proxy that reads nothing; it confirms nothing either.
    let stuck = server.delta(&paths("Delta")[2].1).await;
    (0..30).for_each(|_| stuck.say(subscribe(TypeUrl::Secret, &["big"])));
    let mut sotw = server.sotw(&paths("Stream")[2].1).await;
    sotw.say(ask(TypeUrl::Secret, &["a"], ""));
    sotw.next().await;
    let mut delta = server
        .delta(&format!("{AGGREGATED}DeltaAggregatedResources"))
        .await;
    delta.say(subscribe(TypeUrl::Secret, &["none"]));
    delta.next().await;
    // This one hinders nobody.
    let _half = UnixStream::connect(server.socket()).unwrap();
    let socket = server.socket();
    let start = Instant::now();
    server.stop.send(()).unwrap();
    assert_eq!(sotw.end().await.code(), Code::Unavailable);
    assert_eq!(delta.end().await.code(), Code::Unavailable);
    server.task.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_dead_agents_socket_is_replaced_without_a_gap() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let done = AtomicBool::new(false);
    let own = rustix::process::getegid().as_raw();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
            }
        });
        let bound = bind(&SocketConfig {
            mode: 0o660,
            group: Some(own.to_string()),
            ..config(path.clone())
        })
        .unwrap();
        std::thread::sleep(Duration::from_millis(20));
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.permissions().mode() & 0o777, metadata.gid()),
            (0o660, own)
        );
        UnixStream::connect(&path).unwrap();
        drop(bound);
    });
}
