//! Short helpers for the protobuf types, for all builders in this folder.

use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, DataSource, SocketAddress,
    TypedExtensionConfig, address,
    config_source::ConfigSourceSpecifier,
    data_source::Specifier,
    socket_address::{PortSpecifier, Protocol},
};
use envoy_types::pb::google::protobuf::{BoolValue, Duration, UInt32Value, UInt64Value};
use prost::{Message, Name};

use crate::valid::{Packer, Valid};

/// An extension named `name` with its configuration.
pub(super) fn extension<M: Message + Name + Valid>(
    packer: &Packer,
    name: &str,
    message: &M,
) -> TypedExtensionConfig {
    TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(packer.any(message)),
    }
}

/// A limit in seconds; 0 for no limit.
pub(super) fn limit(seconds: u32) -> Option<Duration> {
    self::seconds(seconds.into())
}

/// A source on the aggregated stream.
pub(super) fn from_ads(fetch_timeout: Option<Duration>) -> ConfigSource {
    ConfigSource {
        initial_fetch_timeout: fetch_timeout,
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..Default::default()
    }
}

/// A TCP address.
pub(super) fn tcp(ip: &str, port: u16) -> Address {
    self::address(ip, port, Protocol::Tcp)
}

/// A UDP address.
pub(super) fn udp(ip: &str, port: u16) -> Address {
    self::address(ip, port, Protocol::Udp)
}

fn address(ip: &str, port: u16, protocol: Protocol) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            protocol: protocol.into(),
            address: ip.to_owned(),
            port_specifier: Some(PortSpecifier::PortValue(port.into())),
            ..Default::default()
        })),
    }
}

/// Bytes within the message itself.
pub(super) fn inline(bytes: &[u8]) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineBytes(bytes.to_vec())),
        ..Default::default()
    }
}

/// A wrapped true.
pub(super) fn yes() -> Option<BoolValue> {
    Some(BoolValue { value: true })
}

/// A wrapped false.
pub(super) fn no() -> Option<BoolValue> {
    Some(BoolValue { value: false })
}

/// A wrapped integer.
pub(super) fn uint(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

/// A wrapped long integer.
pub(super) fn ulong(value: u64) -> Option<UInt64Value> {
    Some(UInt64Value { value })
}

/// A duration.
pub(super) fn duration(duration: std::time::Duration) -> Option<Duration> {
    Some(Duration {
        seconds: i64::try_from(duration.as_secs()).ok()?,
        nanos: i32::try_from(duration.subsec_nanos()).ok()?,
    })
}

/// A duration in whole seconds.
pub(super) fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}
