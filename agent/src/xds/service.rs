//! The gRPC services: for each stream, one task combines the proxy's messages with the snapshots. All rules are in the
//! state machines.

pub(super) mod grpc;
pub(super) mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use sealgate_model::CredentialName;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Status, Streaming};

use self::wire::Variant;
use super::authority::LenientAuthority;
use super::connection::StreamState;
use super::on_demand::{self, Hub};
use super::proxies::Proxies;
use super::socket::Socket;
use super::{delta, sotw};
use crate::demand::{CredentialDemand, Delta};
use crate::scope::Scope;
use crate::snapshot::{CHAIN_HEADER, Snapshot, TypeUrl};

/// Without aggregation, Envoy opens a stream for each Secret.
const STREAMS: u32 = 100_000;
/// Responses that wait for a proxy to read them.
const QUEUED: usize = 16;
/// A first subscription may name ten thousand secrets.
const LARGEST_REQUEST: usize = 64 * 1024 * 1024;
/// No real configuration has more names of one type on one stream.
const MOST_NAMES: usize = 100_000;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Secrets without a namespace are looked up.
    pub namespace: String,
    /// Keeps track of which Secrets proxies ask for.
    pub demand: CredentialDemand,
    /// How long streams may take to end.
    pub drain: Duration,
    /// What is served; everything else is treated as unknown.
    pub scope: Scope,
}

/// The services, the word in the names of their methods, and the type of each; one aggregates.
const SERVICES: [(&str, &str, Option<TypeUrl>); 6] = [
    (
        "envoy.service.discovery.v3.AggregatedDiscoveryService",
        "AggregatedResources",
        None,
    ),
    (
        "envoy.service.secret.v3.SecretDiscoveryService",
        "Secrets",
        Some(TypeUrl::Secret),
    ),
    (
        "envoy.service.cluster.v3.ClusterDiscoveryService",
        "Clusters",
        Some(TypeUrl::Cluster),
    ),
    (
        "envoy.service.endpoint.v3.EndpointDiscoveryService",
        "Endpoints",
        Some(TypeUrl::Endpoint),
    ),
    (
        "envoy.service.listener.v3.ListenerDiscoveryService",
        "Listeners",
        Some(TypeUrl::Listener),
    ),
    (
        "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
        "ExtensionConfigs",
        Some(TypeUrl::ExtensionConfig),
    ),
];

/// Serves until `shutdown`, then ends all streams.
///
/// # Errors
/// The socket can no longer be served.
pub async fn serve(
    socket: Socket,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: Proxies,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let (stop, stopped) = watch::channel(false);
    let hub = Hub::new(snapshots.clone(), proxies.clone());
    let mut following = tokio::spawn(hub.clone().run());
    let service = Discovery {
        snapshots,
        proxies,
        demand: options.demand,
        hub,
        namespace: options.namespace.into(),
        scope: options.scope,
        stopped,
    };
    let connections = futures::stream::unfold(socket, async |mut socket| {
        // The server deals with a failure to accept.
        let connection = socket.accept().await.map(LenientAuthority::new);
        Some((connection, socket))
    });
    let router = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS)
        .add_routes(Routes::from(service.routes()));
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
    let result = tokio::select! {
        result = serving => result,
        () = overdue => Ok(()),
        () = panicked(&mut following) => Ok(()),
    };
    following.abort();
    result
}

/// Panics if the task does: requests for certificates by name would no longer be answered.
async fn panicked(task: &mut JoinHandle<()>) {
    if let Err(Ok(panic)) = task.await.map_err(JoinError::try_into_panic) {
        std::panic::resume_unwind(panic);
    }
    std::future::pending().await
}

#[derive(Clone, Debug)]
struct Discovery {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: Proxies,
    demand: CredentialDemand,
    hub: Hub,
    namespace: Arc<str>,
    scope: Scope,
    stopped: watch::Receiver<bool>,
}

impl Discovery {
    /// Both variants of every service, and no polling.
    fn routes(&self) -> Router {
        let unknown = async || Status::unimplemented("only xDS streams are served").into_http::<Body>();
        let router = Router::new().fallback(unknown);
        let served = SERVICES
            .iter()
            .filter(|(_, _, kind)| kind.is_none_or(|kind| is_within(self.scope, kind)));
        served.fold(router, |router, (service, what, kind)| {
            let delta = match kind {
                Some(TypeUrl::Secret) => self.secrets(),
                kind => self.stream::<delta::DeltaSubscription>(*kind),
            };
            router
                .route(
                    &format!("/{service}/Stream{what}"),
                    self.stream::<sotw::SotwSubscription>(*kind),
                )
                .route(&format!("/{service}/Delta{what}"), delta)
        })
    }

