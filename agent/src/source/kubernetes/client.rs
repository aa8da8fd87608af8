//! The API client: in a cluster by its service account, elsewhere by a kubeconfig.

use std::time::Duration;

use http::HeaderValue;
use http::header::CONNECTION;
use kube::client::{Body, ClientBuilder};
use kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

use super::pace::Pace;

/// A request that gets no answer is given up after the longest silence that a healthy watch has, and this.
const MARGIN: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Not in a cluster, and no kubeconfig.
    #[error("neither a kubeconfig ({kubeconfig}) nor a cluster's service account ({in_cluster})")]
    NoConfig {
        /// What is wrong with the kubeconfig.
        kubeconfig: KubeconfigError,
        /// What is wrong with the service account.
        in_cluster: InClusterError,
    },
    /// A context was asked for.
    #[error("--kube-context {0}: {1}")]
    Context(String, KubeconfigError),
    /// A kubeconfig was named, and cannot be used.
    #[error("KUBECONFIG: {0}")]
    Kubeconfig(KubeconfigError),
    /// The configuration cannot be carried out.
    #[error("Kubernetes client: {0}")]
    Build(#[from] kube::Error),
}

/// A client. A context or a `KUBECONFIG` that was given is used or is an error; else a pod's service account comes
/// first, and the kubeconfig in the home folder last.
///
/// # Errors
/// See [`ClientError`].
pub async fn connect(context: Option<&str>, watch_timeout: Duration) -> Result<Client, ClientError> {
    let mut config = config(context).await?;
    config.read_timeout = Some(watch_timeout + MARGIN);
    // The library's half a minute is long for a route that swallows everything.
    config.connect_timeout = Some(MARGIN);
    // For the answer that is waited for, not for the time that the connection was idle before.
    config.reset_reader_on_write = true;
    // The library would try again for minutes, and nobody would know that nothing is followed.
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&Pace::default())
        .build())
}

/// The same client with a connection for each request. A connection that is used again keeps what it read last in its receive
/// buffer until the next answer, which may never come, or be shorter.
pub(super) fn without_reuse(client: &Client) -> Client {
    let own = client.clone();
    let closing = tower::service_fn(move |mut request: http::Request<Body>| {
        let own = own.clone();
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        async move { own.send(request).await }
    });
    Client::new(closing, client.default_namespace())
}

async fn config(context: Option<&str>) -> Result<Config, ClientError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = || Config::from_kubeconfig(&options);
    if let Some(context) = context {
        return kubeconfig()
            .await
            .map_err(|error| ClientError::Context(context.to_owned(), error));
    }
    if std::env::var_os("KUBECONFIG").is_some() {
        return kubeconfig().await.map_err(ClientError::Kubeconfig);
    }
    match Config::incluster() {
        Ok(config) => Ok(config),
        Err(in_cluster) => kubeconfig().await.map_err(|kubeconfig| ClientError::NoConfig {
            kubeconfig,
            in_cluster,
        }),
    }
}
