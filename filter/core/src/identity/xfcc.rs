//! One element of `x-forwarded-client-cert`, in Envoy's format, with every value in quotes. In URIs and DNS names,
//! quotes, backslashes, percent signs and all but visible characters are percent-encoded: Envoy does not encode them,
//! so that a client can forge values.

use super::certificate::PeerIdentity;
use super::escape;

pub(super) fn element(sha256: &str, identity: Option<&PeerIdentity>) -> Vec<u8> {
    let mut text = format!("Hash=\"{sha256}\"").into_bytes();
    let Some(identity) = identity else { return text };
    let mut add = |key: &str, value: &[u8]| {
        text.extend_from_slice(b";");
        text.extend_from_slice(key.as_bytes());
        text.extend_from_slice(b"=\"");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\"");
    };
    add("Subject", identity.quotable_subject.as_bytes());
    for uri in &identity.uri_sans {
        add("URI", &escape::quoted(uri));
    }
    for name in &identity.dns_sans {
        add("DNS", &escape::quoted(name));
    }
    text
}
