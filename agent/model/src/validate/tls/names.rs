//! What a server's `tls` names: Secrets, and pins of clients' certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealgate_core::config::ServerTls;

use crate::manifest::is_name;
use crate::{BUNDLE_SUFFIX, Code, secret_name};

/// The names of Secrets become selectors, paths and the names of resources.
pub(super) fn names(tls: &ServerTls, refuse: &mut impl FnMut(Code, &str, String)) {
    let single = [
        ("credentialName", &tls.credential_name),
        ("caCertCredentialName", &tls.ca_cert_credential_name),
    ];
    let single = single
        .into_iter()
        .filter_map(|(place, name)| Some((place.to_owned(), name.as_ref()?)));
    let several = tls.credential_names.iter().enumerate();
    let several = several.map(|(at, name)| (format!("credentialNames[{at}]"), name));
    for (place, name) in single.chain(several) {
        let is_bundle = place != "caCertCredentialName" && name.ends_with(BUNDLE_SUFFIX);
        if is_bundle {
            let message = format!(
                "{name:?}: a name that ends in {BUNDLE_SUFFIX} is a trust bundle's, and no key pair's"
            );
            refuse(Code::BadCredentialName, &format!("tls.{place}"), message);
        }
        // An empty one is as good as none.
        if !name.is_empty() && !is_name(secret_name(name)) {
            let message =
                format!("{name:?} cannot be a Secret's name: lower-case letters, digits, `-` and `.`");
            refuse(Code::BadCredentialName, &format!("tls.{place}"), message);
        }
    }
}

/// As Envoy wants them: it refuses a whole listener for one that it cannot read.
pub(super) fn pins(tls: &ServerTls, refuse: &mut impl FnMut(Code, &str, String)) {
    for (at, pin) in tls.verify_certificate_spki.iter().enumerate() {
        if !is_spki(pin) {
            let message = format!("{pin:?}: the base64 of a SHA-256, 44 letters");
            refuse(
                Code::BadCertificatePin,
                &format!("tls.verifyCertificateSpki[{at}]"),
                message,
            );
        }
    }
    for (at, pin) in tls.verify_certificate_hash.iter().enumerate() {
        if !is_hash(pin) {
            let message =
                format!("{pin:?}: a SHA-256 as 64 hexadecimal digits, or pairs of them with colons");
            refuse(
                Code::BadCertificatePin,
                &format!("tls.verifyCertificateHash[{at}]"),
                message,
            );
        }
    }
}

fn is_spki(pin: &str) -> bool {
    STANDARD.decode(pin).is_ok_and(|bytes| bytes.len() == 32)
}

fn is_hash(pin: &str) -> bool {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    match pin.len() {
        64 => pin.bytes().all(|byte| byte.is_ascii_hexdigit()),
        95 => pin.split(':').all(is_pair),
        _ => false,
    }
}
