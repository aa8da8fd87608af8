//! A server on a real socket, and the proxy's side of its streams.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use prost::Message;
use sealgate_agent::demand::CredentialDemand;
use sealgate_agent::scope::Scope;
use sealgate_agent::snapshot::{Publisher, TypeUrl};
use sealgate_agent::xds::proxies::Proxies;
use sealgate_agent::xds::socket::{SocketConfig, bind};
use sealgate_agent::xds::{self, Options};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

pub(crate) const SOON: Duration = Duration::from_secs(10);
/// Long enough for what must not come to come.
pub(crate) const WHILE: Duration = Duration::from_millis(100);

/// The per-type services: kind, name, and the word in their methods.
pub(crate) const SERVICES: [(TypeUrl, &str, &str); 5] = [
    (TypeUrl::Cluster, "cluster.v3.ClusterDiscoveryService", "Clusters"),
    (
        TypeUrl::Endpoint,
        "endpoint.v3.EndpointDiscoveryService",
        "Endpoints",
    ),
    (TypeUrl::Secret, "secret.v3.SecretDiscoveryService", "Secrets"),
    (
        TypeUrl::ExtensionConfig,
        "extension.v3.ExtensionConfigDiscoveryService",
        "ExtensionConfigs",
    ),
    (
        TypeUrl::Listener,
        "listener.v3.ListenerDiscoveryService",
        "Listeners",
    ),
];
pub(crate) const AGGREGATED: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

/// An agent's server without an agent.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) publisher: Publisher,
    pub(crate) proxies: Proxies,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    /// Serves `ns/a` of every kind.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (publisher, snapshots) = Publisher::new(Duration::ZERO);
        let (stop, stopped) = oneshot::channel::<()>();
        let proxies = Proxies::default();
        let options = Options {
            namespace: "ns".to_owned(),
            demand: CredentialDemand::default(),
            drain: Duration::from_millis(800),
            scope: Scope::All,
        };
        let bound = bind(&config(folder.path().join("s"))).unwrap();
        let serving = xds::serve(bound, snapshots, proxies.clone(), options, async {
            let _ = stopped.await;
        });
        let mut server = Self {
            folder,
            publisher,
            proxies,
            stop,
            task: tokio::spawn(async { serving.await.unwrap() }),
        };
        for kind in TypeUrl::ALL {
            server.set(kind, "ns/a");
        }
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// A new version of a resource: an empty message but for one field that none of them has.
    pub(crate) fn set(&mut self, kind: TypeUrl, name: &str) {
        let counter = u8::try_from(self.publisher.generation()).unwrap() & 0x7f;
        self.set_body(kind, name, vec![0xf8, 0x7f, counter]);
    }

    pub(crate) fn set_body(&mut self, kind: TypeUrl, name: &str, body: Vec<u8>) {
        self.publisher
            .update(Instant::now(), |draft| draft.set(kind, name, body));
    }

    pub(crate) async fn connect(&self) -> Channel {
        let address = format!("unix://{}", self.socket().display());
        Endpoint::from_shared(address).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn sotw(&self, path: &str) -> Stream<DiscoveryRequest, DiscoveryResponse> {
        Stream::open(self.connect().await, path).await
    }

    pub(crate) async fn delta(&self, path: &str) -> Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
        Stream::open(self.connect().await, path).await
    }
}

pub(crate) fn config(path: PathBuf) -> SocketConfig {
    SocketConfig {
        path,
        mode: 0o600,
        group: None,
    }
}

/// A proxy's end of a stream.
pub(crate) struct Stream<Q, R> {
    requests: mpsc::UnboundedSender<Q>,
    pub(crate) responses: Streaming<R>,
}

impl<Q, R> Stream<Q, R>
where
    Q: Message + Send + Sync + 'static,
    R: Message + Default + Send + Sync + std::fmt::Debug + 'static,
{
    pub(crate) async fn open(channel: Channel, path: &str) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.unwrap();
        let path: PathAndQuery = path.parse().unwrap();
        let stream = tonic::Request::new(UnboundedReceiverStream::new(receiver));
        let responses = client.streaming(stream, path, ProstCodec::<Q, R>::default());
        Self {
            requests,
            responses: responses.await.unwrap().into_inner(),
        }
    }

    pub(crate) fn say(&self, request: Q) {
        self.requests.send(request).unwrap();
    }

    pub(crate) async fn next(&mut self) -> R {
        let next = tokio::time::timeout(SOON, self.responses.message());
        next.await.unwrap().unwrap().unwrap()
    }

    pub(crate) async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(WHILE, self.responses.message())
            .await
            .is_err()
    }

    /// How the server ended the stream.
    pub(crate) async fn end(&mut self) -> Status {
        match tokio::time::timeout(SOON, self.responses.message())
            .await
            .unwrap()
        {
            Err(status) => status,
            Ok(other) => panic!("the stream goes on with {other:?}"),
        }
    }
}

pub(crate) fn node() -> Option<Node> {
    Some(Node {
        id: "edge-1".to_owned(),
        ..Node::default()
    })
}

pub(crate) fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

pub(crate) fn ask(kind: TypeUrl, names: &[&str], nonce: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        resource_names: strings(names),
        type_url: kind.as_str().to_owned(),
        response_nonce: nonce.to_owned(),
        ..DiscoveryRequest::default()
    }
}

pub(crate) fn subscribe(kind: TypeUrl, names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        resource_names_subscribe: strings(names),
        type_url: kind.as_str().to_owned(),
        ..DeltaDiscoveryRequest::default()
    }
}

/// Every service: (kind, path of the variant).
pub(crate) fn paths(variant: &str) -> Vec<(TypeUrl, String)> {
    let own =
        SERVICES.map(|(kind, service, word)| (kind, format!("/envoy.service.{service}/{variant}{word}")));
    let shared = TypeUrl::ALL.map(|kind| (kind, format!("{AGGREGATED}{variant}AggregatedResources")));
    own.into_iter().chain(shared).collect()
}