    fn stream<M>(&self, kind: Option<TypeUrl>) -> MethodRouter
    where
        M: Variant + Send + 'static,
        M::Response: Send,
    {
        let service = self.clone();
        post(async move |request: Request| service.answer::<M>(request, kind))
    }

    /// Secrets: one name at a time if the request names its chain.
    fn secrets(&self) -> MethodRouter {
        let service = self.clone();
        post(async move |request: Request| {
            let chain = request.headers().get(CHAIN_HEADER);
            let Some(chain) = chain.map(|chain| String::from_utf8_lossy(chain.as_bytes()).into_owned())
            else {
                return service.answer::<delta::DeltaSubscription>(request, Some(TypeUrl::Secret));
            };
            let Self { hub, stopped, .. } = service;
            grpc::response(on_demand::follow(hub, &chain, request.into_body(), stopped))
        })
    }

    /// Starts a task for a stream. `kind` is the type of a per-type stream; none for an aggregated one.
    fn answer<M>(self, request: Request, kind: Option<TypeUrl>) -> Response
    where
        M: Variant + Send + 'static,
        M::Response: Send,
    {
        let requests = grpc::requests(request, LARGEST_REQUEST);
        let (sender, receiver) = mpsc::channel(QUEUED);
        tokio::spawn(async move {
            let end = self.follow::<M>(requests, kind, &sender).await;
            let status = end.err().unwrap_or_else(|| Status::ok(""));
            let _ = sender.send(Err(status)).await;
        });
        grpc::response(ReceiverStream::new(receiver))
    }

    async fn follow<M>(
        mut self,
        mut requests: Streaming<M::Message>,
        only: Option<TypeUrl>,
        sender: &mpsc::Sender<Result<Bytes, Status>>,
    ) -> Result<(), Status>
    where
        M: Variant + Send + 'static,
        M::Response: Send,
    {
        let mut connection = StreamState::<M>::new(
            Arc::clone(&self.namespace),
            self.snapshots.borrow_and_update().clone(),
        );
        let mut proxy = None;
        let mut share = self.demand.share();
        loop {
            let deadline = connection.deadline();
            let responses = tokio::select! {
                message = requests.message() => {
                    let Some(message) = message? else { return Ok(()) };
                    let stream = proxy.get_or_insert_with(|| self.proxies.connect(M::node(&message), &self.namespace));
                    let kind = kind_of::<M>(&message, only)?;
                    let Some(kind) = kind.filter(|kind| is_within(self.scope, *kind)) else { continue };
                    let mut request = M::request(message);
                    if connection.is_first(kind) {
                        if M::resumes(&request) {
                            M::inherit(&mut request, |name| stream.has(kind, name));
                        } else {
                            stream.starts_anew(kind);
                        }
                    }
                    let (acknowledgement, responses) = connection.on_request(kind, request, Instant::now());
                    if connection.asked(kind) > MOST_NAMES {
                        return Err(Status::resource_exhausted(format!("more than {MOST_NAMES} names")));
                    }
                    let delta = connection.take_delta();
                    stream.want(&delta);
                    share.change(credentials(delta));
                    if let Some(acknowledgement) = acknowledgement {
                        stream.acknowledge(kind, &acknowledgement, connection.snapshot());
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
                    return Err(Status::unavailable("the agent is stopping"));
                }
            };
            if let Some(stream) = &mut proxy {
                stream.set_unjudged(connection.unjudged());
            }
            for (kind, response) in responses {
                let message = grpc::framed(kind, |message| M::append(kind, response, message))?;
                if sender.send(Ok(message)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether resources of a type are served.
fn is_within(scope: Scope, kind: TypeUrl) -> bool {
    scope == Scope::All || kind == TypeUrl::Secret
}

/// Converts names of Secrets in the snapshot to names of credentials.
fn credentials(delta: Delta<Arc<str>>) -> Delta<CredentialName> {
    let names = |names: Vec<Arc<str>>| {
        let parts = names.iter().filter_map(|name| name.split_once('/'));
        parts
            .map(|(namespace, name)| CredentialName::new(namespace, name))
            .collect()
    };
    Delta {
        added: names(delta.added),
        removed: names(delta.removed),
    }
}

/// The type of a message; none if it is not served. A per-type stream may leave it out.
fn kind_of<M: Variant>(message: &M::Message, only: Option<TypeUrl>) -> Result<Option<TypeUrl>, Status> {
    if let Some(reason) = M::malformed(message) {
        return Err(Status::invalid_argument(reason));
    }
    let url = M::type_url(message);
    match only {
        Some(kind) if url.is_empty() || url == kind.as_str() => Ok(only),
        Some(kind) => Err(Status::invalid_argument(format!(
            "this stream is for {}",
            kind.as_str()
        ))),
        None if url.is_empty() => Err(Status::invalid_argument(
            "every request on an aggregated stream needs a type_url",
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
