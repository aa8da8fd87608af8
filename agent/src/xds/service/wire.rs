//! Between the protocol's messages and the state machines' own.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    Resource as DeltaResource,
};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status as RpcStatus;
use prost::Message;

use super::super::{Machine, delta, sotw};
use crate::snapshot::{Resource, TypeUrl};

/// Longer names are nobody's.
const LONGEST_NAME: usize = 4096;
/// Longer node ids neither.
const LONGEST_NODE: usize = 1024;
const NO_NODE: &str = "unnamed";

/// A variant of the protocol.
pub(super) trait Flavour: Machine {
    type Message: Message + Default + 'static;
    type Reply: Message + 'static;

    fn node(message: &Self::Message) -> &str;
    fn type_url(message: &Self::Message) -> &str;
    fn malformed(message: &Self::Message) -> Option<&'static str>;
    fn request(message: Self::Message) -> Self::Request;
    fn reply(kind: TypeUrl, response: Self::Response) -> Self::Reply;
}

impl Flavour for delta::Subscription {
    type Message = DeltaDiscoveryRequest;
    type Reply = DeltaDiscoveryResponse;

    fn node(message: &Self::Message) -> &str {
        node_id(message.node.as_ref())
    }

    fn type_url(message: &Self::Message) -> &str {
        &message.type_url
    }

    fn malformed(message: &Self::Message) -> Option<&'static str> {
        malformed(message.node.as_ref(), &message.resource_names_subscribe)
    }

    fn request(message: Self::Message) -> Self::Request {
        delta::Request {
            subscribe: message.resource_names_subscribe,
            unsubscribe: message.resource_names_unsubscribe,
            initial_versions: message.initial_resource_versions.into_iter().collect(),
            nonce: message.response_nonce,
            error: message.error_detail.map(reason),
        }
    }

    fn reply(kind: TypeUrl, response: Self::Response) -> Self::Reply {
        let resource = |(name, resource): (Arc<str>, Arc<Resource>)| DeltaResource {
            version: resource.version().to_string(),
            resource: Some(any(kind, &name, &resource)),
            name: name.to_string(),
            ..Default::default()
        };
        DeltaDiscoveryResponse {
            resources: response.resources.into_iter().map(resource).collect(),
            removed_resources: response.removed.iter().map(ToString::to_string).collect(),
            type_url: kind.as_str().to_owned(),
            nonce: response.nonce,
            ..Default::default()
        }
    }
}

impl Flavour for sotw::Subscription {
    type Message = DiscoveryRequest;
    type Reply = DiscoveryResponse;

    fn node(message: &Self::Message) -> &str {
        node_id(message.node.as_ref())
    }

    fn type_url(message: &Self::Message) -> &str {
        &message.type_url
    }

    fn malformed(message: &Self::Message) -> Option<&'static str> {
        malformed(message.node.as_ref(), &message.resource_names)
    }

    fn request(message: Self::Message) -> Self::Request {
        sotw::Request {
            names: message.resource_names,
            nonce: message.response_nonce,
            error: message.error_detail.map(reason),
        }
    }

    fn reply(kind: TypeUrl, response: Self::Response) -> Self::Reply {
        DiscoveryResponse {
            version_info: response.version,
            resources: response
                .resources
                .iter()
                .map(|(name, resource)| any(kind, name, resource))
                .collect(),
            type_url: kind.as_str().to_owned(),
            nonce: response.nonce,
            ..Default::default()
        }
    }
}

fn node_id(node: Option<&Node>) -> &str {
    node.map(|node| node.id.as_str())
        .filter(|id| !id.is_empty())
        .unwrap_or(NO_NODE)
}

fn malformed(node: Option<&Node>, names: &[String]) -> Option<&'static str> {
    if node.is_some_and(|node| node.id.len() > LONGEST_NODE) {
        return Some("a node's id is longer than any can be");
    }
    names
        .iter()
        .any(|name| name.len() > LONGEST_NAME)
        .then_some("a resource's name is longer than any can be")
}

fn reason(status: RpcStatus) -> String {
    status.message
}

/// A Secret gets its name here, as it was asked for: parts of a message that follow each other are one message.
fn any(kind: TypeUrl, name: &str, resource: &Resource) -> Any {
    let mut value = Vec::new();
    if kind == TypeUrl::Secret {
        prost::encoding::string::encode(1, &name.to_owned(), &mut value);
    }
    resource.append_to(&mut value);
    Any {
        type_url: kind.as_str().to_owned(),
        value,
    }
}
