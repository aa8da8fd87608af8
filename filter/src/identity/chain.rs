//! The chain that a client presented. Envoy only shows it in the XFCC header that it is made to write for us.

use sealgate_core::identity::{Rendered, chain_from_xfcc};

use crate::host::{self, HostError};

/// What followed the leaf; nothing if the header is about another one.
pub(super) fn presented(leaf: Option<&[u8]>) -> Result<Vec<Vec<u8>>, HostError> {
    let header = host::request_value(Rendered::XFCC)?.unwrap_or_default();
    let mut chain = chain_from_xfcc(&header);
    if chain.is_empty() || chain.first().map(Vec::as_slice) != leaf {
        return Ok(Vec::new());
    }
    chain.remove(0);
    Ok(chain)
}
