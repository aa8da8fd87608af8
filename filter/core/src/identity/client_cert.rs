//! RFC 9440: the certificate itself, as a structured field's byte sequence (RFC 8941).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::{BadCertificate, der_from_pem};
use super::escape;

/// `Client-Cert`.
pub(super) fn leaf(der: &[u8]) -> Vec<u8> {
    item(der).into_bytes()
}

/// `Client-Cert-Chain`: what followed the leaf in the handshake, in that order; none if nothing did.
pub(super) fn chain(others: &[Vec<u8>]) -> Option<Vec<u8>> {
    let items: Vec<String> = others.iter().map(|der| item(der)).collect();
    (!items.is_empty()).then(|| items.join(", ").into_bytes())
}

/// The certificates in the `Chain` of an XFCC element from Envoy: PEM, percent-encoded. Empty if any of them cannot be
/// read.
#[must_use]
pub fn chain_from_xfcc(header: &[u8]) -> Vec<Vec<u8>> {
    const KEY: &[u8] = b"Chain=\"";
    let start = header.windows(KEY.len()).position(|window| window == KEY);
    let value = start
        .and_then(|start| header.get(start + KEY.len()..))
        .unwrap_or_default();
    let value = value.split(|byte| *byte == b'"').next().unwrap_or_default();
    certificates_from_pem(&escape::decoded(value)).unwrap_or_default()
}

/// Every certificate of a PEM text, in DER.
///
/// # Errors
/// One of them is not base64.
pub fn certificates_from_pem(mut pem: &[u8]) -> Result<Vec<Vec<u8>>, BadCertificate> {
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let mut all = Vec::new();
    while let Some(end) = pem.windows(END.len()).position(|window| window == END) {
        let (one, rest) = pem.split_at_checked(end + END.len()).ok_or(BadCertificate)?;
        all.push(der_from_pem(one)?);
        pem = rest;
    }
    Ok(all)
}

fn item(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}
