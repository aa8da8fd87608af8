//! The gRPC services: one task per stream joins the proxy's messages with the snapshots. All rules are in the state
//! machines; here are only streams.

mod wire;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::cluster::v3::cluster_discovery_service_server::{
    ClusterDiscoveryService, ClusterDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::endpoint::v3::endpoint_discovery_service_server::{
    EndpointDiscoveryService, EndpointDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_server::{
    ExtensionConfigDiscoveryService, ExtensionConfigDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::listener::v3::listener_discovery_service_server::{
    ListenerDiscoveryService, ListenerDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::{
    SecretDiscoveryService, SecretDiscoveryServiceServer,
};
use futures::Stream;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

use self::wire::Flavour;
use super::connection::Connection;
use super::proxies::Proxies;
use super::socket::Socket;
use super::wanted::Wanted;
use super::{delta, sotw};
use crate::snapshot::{Snapshot, TypeUrl};

/// Envoy opens a stream per secret where it does not aggregate them.
const STREAMS: u32 = 100_000;
/// Responses that wait for a proxy to read them.
const QUEUED: usize = 16;
/// A first subscription may name ten thousand secrets.
const LARGEST_REQUEST: usize = 64 * 1024 * 1024;
/// More names of one type on one stream are nobody's configuration.
const MOST_NAMES: usize = 100_000;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Secrets without a namespace are looked up.
    pub namespace: String,
    /// Where it is noted which Secrets proxies ask for.
    pub wanted: Wanted,
    /// How long streams may take to end.
    pub drain: Duration,
}

/// A service that takes requests up to the limit.
macro_rules! limited {
    ($server:ident, $service:ident) => {
        $server::new($service.clone()).max_decoding_message_size(LARGEST_REQUEST)
    };
}

/// Serves until `shutdown`, then ends all streams.
///
/// # Errors
/// The socket cannot be served any more.
pub async fn serve(
    (listener, socket): (UnixListener, Socket),
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: Proxies,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let (stop, stopped) = watch::channel(false);
    let service = Discovery {
        snapshots,
        proxies,
        wanted: options.wanted,
        namespace: options.namespace.into(),
        stopped,
    };
    let socket = Arc::new(socket);
    let admitted = Arc::clone(&socket);
    let connections = UnixListenerStream::new(listener).filter(move |connection| {
        // A failure to accept is the server's to deal with.
        let Ok(connection) = connection else { return true };
        let peer = connection.peer_cred().ok();
        let admits = peer.is_some_and(|peer| admitted.admits(peer.uid(), peer.gid()));
        if !admits {
            tracing::warn!(
                ?peer,
                "a connection to the socket was refused: neither root, own user nor the group"
            );
        }
        admits
    });
    let router = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS)
        .add_service(limited!(AggregatedDiscoveryServiceServer, service))
        .add_service(limited!(SecretDiscoveryServiceServer, service))
        .add_service(limited!(ClusterDiscoveryServiceServer, service))
        .add_service(limited!(EndpointDiscoveryServiceServer, service))
        .add_service(limited!(ListenerDiscoveryServiceServer, service))
        .add_service(limited!(ExtensionConfigDiscoveryServiceServer, service));
    let signal = async {
        shutdown.await;
        stop.send_replace(true);
    };
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let serving = router.serve_with_incoming_shutdown(connections, async {
        signal.await;
        let _ = asked.send(());
    });
    let overdue = async {
        if was_asked.await.is_ok() {
            tokio::time::sleep(options.drain).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = serving => result,
        () = overdue => Ok(()),
    }
}

#[derive(Clone, Debug)]
struct Discovery {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: Proxies,
    wanted: Wanted,
    namespace: Arc<str>,
    stopped: watch::Receiver<bool>,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Discovery {
    /// Starts the task of one stream. `kind` is the type of a per-type stream; none aggregates.
    fn start<M>(
        &self,
        requests: Streaming<M::Message>,
        kind: Option<TypeUrl>,
    ) -> Response<Responses<M::Reply>>
    where
        M: Flavour + Send + 'static,
        M::Response: Send,
    {
        let (sender, receiver) = mpsc::channel(QUEUED);
        let task = self.clone();
        tokio::spawn(async move {
            if let Err(status) = task.follow::<M>(requests, kind, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }

    async fn follow<M>(
        mut self,
        mut requests: Streaming<M::Message>,
        only: Option<TypeUrl>,
        sender: &mpsc::Sender<Result<M::Reply, Status>>,
    ) -> Result<(), Status>
    where
        M: Flavour + Send + 'static,
        M::Response: Send,
    {
        let mut connection = Connection::<M>::new(
            Arc::clone(&self.namespace),
            self.snapshots.borrow_and_update().clone(),
        );
        let mut proxy = None;
        let mut share = self.wanted.share();
        loop {
            let deadline = connection.deadline();
            let responses = tokio::select! {
                message = requests.message() => {
                    let Some(message) = message? else { return Ok(()) };
                    let stream = proxy.get_or_insert_with(|| self.proxies.connect(M::node(&message)));
                    let Some(kind) = kind_of::<M>(&message, only)? else { continue };
                    let (acknowledgement, responses) =
                        connection.on_request(kind, &M::request(message), Instant::now());
                    if connection.asked(kind) > MOST_NAMES {
                        return Err(Status::resource_exhausted(format!("more than {MOST_NAMES} names")));
                    }
                    if let Some((revision, names)) = connection.secrets_since(share.revision) {
                        share.revision = revision;
                        share.set(names);
                    }
                    if let Some(acknowledgement) = acknowledgement {
                        stream.acknowledge(kind, &acknowledgement);
                    }
                    responses
                }
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let snapshot = self.snapshots.borrow_and_update().clone();
                    connection.on_snapshot(snapshot, Instant::now())
                }
                () = sleep_until(deadline) => connection.flush(Instant::now()),
                _ = self.stopped.wait_for(|stopped| *stopped) => {
                    return Err(Status::unavailable("the agent stops"));
                }
            };
            for (kind, response) in responses {
                if sender.send(Ok(M::reply(kind, response))).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// What a message is about; none if it is a type that is not served. A per-type stream may leave it out.
fn kind_of<M: Flavour>(message: &M::Message, only: Option<TypeUrl>) -> Result<Option<TypeUrl>, Status> {
    if let Some(reason) = M::malformed(message) {
        return Err(Status::invalid_argument(reason));
    }
    let url = M::type_url(message);
    match only {
        Some(kind) if url.is_empty() || url == kind.as_str() => Ok(only),
        Some(kind) => Err(Status::invalid_argument(format!(
            "this stream is of {}",
            kind.as_str()
        ))),
        None if url.is_empty() => Err(Status::invalid_argument(
            "an aggregated stream needs a type_url in each request",
        )),
        None => {
            let kind = TypeUrl::parse(url);
            if kind.is_none() {
                tracing::debug!(kind = url, "a proxy asks for a type that is not served");
            }
            Ok(kind)
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// One per-type service: both variants, and no polling.
macro_rules! service {
    ($service:ident, $kind:expr, $sotw_stream:ident, $sotw:ident, $delta_stream:ident, $delta:ident, $fetch:ident) => {
        #[tonic::async_trait]
        impl $service for Discovery {
            type $sotw_stream = Responses<DiscoveryResponse>;
            type $delta_stream = Responses<DeltaDiscoveryResponse>;

            async fn $sotw(
                &self,
                request: Request<Streaming<DiscoveryRequest>>,
            ) -> Result<Response<Self::$sotw_stream>, Status> {
                Ok(self.start::<sotw::Subscription>(request.into_inner(), Some($kind)))
            }

            async fn $delta(
                &self,
                request: Request<Streaming<DeltaDiscoveryRequest>>,
            ) -> Result<Response<Self::$delta_stream>, Status> {
                Ok(self.start::<delta::Subscription>(request.into_inner(), Some($kind)))
            }

            async fn $fetch(
                &self,
                _: Request<DiscoveryRequest>,
            ) -> Result<Response<DiscoveryResponse>, Status> {
                Err(Status::unimplemented("polling is not served: use a stream"))
            }
        }
    };
}

service!(
    SecretDiscoveryService,
    TypeUrl::Secret,
    StreamSecretsStream,
    stream_secrets,
    DeltaSecretsStream,
    delta_secrets,
    fetch_secrets
);
service!(
    ClusterDiscoveryService,
    TypeUrl::Cluster,
    StreamClustersStream,
    stream_clusters,
    DeltaClustersStream,
    delta_clusters,
    fetch_clusters
);
service!(
    EndpointDiscoveryService,
    TypeUrl::Endpoint,
    StreamEndpointsStream,
    stream_endpoints,
    DeltaEndpointsStream,
    delta_endpoints,
    fetch_endpoints
);
service!(
    ListenerDiscoveryService,
    TypeUrl::Listener,
    StreamListenersStream,
    stream_listeners,
    DeltaListenersStream,
    delta_listeners,
    fetch_listeners
);
service!(
    ExtensionConfigDiscoveryService,
    TypeUrl::ExtensionConfig,
    StreamExtensionConfigsStream,
    stream_extension_configs,
    DeltaExtensionConfigsStream,
    delta_extension_configs,
    fetch_extension_configs
);

#[tonic::async_trait]
impl AggregatedDiscoveryService for Discovery {
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Ok(self.start::<sotw::Subscription>(request.into_inner(), None))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(self.start::<delta::Subscription>(request.into_inner(), None))
    }
}
