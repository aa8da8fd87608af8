//! The messages of a stream that asks for one name. Names are bytes here: SNI need not be text, and Envoy passes it on.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use prost::Message;
use tonic::Status;

use super::super::delta;
use super::super::service::grpc;
use super::super::service::wire::Variant as _;
use super::residents::SecretAnswer;
use crate::snapshot::TypeUrl;

/// `DeltaDiscoveryResponse.type_url`, `nonce` and `removed_resources`.
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const REMOVED: u32 = 6;
/// Compressed or not, and the length.
const HEADER: usize = 5;
/// A node's description has a few ten thousand bytes.
const LARGEST: usize = 1024 * 1024;

/// The relevant parts of `DeltaDiscoveryRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OnDemandRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) node: Option<RequestNode>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) subscribe: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) unsubscribe: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initial_versions: Vec<InitialVersion>,
    #[prost(string, tag = "6")]
    pub(super) nonce: String,
    #[prost(message, optional, tag = "7")]
    pub(super) error: Option<Error>,
}

/// `Node`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RequestNode {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// An entry of `initial_resource_versions`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InitialVersion {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) name: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Error {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// The requests of a stream, one by one. It keeps no buffer between them: a first message is a thousand times as long
/// as the others.
#[derive(Debug)]
pub(super) struct OnDemandRequests {
    body: Body,
    part: Vec<u8>,
}

impl OnDemandRequests {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            part: Vec::new(),
        }
    }

    /// The next one; none if there are no more. Cancel-safe: nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<OnDemandRequest>, Status> {
        loop {
            if let Some(request) = self.take()? {
                return Ok(Some(request));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.part.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(Status::cancelled(error.to_string())),
            }
        }
    }

    fn take(&mut self) -> Result<Option<OnDemandRequest>, Status> {
        let Some((header, rest)) = self.part.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [compressed, length @ ..] = *header;
        let length = u32::from_be_bytes(length) as usize;
        if compressed != 0 || length > LARGEST {
            return Err(Status::resource_exhausted("a request is compressed or too large"));
        }
        let Some(message) = rest.get(..length) else {
            return Ok(None);
        };
        let request =
            OnDemandRequest::decode(message).map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.part = rest.get(length..).unwrap_or_default().to_vec();
        Ok(Some(request))
    }
}

/// An answer as it is sent.
pub(super) fn framed(nonce: u64, answer: SecretAnswer) -> Result<Bytes, Status> {
    let kind = TypeUrl::Secret;
    let nonce = nonce.to_string();
    grpc::framed(kind, |message| match answer {
        SecretAnswer::Secret(name, resource) => {
            let response = delta::DeltaResponse {
                nonce,
                resources: vec![(name, resource)],
                removed: Vec::new(),
            };
            delta::DeltaSubscription::append(kind, response, message);
        }
        SecretAnswer::Removed(name) => {
            prost::encoding::string::encode(TYPE_URL, &kind.as_str().to_owned(), message);
            prost::encoding::string::encode(NONCE, &nonce, message);
            prost::encoding::bytes::encode(REMOVED, &name, message);
        }
    })
}
