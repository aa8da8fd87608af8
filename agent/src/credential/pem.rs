//! PEM in and out. The only file that names `rustls_pemfile`, which is archived: it finds blocks and decodes their
//! base64, everything that it returns is parsed again by its reader.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::CredentialError;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A block's label and content.
pub(super) enum PemBlock {
    Certificate(Vec<u8>),
    Pkcs1(Zeroizing<Vec<u8>>),
    Sec1(Zeroizing<Vec<u8>>),
    Pkcs8(Zeroizing<Vec<u8>>),
    Crl(Vec<u8>),
}

/// All blocks of the kinds above; others (`EC PARAMETERS`) and text around blocks are left out.
pub(super) fn blocks(bytes: &[u8]) -> Result<Vec<PemBlock>, CredentialError> {
    let text = clean(bytes);
    check_markers(&text)?;
    let mut reader: &[u8] = &text;
    let mut blocks = Vec::new();
    for item in rustls_pemfile::read_all(&mut reader) {
        use rustls_pemfile::Item;
        let item = item.map_err(|error| CredentialError::BadPem(describe(&error)))?;
        match item {
            Item::X509Certificate(der) => blocks.push(PemBlock::Certificate(der.to_vec())),
            Item::Pkcs1Key(der) => blocks.push(PemBlock::Pkcs1(der.secret_pkcs1_der().to_vec().into())),
            Item::Sec1Key(der) => blocks.push(PemBlock::Sec1(der.secret_sec1_der().to_vec().into())),
            Item::Pkcs8Key(der) => blocks.push(PemBlock::Pkcs8(der.secret_pkcs8_der().to_vec().into())),
            Item::Crl(der) => blocks.push(PemBlock::Crl(der.to_vec())),
            _ => {}
        }
    }
    Ok(blocks)
}

/// The library's errors may hold a line of the input, which may be a key's: only their kind is told.
fn describe(error: &std::io::Error) -> String {
    match error.to_string() {
        text if text.contains("base64") => "a block's content is not base64".to_owned(),
        _ => "a block is malformed".to_owned(),
    }
}

/// Takes off what editors and other systems add and Envoy refuses: byte order marks (also within, where files were
/// joined), CR and indentation. What ends a line is as little looked at as by Envoy, NULs included.
fn clean(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let length = line
            .iter()
            .rposition(|byte| *byte > b' ')
            .map_or(0, |last| last + 1);
        let line = line.get(..length).unwrap_or_default().trim_ascii_start();
        let line = known_as(line).unwrap_or(line);
        if !line.is_empty() {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
    text
}

/// OpenSSL's other names for a certificate, which Envoy knows too.
fn known_as(line: &[u8]) -> Option<&'static [u8]> {
    match line {
        b"-----BEGIN X509 CERTIFICATE-----" | b"-----BEGIN TRUSTED CERTIFICATE-----" => {
            Some(b"-----BEGIN CERTIFICATE-----")
        }
        b"-----END X509 CERTIFICATE-----" | b"-----END TRUSTED CERTIFICATE-----" => {
            Some(b"-----END CERTIFICATE-----")
        }
        _ => None,
    }
}

/// Every marker stands alone on its line, and every block ends under its own label: a reader that is less strict
/// than Envoy's would drop blocks in silence.
fn check_markers(text: &[u8]) -> Result<(), CredentialError> {
    let refused = |reason: &str| Err(CredentialError::BadPem(reason.to_owned()));
    let mut open: Option<Cow<'_, str>> = None;
    for line in text.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if !line.contains(BEGIN) && !line.contains(END) {
            continue;
        }
        let label = |marker: &str| {
            let label = line.strip_prefix(marker)?.strip_suffix(DASHES)?;
            (!label.contains('-')).then(|| label.to_owned())
        };
        match (label(BEGIN), label(END), open.take()) {
            (Some(label), None, None) => open = Some(label.into()),
            (None, Some(label), Some(begun)) if begun == label => {}
            (Some(_), None, Some(_)) => return refused("a block has no END line"),
            (None, Some(_), _) => return refused("an END line without its BEGIN line"),
            _ => return refused("text on a BEGIN or END line"),
        }
    }
    if open.is_some() {
        refused("a block has no END line: it is cut off")
    } else {
        Ok(())
    }
}

/// Whether there is a key that asks for a password.
pub(super) fn has_encrypted_key(bytes: &[u8]) -> bool {
    clean(bytes).split(|byte| *byte == b'\n').any(|line| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY") || line.starts_with(b"Proc-Type: 4,ENCRYPTED")
    })
}

/// Appends a block in canonical form.
pub(super) fn encode(label: &str, der: &[u8], pem: &mut String) {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Room first, so that no half-written copy of a key is left behind by growing; and no more, thousands are kept.
    let frame = BEGIN.len() + END.len() + 2 * (label.len() + "-----\n".len());
    pem.reserve_exact(frame + body.len() + body.len().div_ceil(64));
    pem.push_str(BEGIN);
    pem.push_str(label);
    pem.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str(END);
    pem.push_str(label);
    pem.push_str("-----\n");
}
