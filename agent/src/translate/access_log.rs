//! The access log: a line for each request, and for each connection that is routed as a whole.

use envoy_types::pb::envoy::config::accesslog::v3::{AccessLog, access_log};
use envoy_types::pb::envoy::config::core::v3::{
    SubstitutionFormatString, substitution_format_string::Format,
};
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StdoutAccessLog, stdout_access_log::AccessLogFormat,
};

use super::wire;
use crate::valid::Packer;

/// Without query strings (they carry tokens) and without any certificate content. A value that does not exist is `-`.
const ACCESS_LOG: &str = "[%START_TIME%] %REQ(:METHOD)% %REQ(:AUTHORITY)% %PATH(NQ:ORIG_OR_PATH)% %PROTOCOL% \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% \
    %STREAM_ID%\n";

pub(super) fn build(packer: &Packer) -> AccessLog {
    let log = StdoutAccessLog {
        access_log_format: Some(AccessLogFormat::LogFormat(SubstitutionFormatString {
            format: Some(Format::TextFormatSource(wire::inline(ACCESS_LOG.as_bytes()))),
            ..Default::default()
        })),
    };
    AccessLog {
        name: "envoy.access_loggers.stdout".to_owned(),
        config_type: Some(access_log::ConfigType::TypedConfig(packer.any(&log))),
        ..Default::default()
    }
}
