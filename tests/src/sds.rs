//! A secret discovery service that serves anything, and records Envoy's replies. The agent's own refuses to serve
//! invalid secrets.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::{
    SecretDiscoveryService, SecretDiscoveryServiceServer,
};
use envoy_types::pb::google::protobuf::Any;
use futures::{Stream, stream};
use prost::{Message as _, Name as _};
use sealgate_model::SecretObject;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, Streaming};

/// What Envoy said: nothing if it took the secret, or why it did not.
pub type Verdicts = BTreeMap<String, Option<String>>;

/// The service.
#[derive(Clone, Debug, Default)]
pub struct Sds {
    secrets: Arc<BTreeMap<String, SecretObject>>,
    verdicts: Arc<Mutex<Verdicts>>,
}

impl Sds {
    /// Serves these, by name, until the runtime ends.
    ///
    /// # Errors
    /// The socket cannot be bound.
    pub fn serve(socket: &Path, secrets: BTreeMap<String, SecretObject>) -> Result<Self> {
        let own = Self {
            secrets: Arc::new(secrets),
            ..Self::default()
        };
        let incoming = UnixListenerStream::new(UnixListener::bind(socket)?);
        let router = tonic::transport::Server::builder()
            .max_concurrent_streams(100_000)
            .add_service(SecretDiscoveryServiceServer::new(own.clone()));
        tokio::spawn(router.serve_with_incoming(incoming));
        Ok(own)
    }

    /// What Envoy has said so far.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// An answer to a first request; to others none. Envoy opens a stream per secret.
    fn answer(&self, asked: &mut String, request: DeltaDiscoveryRequest) -> Option<DeltaDiscoveryResponse> {
        if !request.response_nonce.is_empty() {
            let verdict = request.error_detail.map(|error| error.message);
            let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
            verdicts.insert(asked.clone(), verdict);
            return None;
        }
        asked.clone_from(request.resource_names_subscribe.first()?);
        let secret = envoy_secret(asked, self.secrets.get(asked)?);
        Some(DeltaDiscoveryResponse {
            type_url: Secret::type_url(),
            nonce: "1".to_owned(),
            resources: vec![Resource {
                name: asked.clone(),
                version: "1".to_owned(),
                resource: Some(Any {
                    type_url: Secret::type_url(),
                    value: secret.encode_to_vec(),
                }),
                ..Default::default()
            }],
            ..Default::default()
        })
    }
}

/// The values as they are.
fn envoy_secret(name: &str, secret: &SecretObject) -> Secret {
    let value = |key: &str| {
        secret.data.get(key).map(|value| DataSource {
            specifier: Some(Specifier::InlineBytes(value.to_vec())),
            ..Default::default()
        })
    };
    let body = if secret.data.contains_key("ca.crt") {
        Type::ValidationContext(CertificateValidationContext {
            trusted_ca: value("ca.crt"),
            crl: value("ca.crl"),
            ..Default::default()
        })
    } else {
        Type::TlsCertificate(TlsCertificate {
            certificate_chain: value("tls.crt"),
            private_key: value("tls.key"),
            ocsp_staple: value("tls.ocsp-staple"),
            ..Default::default()
        })
    };
    Secret {
        name: name.to_owned(),
        r#type: Some(body),
    }
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SecretDiscoveryService for Sds {
    type StreamSecretsStream = Responses<DiscoveryResponse>;
    type DeltaSecretsStream = Responses<DeltaDiscoveryResponse>;

    async fn delta_secrets(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        let state = (self.clone(), String::new(), request.into_inner());
        let responses = stream::try_unfold(state, |(own, mut asked, mut requests)| async move {
            while let Some(request) = requests.message().await? {
                if let Some(response) = own.answer(&mut asked, request) {
                    return Ok(Some((response, (own, asked, requests))));
                }
            }
            Ok(None)
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn stream_secrets(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        Err(Status::unimplemented("Delta alone"))
    }

    async fn fetch_secrets(
        &self,
        _: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented("Delta alone"))
    }
}
