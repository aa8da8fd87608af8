//! RFC 9440: the certificate itself, as a structured field's byte sequence (RFC 8941).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `Client-Cert`.
pub(super) fn leaf(der: &[u8]) -> Vec<u8> {
    item(der).into_bytes()
}

/// `Client-Cert-Chain`: what followed the leaf in the handshake, in that order; none if nothing did.
pub(super) fn chain(others: &[Vec<u8>]) -> Option<Vec<u8>> {
    let items: Vec<String> = others.iter().map(|der| item(der)).collect();
    (!items.is_empty()).then(|| items.join(", ").into_bytes())
}

fn item(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}
