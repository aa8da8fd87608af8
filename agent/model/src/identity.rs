//! What upstreams are told of clients: the annotation `sealgate.dev/identity`.

use sealgate_core::identity::IdentityConfig;

use crate::Meta;

/// The annotation of a Gateway.
pub const ANNOTATION: &str = "sealgate.dev/identity";

/// What a Gateway's annotation says; none if there is none.
///
/// # Errors
/// What is wrong with it, for people.
pub fn annotation(meta: &Meta) -> Option<Result<IdentityConfig, String>> {
    let text = meta.annotations.get(ANNOTATION)?;
    let read = if text.trim().is_empty() {
        Ok(IdentityConfig::default())
    } else {
        serde_saphyr::from_str::<IdentityConfig>(text).map_err(|error| error.to_string())
    };
    Some(read.and_then(|config| match config.check() {
        Ok(()) => Ok(config),
        Err(error) => Err(error.to_string()),
    }))
}
