//! The API client: with the service account in a cluster, with a kubeconfig elsewhere.

use std::io;
use std::time::Duration;

use http::HeaderValue;
use http::header::CONNECTION;
use kube::client::{Body, ClientBuilder};
use kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

use super::pace::Pace;

/// A request without an answer is given up after the longest silence of a healthy watch plus this.
const MARGIN: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Not in a cluster, and no kubeconfig.
    #[error("{}, and {}", unusable(.kubeconfig), not_inside(.in_cluster))]
    NoConfig {
        /// What is wrong with the kubeconfig.
        kubeconfig: KubeconfigError,
        /// What is wrong with the service account.
        in_cluster: InClusterError,
    },
    /// A context was given, and cannot be used.
    #[error("--kube-context {}: {}", .0, unusable(.1))]
    Context(String, KubeconfigError),
    /// A kubeconfig was given, and cannot be used.
    #[error("KUBECONFIG: {}", unusable(.0))]
    Kubeconfig(KubeconfigError),
    /// The client cannot be built from the configuration.
    #[error("Kubernetes client: {0}")]
    Build(#[from] kube::Error),
}

/// Why a kubeconfig cannot be used. The library quotes its path twice.
fn unusable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, path) if error.kind() == io::ErrorKind::NotFound => {
            format!("no kubeconfig at {}", path.display())
        }
        KubeconfigError::ReadConfig(error, path) => {
            format!("cannot read the kubeconfig at {}: {error}", path.display())
        }
        error => error.to_string(),
    }
}

/// Why a cluster's service account cannot be used.
fn not_inside(error: &InClusterError) -> String {
    match error {
        InClusterError::ReadEnvironmentVariable(_) => {
            "not inside a cluster (KUBERNETES_SERVICE_HOST is not set)".to_owned()
        }
        error => format!("no service account of a cluster: {error}"),
    }
}

/// Makes a client. If a context or `KUBECONFIG` is given, it is used or is an error; otherwise, a pod's service account
/// comes first, then the kubeconfig in the home folder.
///
/// # Errors
/// See [`ClientError`].
pub async fn connect(context: Option<&str>, watch_timeout: Duration) -> Result<Client, ClientError> {
    let mut config = config(context).await?;
    config.read_timeout = Some(watch_timeout + MARGIN);
    // The library's half a minute is too long if the network drops everything.
    config.connect_timeout = Some(MARGIN);
    // Applies to waiting for an answer, not to the time that the connection was idle before.
    config.reset_reader_on_write = true;
    // The library would retry for minutes, without any sign that nothing is followed.
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&Pace::default())
        .build())
}

/// The same client with a new connection for each request. A reused connection keeps what it read last in its receive
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_plainly() {
        let missing =
            |kind: io::ErrorKind| KubeconfigError::ReadConfig(kind.into(), "/root/.kube/config".into());
        let error = ClientError::NoConfig {
            kubeconfig: missing(io::ErrorKind::NotFound),
            in_cluster: InClusterError::ReadEnvironmentVariable(std::env::VarError::NotPresent),
        };
        let wanted = "no kubeconfig at /root/.kube/config, and not inside a cluster \
                      (KUBERNETES_SERVICE_HOST is not set)";
        assert_eq!(error.to_string(), wanted);
        let error = ClientError::Kubeconfig(missing(io::ErrorKind::PermissionDenied));
        let wanted = "KUBECONFIG: cannot read the kubeconfig at /root/.kube/config: permission denied";
        assert_eq!(error.to_string(), wanted);
    }
}
