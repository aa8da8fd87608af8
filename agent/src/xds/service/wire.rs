//! Converts between the protocol's messages and those of the state machines.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    Resource as DeltaResource,
};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len, string};

use super::super::{Machine, delta, sotw};
use crate::snapshot::{Resource, TypeUrl};

/// No real name is longer.
const LONGEST_NAME: usize = 4096;
/// No real node id is longer.
const LONGEST_NODE: usize = 1024;
const NO_NODE: &str = "unnamed";

/// A variant of the protocol.
pub(in super::super) trait Variant: Machine {
    type Message: Message + Default + 'static;

    fn node(message: &Self::Message) -> &str;
    fn type_url(message: &Self::Message) -> &str;
    fn malformed(message: &Self::Message) -> Option<&'static str>;
    fn request(message: Self::Message) -> Self::Request;
    /// Appends the encoded message.
    fn append(kind: TypeUrl, response: Self::Response, message: &mut Vec<u8>);
}

impl Variant for delta::DeltaSubscription {
    type Message = DeltaDiscoveryRequest;

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
        delta::DeltaRequest {
            subscribe: message.resource_names_subscribe,
            unsubscribe: message.resource_names_unsubscribe,
            initial_versions: message.initial_resource_versions.into_iter().collect(),
            inherited: BTreeSet::new(),
            nonce: message.response_nonce,
            error: message.error_detail.map(reason),
        }
    }

    fn append(kind: TypeUrl, response: Self::Response, message: &mut Vec<u8>) {
        let head = DeltaDiscoveryResponse {
            removed_resources: response.removed.iter().map(ToString::to_string).collect(),
            type_url: kind.as_str().to_owned(),
            nonce: response.nonce,
            ..Default::default()
        };
        let head = head.encode_to_vec();
        make_room(head.len(), &response.resources, message);
        message.extend(head);
        for (name, resource) in &response.resources {
            let packed = Packed::new(kind, name, resource);
            let head = DeltaResource {
                version: resource.version().to_string(),
                name: name.to_string(),
                ..Default::default()
            };
            let head = head.encode_to_vec();
            start(
                RESOURCES_OF_DELTA,
                head.len() + field_len(RESOURCE, packed.len()),
                message,
            );
            message.extend(head);
            packed.append(RESOURCE, message);
        }
    }
}

impl Variant for sotw::SotwSubscription {
    type Message = DiscoveryRequest;

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
        sotw::SotwRequest {
            names: message.resource_names,
            version: message.version_info,
            nonce: message.response_nonce,
            error: message.error_detail.map(reason),
            inherits: false,
        }
    }

    fn append(kind: TypeUrl, response: Self::Response, message: &mut Vec<u8>) {
        let head = DiscoveryResponse {
            version_info: response.version,
            type_url: kind.as_str().to_owned(),
            nonce: response.nonce,
            ..Default::default()
        };
        let head = head.encode_to_vec();
        make_room(head.len(), &response.resources, message);
        message.extend(head);
        for (name, resource) in &response.resources {
            Packed::new(kind, name, resource).append(RESOURCES, message);
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
        return Some("the node's id is too long");
    }
    names
        .iter()
        .any(|name| name.len() > LONGEST_NAME)
        .then_some("a resource's name is too long")
}

/// Envoy ends some of its messages with a line feed.
fn reason(status: RpcStatus) -> String {
    status.message.trim_end().to_owned()
}

/// `DiscoveryResponse.resources`.
const RESOURCES: u32 = 2;
/// `DeltaDiscoveryResponse.resources`.
const RESOURCES_OF_DELTA: u32 = 2;
/// `Resource.resource`.
const RESOURCE: u32 = 2;
/// `Any.type_url`.
const TYPE_URL: u32 = 1;
/// `Any.value`.
const VALUE: u32 = 2;
/// `Secret.name`.
const SECRET_NAME: u32 = 1;

/// A resource as `Any`, written directly into the response: as nested messages, thousands of them would exist three
/// times at once. Concatenated parts of a message are one message.
struct Packed<'r> {
    /// Everything before the value.
    head: Vec<u8>,
    resource: &'r Resource,
}

impl<'r> Packed<'r> {
    /// A Secret gets its name here, as it was requested.
    fn new(kind: TypeUrl, name: &str, resource: &'r Resource) -> Self {
        let mut own_name = Vec::new();
        if kind == TypeUrl::Secret {
            string::encode(SECRET_NAME, &name.to_owned(), &mut own_name);
        }
        let mut head = Vec::new();
        string::encode(TYPE_URL, &kind.as_str().to_owned(), &mut head);
        start(VALUE, own_name.len() + resource.encoded_len(), &mut head);
        head.extend(own_name);
        Self { head, resource }
    }

    fn len(&self) -> usize {
        self.head.len() + self.resource.encoded_len()
    }

    fn append(&self, field: u32, message: &mut Vec<u8>) {
        start(field, self.len(), message);
        message.extend_from_slice(&self.head);
        self.resource.append_to(message);
    }
}

/// Reserves room for a whole message, or somewhat more: growing would leave copies of private keys behind.
fn make_room(head: usize, resources: &[(Arc<str>, Arc<Resource>)], message: &mut Vec<u8>) {
    /// The overhead of a resource: type, version, lengths and tags.
    const FRAME: usize = 256;
    let of = |(name, resource): &(Arc<str>, Arc<Resource>)| 2 * name.len() + resource.encoded_len() + FRAME;
    message.reserve_exact(head + resources.iter().map(of).sum::<usize>());
}

/// Writes the start of a field that is `len` bytes long.
fn start(field: u32, len: usize, message: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, message);
    encode_varint(len as u64, message);
}

fn field_len(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64) + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_ends_with_its_last_word() {
        let status = RpcStatus {
            message: "cannot bind '0.0.0.0:80': Address already in use\n".to_owned(),
            ..RpcStatus::default()
        };
        assert_eq!(reason(status), "cannot bind '0.0.0.0:80': Address already in use");
    }
}
