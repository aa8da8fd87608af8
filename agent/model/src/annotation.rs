//! What a Gateway's annotations say.

use std::sync::Arc;

use sealgate_core::arrival::EscapedSlashes;
use sealgate_core::identity::IdentityConfig;

use crate::Meta;

/// What upstreams are told of clients.
pub const IDENTITY: &str = "sealgate.dev/identity";
/// How certificates get to the proxy: `auto`, `eager` or `onDemand`.
pub const CERTIFICATES: &str = "sealgate.dev/certificates";

/// What becomes of `%2F` and `%5C` in paths: `keep`, `reject`, `redirect` or `unescape`.
pub const ESCAPED_SLASHES: &str = "sealgate.dev/escaped-slashes";

/// Whether HTTPS servers speak HTTP/3 too: `true` or `false`.
pub const HTTP3: &str = "sealgate.dev/http3";

/// Of a Secret: the namespaces whose Gateways may name it, separated by commas; `*` is all.
pub const ALLOWED_NAMESPACES: &str = "sealgate.dev/allowed-namespaces";

/// The namespaces whose Gateways may name a Secret, as it says itself.
#[must_use]
pub fn allowed_namespaces(meta: &Meta) -> Vec<Arc<str>> {
    let text = meta.annotations.get(ALLOWED_NAMESPACES).map(String::as_str);
    let names = text.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(Arc::from).collect()
}

/// How the certificates of a Gateway's servers get to the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certificates {
    /// As many servers decide.
    #[default]
    Auto,
    /// Before the first connection.
    Eager,
    /// When a connection asks for them.
    OnDemand,
}

/// What a Gateway says of how its certificates get to the proxy; none if it says nothing.
///
/// # Errors
/// It is none of the words.
pub fn certificates(meta: &Meta) -> Option<Result<Certificates, String>> {
    Some(match meta.annotations.get(CERTIFICATES)?.trim() {
        "" | "auto" => Ok(Certificates::Auto),
        "eager" => Ok(Certificates::Eager),
        "onDemand" => Ok(Certificates::OnDemand),
        other => Err(format!("{other:?} is not one of auto, eager, onDemand")),
    })
}

/// What a Gateway says of escaped slashes in paths; none if it says nothing.
///
/// # Errors
/// It is none of the words.
pub fn escaped_slashes(meta: &Meta) -> Option<Result<EscapedSlashes, String>> {
    Some(match meta.annotations.get(ESCAPED_SLASHES)?.trim() {
        "keep" => Ok(EscapedSlashes::Kept),
        "reject" => Ok(EscapedSlashes::Refused),
        "redirect" => Ok(EscapedSlashes::Redirected),
        "unescape" => Ok(EscapedSlashes::Decoded),
        other => Err(format!(
            "{other:?} is not one of keep, reject, redirect, unescape"
        )),
    })
}

/// What a Gateway says of HTTP/3; none if it says nothing.
///
/// # Errors
/// It is none of the words.
pub fn http3(meta: &Meta) -> Option<Result<bool, String>> {
    Some(match meta.annotations.get(HTTP3)?.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("{other:?} is not one of true, false")),
    })
}

/// What a Gateway says of identity headers; none if it says nothing.
///
/// # Errors
/// What is wrong with it, for people.
pub fn identity(meta: &Meta) -> Option<Result<IdentityConfig, String>> {
    let text = meta.annotations.get(IDENTITY)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sealgate_core::identity::{CertHeader, Xfcc};

    use super::*;

    fn annotated(text: &str) -> Meta {
        Meta {
            annotations: BTreeMap::from([(IDENTITY.to_owned(), text.to_owned())]),
            ..Meta::default()
        }
    }

    #[test]
    fn annotations_are_yaml_and_every_word_is_known() {
        let read = |text: &str| identity(&annotated(text)).unwrap();
        assert_eq!(identity(&Meta::default()), None);
        for default in ["", " \n", "{}"] {
            assert_eq!(read(default), Ok(IdentityConfig::default()), "{default:?}");
        }
        // Plain `off` is a word and not a boolean.
        let config =
            read("xfcc: off\nclientCert: leaf\nheaders: [verified, uriSan]\nprefix: X-Peer-Client-Cert-")
                .unwrap();
        assert_eq!((config.xfcc, config.client_cert), (Xfcc::Off, CertHeader::Leaf));
        assert_eq!(config.own_prefix(), Some("x-peer-client-cert-"));
        for bad in [
            "[]",
            "yes",
            "xfcc: sometimes",
            "xfccs: off",
            "headers: [verfied]",
            "headers: verified",
            "prefix: 'a b'",
            "prefix: x-amz-content-",
            "prefix: authoriz",
            "prefix: x-client-certificate-",
            "prefix: x-envoy-client-cert-",
            "a: b: c",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
    #[test]
    fn http3_is_a_plain_word() {
        let read = |text: &str| {
            let annotations = BTreeMap::from([(HTTP3.to_owned(), text.to_owned())]);
            http3(&Meta {
                annotations,
                ..Meta::default()
            })
        };
        assert_eq!(http3(&Meta::default()), None);
        assert_eq!(read("true"), Some(Ok(true)));
        assert_eq!(read(" false\n"), Some(Ok(false)));
        for bad in ["", "yes", "True", "1"] {
            assert!(read(bad).is_some_and(|read| read.is_err()), "{bad:?}");
        }
    }
}
